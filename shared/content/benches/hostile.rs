//! How long mails take that are made to take long: `cargo bench -p content --bench hostile`. Each row is a mail of the
//! largest size, and its answer.

use std::fmt::Write as _;
use std::io;
use std::time::Instant;

use content::mail::{CompiledMail, MailContent, MailOptions, Tracking};

const BYTES: usize = 160 * 1024;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = String::new();
    writeln!(out, "| HTML of a mail | bytes | ms to compile | answer |")?;
    writeln!(out, "|---|---|---|---|")?;
    for (name, html) in mails() {
        let bytes = html.len();
        let content = MailContent {
            subject: "x".to_owned(),
            html: Some(html),
            ..MailContent::default()
        };
        let options = MailOptions {
            tracking: Tracking {
                click: true,
                open: true,
            },
            is_marketing: true,
            ..MailOptions::default()
        };
        let start = Instant::now();
        let compiled = CompiledMail::compile(&content, &options);
        let spent = start.elapsed().as_millis();
        let answer = match compiled {
            Ok(_) => "accepted".to_owned(),
            Err(error) => error.to_string(),
        };
        let answer: String = answer.chars().take(90).collect();
        writeln!(out, "| {name} | {bytes} | {spent} | {answer} |")?;
    }
    io::Write::write_all(&mut io::stdout(), out.as_bytes())?;
    Ok(())
}

fn filled(unit: &str) -> String {
    unit.repeat(BYTES / unit.len())
}

/// Rules and elements that fill a mail of `bytes`.
fn ruled(bytes: usize, rule: impl Fn(usize) -> String, element: &str) -> String {
    let mut css = String::new();
    for n in 0.. {
        css.push_str(&rule(n));
        if css.len() > bytes / 2 {
            break;
        }
    }
    format!(
        "<style>{css}</style>{}",
        element.repeat(bytes / 2 / element.len())
    )
}

fn mails() -> Vec<(&'static str, String)> {
    let all = |n: usize| format!("*{{x{n}:b}}");
    let attributes: String = (0..BYTES / 8).map(|n| format!(" a{n}")).collect();
    let formats: String = (0..200).map(|n| format!("<b a={n}>")).collect();
    let free: String = (0..BYTES / 9).map(|n| format!("lq{n}q ")).collect();
    vec![
        ("`<div>`, deep", filled("<div>")),
        ("`<b </b>`, deep", filled("<b </b>")),
        ("`<br>`, wide", filled("<br>")),
        ("`<p>` and end tags of nothing", filled("<p></q>")),
        ("5 KB of `*` rules and elements", ruled(5_000, all, "<p>")),
        ("10 KB of `*` rules and elements", ruled(10_000, all, "<p>")),
        ("18 KB of `*` rules and elements", ruled(18_000, all, "<p>")),
        ("160 KB of `*` rules and elements", ruled(BYTES, all, "<p>")),
        ("one `*` rule of many properties", {
            let css: String = (0..500).map(|n| format!("x{n}:b;")).collect();
            format!("<style>*{{{css}}}</style>{}", "<p>".repeat(180))
        }),
        (
            "rules for siblings",
            ruled(BYTES, |_| "p~p~p{a:b}".to_owned(), "<p>"),
        ),
        (
            "rules of many levels",
            ruled(BYTES, |_| "p p p p{a:b}".to_owned(), "<p>"),
        ),
        (
            "rules for absent classes",
            ruled(BYTES, |n| format!(".c{n}{{a:b}}"), "<p>"),
        ),
        ("layers", ruled(BYTES, |n| format!("@layer a{n};"), "<p>")),
        ("one tag of many attributes", format!("<p{attributes}>")),
        (
            "formatting that parsers repeat",
            format!("{formats}{}", "<p>x".repeat(20_000)),
        ),
        (
            "taken placeholder names",
            format!("{free}{{{{ contact.id }}}}"),
        ),
        ("links", filled("<a href=\"https://example.vn/\">x</a>")),
        (
            "ampersands in a link",
            format!(
                "<a href=\"https://example.vn/?{}\">x</a>",
                "&".repeat(BYTES - 60)
            ),
        ),
        ("unclosed comments", filled("<!-- ")),
        ("comments", filled("<!-- -->")),
        (
            "a host name of the whole mail",
            format!("http://{}", "ă".repeat(BYTES / 2 - 10)),
        ),
        ("quotations", filled("<blockquote>x</blockquote>")),
        ("rows without end tags", filled("<tr><td>x")),
    ]
}
