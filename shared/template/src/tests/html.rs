//! Escaping: each printed value once, at the place of printing.

use super::*;

#[test]
fn values_are_escaped_in_html_only() {
    let data = json!({
        "name": "<img src=x onerror=alert(1)>", "company": "A & \"B\" 'C'", "body": "<script>", "list": ["<", ["&"]], "map": {"<": "&"},
    });
    let name = "&lt;img src=x onerror=alert(1)&gt;";
    let company = "A &amp; &quot;B&quot; &#39;C&#39;";
    for (source, expected) in [
        ("<b>{{ name }}</b>", format!("<b>{name}</b>")),
        (
            "{{ '<i>' }}<i>{% echo name %}",
            format!("&lt;i&gt;<i>{name}"),
        ),
        (
            "{{ list }}{{ list | first }}{{ list | join: '>' }}",
            "&lt;&amp;&lt;&lt;&gt;&amp;".to_owned(),
        ),
        (
            "{{ map }}",
            "{&quot;&lt;&quot;=&gt;&quot;&amp;&quot;}".to_owned(),
        ),
        (
            "<a title=\"{{ company }}\">",
            format!("<a title=\"{company}\">"),
        ),
        (
            "{{ name | escape }}{{ company | escape_once }}",
            format!("{name}{company}"),
        ),
        (
            "{% assign x = name | escape %}{{ x }}{{ x | append: '' }}",
            format!("{name}{}", name.replace('&', "&amp;")),
        ),
        (
            "{% assign x = name %}{{ x }}{% cycle name %}",
            format!("{name}{name}"),
        ),
        (
            "{% capture x %}<i>{{ name }}</i>{% endcapture %}{{ x }}{{ x | strip | lstrip | rstrip | strip_newlines }}",
            format!("<i>{name}</i>").repeat(2),
        ),
        (
            "{% capture x %}<i>{% endcapture %}{{ x | upcase }}{{ x | split: 'i' }}{{ x | escape }}",
            "&lt;I&gt;&lt;&gt;&lt;i&gt;".to_owned(),
        ),
        (
            "{% capture x %}<i>{% endcapture %}{% assign y = x | split: ',' %}{{ y }}{% ifchanged %}{{ name }}{% endifchanged %}",
            format!("&lt;i&gt;{name}"),
        ),
        (
            "[{{ body }}]{% capture body %}<b>{% endcapture %}[{{ body }}]",
            "[&lt;script&gt;][<b>]".to_owned(),
        ),
        (
            "{% for body in list %}{{ body }}{% endfor %}",
            "&lt;&amp;".to_owned(),
        ),
        (
            "{% if company == company %}{{ company | size }}{% endif %}",
            "11".to_owned(),
        ),
        (
            "{% assign x = '<\n2' %}{{ x | newline_to_br }}{{ x | escape | newline_to_br }}",
            "&lt;<br />\n2".repeat(2),
        ),
        (
            "{{ company | url_encode }}",
            "A+%26+%22B%22+%27C%27".to_owned(),
        ),
        (
            "{{ unsubscribe_url }}{{ 1.5 }}{{ true }}",
            "https://t.example.vn/u/x1.5true".to_owned(),
        ),
    ] {
        assert_eq!(html(source, &data), expected, "{source}");
    }
    assert_eq!(
        text(
            "{{ company }}{{ '<' | escape }}{% capture x %}<{% endcapture %}{{ x }}{{ '<\n' | newline_to_br }}",
            &data
        ),
        "A & \"B\" 'C'&lt;<<<br />\n"
    );
}

#[test]
fn vietnamese_passes_composed_and_decomposed() {
    let (composed, decomposed) = (
        "Nguyễn Thị Ánh Đào",
        "Nguye\u{302}\u{303}n Thi\u{323} A\u{301}nh",
    );
    for name in [composed, decomposed] {
        assert_eq!(text("{{ n }}", &json!({"n": name})), name);
        assert_eq!(html("{{ n }}", &json!({"n": name})), name);
    }
}

#[test]
fn control_characters_of_values_are_not_printed() {
    let data = json!({"n": "a\u{1}b\u{0}c\u{9d}\u{a0}\n\t\r\u{7f}", "l": ["\u{2}x\u{3}"]});
    for (source, expected) in [
        ("{{ n }}", "abc\u{a0}\n\t\r"),
        ("{{ l }}", "x"),
        ("{{ '%01%C2%80a' | url_decode }}", "a"),
        ("{{ 'Ag==' | base64_decode }}", ""),
    ] {
        assert_eq!(text(source, &data), expected);
        assert_eq!(html(source, &data), expected);
        assert_eq!(
            html(
                &format!("{{% capture x %}}{source}{{% endcapture %}}{{{{ x }}}}"),
                &data
            ),
            expected
        );
    }
}

#[test]
fn reserved_names_override_the_data_but_not_the_template() {
    let data = json!({"unsubscribe_url": "https://evil.example"});
    assert_eq!(
        text("{{ unsubscribe_url }} {{ ['unsubscribe_url'] }}", &data),
        "https://t.example.vn/u/x https://t.example.vn/u/x"
    );
    assert_eq!(
        text(
            "{% assign unsubscribe_url = 'own' %}{{ unsubscribe_url }}",
            &data
        ),
        "own"
    );
}
