//! The checks of a mail before it is stored, for campaigns and workflows alike. Pure.

use contacts::bounds::{MAX_FIELD_BYTES, MAX_TAGS};
use contacts::person;
use content::check::{self, Name};
use content::mail::{MailError, Part};
use content::mime::breaks_header;

use crate::email::{Letterhead, PreparedMail};
use crate::mail_store::StoredMail;
use crate::send::Class;

/// Longest sender name.
const MAX_FROM_NAME: usize = 100;
/// Longest subject and preview text.
pub const MAX_SUBJECT: usize = 255;
/// Longest HTML or text, in bytes. With both a record stays within DynamoDB's 400 KB.
pub const MAX_BODY: usize = 160 * 1024;

const fn text(path: &'static str, longest: usize) -> Name {
    Name {
        path,
        longest,
        most: 0,
    }
}

const fn many(path: &'static str, longest: usize, most: usize) -> Name {
    Name {
        path,
        longest,
        most,
    }
}

/// The names that all mails may read beside the fields of [`Person`](contacts::Person), with their largest values.
const NAMES: &[Name] = &[
    text("contact.id", 32),
    text("contact.external_id", 255),
    text("contact.email", 255),
    text("contact.phone", 32),
    many("contact.tags", 255, MAX_TAGS),
    many("contact.custom.*", 3_000, MAX_FIELD_BYTES / 3_000),
    text("unsubscribe_url", 1_000),
    text("postal_address", 500),
    text("permission_reminder", 500),
];

/// The names that all mails may read, with their largest values.
pub fn names() -> impl Iterator<Item = Name> {
    let person = person::FIELDS.iter();
    let person = person.map(|field| text(field.variable, field.longest));
    NAMES.iter().copied().chain(person)
}

/// The names that mails of workflows may read besides: the fields of the event.
pub const TRIGGER: Name = many("trigger.*", 8_192, 1);

/// Everything that is wrong with a mail: places in it (`/subject`) with what is expected there.
/// `identity` is the domain or address that the account may send from; `trigger` is [`TRIGGER`] for a workflow.
pub fn flaws(
    mail: &StoredMail,
    class: Class,
    identity: &str,
    trigger: Option<Name>,
) -> Vec<(&'static str, String)> {
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
    let names: Vec<Name> = names().chain(trigger).collect();
    let parts = [
        (Part::Subject, Some(&mail.subject)),
        (Part::Preview, mail.preview_text.as_ref()),
        (Part::Html, mail.html.as_ref()),
        (Part::Text, mail.text.as_ref()),
    ];
    let parts: Vec<(Part, &str)> = parts
        .into_iter()
        .filter_map(|(part, source)| Some((part, source?.as_str())))
        .collect();
    let mut errors = check::flaws(&parts, &names);
    if errors.is_empty() {
        errors.extend(PreparedMail::compile(mail, class, &Letterhead::default()).err());
    }
    flaws.extend(errors.iter().map(|error| (place(error), error.to_string())));
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
        let flaws = flaws(&mail, Class::Marketing, "example.vn", None);
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
        assert_eq!(
            places(|mail| {
                mail.subject = "{{ first_name }}".into();
                mail.html = Some("{{ contact.fristname }}{{ trigger.at }}".into());
            }),
            ["/subject", "/html", "/html"]
        );
        let long = "x".repeat(MAX_BODY + 1);
        assert_eq!(places(|mail| mail.text = Some(long)), ["/text"]);
    }
}
