//! The footer that each recipient needs, the styles that stay, and the mails that are refused.

use super::*;

#[test]
fn a_recipient_gets_the_lines_and_the_link_that_the_mail_does_not_show() {
    let options = MailOptions {
        footer: Footer {
            postal_address: "1 Đường \"Ví Dụ\" & Co".to_owned(),
            ..footer()
        },
        is_marketing: true,
        ..MailOptions::default()
    };
    let link = "<a href=\"{{ unsubscribe_url }}\">bye</a>";
    let own = "<p>{{ postal_address }}</p><p>{{ permission_reminder }}</p>";
    for (source, data, has_link, has_lines) in [
        (format!("{link}{own}"), json!({}), true, true),
        (link.to_owned(), json!({}), true, false),
        (own.to_owned(), json!({}), false, true),
        (format!("<!-- {link}{own} -->x"), json!({}), false, false),
        (
            format!("{{% if contact.vip %}}{link}{own}{{% endif %}}"),
            json!({}),
            false,
            false,
        ),
        (
            format!("{{% if contact.vip %}}{link}{own}{{% endif %}}"),
            json!({"contact": {"vip": true}}),
            true,
            true,
        ),
        // Data sets none of the reserved names.
        (
            own.to_owned(),
            json!({"postal_address": "x", "permission_reminder": "y"}),
            false,
            true,
        ),
    ] {
        let mail = render(&content(&source), &options, &data);
        let html = mail.html.unwrap();
        let shown = html
            .split("<!--")
            .map(|part| part.rsplit("-->").next().unwrap());
        let shown: String = shown.collect();
        for part in [&shown, &mail.text] {
            let own = part.contains("bye");
            assert_eq!(part.contains("Hủy đăng ký"), !has_link, "{source}: {part}");
            assert_eq!(own, has_link, "{source}: {part}");
            assert_eq!(
                part.matches("https://t.example.vn/u/").count(),
                1,
                "{source}: {part}"
            );
            assert_eq!(
                part.matches("Bạn đã đăng ký tại example.vn").count(),
                1,
                "{source}: {part}"
            );
            assert_eq!(part.matches("1 Đường").count(), 1, "{source}: {part}");
            // The company goes with an address that the footer adds.
            assert_eq!(part.contains("Ánh Dương"), !has_lines, "{source}: {part}");
        }
    }
    let transactional = MailOptions {
        is_marketing: false,
        ..options
    };
    let mail = render(&content(own), &transactional, &json!({}));
    assert!(
        mail.text.contains("1 Đường") && !mail.text.contains("Hủy"),
        "{}",
        mail.text
    );
}

#[test]
fn a_footer_is_never_written_into_a_comment() {
    let options = MailOptions {
        footer: footer(),
        is_marketing: true,
        ..MailOptions::default()
    };
    for source in [
        "<body>x</body><!-- </body> -->",
        "<style>{% if a %}p{b:c}{% endif %}</style><body>x</body><!-- </body> -->",
        "<style>{% if a %}p{b:c}{% endif %}</style><body>x<!-- open",
        "<!-- <body> --><body class=b>x",
        "{% for i in (1..3) %}<tr></body>{% endfor %}",
        "{% if a %}x</body>{% endif %}",
    ] {
        let html = html(source, &options, &json!({}));
        assert!(comments::shows(&html, "Hủy đăng ký"), "{source}: {html}");
        assert_eq!(html.matches("Hủy đăng ký").count(), 1, "{source}: {html}");
    }
}

#[test]
fn the_preview_stands_in_the_body_that_clients_show() {
    let doctype = "<!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML 1.0 Transitional//EN\" \"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd\">";
    let mut mail = content(&format!(
        "{doctype}\n<html><head></head><!--[if mso]><body class=\"mso\"><![endif]-->\
         <!--[if !mso]><!--><body class=\"full\"><!--<![endif]-->x</body></html>"
    ));
    mail.preview_text = Some("ƯU ĐÃI".to_owned());
    let html = render(&mail, &tracked(), &json!({})).html.unwrap();
    assert!(html.starts_with(doctype), "{html}");
    assert!(
        html.contains("<body class=\"full\"><div style=\"display:none"),
        "{html}"
    );
    assert!(comments::shows(&html, "ƯU ĐÃI"), "{html}");
}

#[test]
fn styles_that_no_attribute_can_hold_stay_in_their_sheet() {
    let source = "<html><head><style>@import url(\"https://fonts.example.vn/a.css\");a:hover{color:#ff0000!important}\
        .card{color:#111111}.card:first-child{padding-top:4px}#outlook a{padding:0}\
        .ExternalClass,.ExternalClass p{line-height:100%}u + .body .gm{display:block!important}\
        [data-ogsc] .card{color:#eeeeee!important}@media print{.card{color:#eeeeee!important}}\
        p{margin:0 0 10px}.big{font-size:20px !important}</style></head><body class=\"body\"><div class=\"card\">\
        <p class=\"big\" style=\"font-size:12px\">Chào</p><a href=\"https://shop.example.vn/\">Xem</a></div></body></html>";
    let html = html(source, &MailOptions::default(), &json!({}));
    for kept in [
        "a:hover",
        "#outlook a",
        ".ExternalClass",
        "u + .body .gm",
        "[data-ogsc] .card",
        "@media print",
        "@import",
    ] {
        assert!(html.contains(kept), "{kept}: {html}");
    }
    assert!(
        html.contains("color: #111111") && html.contains("padding-top: 4px"),
        "{html}"
    );
    assert!(html.contains("font-size: 20px !important"), "{html}");
}

#[test]
fn entities_in_links_are_read_as_browsers_do() {
    let source = "<style>{% if contact.custom.x %}p{color:red}{% endif %}</style>\
        <a href=\"https://shop.example.vn/khuy%E1%BA%BFn-m&atilde;i?a=1&amp;b=2&#38;c&#x3d;3&unknown;&\">a</a>";
    assert_eq!(
        hrefs(&html(source, &tracked(), &json!({}))),
        [">https://shop.example.vn/khuy%E1%BA%BFn-m%C3%A3i?a=1&b=2&c=3&unknown;&"]
    );
}

#[test]
fn hostile_html_is_refused_with_its_place_on_a_small_stack() {
    let levels = [
        "<div>",
        "<b </b>",
        "<b a=</b>",
        "<i/</i>",
        "<b x=\"</b>\">",
        "<b><!--</b>-->",
    ];
    let work = move || {
        for level in levels {
            for count in [300, 5_000, 250_000 / level.len()] {
                let error =
                    CompiledMail::compile(&content(&level.repeat(count)), &tracked()).unwrap_err();
                assert!(
                    error.to_string().contains("line 1: elements are nested"),
                    "{level}: {error}"
                );
                let _ = crate::sanitize::clean_html(&level.repeat(count));
            }
        }
        // The deepest HTML that is accepted.
        for level in ["<div>", "<b a=</b>", "<blockquote>"] {
            let mut deepest = content(&level.repeat(crate::tree::MAX_DEPTH - 2));
            assert!(
                CompiledMail::compile(&deepest, &tracked()).is_ok(),
                "{level}"
            );
            let _ = crate::sanitize::clean_html(deepest.html.as_deref().unwrap());
            deepest.html = Some(format!(
                "<style>*{{a:b}}</style>{}",
                level.repeat(crate::tree::MAX_DEPTH - 2)
            ));
            let _ = CompiledMail::compile(&deepest, &tracked());
        }
        let nested = format!("<style>p{}</style><p>x", ":not(".repeat(20_000));
        assert!(CompiledMail::compile(&content(&nested), &tracked()).is_err());
    };
    let thread = std::thread::Builder::new()
        .stack_size(256 * 1024)
        .spawn(work);
    thread.unwrap().join().unwrap();
}

#[test]
fn unclosed_rows_are_no_depth() {
    let source = format!("<table>{}</table>", "<tr><td>hàng<td>1".repeat(1_000));
    let mail = render(&content(&source), &tracked(), &json!({}));
    assert_eq!(mail.text.matches("hàng").count(), 1_000);
}
