//! The RFC 5322 message of a built mail.
//!
//! The same input gives the same bytes. Date, message id and boundary come from the caller's values, so a second
//! attempt gives the same message. No header value may hold a line break or another control character; such a value
//! is refused, not repaired.

use std::fmt::Write as _;

use jiff::Timestamp;
use mail_builder::MessageBuilder;
use mail_builder::headers::HeaderType;
use mail_builder::headers::address::Address;
use mail_builder::headers::content_type::ContentType;
use mail_builder::headers::date::Date;
use mail_builder::headers::message_id::MessageId;
use mail_builder::headers::raw::Raw;
use mail_builder::headers::url::URL;
use mail_builder::mime::{BodyPart, MimePart};
use sha2::{Digest, Sha256};

/// An address with an optional name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// Name shown to people, in any script.
    pub name: Option<String>,
    /// `local@domain`.
    pub address: String,
}

/// A mail to be written.
#[derive(Debug, Clone)]
pub struct Message<'a> {
    /// Sender.
    pub from: &'a Mailbox,
    /// The one recipient.
    pub to: &'a Mailbox,
    /// Where replies go, if not to the sender.
    pub reply_to: Option<&'a Mailbox>,
    /// Subject line.
    pub subject: &'a str,
    /// `local@domain`, without angle brackets.
    pub message_id: &'a str,
    /// Value of `Date`.
    pub date: Timestamp,
    /// One-click unsubscribe address (RFC 8058), `https` only.
    pub unsubscribe_url: Option<&'a str>,
    /// HTML part, for multipart/alternative.
    pub html: Option<&'a str>,
    /// Plain text part.
    pub text: &'a str,
}

/// Why a message was not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MimeError {
    /// A header value holds a line break or another control character.
    #[error("{header} holds a line break or a control character")]
    ControlCharacter {
        /// The header.
        header: &'static str,
    },
    /// An address or a message id that is not `local@domain` in ASCII.
    #[error("{header} holds no valid address")]
    InvalidAddress {
        /// The header.
        header: &'static str,
    },
    /// A one-click unsubscribe address that is not an `https` URL.
    #[error("List-Unsubscribe needs an https address")]
    InvalidUnsubscribe,
    /// The message could not be written.
    #[error("the message could not be written")]
    Write,
}

/// Writes the message.
pub fn build(message: &Message<'_>) -> Result<Vec<u8>, MimeError> {
    no_controls("Subject", message.subject)?;
    check_address("Message-ID", message.message_id)?;
    let mut builder = MessageBuilder::new()
        .header("From", mailbox("From", message.from)?)
        .header("To", mailbox("To", message.to)?)
        .subject(message.subject)
        .message_id(MessageId::new(message.message_id))
        .date(Date::new(message.date.as_second()));
    if let Some(reply_to) = message.reply_to {
        builder = builder.header("Reply-To", mailbox("Reply-To", reply_to)?);
    }
    if let Some(url) = message.unsubscribe_url {
        let is_valid = url.starts_with("https://")
            && url
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'<' | b'>'));
        if !is_valid {
            return Err(MimeError::InvalidUnsubscribe);
        }
        builder = builder.header("List-Unsubscribe", URL::new(url)).header(
            "List-Unsubscribe-Post",
            Raw::new("List-Unsubscribe=One-Click"),
        );
    }
    let text = part("text/plain", message.text);
    let body = match message.html {
        Some(html) => MimePart::new(
            ContentType::new("multipart/alternative")
                .attribute("boundary", boundary(message.message_id)),
            vec![text, part("text/html", html)],
        ),
        None => text,
    };
    builder
        .body(body)
        .write_to_vec()
        .map_err(|_| MimeError::Write)
}

fn part<'a>(content_type: &'a str, text: &'a str) -> MimePart<'a> {
    let content_type = ContentType::new(content_type).attribute("charset", "utf-8");
    MimePart::new(content_type, BodyPart::Text(text.into()))
}

/// `=_` cannot occur in a quoted-printable or base64 body.
fn boundary(message_id: &str) -> String {
    let digest = Sha256::digest(message_id.as_bytes());
    let mut boundary = String::from("=_");
    for byte in &digest[..16] {
        // Writing to a String cannot fail.
        let _ = write!(boundary, "{byte:02x}");
    }
    boundary
}

fn mailbox<'a>(header: &'static str, mailbox: &'a Mailbox) -> Result<HeaderType<'a>, MimeError> {
    check_address(header, &mailbox.address)?;
    let name = mailbox
        .name
        .as_deref()
        .filter(|name| !name.trim().is_empty());
    no_controls(header, name.unwrap_or_default())?;
    Ok(Address::new_address(name, mailbox.address.as_str()).into())
}

/// Whether a header cannot hold this text: a control character, or a character that some readers take as a line
/// break.
pub fn breaks_header(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

fn no_controls(header: &'static str, value: &str) -> Result<(), MimeError> {
    if value.contains(breaks_header) {
        return Err(MimeError::ControlCharacter { header });
    }
    Ok(())
}

fn check_address(header: &'static str, address: &str) -> Result<(), MimeError> {
    no_controls(header, address)?;
    let is_plain = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !b"<>()[],;:\\\"@".contains(&byte))
    };
    match address.split_once('@') {
        Some((local, domain)) if address.len() <= 320 && is_plain(local) && is_plain(domain) => {
            Ok(())
        }
        _ => Err(MimeError::InvalidAddress { header }),
    }
}

#[cfg(test)]
mod tests {
    use mail_parser::{MessageParser, MimeHeaders};
    use proptest::prelude::*;

    use super::*;

    fn mailbox(name: &str, address: &str) -> Mailbox {
        Mailbox {
            name: Some(name.to_owned()),
            address: address.to_owned(),
        }
    }

    fn sample() -> (Mailbox, Mailbox, Mailbox) {
        (
            mailbox("Cửa hàng Ánh Dương, \"Q.1\"", "shop@example.vn"),
            mailbox("Nguye\u{302}\u{303}n Thị Ánh", "anh@example.com"),
            mailbox("", "reply@example.vn"),
        )
    }

    fn message((from, to, reply): &(Mailbox, Mailbox, Mailbox)) -> Message<'_> {
        Message {
            from,
            to,
            reply_to: Some(reply),
            subject: "Khuyến mãi 🎉 50% cho bạn",
            message_id: "msg-1@mail.example.vn",
            date: "2026-11-22T02:30:00Z".parse().unwrap(),
            unsubscribe_url: Some("https://t.example.vn/u/AXUOd3NfMDEy"),
            html: Some("<p>Chào bạn, áo dài <b>giảm giá</b></p>"),
            text: "Chào bạn,\náo dài giảm giá",
        }
    }

    #[test]
    fn another_library_reads_what_was_written() {
        let people = sample();
        let message = message(&people);
        let bytes = build(&message).unwrap();
        assert!(bytes.is_ascii());
        assert!(
            String::from_utf8_lossy(&bytes)
                .lines()
                .all(|line| line.len() <= 998)
        );
        let parsed = MessageParser::default().parse(&bytes).unwrap();
        let from = parsed.from().unwrap().first().unwrap();
        assert_eq!(from.name(), people.0.name.as_deref());
        assert_eq!(from.address(), Some("shop@example.vn"));
        let to = parsed.to().unwrap().first().unwrap();
        assert_eq!(
            (to.name(), to.address()),
            (people.1.name.as_deref(), Some("anh@example.com"))
        );
        assert_eq!(
            parsed.reply_to().unwrap().first().unwrap().address(),
            Some("reply@example.vn")
        );
        assert_eq!(parsed.subject(), Some(message.subject));
        assert_eq!(parsed.message_id(), Some(message.message_id));
        assert_eq!(
            parsed.date().unwrap().to_timestamp(),
            message.date.as_second()
        );
        assert_eq!(parsed.body_html(0).unwrap(), message.html.unwrap());
        assert_eq!(
            parsed.body_text(0).unwrap().replace("\r\n", "\n"),
            message.text
        );
        assert_eq!(parsed.content_type().unwrap().ctype(), "multipart");
        assert_eq!(
            parsed.content_type().unwrap().subtype(),
            Some("alternative")
        );
        assert_eq!(
            parsed.header_raw("List-Unsubscribe").unwrap().trim(),
            format!("<{}>", message.unsubscribe_url.unwrap())
        );
        assert_eq!(
            parsed.header_raw("List-Unsubscribe-Post").unwrap().trim(),
            "List-Unsubscribe=One-Click"
        );
    }

    #[test]
    fn a_second_attempt_is_the_same_message() {
        let people = sample();
        assert_eq!(build(&message(&people)), build(&message(&people)));
    }

    #[test]
    fn text_alone_is_one_part_without_unsubscribe() {
        let people = sample();
        let mut message = message(&people);
        (message.html, message.unsubscribe_url) = (None, None);
        let bytes = build(&message).unwrap();
        let parsed = MessageParser::default().parse(&bytes).unwrap();
        assert_eq!(parsed.parts.len(), 1);
        assert!(parsed.header_raw("List-Unsubscribe").is_none());
    }

    #[test]
    fn headers_cannot_be_injected() {
        let people = sample();
        for evil in [
            "a\r\nBcc: x@example.com",
            "a\nb",
            "a\rb",
            "a\u{0}",
            "a\u{85}",
            "a\u{2028}b",
        ] {
            let mut changed = message(&people);
            changed.subject = evil;
            let header = "Subject";
            assert_eq!(build(&changed), Err(MimeError::ControlCharacter { header }));
            for (header, which) in [("From", 0), ("To", 1), ("Reply-To", 2)] {
                for is_name in [true, false] {
                    let mut people = sample();
                    let person = match which {
                        0 => &mut people.0,
                        1 => &mut people.1,
                        _ => &mut people.2,
                    };
                    if is_name {
                        person.name = Some(evil.to_owned());
                    } else {
                        person.address = format!("{evil}@example.com");
                    }
                    let result = build(&message(&people)).unwrap_err();
                    assert_eq!(result, MimeError::ControlCharacter { header });
                }
            }
            let mut changed = message(&people);
            changed.message_id = evil;
            assert!(build(&changed).is_err());
            let url = format!("https://example.com/{evil}");
            let mut changed = message(&people);
            changed.unsubscribe_url = Some(&url);
            assert_eq!(build(&changed), Err(MimeError::InvalidUnsubscribe));
        }
        for address in [
            "",
            "a",
            "a@",
            "@b",
            "a@b@c",
            "a b@c",
            "<a@b>",
            "a@b>,<c@d",
            "á@example.vn",
        ] {
            let mut people = sample();
            people.1.address = address.to_owned();
            let header = "To";
            assert_eq!(
                build(&message(&people)),
                Err(MimeError::InvalidAddress { header })
            );
        }
        let mut changed = message(&people);
        changed.unsubscribe_url = Some("http://example.com");
        assert_eq!(build(&changed), Err(MimeError::InvalidUnsubscribe));
    }

    proptest! {
        #[test]
        fn any_content_survives(
            subject in "[^\\p{Cc}\u{2028}\u{2029}]{0,200}",
            name in "[^\\p{Cc}\u{2028}\u{2029}]{0,60}",
            text in "([^\\p{Cc}]|\n){0,300}",
        ) {
            let mut people = sample();
            people.1.name = Some(name.clone());
            let mut message = message(&people);
            (message.subject, message.text) = (&subject, &text);
            let bytes = build(&message).unwrap();
            let parsed = MessageParser::default().parse(&bytes).unwrap();
            prop_assert_eq!(parsed.subject().unwrap_or("").trim(), subject.trim());
            let body = parsed.body_text(0).unwrap_or_default().replace("\r\n", "\n");
            prop_assert_eq!(body.trim_end(), text.trim_end());
            prop_assert_eq!(parsed.to().unwrap().first().unwrap().address(), Some("anh@example.com"));
            prop_assert!(parsed.bcc().is_none());
        }
    }
}
