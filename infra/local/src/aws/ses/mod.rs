//! SES v2 behind its REST protocol: accepts mail into the outbox. [`events`] decides the outcome of a mail.

mod events;
mod mime;
mod suppression;

use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use http::{Method, Response, StatusCode, Uri};
use kernel::{Clock, EmailAddress, hash};
use mail_parser::MessageParser;
use serde::Deserialize;
use serde_json::{Value, json};

use super::fault::ApiError;
use super::meter::Meter;
use super::outbox::{Kind, Outbox, OutboxMessage};
use super::sqs::Sqs;
use super::wire;
use crate::template::model::{ConfigurationSet, Rule, Stack};
use mime::Content;
pub(super) use suppression::Suppression;

/// Most recipients of one mail.
const MOST_RECIPIENTS: usize = 50;
/// Largest mail.
const LARGEST_MAIL: usize = 40 * 1024 * 1024;
/// Most tags of a mail, and the longest name or value of one.
const MOST_TAGS: usize = 50;
const LONGEST_TAG: usize = 256;
/// The path of the suppression list.
const SUPPRESSION: &str = "/v2/email/suppression/addresses";
/// The time over which mails are counted against the quota, milliseconds.
const QUOTA_PERIOD: i64 = 24 * 3600 * 1000;

/// The mail service.
pub(super) struct Ses {
    pub outbox: Arc<Outbox>,
    pub sqs: Arc<Sqs>,
    pub meter: Arc<Meter>,
    pub clock: Clock,
    pub region: String,
    pub account: String,
    pub rules: RwLock<Vec<Rule>>,
    /// Verified domains and addresses; none: a stack without a template, where every sender is allowed.
    pub identities: RwLock<Vec<String>>,
    pub configuration_sets: RwLock<Vec<ConfigurationSet>>,
    pub suppression: Suppression,
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
struct Pair {
    name: String,
    value: String,
}

impl Ses {
    /// Reads the rules, verified identities and configuration sets of the template.
    pub fn configure(&self, stack: &Stack) {
        fn set<T>(lock: &RwLock<T>, value: T) {
            *lock.write().unwrap_or_else(PoisonError::into_inner) = value;
        }
        set(&self.rules, stack.rules.clone());
        set(&self.identities, stack.rights.identities());
        set(&self.configuration_sets, stack.configuration_sets.clone());
    }

    fn configuration_set(&self, name: &str) -> Option<ConfigurationSet> {
        let sets = self.configuration_sets.read();
        let sets = sets.unwrap_or_else(PoisonError::into_inner);
        sets.iter().find(|set| set.name == name).cloned()
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
    pub fn handle(&self, method: &Method, uri: &Uri, body: &[u8]) -> Response<Bytes> {
        let path = uri.path();
        let suppression = path.strip_prefix(SUPPRESSION).and_then(|rest| {
            let (query, now) = (uri.query().unwrap_or_default(), self.clock.now_ms());
            self.suppression.handle(method, rest, query, body, now)
        });
        let answer = match (method, path) {
            (&Method::POST, "/v2/email/outbound-emails") => self.send(body),
            (&Method::GET, "/v2/email/account") => Ok(self.account()),
            _ => suppression.unwrap_or_else(|| {
                let text = format!("{method} {path} of SES v2 is not in the local stack");
                Err(ApiError::new(400, "UnknownOperationException", text))
            }),
        };
        match answer {
            Ok(body) => wire::json(StatusCode::OK, &body),
            Err(error) => wire::rest_error(&error),
        }
    }

    fn send(&self, body: &[u8]) -> Result<Value, ApiError> {
        let request: SendEmail =
            serde_json::from_slice(body).map_err(|error| bad_request(error.to_string()))?;
        self.check(&request)?;
        let mime = mime::text(&request)?;
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

    /// Refuses an unknown configuration set, and tags that SES does not take.
    fn check(&self, request: &SendEmail) -> Result<(), ApiError> {
        if let Some(name) = &request.configuration_set_name
            && self.configuration_set(name).is_none()
        {
            return Err(not_found(format!(
                "Configuration set <{name}> does not exist."
            )));
        }
        if request.email_tags.len() > MOST_TAGS {
            return Err(bad_request(format!("A mail has at most {MOST_TAGS} tags.")));
        }
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        let fits = |text: &str| (1..=LONGEST_TAG).contains(&text.len()) && text.chars().all(good);
        let wrong = |tag: &&Pair| !fits(&tag.name) || !fits(&tag.value);
        match request.email_tags.iter().find(wrong) {
            None => Ok(()),
            Some(Pair { name, value }) => Err(bad_request(format!(
                "Invalid tag <{name}>=<{value}>: only alphanumeric ASCII characters, '_' and '-' are allowed, 1 to {LONGEST_TAG} of them."
            ))),
        }
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
        let since = self.clock.now_ms() - QUOTA_PERIOD;
        let sent = self.outbox.recipients_since(since) as f64;
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

/// The address in `Name <address>`.
fn bare(address: &str) -> &str {
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

fn not_found(text: String) -> ApiError {
    ApiError::new(404, "NotFoundException", text)
}

fn failed(error: &std::io::Error) -> ApiError {
    ApiError::new(500, "InternalServiceErrorException", error.to_string())
}
