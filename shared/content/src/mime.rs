//! The RFC 5322 message of a built mail.
//!
//! The same input gives the same bytes. Date, message id and boundary come from the caller's values, so a second
//! attempt gives the same message. No header value may hold a line break or another control character; such a value
//! is refused, not repaired. A reader decodes each header value to exactly the text that was given: text in the form of
//! an encoded word (RFC 2047) is itself encoded.

use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use mail_builder::MessageBuilder;
use mail_builder::headers::HeaderType;
use mail_builder::headers::address::Address;
use mail_builder::headers::content_type::ContentType;
use mail_builder::headers::date::Date;
use mail_builder::headers::message_id::MessageId;
use mail_builder::headers::raw::Raw;
use mail_builder::headers::text::Text;
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
        .header("Subject", text_header(message.subject))
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
    let address = mailbox.address.as_str();
    Ok(match name {
        Some(name) if name.contains(ENCODED) => {
            Raw::new(format!("{} <{address}>", encoded_words(name))).into()
        }
        _ => Address::new_address(name, address).into(),
    })
}

/// The start of an encoded word. The writer of headers would pass it on as it is, and a reader would decode it to
/// characters that were never checked.
const ENCODED: &str = "=?";
/// Bytes of text in one encoded word; with its frame it has at most 75 characters (RFC 2047, section 2).
const WORD_BYTES: usize = 45;

fn text_header(text: &str) -> HeaderType<'_> {
    if text.contains(ENCODED) {
        Raw::new(encoded_words(text)).into()
    } else {
        Text::new(text).into()
    }
}

/// All of `text` as encoded words. Readers drop the spaces between two of them.
fn encoded_words(text: &str) -> String {
    let mut words = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (part, later) = rest.split_at(rest.floor_char_boundary(WORD_BYTES));
        words.push(format!("=?utf-8?B?{}?=", STANDARD.encode(part)));
        rest = later;
    }
    words.join(" ")
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
        Some((local, domain))
            if address.len() <= 320
                && is_plain(local)
                && is_plain(domain)
                && !address.contains(ENCODED) =>
        {
            Ok(())
        }
        _ => Err(MimeError::InvalidAddress { header }),
    }
}

#[cfg(test)]
mod tests;
