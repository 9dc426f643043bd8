mod limits;

use serde_json::json;

use super::*;
use crate::tokens::{Token, TokenKey, TokenKind};

fn key() -> TokenKey {
    TokenKey::new("0123456789abcdef0123456789abcdef")
}

/// The time of the send.
fn now() -> Zoned {
    "2026-11-22T09:30:00+07:00[+07:00]".parse().unwrap()
}

fn content(html: &str) -> MailContent {
    MailContent {
        subject: "Chào {{ contact.first_name | default: \"bạn\" }}".to_owned(),
        html: Some(html.to_owned()),
        ..MailContent::default()
    }
}

fn tracked() -> MailOptions {
    MailOptions {
        tracking: Tracking {
            click: true,
            open: true,
        },
        ..MailOptions::default()
    }
}

fn footer() -> Footer {
    Footer {
        company: "Cửa hàng <Ánh Dương>".to_owned(),
        postal_address: "1 Đường Ví Dụ, Hà Nội {{ x }}".to_owned(),
        permission_reminder: "Bạn đã đăng ký tại example.vn".to_owned(),
    }
}

fn render(content: &MailContent, options: &MailOptions, data: &Value) -> BuiltMail {
    let key = key();
    let links = LinkSet::new("https://t.example.vn", &key, "ws_1", "cmp_1", "con_1", "0").unwrap();
    CompiledMail::compile(content, options)
        .unwrap()
        .render(data, &links, &now())
        .unwrap()
}

fn html(source: &str, options: &MailOptions, data: &Value) -> String {
    render(&content(source), options, data).html.unwrap()
}

/// The `href`s of the HTML; tracked ones as `>` and their target.
fn hrefs(html: &str) -> Vec<String> {
    html.split("href=\"")
        .skip(1)
        .map(|rest| {
            let href = rest.split('"').next().unwrap();
            match href.strip_prefix("https://t.example.vn/c/") {
                Some(token) => match Token::decode(token, &key()).unwrap() {
                    Token {
                        kind: TokenKind::Click { url },
                        contact,
                        ..
                    } if contact == "con_1" => format!(">{url}"),
                    other => panic!("{other:?}"),
                },
                None => href.to_owned(),
            }
        })
        .collect()
}

#[test]
fn a_mail_is_built_per_recipient() {
    let mut content = content(
        "<html><head><style>p { color: red } @media (max-width: 600px) { p { color: blue } }</style></head>\
         <body><p>Chào {{ contact.first_name }}</p><a href=\"https://example.vn/?id={{ contact.id }}&amp;x=1\">Xem</a></body></html>",
    );
    content.preview_text = Some("Ưu đãi < 50% cho {{ contact.first_name }}".to_owned());
    let options = MailOptions {
        footer: footer(),
        is_marketing: true,
        ..tracked()
    };
    let data = json!({"contact": {"first_name": "<b>Ánh</b>\r\nBcc: x@example.com", "id": "7&8"}});
    let mail = render(&content, &options, &data);
    assert_eq!(mail.subject, "Chào <b>Ánh</b> Bcc: x@example.com");
    let html = mail.html.unwrap();
    assert!(
        html.contains("<p style=\"color: red;\">Chào &lt;b&gt;Ánh&lt;/b&gt;"),
        "{html}"
    );
    assert!(html.contains("@media (max-width: 600px)"), "{html}");
    assert!(
        html.contains("mso-hide:all\">Ưu đãi &lt; 50% cho &lt;b&gt;"),
        "{html}"
    );
    assert!(
        html.contains("Cửa hàng &lt;Ánh Dương&gt;") && html.contains("Nội &#123;&#123; x }}"),
        "{html}"
    );
    assert!(html.find("mso-hide").unwrap() < html.find("Chào").unwrap());
    let links = hrefs(&html);
    assert_eq!(links[0], ">https://example.vn/?id=7&8&x=1");
    assert!(links[1].starts_with("https://t.example.vn/u/A"));
    let pixel = html
        .split("<img src=\"https://t.example.vn/o/")
        .nth(1)
        .unwrap();
    let token = pixel.split('"').next().unwrap();
    assert_eq!(Token::decode(token, &key()).unwrap().kind, TokenKind::Open);
    assert!(
        html.ends_with("style=\"display:block;border:0\"></body></html>"),
        "{html}"
    );
    assert!(mail.text.starts_with("Chào <b>Ánh</b>"), "{}", mail.text);
    assert!(
        mail.text.contains("Xem (https://example.vn/?id=7&8&x=1)"),
        "{}",
        mail.text
    );
    assert!(
        mail.text
            .contains("{{ x }}\nHủy đăng ký nhận email: https://t.example.vn/u/A"),
        "{}",
        mail.text
    );
    assert!(!html.contains(['\u{1}', '\u{2}', '\u{3}']));
}

#[test]
fn only_web_links_are_tracked() {
    let source = "<a href=\"mailto:a@example.vn\">1</a><a href=\"tel:+84912345678\">2</a><a href=\"#top\">3</a>\
        <a href=\"{{ unsubscribe_url }}\">4</a><a href=\"https://example.vn/x?u={{ unsubscribe_url }}\">5</a>\
        <a href=\"HTTP://example.vn\">6</a><a href=\"{{ product.url }}\">7</a><a href=\"{{ product.phone }}\">8</a>\
        <a href=\"{{ contact.website }}\">9</a><a href=\"https://{{ contact.website }}/\">10</a>\
        <a href=\"https://example.vn/{{ contact.id | url_encode }}\">11</a>\
        <a href=\"{% if vip %}https://example.vn/vip{% else %}https://example.vn/{% endif %}\">12</a>\
        <a href=\"javascript:alert(1)\">13</a><a>14</a><a href='https://example.vn/\"q\"'>15</a>";
    let data = json!({
        "product": {"url": "https://example.vn/áo?a=1&b=2", "phone": "tel:+84912345678"},
        "contact": {"website": "https://example.net/", "id": "á/b"}, "vip": true, "unsubscribe_url": "https://example.net/",
    });
    let links = hrefs(&html(source, &tracked(), &data));
    assert!(links[3].starts_with("https://t.example.vn/u/A"));
    assert!(links[4].starts_with("https://example.vn/x?u=https://t.example.vn/u/A"));
    let rest: Vec<_> = links
        .iter()
        .enumerate()
        .filter(|(i, _)| !(3..5).contains(i))
        .map(|(_, l)| l.as_str())
        .collect();
    assert_eq!(
        rest,
        [
            "mailto:a@example.vn",
            "tel:+84912345678",
            "#top",
            ">http://example.vn/",
            ">https://example.vn/%C3%A1o?a=1&b=2",
            "tel:+84912345678",
            "https://example.net/",
            "https://https://example.net//",
            ">https://example.vn/%C3%A1%2Fb",
            ">https://example.vn/vip",
            "javascript:alert(1)",
            ">https://example.vn/%22q%22"
        ]
    );
    let untracked = html(source, &MailOptions::default(), &data);
    assert!(!untracked.contains("t.example.vn/c/") && !untracked.contains("t.example.vn/o/"));
}

#[test]
fn nobody_gets_a_link_on_our_name_to_a_page_of_theirs() {
    let source = "<a href=\"https://shop.example.vn/\">1</a><a href=\"https://example.org/shop\">2</a>\
        <a href=\"{{ trigger.website }}\">3</a>{% assign u = contact.custom.site %}<a href=\"{{ u }}\">4</a>\
        {% for page in trigger.pages %}<a href=\"{{ page }}\">5</a>{% endfor %}\
        <a href=\"https://shop.example.vn{{ trigger.path }}\">6</a>\
        <a href=\"{% if trigger.path %}https://shop.example.vn{% endif %}{{ trigger.path }}\">7</a>\
        {% capture c %}https://{{ trigger.host }}/{% endcapture %}<a href=\"{{ c }}\">8</a>\
        <a href=\"{{ trigger.page }}\">9</a><a href=\"{{ order.url }}\">10</a>";
    let data = json!({
        "contact": {"custom": {"site": "https://example.net/4"}},
        "trigger": {
            "website": "https://example.net/3", "pages": ["https://example.net/5"], "path": ".example.net/",
            "host": "example.net", "page": "https://example.org/theirs",
        },
        "order": {"url": "https://SHOP.example.vn/10"},
    });
    let links = hrefs(&html(source, &tracked(), &data));
    assert_eq!(
        links,
        [
            ">https://shop.example.vn/",
            ">https://example.org/shop",
            "https://example.net/3",
            "https://example.net/4",
            "https://example.net/5",
            "https://shop.example.vn.example.net/",
            "https://shop.example.vn.example.net/",
            "https://example.net/",
            // Others have pages on this host too.
            "https://example.org/theirs",
            ">https://shop.example.vn/10",
        ]
    );
}

#[test]
fn loops_stay_in_their_tables() {
    let source = "<table><tbody>{% for i in order.items %}<tr><td>{{ i.name }}</td><td><a href=\"{{ i.url }}\">xem</a></td></tr>{% endfor %}</tbody></table>\
        {% if a > 1 and b < 2 %}<p {% if c %}class=\"x\"{% endif %}>{{ d | default: \"<none>\" }}</p>{% endif %}";
    let data = json!({"order": {"items": [
        {"name": "Áo", "url": "https://example.vn/1"}, {"name": "Quần", "url": "https://example.vn/2"}]},
        "a": 2, "b": 1, "c": true});
    let mail = render(&content(source), &tracked(), &data);
    let html = mail.html.unwrap();
    assert!(
        html.contains("<tbody><tr><td>Áo</td><td><a href="),
        "{html}"
    );
    assert!(html.contains("</tr><tr><td>Quần</td>"), "{html}");
    assert!(
        html.contains("class=\"x\"") && html.contains(">&lt;none&gt;</p>"),
        "{html}"
    );
    assert_eq!(
        hrefs(&html),
        ["https://example.vn/1", "https://example.vn/2"],
        "no host that the author wrote"
    );
    let text: Vec<_> = mail
        .text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    assert_eq!(
        text,
        [
            "Áo xem (https://example.vn/1)",
            "Quần xem (https://example.vn/2)",
            "<none>"
        ]
    );
}

#[test]
fn conditions_in_stylesheets_leave_styles_alone() {
    let source = "<style>{% if a %}p { color: red }{% endif %} b { color: {{ c }} }</style><p>x <b>y</b></p>";
    let mail = CompiledMail::compile(&content(source), &tracked()).unwrap();
    assert_eq!(mail.warnings(), [MailWarning::StylesNotInlined]);
    let html = html(source, &tracked(), &json!({"a": true, "c": "blue"}));
    assert!(
        html.contains("<style>p { color: red } b { color: blue }</style>"),
        "{html}"
    );
    let inlined = self::html(
        "<style>b { color: {{ c }} }</style><b>y</b>",
        &tracked(),
        &json!({"c": "blue\"x"}),
    );
    assert!(
        inlined.contains("<b style=\"color: blue&quot;x;\">y</b>"),
        "{inlined}"
    );
}

#[test]
fn no_stylesheet_is_fetched() {
    let source = "<link rel=\"stylesheet\" href=\"http://127.0.0.1:1/a.css\"><style>@import url(http://127.0.0.1:1/b.css); p { color: red }</style><p>x</p>";
    assert!(html(source, &tracked(), &json!({})).contains("<p"));
    let file = "<link rel=\"stylesheet\" href=\"/etc/passwd\"><p>x</p>";
    assert!(!html(file, &tracked(), &json!({})).contains("root:"));
}

#[test]
fn the_footer_is_added_once_and_where_it_is_missing() {
    let options = MailOptions {
        footer: footer(),
        is_marketing: true,
        ..MailOptions::default()
    };
    let own = "<p>x</p><a href=\"{{ unsubscribe_url }}\">bye</a>";
    let mail = render(&content(own), &options, &json!({}));
    let html = mail.html.unwrap();
    for part in [&html, &mail.text] {
        assert!(!part.contains("Hủy đăng ký"), "{part}");
        assert_eq!(part.matches("Bạn đã đăng ký tại example.vn").count(), 1);
        assert_eq!(part.matches("1 Đường Ví Dụ").count(), 1, "{part}");
    }
    assert!(mail.text.contains("bye (https://t.example.vn/u/"));
    let mut mixed = content(own);
    mixed.text = Some("plain".to_owned());
    let mail = render(&mixed, &options, &json!({}));
    assert!(
        mail.text.starts_with("plain\n\n--\nBạn đã đăng ký"),
        "{}",
        mail.text
    );
    let text_only = MailContent {
        subject: "s".to_owned(),
        text: Some("plain".to_owned()),
        ..MailContent::default()
    };
    let mail = render(&text_only, &options, &json!({}));
    assert_eq!(mail.html, None);
    assert!(
        mail.text
            .contains("Hủy đăng ký nhận email: https://t.example.vn/u/A")
    );
}

#[test]
fn data_cannot_forge_marks_or_links() {
    let source = "<p>{{ contact.name }}</p>{% assign x = contact.name | append: '' %}{{ x }}";
    let data = json!({"contact": {"name": "\u{1}https://example.net/\u{2}\u{3}<a href=\"https://example.net\">"}});
    let html = html(source, &tracked(), &data);
    assert!(hrefs(&html).is_empty(), "{html}");
    assert!(!html.contains("t.example.vn/c/"));
    assert_eq!(html.matches("t.example.vn/o/").count(), 1);
    let authored = self::html(
        "<p>\u{1}https://example.net/\u{2}\u{3}</p>",
        &tracked(),
        &json!({}),
    );
    assert_eq!(authored.matches("t.example.vn").count(), 1);
}

#[test]
fn mistakes_are_named() {
    assert_eq!(
        CompiledMail::compile(&MailContent::default(), &tracked()).unwrap_err(),
        MailError::Empty
    );
    for (which, part) in [
        (0, Part::Subject),
        (1, Part::Preview),
        (2, Part::Html),
        (3, Part::Text),
    ] {
        let mut mail = content("<p>x</p>");
        mail.preview_text = Some(String::new());
        mail.text = Some(String::new());
        let broken = "a\n{{ b".to_owned();
        match which {
            0 => mail.subject = broken,
            1 => mail.preview_text = Some(broken),
            2 => mail.html = Some(broken),
            _ => mail.text = Some(broken),
        }
        match CompiledMail::compile(&mail, &tracked()).unwrap_err() {
            MailError::Template { part: found, error } => {
                assert_eq!((found, error.line), (part, 2));
            }
            other => panic!("{other:?}"),
        }
    }
    let deep = content(&"<div>".repeat(1_000));
    assert!(matches!(
        CompiledMail::compile(&deep, &tracked()),
        Err(MailError::TooLarge(_))
    ));
}

#[test]
fn a_subject_is_one_bounded_line() {
    let data = json!({"contact": {"first_name": format!(" a\u{2028}b\tc {}", "ấ".repeat(500))}});
    let subject = render(&content("<p>x</p>"), &tracked(), &data).subject;
    assert!(subject.starts_with("Chào a b c ấ"));
    assert_eq!(subject.chars().count(), 255);
}

#[test]
fn fragments_and_odd_html_are_built() {
    for source in [
        "plain words",
        "<p>unclosed",
        "<body class=\"a > b\">x",
        "</body></html>",
        "<BODY>X</BODY>",
        "<!DOCTYPE html><html><body>x</body></html> {% comment %}c{% endcomment %}",
        "",
        "{% assign a = 1 %}<!DOCTYPE html><html><head><title>{{ a }}</title></head><body>{{ a }}</body></html>",
        "<!--[if mso]><table><tr><td>{{ a }}<![endif]-->x<!--[if mso]></td></tr></table><![endif]-->",
        "<ul>{% for i in (1..2) %}<li>{{ i }}{% endfor %}</ul>",
    ] {
        let html = html(source, &tracked(), &json!({}));
        assert_eq!(
            html.matches("t.example.vn/o/").count(),
            1,
            "{source}: {html}"
        );
    }
}

#[test]
fn compiled_mails_are_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<CompiledMail>();
}
