//! One call of an SDK: who, what and when. Pure.
//!
//! The shape is Segment's (segment.com/docs/connections/spec). A fault has a place, a stable reason, and words.

use contacts::{BrowserKeys, NamedDevice};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::data;

/// Longest `userId`, `anonymousId` and name of an event, in characters.
pub const MAX_ID: usize = 255;
/// Longest name of an event: a trigger of a workflow names no longer one.
const MAX_NAME: usize = 100;
/// First words of the names of the product's own events. No tracked event may look like one.
pub const RESERVED: [&str; 12] = [
    "cart",
    "consent",
    "contact",
    "conversation",
    "form",
    "list",
    "message",
    "order",
    "page",
    "product",
    "screen",
    "segment",
];
/// Texts that a program sends for want of an id. They would make one contact of many people.
const NO_IDS: [&str; 8] = [
    "null",
    "undefined",
    "none",
    "nil",
    "nan",
    "0",
    "[object object]",
    "anonymous",
];

/// A kind of call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An event.
    Track,
    /// A page of a website was viewed.
    Page,
    /// A screen of an app was viewed.
    Screen,
    /// Facts about a person.
    Identify,
    /// Two ids are one person.
    Alias,
    /// A person belongs to a company. It is refused.
    Group,
}

impl Kind {
    /// The kind of this name, or of its first letter, as analytics.js writes it in an address.
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "track" | "t" => Self::Track,
            "page" | "p" => Self::Page,
            "screen" | "s" => Self::Screen,
            "identify" | "i" => Self::Identify,
            "alias" | "a" => Self::Alias,
            "group" | "g" => Self::Group,
            _ => return None,
        })
    }
}

/// Why a call is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = TrackFault)]
pub enum Reason {
    /// The call is no object.
    NoObject,
    /// Its `type` is none of those that are known.
    UnknownType,
    /// Calls about companies are not taken.
    GroupNotSupported,
    /// It has neither a `userId` nor an `anonymousId`.
    NoPerson,
    /// An id is too long, or a text that programs send for want of an id.
    BadId,
    /// An event without a name, or with one that is too long.
    BadName,
    /// The name is one of the product's own events.
    ReservedName,
    /// The call is too large.
    TooLarge,
    /// The event is older than events are kept.
    TooOld,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 9] = [
        Self::NoObject,
        Self::UnknownType,
        Self::GroupNotSupported,
        Self::NoPerson,
        Self::BadId,
        Self::BadName,
        Self::ReservedName,
        Self::TooLarge,
        Self::TooOld,
    ];

    /// Its stable name.
    pub fn code(self) -> &'static str {
        match self {
            Self::NoObject => "no_object",
            Self::UnknownType => "unknown_type",
            Self::GroupNotSupported => "group_not_supported",
            Self::NoPerson => "no_person",
            Self::BadId => "bad_id",
            Self::BadName => "bad_name",
            Self::ReservedName => "reserved_name",
            Self::TooLarge => "too_large",
            Self::TooOld => "too_old",
        }
    }
}

/// A fault of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Its place in the call: `/event`; empty: the whole call.
    pub pointer: &'static str,
    /// Why.
    pub reason: Reason,
    /// In words; they hold nothing of the call.
    pub message: String,
}

fn fault(pointer: &'static str, reason: Reason, message: impl Into<String>) -> Fault {
    let message = message.into();
    Fault {
        pointer,
        reason,
        message,
    }
}

/// A call that can be used.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Its kind.
    pub kind: Kind,
    /// The sender's id of the call; absent if the sender gave none.
    pub message_id: Option<String>,
    /// The person's id in the shop's own system.
    pub user: Option<String>,
    /// The id that the SDK drew for the browser or the app.
    pub visitor: Option<String>,
    /// The name of the event; empty for calls that are none.
    pub name: String,
    /// The event's data.
    pub data: Map<String, Value>,
    /// The facts that the call tells about the person.
    pub traits: Map<String, Value>,
    /// When it happened, by the sender's clock.
    pub original: Option<Timestamp>,
    /// The consent to be followed that the call carries.
    pub consent: Option<Consent>,
    /// The consent to push notifications that the call carries beside its device.
    pub push_consent: Option<Consent>,
    /// The device for push notifications.
    pub device: Option<NamedDevice>,
}

/// The consent to advertising by what the person does on the shop's pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// The text that the person agreed to.
    pub text: String,
    /// The page that asked.
    pub page: Option<String>,
}

impl Call {
    /// Reads a call. `kind` is that of the address; without one the call's `type` tells it.
    pub fn read(value: &Value, kind: Option<Kind>) -> Result<Self, Fault> {
        if !value.is_object() {
            return Err(fault("", Reason::NoObject, "expected an object"));
        }
        let named = value
            .get("type")
            .and_then(Value::as_str)
            .and_then(|name| (name.len() > 1).then(|| Kind::of(name)).flatten());
        let Some(kind) = kind.or(named) else {
            let message = "expected track, page, screen, identify or alias";
            return Err(fault("/type", Reason::UnknownType, message));
        };
        if kind == Kind::Group {
            let message = "calls about companies are not taken";
            return Err(fault("/type", Reason::GroupNotSupported, message));
        }
        let user = id(value, "userId", "/userId")?;
        let mut visitor = id(value, "anonymousId", "/anonymousId")?;
        if kind == Kind::Alias {
            let previous = id(value, "previousId", "/previousId")?;
            visitor = previous.or(visitor);
            if user.is_none() || visitor.is_none() {
                let message = "an alias needs userId and previousId";
                return Err(fault("", Reason::NoPerson, message));
            }
        }
        if user.is_none() && visitor.is_none() {
            let message = "give userId or anonymousId";
            return Err(fault("", Reason::NoPerson, message));
        }
        let (name, data) = match kind {
            Kind::Track => event(value)?,
            Kind::Page => ("page.viewed".to_owned(), data::of_page(value)),
            Kind::Screen => ("screen.viewed".to_owned(), data::of_page(value)),
            Kind::Identify | Kind::Alias | Kind::Group => (String::new(), Map::new()),
        };
        let own = value.get("traits").filter(|traits| traits.is_object());
        let traits = own.or_else(|| value.pointer("/context/traits"));
        let traits = traits.and_then(Value::as_object).cloned();
        Ok(Self {
            kind,
            message_id: text(value, "messageId"),
            user,
            visitor,
            name,
            data,
            traits: traits
                .filter(|_| kind == Kind::Identify)
                .unwrap_or_default(),
            original: time(value, "originalTimestamp").or_else(|| time(value, "timestamp")),
            consent: consent(value, "tracking"),
            push_consent: consent(value, "push").filter(|_| device(value).is_some()),
            device: device(value),
        })
    }

    /// Whether an own system may track an event of this name: it is none of the product's own.
    pub fn is_free(name: &str) -> bool {
        let family = name.split_once('.');
        let family = family.map(|(family, _)| family.to_lowercase());
        family.is_none_or(|family| !RESERVED.contains(&family.as_str()))
    }

    /// Whether it is an event of the timeline.
    pub fn is_event(&self) -> bool {
        !self.name.is_empty()
    }

    /// Id of the event on the timeline. It cannot be that of an event of another door.
    pub fn event_id(&self) -> String {
        let id = self.message_id.as_deref().unwrap_or_default();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if !id.is_empty() && id.len() <= 64 && id.chars().all(is_plain) {
            return format!("t.{id}");
        }
        format!("t.{}", kernel::hash::name(&[id]))
    }
}

/// The name and the data of a track call.
fn event(call: &Value) -> Result<(String, Map<String, Value>), Fault> {
    let name = text(call, "event").unwrap_or_default();
    let name: String = name.chars().filter(|c| !c.is_control()).collect();
    let name = name.trim();
    if name.is_empty() || name.len() > MAX_NAME {
        let message = format!("expected the event's name, up to {MAX_NAME} letters");
        return Err(fault("/event", Reason::BadName, message));
    }
    let mut data = data::of_event(call);
    // The name in Segment's specification of online shops.
    if ["Product Viewed", "product.viewed"].contains(&name) {
        if let Some(Value::String(url)) = call.pointer("/context/page/url") {
            data.entry("url").or_insert_with(|| url.as_str().into());
        }
        return Ok(("product.viewed".to_owned(), data));
    }
    if !Call::is_free(name) {
        let message = "the names of the product's own events cannot be tracked";
        return Err(fault("/event", Reason::ReservedName, message));
    }
    Ok((name.to_owned(), data))
}

/// A text, or a number as a text. An empty text is none.
fn text(call: &Value, name: &str) -> Option<String> {
    match call.get(name)? {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn id(call: &Value, name: &str, pointer: &'static str) -> Result<Option<String>, Fault> {
    let Some(id) = text(call, name) else {
        return Ok(None);
    };
    if id.chars().count() > MAX_ID || id.chars().any(char::is_control) {
        let message = format!("expected up to {MAX_ID} characters");
        return Err(fault(pointer, Reason::BadId, message));
    }
    if NO_IDS.contains(&id.to_lowercase().as_str()) {
        let message = "this text is what programs send for want of an id";
        return Err(fault(pointer, Reason::BadId, message));
    }
    Ok(Some(id))
}

/// A time in ISO 8601, or in milliseconds since the epoch.
pub(crate) fn time(call: &Value, name: &str) -> Option<Timestamp> {
    match call.get(name)? {
        Value::String(text) => text.trim().parse().ok(),
        Value::Number(number) => Timestamp::from_millisecond(number.as_i64()?).ok(),
        _ => None,
    }
}

fn device(call: &Value) -> Option<NamedDevice> {
    let device = call.pointer("/context/device")?;
    let token = text(device, "token")?;
    let platform = text(device, "type").unwrap_or_default();
    let keys = device.get("keys").filter(|keys| !keys.is_null());
    let keys = match keys {
        Some(keys) => Some(browser_keys(keys).filter(|_| token.starts_with("http"))?),
        None => None,
    };
    // A browser without its keys cannot be sent anything.
    (keys.is_some() || !platform.eq_ignore_ascii_case("web") || !token.starts_with("http"))
        .then_some(NamedDevice {
            token,
            platform,
            keys,
        })
}

fn browser_keys(keys: &Value) -> Option<BrowserKeys> {
    let part = |name: &str| Some(text(keys, name)?.trim_end_matches('=').to_owned());
    let keys = BrowserKeys {
        p256dh: part("p256dh")?,
        auth: part("auth")?,
    };
    keys.are_sound().then_some(keys)
}

/// A consent without its text is no proof, and is not read.
fn consent(call: &Value, to: &str) -> Option<Consent> {
    let given = call.pointer("/context/consent")?;
    let is_given = given.get(to).and_then(Value::as_bool)?;
    let text = text(given, "text").filter(|_| is_given)?;
    let page = call.pointer("/context/page/url").and_then(Value::as_str);
    Some(Consent {
        text: text.chars().take(contacts::consent::MAX_TEXT).collect(),
        page: page.map(|page| page.chars().take(contacts::consent::MAX_NOTE).collect()),
    })
}

#[cfg(test)]
mod tests;
