//! The limits of templates, and the errors that name their places.

use super::attacks::{attacks, hostile_data};
use super::*;

#[test]
fn errors_name_line_and_column() {
    for (source, line, column) in [
        ("a\nấ {{ c", 2, 3),
        ("a\n\n{% nope %}", 3, 4),
        ("{% comment %}\n\n{% endcomment %}\n{{ a | nope }}", 4, 8),
        ("{% comment %}{%}{% endcomment %}", 1, 1),
        (
            "{% raw %}\n{% endraw %}{% if a %}\n{% assign %}\n{% endif %}",
            3,
            10,
        ),
        (
            "x \n {%- if a -%} \n {% if b == %}{% endif %}{% endif %}",
            3,
            12,
        ),
        ("{{ a \n ; }}", 2, 2),
        ("\n{% endif %}", 2, 4),
        ("{{ a | default: &quot;x&quot; }}", 1, 17),
        ("\n{% raw %}", 2, 1),
        ("{% if a %}", 1, 4),
        ("{{ 'ấ' }}{{ 'x }}", 1, 13),
        ("{% %}", 1, 3),
        ("{% else %}", 1, 4),
        ("{% when 1 %}", 1, 4),
        ("{{ a b }}", 1, 6),
        ("{{ a..b }}", 1, 5),
        ("{{ a.0 }}", 1, 6),
        ("{{ a['b' }}", 1, 9),
        ("{{ (1..2 }}", 1, 9),
        ("{{ a | }}", 1, 7),
        ("{{ -a }}", 1, 4),
        ("{{ a | plus: }}", 1, 13),
        ("{% if not a %}{% endif %}", 1, 11),
        ("{% for a in b x: 1 %}{% endfor %}", 1, 15),
        ("{% assign a? = 1 %}", 1, 11),
        ("{% assign a b %}", 1, 13),
        ("{% capture a b %}{% endcapture %}", 1, 14),
        ("{% cycle %}", 1, 9),
        ("{% break x %}", 1, 10),
        ("{% case x y %}{% endcase %}", 1, 11),
        ("{% case x %}{% when 1 2 %}{% endcase %}", 1, 23),
    ] {
        let (found_line, found_column, message) = refused(source);
        assert_eq!(
            (found_line, found_column),
            (line, column),
            "{source:?}: {message}"
        );
    }
    for (source, message) in [
        ("a {{ b", "a tag is opened but never closed"),
        ("a {{ b 'c }}", "a quote is opened but never closed"),
        ("a {{ b 'c", "a tag is opened but never closed"),
        ("{% if a %}", "{% endif %} is missing"),
        ("{% raw %}", "{% endraw %} is missing"),
        ("{% endfor %}", "endfor closes no for"),
        ("{% endless %}", "unknown tag \"endless\""),
        ("{% include 'x' %}", "unknown tag \"include\""),
        ("{{ a | hoa }}", "unknown filter \"hoa\""),
        ("{{ a ; }}", "unexpected character ';' in a tag"),
        ("{{ a b }}", "expected the end of the tag, found b"),
        (
            "{% assign x = %}",
            "expected a value, found the end of the tag",
        ),
    ] {
        assert_eq!(refused(source).2, message);
    }
    let error = fails("a\nấ {{ x | upcase | divided_by: 0 }}", &json!({}));
    assert_eq!(
        error.to_string(),
        "line 2, column 19: a number is divided by zero"
    );
    assert_eq!(
        Template::parse("{{").unwrap_err().to_string(),
        "line 1, column 1: a tag is opened but never closed"
    );
}

#[test]
fn variables_are_listed_with_their_places_without_the_templates_own() {
    let source = "{{ contact.first_name | default: contact.name }}{% assign x = shop.name %}{{ x }}
         {% for item in order.items limit: n %}{{ item.name }}{{ forloop.index }}{% endfor %}
         {% if contact['vip'].x == true and a['b'].c contains d %}{% endif %}{{ e[f.g].h }}{{ [i] }}
         {% comment %}{{ hidden }}{% endcomment %}{% case j %}{% when k %}{% endcase %}{{ (l..m) }}";
    let template = Template::parse(source).unwrap();
    let names: Vec<_> = template
        .variables()
        .iter()
        .map(|variable| variable.path.join("."))
        .collect();
    assert_eq!(
        names,
        [
            "contact.first_name",
            "contact.name",
            "shop.name",
            "order.items",
            "n",
            "contact.vip.x",
            "a.b.c",
            "d",
            "e",
            "f.g",
            "i",
            "j",
            "k",
            "l",
            "m",
        ]
    );
    let place = |at: usize| {
        (
            template.variables()[at].line,
            template.variables()[at].column,
        )
    };
    assert_eq!((place(0), place(1), place(4)), ((1, 4), (1, 34), (2, 44)));
    assert!(format!("{template:?}").contains("first_name"));
}

/// Little fuel, so that the test is short. Each byte that a render keeps has paid for itself.
#[test]
fn every_attack_ends_and_keeps_little_memory() {
    const FUEL: usize = 300_000;
    let (data, now) = (hostile_data(), now());
    let scope = Scope {
        data: &data,
        reserved: &[],
        now: &now,
    };
    for source in attacks(crate::filters()) {
        let Ok(template) = Template::parse(&source) else {
            continue;
        };
        let arena = Bump::new();
        let result = crate::run::render(&template, &scope, &arena, FUEL);
        let kept = arena.allocated_bytes();
        assert!(kept < 4 * FUEL, "{source} keeps {kept} bytes");
        if let Err((at, reason)) = result {
            assert!(
                reason.is_limit() || matches!(reason, Reason::Failed(_)),
                "{source}: {reason}"
            );
            assert!((1..source.len()).contains(&at), "{source}: {at}");
        }
    }
}

/// A filter that reads a text pays for its length, also with an empty argument.
#[test]
fn each_filter_pays_for_the_text_that_it_reads() {
    const FUEL: usize = 15_000;
    let data = json!({ "long": "chữ x ".repeat(5_000) });
    let now = now();
    let scope = Scope {
        data: &data,
        reserved: &[],
        now: &now,
    };
    let free: Vec<_> = crate::filters()
        .filter(|name| {
            ["", ": ''", ": 1, ''", ": '', ''"].iter().any(|arguments| {
                let source = format!("{{% assign y = long | {name}{arguments} %}}");
                let Ok(template) = Template::parse(&source) else {
                    return false;
                };
                let result = crate::run::render(&template, &scope, &Bump::new(), FUEL);
                let spends = matches!(&result, Err((_, reason)) if reason.is_limit());
                !spends && !matches!(result, Err((_, Reason::Failed(_))))
            })
        })
        .collect();
    // These read no more than the beginning of a text.
    assert_eq!(free, ["date", "default", "first", "last", "reverse"]);
}

#[test]
fn limits_end_a_render() {
    let data = hostile_data();
    for (source, reason) in [
        (
            "{% for a in (1..999999) %}{{ long }}{% endfor %}",
            Reason::OutputTooLarge,
        ),
        (
            "{% for a in (1..999999) %}{% endfor %}",
            Reason::TooMuchWork,
        ),
        ("{{ (1..9999999999) | join }}", Reason::TooMuchWork),
        ("{{ long | replace: 'x', long }}", Reason::TooMuchWork),
        (
            "{% for a in (1..999) %}{% if long == other %}{% endif %}{{ long | size }}{% endfor %}",
            Reason::TooMuchWork,
        ),
    ] {
        assert_eq!(fails(source, &data).reason, reason, "{source}");
    }
    // The length of an index is paid for once.
    let long_index = "{% for i in (1..60) %}{{ list[index] }}{% endfor %}";
    let index = json!({ "list": [], "index": "x".repeat(100_000) });
    assert_eq!(text(long_index, &index), "");
    let most = format!(
        "{{% for i in (1..32) %}}{}{{% endfor %}}",
        "y".repeat(MAX_OUTPUT_BYTES / 32)
    );
    assert_eq!(text(&most, &data).len(), MAX_OUTPUT_BYTES);
    assert_eq!(fails(&(most + "z"), &data).reason, Reason::OutputTooLarge);
}

#[test]
fn nesting_is_bounded() {
    let deep = |open: &str, close: &str, n: usize| format!("{}{}", open.repeat(n), close.repeat(n));
    for (open, close) in [
        ("{% if a %}", "{% endif %}"),
        ("{% for a in b %}", "{% endfor %}"),
        ("{% capture a %}", "{% endcapture %}"),
        ("{% case a %}{% when 1 %}", "{% endcase %}"),
    ] {
        Template::parse(&deep(open, close, MAX_DEPTH)).unwrap();
        assert_eq!(
            refused(&deep(open, close, MAX_DEPTH + 1)).2,
            "blocks or brackets are nested over 32 deep"
        );
        refused(&deep(open, close, 5_000));
    }
    Template::parse(&format!(
        "{{% if a %}}{}{{% endif %}}",
        "{% elsif b %}".repeat(10_000)
    ))
    .unwrap();
    Template::parse(&format!("{{{{ a{} }}}}", deep("[a", "]", MAX_DEPTH))).unwrap();
    refused(&format!("{{{{ a{} }}}}", deep("[a", "]", 1_500)));
    refused(&format!(
        "{{{{ {}1..1{} }}}}",
        "(".repeat(1_500),
        "..1)".repeat(1_500)
    ));
    refused(&format!("{{% {} %}}", "liquid ".repeat(1_500)));
    let mut data = json!({});
    for _ in 0..100 {
        data = json!({"a": [data]});
    }
    for source in [
        "{{ a }}",
        "{{ a | join }}",
        "{{ a | uniq }}",
        "{{ a | append: 'x' }}",
        "{% if a == a %}{% endif %}",
    ] {
        assert_eq!(fails(source, &data).reason, Reason::DataTooDeep, "{source}");
    }
    assert_eq!(text("{{ a.size }}", &data), "1");
}

#[test]
fn large_sources_are_refused_or_read_once() {
    refused(&"x".repeat(MAX_SOURCE_BYTES + 1));
    refused(&"{{".repeat(100_000));
    refused(&"{% if ".repeat(40_000));
    refused(&"{{ ' ".repeat(40_001));
    refused(&"{% raw %}".repeat(20_000));
    refused(&"{% comment %}".repeat(20_000));
    let blanks = " \n".repeat(MAX_SOURCE_BYTES / 2);
    assert_eq!(text(&blanks, &json!({})), blanks);
    assert_eq!(
        text(&"{{ a }}".repeat(30_000), &json!({"a": 1})).len(),
        30_000
    );
    assert_eq!(
        text(
            &format!("{{{{ 1{} }}}}", " | plus: 1".repeat(20_000)),
            &json!({})
        ),
        "20001"
    );
}

#[test]
fn names_of_other_engines_are_only_unknown_names() {
    assert_eq!(
        text(
            "{{ env }}{{ env.HOME }}{{ system }}{{ _x }}{{ settings }}",
            &json!({})
        ),
        ""
    );
    for source in [
        "{% include 'x' %}",
        "{% render 'x' %}",
        "{% layout 'x' %}",
        "{% env %}",
        "{{ a | env }}",
        "{{ a | read_file }}",
    ] {
        refused(source);
    }
}

#[test]
fn errors_hold_no_data() {
    let error = fails(
        "{{ phone | slice: phone }}",
        &json!({"phone": "secret-value"}),
    );
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
