//! The checks of a mail before it is stored, for campaigns and workflows alike. Pure.

use content::mail::{MailError, Part};
use content::mime::breaks_header;

use crate::email::{Letterhead, Prepared};
use crate::mail_store::StoredMail;
use crate::send::Class;

/// Longest sender name.
const MAX_FROM_NAME: usize = 100;
/// Longest subject and preview text.
pub const MAX_SUBJECT: usize = 255;
/// Longest HTML or text, in bytes. With both a record stays within DynamoDB's 400 KB.
pub const MAX_BODY: usize = 160 * 1024;

/// Everything that is wrong with a mail: places in it (`/subject`) with what is expected there.
/// `identity` is the domain or address that the account may send from.
pub fn flaws(mail: &StoredMail, class: Class, identity: &str) -> Vec<(&'static str, String)> {
    let mut flaws = Vec::new();
    let sender = &mail.sender;
    let lines = [
        ("/sender/from_name", Some(&sender.from_name), MAX_FROM_NAME),
        ("/subject", Some(&mail.subject), MAX_SUBJECT),
        ("/preview_text", mail.preview_text.as_ref(), MAX_SUBJECT),
    ];
    for (place, line, longest) in lines {
        let Some(line) = line else { continue };
        if line.trim().is_empty() && place != "/preview_text" {
            flaws.push((place, "must not be empty".to_owned()));
        } else if line.chars().count() > longest {
            flaws.push((place, format!("may have {longest} characters")));
        } else if line.contains(breaks_header) {
            let message = "must not have line breaks or control characters";
            flaws.push((place, message.to_owned()));
        }
    }
    if !sender.from_email.is_of(identity) {
        let message = format!("expected an address of {identity}, which is verified for sending");
        flaws.push(("/sender/from_email", message));
    }
    for (place, body) in [("/html", &mail.html), ("/text", &mail.text)] {
        if body.as_ref().is_some_and(|body| body.len() > MAX_BODY) {
            flaws.push((place, format!("may have {MAX_BODY} bytes")));
        }
    }
    match Prepared::compile(mail, class, &Letterhead::default()) {
        Err(error) => flaws.push((place(&error), error.to_string())),
        Ok(prepared) => {
            if let Err(error) = prepared.try_long_values() {
                let message = format!("cannot be filled in with long values: {error}");
                flaws.push((
                    if mail.html.is_some() {
                        "/html"
                    } else {
                        "/text"
                    },
                    message,
                ));
            }
        }
    }
    flaws
}

fn place(error: &MailError) -> &'static str {
    match error {
        MailError::Template { part, .. } => match part {
            Part::Subject => "/subject",
            Part::Preview => "/preview_text",
            Part::Text => "/text",
            Part::Html => "/html",
        },
        MailError::Html(_) | MailError::TooLarge(_) | MailError::Empty => "/html",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail_store::Sender;

    fn places(change: impl FnOnce(&mut StoredMail)) -> Vec<&'static str> {
        let mut mail = StoredMail {
            sender: Sender {
                from_name: "Cửa hàng".into(),
                from_email: "shop@example.vn".parse().unwrap(),
                reply_to: None,
            },
            subject: "Chào {{ contact.first_name }}".into(),
            preview_text: None,
            html: Some("<p>Chào</p>".into()),
            text: None,
            track_opens: true,
            track_clicks: true,
        };
        change(&mut mail);
        let flaws = flaws(&mail, Class::Marketing, "example.vn");
        flaws.into_iter().map(|(place, _)| place).collect()
    }

    #[test]
    fn every_flaw_has_its_place() {
        let none: &[&str] = &[];
        assert_eq!(places(|_| ()), none);
        assert_eq!(
            places(|mail| mail.sender.from_email = "tin@mail.example.vn".parse().unwrap()),
            none
        );
        let address = "tin@example.com".parse().unwrap();
        assert_eq!(
            places(|mail| mail.sender.from_email = address),
            ["/sender/from_email"]
        );
        assert_eq!(
            places(|mail| mail.sender.from_name = "An\r\nBcc: b".into()),
            ["/sender/from_name"]
        );
        assert_eq!(
            places(|mail| mail.sender.from_name = "An\u{2028}B".into()),
            ["/sender/from_name"]
        );
        assert_eq!(places(|mail| mail.subject = " ".into()), ["/subject"]);
        assert_eq!(places(|mail| mail.subject = "x".repeat(256)), ["/subject"]);
        assert_eq!(
            places(|mail| mail.subject = "{{ broken".into()),
            ["/subject"]
        );
        assert_eq!(
            places(|mail| mail.preview_text = Some("x".repeat(256))),
            ["/preview_text"]
        );
        assert_eq!(places(|mail| mail.html = None), ["/html"]);
        let printed = "{% for i in (1..1000) %}{{ contact.custom.x }}{% endfor %}".to_owned();
        assert_eq!(places(|mail| mail.html = Some(printed)), ["/html"]);
        let long = "x".repeat(MAX_BODY + 1);
        assert_eq!(places(|mail| mail.text = Some(long)), ["/text"]);
    }
}
