//! The text of a mail: as the sender gave it, or built from its parts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use mail_builder::MessageBuilder;
use mail_builder::headers::raw::Raw;
use mail_builder::mime::MimePart;
use serde::Deserialize;

use super::super::fault::ApiError;
use super::{Pair, SendEmail, bad_request, failed};

/// The content of a mail.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Content {
    raw: Option<Data>,
    simple: Option<Simple>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Simple {
    subject: Data,
    body: Body,
    #[serde(default)]
    headers: Vec<Pair>,
    #[serde(default)]
    attachments: Vec<Attachment>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Body {
    text: Option<Data>,
    html: Option<Data>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Data {
    data: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attachment {
    /// Base64 on the wire.
    raw_content: String,
    file_name: String,
    content_type: Option<String>,
    content_disposition: Option<String>,
    content_description: Option<String>,
    content_id: Option<String>,
}

impl Attachment {
    fn part(&self) -> Result<MimePart<'static>, ApiError> {
        let name = self.file_name.clone();
        let bytes = BASE64.decode(&self.raw_content);
        let bytes = bytes.map_err(|_| bad_request(format!("Attachment {name} is not base64")))?;
        let kind = self
            .content_type
            .as_deref()
            .unwrap_or("application/octet-stream");
        let part = MimePart::new(kind.to_owned(), bytes);
        let part = if self.content_disposition.as_deref() == Some("INLINE") {
            part.inline()
        } else {
            part.attachment(name)
        };
        let part = match &self.content_id {
            Some(id) => part.cid(id.clone()),
            None => part,
        };
        Ok(match &self.content_description {
            Some(text) => part.header("Content-Description", Raw::new(text.clone())),
            None => part,
        })
    }
}

/// The mail's text.
pub(super) fn text(request: &SendEmail) -> Result<Vec<u8>, ApiError> {
    if let Some(raw) = &request.content.raw {
        let decoded = BASE64.decode(&raw.data);
        return decoded.map_err(|_| bad_request("Raw message is not base64"));
    }
    let Some(simple) = &request.content.simple else {
        return Err(bad_request("Content must be Raw or Simple here"));
    };
    let list = |addresses: &[String]| Raw::new(addresses.join(", "));
    let destination = &request.destination;
    let mut mail = MessageBuilder::new()
        .header("From", Raw::new(request.from_email_address.clone()))
        .header("To", list(&destination.to))
        .subject(simple.subject.data.clone());
    if !destination.cc.is_empty() {
        mail = mail.header("Cc", list(&destination.cc));
    }
    if !request.reply_to_addresses.is_empty() {
        mail = mail.header("Reply-To", list(&request.reply_to_addresses));
    }
    for Pair { name, value } in &simple.headers {
        mail = mail.header(name.clone(), Raw::new(value.clone()));
    }
    if let Some(text) = &simple.body.text {
        mail = mail.text_body(text.data.clone());
    }
    if let Some(html) = &simple.body.html {
        mail = mail.html_body(html.data.clone());
    }
    for attachment in &simple.attachments {
        mail.attachments
            .get_or_insert_default()
            .push(attachment.part()?);
    }
    mail.write_to_vec().map_err(|error| failed(&error))
}
