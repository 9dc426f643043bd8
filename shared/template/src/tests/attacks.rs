//! Templates that ask for much work. Tests bound their memory, and an example measures their time.

use serde_json::{Value as Json, json};

/// Templates that take much work on little source, and data for them.
pub fn attacks(filters: impl Iterator<Item = &'static str>) -> Vec<String> {
    let loops = |times: usize, body: &str| {
        format!(
            "{}{body}{}",
            "{% for a in (1..1000000) %}".repeat(times),
            "{% endfor %}".repeat(times)
        )
    };
    let each = |body: &str| {
        format!("{{% for a in many %}}{{% for b in many %}}{body}{{% endfor %}}{{% endfor %}}")
    };
    let mut attacks: Vec<String> = filters
        .flat_map(|name| {
            [
                "",
                ": long",
                ": 1",
                ": long, long",
                ": 'x', 1",
                ": '', long",
            ]
            .map(|arguments| format!("{{{{ VALUE | {name}{arguments} }}}}"))
        })
        .flat_map(|source| {
            ["long", "many", "tags"].map(|value| loops(2, &source.replace("VALUE", value)))
        })
        .collect();
    attacks.extend([
        loops(5, ""),
        loops(5, "{% assign x = a %}"),
        each(&format!("{{% assign y = many %}}{{% if y {} %}}{{% endif %}}", "== many and y ".repeat(20))),
        each(&format!("{{{{ many {}| size }}}}", "| default: 1 ".repeat(19))),
        each("{% if long contains 'xxxxxxxxy' %}{% endif %}"),
        each("{% if long == other or long < other %}{% endif %}"),
        each("{{ long.size }}{{ tags.first }}{{ tags.size }}"),
        each("{% case long %}{% when other, other, other %}{% endcase %}"),
        each("{% cycle a: 1, 2 %}{% increment x %}"),
        each("{% for t in tags %}{% endfor %}"),
        each("{% ifchanged %}{{ a }}{% endifchanged %}"),
        "{% for a in (1..99999) %}{% assign s = s | append: 'ab' | append: s %}{% endfor %}".into(),
        "{% for a in (1..99999) %}{% capture s %}{{ s }}{{ s }}ab{% endcapture %}{% endfor %}".into(),
        "{% for a in (1..99999) %}{% assign l = many | concat: l | concat: many %}{% endfor %}".into(),
        "{% assign l = (1..9999999999) | join %}".into(),
        "{{ (1..9223372036854775807) | reverse }}{{ (-9223372036854775807..9223372036854775807) | size }}".into(),
        "{% tablerow a in (1..9999999) cols: 1 %}{% endtablerow %}".into(),
        "{{ long | replace: '', long }}".into(),
        "{% capture x %}{% for a in (1..9999999) %}{{ long }}{% endfor %}{% endcapture %}".into(),
    ]);
    attacks
}

/// 100 KB of data.
pub fn hostile_data() -> Json {
    let long = "x".repeat(50_000);
    json!({
        "long": long, "other": format!("{}y", &long[1..]), "many": (0..10_000).collect::<Vec<_>>(),
        "tags": (0..200).map(|i| (format!("f{i}"), json!("<y>".repeat(40)))).collect::<serde_json::Map<_, _>>(),
    })
}
