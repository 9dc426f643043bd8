//! SES v2 behind its REST protocol: accepts mail into the outbox. What becomes of it is told by
//! [`ses_events`](super::ses_events).

use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use http::{Method, Response, StatusCode};
use kernel::{Clock, EmailAddress, hash};
use mail_builder::MessageBuilder;
use mail_builder::headers::raw::Raw;
use mail_parser::MessageParser;
use serde::Deserialize;
use serde_json::{Value, json};

use super::fault::ApiError;
use super::meter::Meter;
use super::outbox::{Kind, Outbox, OutboxMessage};
use super::sqs::Sqs;
use super::wire;
use crate::template::model::Rule;

/// Most recipients of one mail.
const MOST_RECIPIENTS: usize = 50;
/// Largest mail.
const LARGEST_MAIL: usize = 40 * 1024 * 1024;

/// The mail service.
pub(super) struct Ses {
    pub outbox: Arc<Outbox>,
    pub sqs: Arc<Sqs>,
    pub meter: Arc<Meter>,
    pub clock: Clock,
    pub region: String,
    pub account: String,
    pub rules: RwLock<Vec<Rule>>,
    /// Verified domains and addresses; none: a stack without a template, where any sender may.
    pub identities: RwLock<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SendEmail {
    #[serde(default)]
    from_email_address: String,
    #[serde(default)]
    destination: Destination,
    content: Content,
    configuration_set_name: Option<String>,
    #[serde(default)]
    email_tags: Vec<Pair>,
    #[serde(default)]
    reply_to_addresses: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Destination {
    #[serde(rename = "ToAddresses")]
    to: Vec<String>,
    #[serde(rename = "CcAddresses")]
    cc: Vec<String>,
    #[serde(rename = "BccAddresses")]
    bcc: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Content {
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
struct Pair {
    name: String,
    value: String,
}

impl Ses {
    /// These identities count as verified from here on.
    pub fn verify(&self, identities: Vec<String>) {
        let mut known = self
            .identities
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *known = identities;
    }

    /// SES sends from verified identities only.
    fn check_sender(&self, from: &str) -> Result<(), ApiError> {
        let known = self
            .identities
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let address = from.parse::<EmailAddress>();
        let verified = |name: &String| address.as_ref().is_ok_and(|from| from.is_of(name));
        if known.is_empty() || known.iter().any(verified) {
            return Ok(());
        }
        let text = format!(
            "Email address is not verified. The following identities failed the check in region {}: {from}",
            self.region.to_uppercase()
        );
        Err(ApiError::new(400, "MessageRejected", text))
    }

    /// Answers one request.
    pub fn handle(&self, method: &Method, path: &str, body: &[u8]) -> Response<Bytes> {
        let answer = match (method, path) {
            (&Method::POST, "/v2/email/outbound-emails") => self.send(body),
            (&Method::GET, "/v2/email/account") => Ok(self.account()),
            _ => Err(bad_request(
                "this operation is not available in the local stack",
            )),
        };
        match answer {
            Ok(body) => wire::json(StatusCode::OK, &body),
            Err(error) => wire::rest_error(&error),
        }
    }

    fn send(&self, body: &[u8]) -> Result<Value, ApiError> {
        let request: SendEmail =
            serde_json::from_slice(body).map_err(|error| bad_request(error.to_string()))?;
        let mime = mime(&request)?;
        if mime.len() > LARGEST_MAIL {
            return Err(bad_request(
                "Message length is more than 41943040 bytes long",
            ));
        }
        let (message, mime) = (self.message(request, &mime)?, mime);
        let accepted = self.outbox.accept(message, &mime, |number| {
            provider_id(number, self.clock.now_ms())
        });
        let accepted = accepted.map_err(|error| failed(&error))?;
        self.meter.mail(accepted.to.len(), mime.len());
        self.report(&accepted);
        Ok(json!({"MessageId": accepted.provider_id}))
    }

    fn message(&self, request: SendEmail, mime: &[u8]) -> Result<OutboxMessage, ApiError> {
        let headers = MessageParser::default().parse_headers(mime);
        let header = headers.as_ref();
        let destination = request.destination;
        let mut to = destination.to;
        to.extend(destination.cc);
        to.extend(destination.bcc);
        if to.is_empty() {
            let addresses = header.and_then(|mail| mail.to());
            let addresses = addresses.into_iter().flat_map(|list| list.iter());
            to.extend(addresses.filter_map(|one| one.address().map(str::to_owned)));
        }
        if to.is_empty() || to.len() > MOST_RECIPIENTS {
            let text = format!("Recipient count must be between 1 and {MOST_RECIPIENTS}.");
            return Err(bad_request(text));
        }
        if !to.iter().all(|address| deliverable(bare(address))) {
            return Err(bad_request("Illegal address"));
        }
        let from = header
            .and_then(|mail| mail.from())
            .and_then(|list| list.first());
        let from = from.and_then(|one| one.address()).unwrap_or_default();
        let from = match request.from_email_address.as_str() {
            "" => from.to_owned(),
            named => named.to_owned(),
        };
        if !deliverable(bare(&from)) {
            return Err(bad_request("Missing or illegal From address"));
        }
        self.check_sender(bare(&from))?;
        let subject = header.and_then(|mail| mail.subject()).unwrap_or_default();
        let tags = request.email_tags.into_iter();
        Ok(OutboxMessage {
            id: 0,
            kind: Kind::Mail,
            provider_id: String::new(),
            at: self.clock.now_ms(),
            from,
            to,
            subject: subject.to_owned(),
            configuration_set: request.configuration_set_name,
            tags: tags.map(|tag| (tag.name, tag.value)).collect(),
            payload: None,
        })
    }

    fn account(&self) -> Value {
        let sent = self.outbox.count(Some(Kind::Mail)) as f64;
        json!({
            "DedicatedIpAutoWarmupEnabled": false,
            "EnforcementStatus": "HEALTHY",
            "ProductionAccessEnabled": true,
            "SendingEnabled": true,
            "SendQuota": {
                "Max24HourSend": 1_000_000.0,
                "MaxSendRate": 500.0,
                "SentLast24Hours": sent,
            },
            "SuppressionAttributes": {"SuppressedReasons": []},
        })
    }
}

/// The mail's text: as given, or built from its parts.
fn mime(request: &SendEmail) -> Result<Vec<u8>, ApiError> {
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
    mail.write_to_vec().map_err(|error| failed(&error))
}

/// The address in `Name <address>`.
pub(super) fn bare(address: &str) -> &str {
    let inside = address.rsplit_once('<').map(|(_, rest)| rest);
    inside
        .map_or(address, |rest| rest.trim_end_matches('>'))
        .trim()
}

fn deliverable(address: &str) -> bool {
    let parts = address.split_once('@');
    let clean = |c: char| c.is_ascii() && !c.is_ascii_control() && c != ' ';
    parts.is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty())
        && address.chars().all(clean)
}

/// An id in the form of SES's.
fn provider_id(number: u64, now: i64) -> String {
    let hex = hash::name(&[&number.to_string(), &now.to_string()]);
    let part = |range: std::ops::Range<usize>| hex.get(range).unwrap_or_default();
    let tail = [
        part(0..8),
        part(8..12),
        part(12..16),
        part(16..20),
        part(20..32),
    ]
    .join("-");
    format!("0100{now:012x}-{tail}-{number:06}")
}

fn bad_request(text: impl Into<String>) -> ApiError {
    ApiError::new(400, "BadRequestException", text)
}

fn failed(error: &std::io::Error) -> ApiError {
    ApiError::new(500, "InternalServiceErrorException", error.to_string())
}
