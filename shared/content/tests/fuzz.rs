//! Any HTML, CSS and data: compiled or refused, rendered or failed, never a panic, never without bound.

use content::links::LinkSet;
use content::mail::{CompiledMail, Footer, MailContent, MailOptions, Tracking};
use content::sanitize::clean_html;
use content::tokens::TokenKey;
use proptest::prelude::*;
use serde_json::json;

/// Pieces that change the state of an HTML parser, of a stylesheet or of a template.
const PIECES: &[&str] = &[
    "<div>",
    "</div>",
    "<p>",
    "<b>",
    "</b>",
    "<b a=</b>",
    "<i/</i>",
    "<table>",
    "<tr>",
    "<td>",
    "</td>",
    "</table>",
    "<a href=\"https://example.vn/\">",
    "<a href='{{ unsubscribe_url }}'>",
    "</a>",
    "<img src=x>",
    "<svg>",
    "<math>",
    "<template>",
    "<select>",
    "<option>",
    "<!--",
    "-->",
    "--!>",
    "<!-->",
    "<![CDATA[",
    "]]>",
    "<?php",
    "<style>",
    "</style>",
    "<title>",
    "</title>",
    "<textarea>",
    "<script>",
    "</script>",
    "<body>",
    "</body>",
    "</html>",
    "<head>",
    "<!DOCTYPE html>",
    "<plaintext>",
    "<frameset>",
    "*{a:b}",
    "p>b~i+u{a:b!important}",
    "@media x{p{a:b}}",
    "@layer a{",
    "@import 'x';",
    "}",
    "{",
    ":not(",
    ")",
    "[a",
    "]",
    "\"",
    "'",
    "=",
    "&amp;",
    "&#0;",
    "&#x110000;",
    "&",
    ";",
    "\u{1}",
    "\u{2}",
    "\u{3}",
    "\u{4}",
    "\0",
    "lq0q0z",
    "lq1q",
    "{{ contact.first_name }}",
    "{{ postal_address }}",
    "{% if a %}",
    "{% else %}",
    "{% endif %}",
    "{% for i in (1..3) %}",
    "{% endfor %}",
    "{{ i }}",
    " ",
    "\n",
    "chữ",
    "x",
];

fn html() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => prop::sample::select(PIECES).prop_map(str::to_owned),
        1 => "\\PC{0,8}",
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_html_is_a_mail_with_a_way_out_or_is_refused(html in html(), name in "\\PC{0,20}", vip: bool) {
        let content = MailContent {
            subject: name.clone(),
            preview_text: Some(name.clone()),
            html: Some(html.clone()),
            text: None,
        };
        let options = MailOptions {
            footer: Footer {
                company: "Công ty".to_owned(),
                postal_address: "1 Đường \"Mẫu\"".to_owned(),
                permission_reminder: "Vì sao & thế nào".to_owned(),
            },
            is_marketing: true,
            tracking: Tracking { click: true, open: true },
        };
        let Ok(compiled) = CompiledMail::compile(&content, &options) else {
            return Ok(());
        };
        let key = TokenKey::new("0123456789abcdef");
        let links = LinkSet::new("https://t.example.vn", &key, "w", "s", "c", "0").unwrap();
        let data = json!({ "contact": { "first_name": name }, "a": vip });
        let Ok(built) = compiled.render(&data, &links, &jiff::Zoned::default()) else {
            return Ok(());
        };
        let way_out = links.unsubscribe_url();
        prop_assert!(built.text.contains(&way_out), "{}", built.text);
        prop_assert!(built.text.contains("1 Đường") && built.text.contains("Vì sao"));
        let built = built.html.unwrap();
        prop_assert!(built.contains(&way_out), "{}", built);
        prop_assert!(built.len() < 100_000, "{} bytes", built.len());
        prop_assert!(!built.contains(['\u{1}', '\u{2}', '\u{3}', '\u{4}']), "{}", built);
        prop_assert_eq!(built.matches("https://t.example.vn/o/").count(), 1);
    }

    #[test]
    fn any_html_from_outside_is_cleaned_once_and_for_all(html in html()) {
        let clean = clean_html(&html);
        prop_assert!(clean.len() <= 10 * html.len() + 100);
        for tag in ["<script", "<style", "<iframe", "<form", "<svg"] {
            prop_assert!(!clean.contains(tag), "{}", clean);
        }
    }

    #[test]
    fn any_stylesheet_is_moved_or_refused(css in html(), repeat in 1usize..200) {
        let content = MailContent {
            subject: "x".to_owned(),
            html: Some(format!("<style>{}</style><p class=a id=b>x</p>", css.repeat(repeat))),
            ..MailContent::default()
        };
        if let Ok(compiled) = CompiledMail::compile(&content, &MailOptions::default()) {
            prop_assert!(compiled.warnings().len() <= 3);
        }
    }
}
