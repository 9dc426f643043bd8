//! The limits of templates, and the errors that name them.

use serde_json::json;

use super::*;

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
    // Names that have a meaning in other engines are only unknown names here.
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
