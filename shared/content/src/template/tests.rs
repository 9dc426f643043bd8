use proptest::prelude::*;
use serde_json::json;

use super::*;

fn text(source: &str, data: &serde_json::Value) -> String {
    Template::parse(source).unwrap().render(data).unwrap()
}

fn html(source: &str, data: &serde_json::Value) -> String {
    Template::parse_html(source).unwrap().render(data).unwrap()
}

fn refused(source: &str) -> TemplateError {
    Template::parse(source).unwrap_err()
}

fn fails(source: &str) -> RenderError {
    let data = json!({"long": "x".repeat(60_000), "items": [{"a": 1}, {"b": 2}]});
    Template::parse(source).unwrap().render(&data).unwrap_err()
}

#[test]
fn merge_fields_with_fallback() {
    let source = "Chào {{ contact.first_name | default: \"bạn\" }}!";
    assert_eq!(
        text(source, &json!({"contact": {"first_name": "Ánh"}})),
        "Chào Ánh!"
    );
    assert_eq!(
        text(source, &json!({"contact": {"first_name": ""}})),
        "Chào bạn!"
    );
    assert_eq!(text(source, &json!({"contact": {}})), "Chào bạn!");
    assert_eq!(text(source, &json!({})), "Chào bạn!");
}

#[test]
fn missing_values_are_empty_at_any_depth() {
    let data = json!({"items": [{"name": "A"}, {"price": 5}]});
    assert_eq!(
        text(
            "[{{ a }}{{ a.b.c }}{{ items[9].x }}]",
            &json!({"items": [1]})
        ),
        "[]"
    );
    assert_eq!(
        text(
            "{% for i in items %}<{{ i.name | default: '-' }}:{{ i.maker.town }}>{% endfor %}",
            &data
        ),
        "<A:><-:>"
    );
    assert_eq!(
        text(
            "{% for i in items %}{% if i.name == 'A' %}a{% else %}b{% endif %}{% endfor %}",
            &data
        ),
        "ab"
    );
    assert_eq!(
        text(
            "{% for x in nothing.here %}x{% else %}none{% endfor %}",
            &data
        ),
        "none"
    );
}

#[test]
fn the_usual_tags_work() {
    let data = json!({"n": 3, "tags": ["vip", "new"], "vip": true, "amount": 1_250_000});
    for (source, expected) in [
        (
            "{% if vip and n > 2 %}y{% elsif n == 1 %}m{% else %}n{% endif %}",
            "y",
        ),
        ("{% unless vip %}y{% else %}n{% endunless %}", "n"),
        (
            "{% case n %} {% when 1, 2 %}a{% when 3 %}b{% else %}c{% endcase %}",
            "b",
        ),
        (
            "{% for t in tags %}{{ forloop.index }}{{ t }}{% unless forloop.last %}, {% endunless %}{% endfor %}",
            "1vip, 2new",
        ),
        (
            "{% for i in (1..5) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 4 %}{% break %}{% endif %}{{ i }}{% endfor %}",
            "13",
        ),
        (
            "{% assign x = tags | join: '+' | upcase %}{{ x }}",
            "VIP+NEW",
        ),
        (
            "{% capture x %}<{{ n }}>{% endcapture %}{{ x }}{{ x }}",
            "<3><3>",
        ),
        ("{% cycle 'a', 'b' %}{% cycle 'a', 'b' %}", "ab"),
        ("{% increment c %}{% increment c %}", "01"),
        (
            "a  {%- comment -%} it's {{ ( {% x {%- endcomment -%}  b",
            "ab",
        ),
        (
            "{% raw %}{{ n }}{% x %}{{{% endraw %}{ n }}",
            "{{ n }}{% x %}{{{ n }}",
        ),
        ("a \n {{- n -}} \n b", "a3b"),
        ("{{ tags.size }}{{ tags[0] }}{{ tags.last }}", "2vipnew"),
        ("{{\tn\t}}", "3"),
        ("{{ amount | divided_by: 1000 }}k", "1250k"),
        ("}} %} { % { {", "}} %} { % { {"),
    ] {
        let parsed = Template::parse(source).unwrap_or_else(|error| panic!("{source}: {error}"));
        assert_eq!(parsed.render(&data).unwrap(), expected, "{source}");
    }
}

#[test]
fn dates_are_formatted_in_the_zone_they_carry() {
    let data = json!({"order": {"at": "2026-11-22T09:30:00+07:00"}});
    assert_eq!(
        text("{{ order.at | date: '%d/%m/%Y %H:%M' }}", &data),
        "22/11/2026 09:30"
    );
    assert_eq!(text("{{ order.at }}", &data), "2026-11-22 09:30:00 +0700");
    let data = json!({
        "c": {"birthday": "1990-05-02"}, "at": "2026-11-22T02:30:00.123Z", "n": 0,
        "word": " Now ", "day": "today",
    });
    for (source, expected) in [
        (
            "{{ c.birthday }} {{ c.birthday | date: '%d/%m' }}",
            "1990-05-02 02/05",
        ),
        (
            "{{ at | date: '%d/%m %H:%M' | append: '!' }}",
            "22/11 02:30!",
        ),
        ("{{ n | date: '%Y' }}", "1970"),
        ("[{{ none | date: '%Y' }}]", "[]"),
        ("{{ none | default: 'soon' | date: '%Y' }}", "soon"),
        ("[{{ word | date: '%Y' }}{{ day | date: '%Y' }}]", "[]"),
    ] {
        assert_eq!(text(source, &data), expected, "{source}");
    }
}

#[test]
fn truncate_counts_characters() {
    let data = json!({"hello": "Chào bạn"});
    for (source, expected) in [
        ("{{ hello | truncate: 8 }}", "Chào bạn"),
        ("{{ hello | truncate: 7 }}", "Chào..."),
        ("{{ hello | truncate: 5, '…' }}", "Chào…"),
        ("{{ hello | truncate }}", "Chào bạn"),
    ] {
        assert_eq!(text(source, &data), expected, "{source}");
    }
}

#[test]
fn hostile_values_are_escaped_in_html_only() {
    let data = json!({
        "contact": {"name": "<img src=x onerror=alert(1)>", "company": "A & \"B\""},
        "body": "<script>",
    });
    let name = "&lt;img src=x onerror=alert(1)&gt;";
    for (source, expected) in [
        ("<b>{{ contact.name }}</b>", format!("<b>{name}</b>")),
        ("{{ contact.name | escape }}", name.to_owned()),
        (
            "<a title=\"{{ contact.company }}\">",
            "<a title=\"A &amp; &quot;B&quot;\">".to_owned(),
        ),
        ("{% assign x = contact.name %}{{ x }}", name.to_owned()),
        (
            "{% capture x %}<i>{{ contact.name }}</i>{% endcapture %}{{ x }}",
            format!("<i>{name}</i>"),
        ),
        (
            "{% capture x %}{{ contact.name }}{% endcapture %}{{ x | strip }}",
            name.to_owned(),
        ),
        // Not captured here: the data's own field must not pass as captured HTML.
        (
            "{% if no %}{% capture body %}{% endcapture %}{% endif %}[{{ body }}]",
            "[]".to_owned(),
        ),
        (
            "{{ contact.company | url_encode }}",
            "A%20%26%20%22B%22".to_owned(),
        ),
        (
            "{% if contact.company == 'A & \"B\"' %}same{% endif %}",
            "same".to_owned(),
        ),
        (
            "{% assign x = contact.name | append: '\n2' %}{{ x | newline_to_br }}",
            format!("{name}<br />\n2"),
        ),
    ] {
        let (source, data) = (source.replace("'A & \"B\"'", "contact.company"), &data);
        assert_eq!(html(&source, data), expected, "{source}");
    }
    assert_eq!(text("{{ contact.company }}", &data), "A & \"B\"");
}

#[test]
fn vietnamese_passes_composed_and_decomposed() {
    let composed = "Nguyễn Thị Ánh Đào";
    let decomposed = "Nguye\u{302}\u{303}n Thi\u{323} A\u{301}nh";
    for name in [composed, decomposed] {
        let data = json!({"contact": {"name": name}});
        assert_eq!(text("{{ contact.name }}", &data), name);
        assert_eq!(html("{{ contact.name }}", &data), name);
    }
    assert_eq!(text("{{ n | upcase }}", &json!({"n": "đặng ễ"})), "ĐẶNG Ễ");
}

#[test]
fn control_characters_do_not_pass() {
    assert_eq!(
        text("{{ n }}", &json!({"n": "a\u{1}b\u{0}c\u{9d}\n"})),
        "abc\n"
    );
}

#[test]
fn only_allowed_tags_and_filters_are_known() {
    for source in [
        "{% include 'x' %}",
        "{% render 'x' %}",
        "{% layout 'x' %}",
        "{% tablerow a in b %}",
        "{% ifchanged %}",
        "{% env %}",
        "{{ a | env }}",
        "{{ a | concat: b }}",
        "{{ a | uniq }}",
        "{{ 'now' | date: '%Y' }}",
        "{{ a | date: '%999999999d' }}",
        "{{ a | date: f }}",
        "{{ _tick[1] }}",
        "{% assign _n = 1 %}",
        "{% for _o in a %}{% endfor %}",
        "{% capture _n %}{% endcapture %}",
    ] {
        assert_eq!(refused(source).line, 1, "{source}");
    }
    // Names that mean something in other engines are only unknown names here.
    assert_eq!(text("{{ env }}{{ env.HOME }}{{ system }}", &json!({})), "");
}

#[test]
fn errors_name_the_line() {
    for (source, line) in [
        ("a\nb {{ c", 2),
        ("a\n\n{% nope %}", 3),
        ("{% comment %}\n\n{% endcomment %}\n{{ a | nope }}", 4),
        (
            "{% raw %}\n{% endraw %}{% if a %}\n{% assign %}\n{% endif %}",
            3,
        ),
        (
            "x \n {%- if a -%} \n {% if b == %}{% endif %}{% endif %}",
            3,
        ),
        ("{{ a \n ; }}", 2),
        ("\n{% endif %}", 2),
        ("{{ a | default: &quot;x&quot; }}", 1),
        ("\n{% raw %}", 2),
    ] {
        let error = refused(source);
        assert_eq!(error.line, line, "{source:?}: {error}");
        assert!(!error.message.is_empty());
    }
    assert!(Template::parse("{% if a %}").is_err());
}

#[test]
fn variables_are_listed_without_the_templates_own() {
    let template = Template::parse(
        "{{ contact.first_name | default: contact.name }}{% assign x = shop.name %}{{ x }}
         {% for item in order.items limit: n %}{{ item.name }}{{ forloop.index }}{% endfor %}
         {% if contact.vip == true and a['b'].c contains d %}{% endif %}{{ unsubscribe_url }}
         {% comment %}{{ hidden }}{% endcomment %}",
    )
    .unwrap();
    let names: Vec<_> = template.variables().collect();
    assert_eq!(
        names,
        [
            "a",
            "contact.first_name",
            "contact.name",
            "contact.vip",
            "d",
            "n",
            "order.items",
            "shop.name",
            "unsubscribe_url"
        ]
    );
}

#[test]
fn huge_loops_are_refused() {
    refused("{% for i in (1..1000000000) %}{% endfor %}");
    refused("{% for i in (a..b) %}{% endfor %}");
    refused("{% for i in (1..99999999999999999999) %}{% endfor %}");
    let nested = format!(
        "{}{}",
        "{% for a in (1..1000) %}".repeat(5),
        "{% endfor %}".repeat(5)
    );
    assert_eq!(fails(&nested), RenderError::TooMuchWork);
    let assigning = nested.replace("{% endfor %}", "{% assign x = a %}{% endfor %}");
    assert_eq!(fails(&assigning), RenderError::TooMuchWork);
}

#[test]
fn huge_outputs_are_refused() {
    let loop_of = |body: &str| format!("{{% for a in (1..1000) %}}{body}{{% endfor %}}");
    assert_eq!(fails(&loop_of("{{ long }}")), RenderError::OutputTooLarge);
    assert_eq!(
        fails(&loop_of(&"y".repeat(100_000))),
        RenderError::OutputTooLarge
    );
    assert_eq!(
        fails("{% assign y = long | split: '' | join: '0123456789' %}{{ y }}"),
        RenderError::ValueTooLarge
    );
    let capture = |body: &str| format!("{{% capture x %}}{body}{{% endcapture %}}");
    for source in [
        loop_of("{% assign s = s | append: 'ab' | append: s %}"),
        loop_of("{% capture s %}{{ s }}{{ s }}ab{% endcapture %}"),
        capture(&loop_of("{{ long }}")),
        capture(&loop_of(&loop_of("0123456789"))),
        capture(&format!(
            "{{% assign y = long %}}{}",
            loop_of(&"{{ y }}".repeat(50))
        )),
        loop_of("{% assign y = long | split: '' | sort | reverse | join: '' %}"),
    ] {
        let error = fails(&source);
        assert!(
            matches!(error, RenderError::TooMuchWork | RenderError::ValueTooLarge),
            "{error:?}"
        );
    }
    let growth = "{{ a | replace: 'x', 'xxxxxxxxxxxxxxxx' | replace: 'x', 'xxxxxxxxxxxxxxxx' }}";
    refused(growth);
    refused("{{ a | replace: b, c }}");
}

#[test]
fn deep_and_wide_sources_are_refused_quickly() {
    let deep = |open: &str, close: &str, n: usize| format!("{}{}", open.repeat(n), close.repeat(n));
    refused(&deep("{% if a %}", "{% endif %}", 33));
    Template::parse(&deep("{% if a %}", "{% endif %}", 32)).unwrap();
    refused(&format!(
        "{{% if a %}}{}{{% endif %}}",
        "{% elsif b %}".repeat(1000)
    ));
    Template::parse(&format!(
        "{{% if a %}}{}{{% endif %}}",
        "{% elsif b %}".repeat(31)
    ))
    .unwrap();
    refused(&format!("{{{{ a{} }}}}", deep("[a", "]", 1500)));
    refused(&format!(
        "{{{{ ) \"{{{{ a[\" }}}} \"]{}",
        "[a".repeat(50_000)
    ));
    refused(&format!("{{% raw %}}{{{{ {}", "a[".repeat(60_000)));
    assert_eq!(
        text(
            &format!("{{% raw %}}{{{{ {}{{% endraw %}}", "a[".repeat(60_000)),
            &json!({})
        )
        .len(),
        120_003
    );
    refused(&"{{ a }}".repeat(6_000));
    refused(&"x".repeat(MAX_SOURCE_BYTES + 1));
    refused(&"{{".repeat(100_000));
    refused(&"{% if ".repeat(40_000));
    let blanks = " \n".repeat(120_000);
    assert_eq!(text(&blanks, &json!({})), blanks);
}

#[test]
fn extreme_numbers_do_not_panic() {
    let data = json!({"min": i64::MIN, "max": u64::MAX, "one": -1});
    for source in [
        "{{ min | abs }}",
        "{{ min | divided_by: one }}",
        "{{ min | modulo: one }}",
        "{{ min | minus: 1 }}",
        "{{ max | times: max }}",
        "{{ 'a' | slice: min, min }}",
        "{{ 'a' | truncate: min }}",
        "{{ 1 | divided_by: 0 }}",
        "{{ 'a' | plus: 1 }}",
    ] {
        let _ = Template::parse(source).unwrap().render(&data);
    }
    refused("{{ 99999999999999999999 }}");
}

#[test]
fn deep_data_is_refused() {
    let mut data = json!({});
    for _ in 0..100 {
        data = json!({"a": data});
    }
    let template = Template::parse("{{ a }}").unwrap();
    assert_eq!(template.render(&data), Err(RenderError::DataTooDeep));
}

#[test]
fn errors_hold_no_data() {
    let template = Template::parse("{{ contact.phone | plus: 1 }}").unwrap();
    let data = json!({"contact": {"phone": "secret-value"}});
    let error = template.render(&data).unwrap_err();
    assert!(
        !format!("{error} {error:?}").contains("secret"),
        "{error:?}"
    );
}

#[test]
fn templates_are_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Template>();
}

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
        // An assign makes the whole template Liquid's.
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
