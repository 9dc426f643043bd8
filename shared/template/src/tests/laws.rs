//! Laws that hold for every template and every value. `PROPTEST_CASES=100000` tries more of them.

use proptest::prelude::*;
use rust_decimal::Decimal;

use super::*;

/// Any JSON value that a contact's field may hold.
fn any_value() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|v| json!(v)),
        any::<i64>().prop_map(|v| json!(v)),
        any::<f64>().prop_map(|v| json!(v)),
        "\\PC{0,12}|[<>&\"' ]{0,4}|[0-9.-]{1,20}".prop_map(|v| json!(v)),
        Just(json!("2026-11-22T09:30:00Z")),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| json!(items)),
            prop::collection::btree_map("[abx]", inner, 0..3).prop_map(|fields| json!(fields)),
        ]
    })
}

/// A value as a template writes it.
fn any_expression() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "a",
        "b",
        "a.b",
        "a[0]",
        "b['x']",
        "x",
        "nil",
        "true",
        "empty",
        "blank",
        "'t'",
        "'a,b'",
        "\"\"",
        "1",
        "-2",
        "2.5",
        "(1..3)",
        "(a..b)",
        "forloop.index",
        "a.size",
        "'%d/%m'",
    ]);
    let filters: Vec<&str> = crate::filters().collect();
    let call = (
        prop::sample::select(filters),
        prop::collection::vec(word.clone(), 0..3),
    )
        .prop_map(|(name, arguments)| {
            if arguments.is_empty() {
                return format!(" | {name}");
            }
            format!(" | {name}: {}", arguments.join(", "))
        });
    (word, prop::collection::vec(call, 0..4))
        .prop_map(|(head, calls)| head.to_owned() + &calls.concat())
}

/// A template whose tags are mostly valid.
fn any_template() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "[a-z <>&\n]{0,6}",
        any_expression().prop_map(|value| format!("{{{{ {value} }}}}")),
        any_expression().prop_map(|value| format!("{{%- assign x = {value} -%}}")),
        Just("{% cycle 'a', b %}{% increment c %}{% break %}".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let block = prop::collection::vec(inner, 0..4).prop_map(|parts| parts.concat());
        let word = prop::sample::select(vec!["a", "b", "x", "1", "'t'", "(1..3)", "nil", "empty"]);
        let operator = prop::sample::select(vec!["==", "!=", "<", ">=", "contains", "and", "or"]);
        prop_oneof![
            (word.clone(), operator, word.clone(), block.clone()).prop_map(
                |(a, operator, b, block)| format!(
                    "{{% if {a} {operator} {b} %}}{block}{{% else %}}-{{% endif %}}"
                )
            ),
            (word.clone(), block.clone()).prop_map(|(list, block)| format!(
                "{{% for x in {list} limit: 9 %}}{block}{{% else %}}-{{% endfor %}}"
            )),
            block
                .clone()
                .prop_map(|block| format!("{{% capture x %}}{block}{{% endcapture %}}")),
            (word, block).prop_map(|(value, block)| format!(
                "{{% case a %}}{{% when {value} %}}{block}{{% endcase %}}"
            )),
        ]
    })
}

proptest! {
    #[test]
    fn any_source_is_answered(source in any::<String>()) {
        let _ = Template::parse(&source);
    }

    #[test]
    fn any_soup_of_tokens_is_answered(
        source in "([a-z \n]|\\{\\{|\\}\\}|\\{%|%\\}|-|\"|'|\\||if|for|in|endif|endfor|raw|endraw|comment|liquid|assign|=|\\[|\\]|\\.|1){0,60}",
        data in any_value(),
    ) {
        if let Ok(template) = Template::parse_html(&source) {
            let _ = render(&template, &json!({"a": data, "b": "x"}));
        }
    }

    #[test]
    fn any_template_renders_twice_the_same(source in any_template(), a in any_value(), b in any_value()) {
        let data = json!({"a": a, "b": b});
        for parse in [Template::parse, Template::parse_html] {
            if let Ok(template) = parse(&source) {
                let once = render(&template, &data);
                prop_assert_eq!(&once, &render(&parse(&source).unwrap(), &data), "{}", source);
                let is_bounded = once.is_ok_and(|text| text.len() > MAX_OUTPUT_BYTES);
                prop_assert!(!is_bounded);
            }
        }
    }

    #[test]
    fn the_pieces_of_a_template_are_its_source(source in any_template()) {
        if let Ok(pieces) = scan(&source) {
            let joined: String = pieces.iter().map(|piece| piece.source).collect();
            prop_assert_eq!(joined, source);
        }
    }

    #[test]
    fn text_without_tags_is_kept(source in "[^{]{0,400}") {
        prop_assert_eq!(text(&source, &json!({})), source);
    }

    #[test]
    fn raw_text_is_kept(inner in "([a-z ]|\\{|\\}|%|'){0,60}") {
        let source = format!("{{% raw %}}{inner}{{% endraw %}}");
        prop_assert_eq!(text(&source, &json!({})), inner);
    }

    #[test]
    fn no_value_breaks_out_of_html(value in any_value(), chain in any_expression()) {
        let source = format!("{{{{ v }}}}{{% assign a = v %}}{{{{ {chain} }}}}");
        let Ok(template) = Template::parse_html(&source) else { return Ok(()) };
        if let Ok(shown) = render(&template, &json!({"v": value, "b": value})) {
            prop_assert!(!shown.replace("<br />", "").contains(['<', '>', '"', '\'']), "{}: {}", source, shown);
        }
    }

    #[test]
    fn a_value_is_printed_as_it_is_in_text(value in "[^\\p{Cc}]{0,100}") {
        prop_assert_eq!(text("{{ v }}", &json!({"v": value})), value);
    }

    #[test]
    fn prices_add_up(a in -9_999_999_i64..9_999_999, b in -9_999_999_i64..9_999_999, digits in 0_usize..4) {
        let decimal = |value: i64| {
            let scale = 10_i64.pow(digits as u32);
            let sign = if value < 0 { "-" } else { "" };
            match digits {
                0 => format!("{sign}{}", value.abs()),
                _ => format!("{sign}{}.{:0digits$}", value.abs() / scale, value.abs() % scale),
            }
        };
        let source = format!("{{{{ {} | plus: {} | minus: {} | round: {digits} }}}}", decimal(a), decimal(b), decimal(b));
        let shown: Decimal = text(&source, &json!({})).parse().unwrap();
        prop_assert_eq!(shown, decimal(a).parse::<Decimal>().unwrap());
    }
}

#[test]
fn ranges_maps_and_rows_keep_their_edges() {
    let data = json!({
        "m": { "a": 1, "first": "own" },
        "nil": 1,
        "n": [9_007_199_254_740_993_i64, 9_007_199_254_740_992_i64],
    });
    prints(
        &data,
        &[
            ("{{ m.first }}", "own"),
            ("{{ (3..3) | size }}", "1"),
            ("{% assign r = (1..3) %}[{{ r[2] }}|{{ r[3] }}]", "[3|]"),
            ("{% assign r = (1..3) %}[{{ r.foo }}|{{ r.size }}]", "[|3]"),
            ("[{{ nil }}{{ null }}]", "[]"),
            (&"{% assign r = (1..2) %}".repeat(300), ""),
            ("{% if empty == blank %}y{% else %}n{% endif %}", "n"),
            ("{{ n | sort | first }}", "9007199254740992"),
            ("{% capture 12 %}x{% endcapture %}", ""),
            (
                "{% tablerow i in (1..3) cols: 2 %}{% if tablerowloop.col_last %}L{% endif %}{% endtablerow %}",
                "<tr class=\"row1\">\n<td class=\"col1\"></td><td class=\"col2\">L</td></tr>\n<tr class=\"row2\"><td class=\"col1\">L</td></tr>\n",
            ),
        ],
    );
}
