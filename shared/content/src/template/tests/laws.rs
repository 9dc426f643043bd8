//! Laws that hold for every template and every value.

use proptest::prelude::*;
use serde_json::json;

use super::*;

/// Any JSON value that a contact's field may hold.
fn any_value() -> impl Strategy<Value = serde_json::Value> {
    prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|v| json!(v)),
        any::<i64>().prop_map(|v| json!(v)),
        any::<f64>().prop_map(|v| json!(v)),
        "\\PC{0,12}|[<>&\"' ]{0,4}".prop_map(|v| json!(v)),
        Just(json!([])),
        Just(json!(["a", 1, null])),
        Just(json!({})),
        Just(json!({"d": "deep"})),
        Just(json!("2026-11-22T09:30:00Z")),
    ]
}

proptest! {
    #[test]
    fn plain_fields_print_what_liquid_prints(value in any_value(), is_html in any::<bool>()) {
        let source = "a {{ v }}{{ v | default: \"<'bạn'>\" }} {{o.v}}{{o.none|default:'x'}}{{ none }} b {% raw %}{{ v }}{% endraw %} {{- v -}} c";
        let parse = if is_html { Template::parse_html } else { Template::parse };
        // With an assign, Liquid runs the whole template.
        let whole = parse(&format!("{source}{{% assign x = 1 %}}")).unwrap();
        let data = json!({"v": value, "o": {"v": value}});
        prop_assert_eq!(parse(source).unwrap().render(&data), whole.render(&data));
    }

    #[test]
    fn any_source_is_answered(source in "([a-z \n]|\\{\\{|\\}\\}|\\{%|%\\}|-|\"|'|\\||if|for|in|endif|endfor|raw|endraw|assign|=|\\[|\\]|\\.|1){0,60}") {
        if let Ok(template) = Template::parse_html(&source) {
            let _ = template.render(&json!({"a": [1, 2], "b": "x"}));
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
    fn no_value_breaks_out_of_html(value in any::<String>()) {
        let shown = html("{{ v }}", &json!({"v": value}));
        prop_assert!(!shown.contains(['<', '>', '"', '\'']));
    }

    #[test]
    fn a_value_is_printed_as_it_is_in_text(value in "[^\\p{Cc}]{0,100}") {
        prop_assert_eq!(text("{{ v }}", &json!({"v": value})), value);
    }
}
