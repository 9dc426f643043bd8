//! The common form of every provider's data: a person and an event.

use jiff::{SignedDuration, Timestamp};
use kernel::{Channel, EmailAddress, Person, Phone};
use serde_json::Value;

/// A person's event at a source.
#[derive(Debug, Clone, PartialEq)]
pub struct Submission {
    /// The person.
    pub sender: Sender,
    /// The event.
    pub event: Event,
    /// The answers to the source's questions about consent. A question that was not asked has none.
    pub consent: Vec<Answer>,
}

/// The person who caused an event.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sender {
    /// Address, if a usable one was sent.
    pub email: Option<EmailAddress>,
    /// Mobile number, if a usable one was sent.
    pub phone: Option<Phone>,
    /// Name, address and the other plain fields.
    pub person: Person,
}

/// An event at a source.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Names the event: a repetition has the same id.
    pub id: String,
    /// The product's name of the event, e.g. `form.submitted`.
    pub name: &'static str,
    /// When it happened; if the source does not say, when it arrived.
    pub at: Timestamp,
    /// Set if the source does not say when it happened. Events of the same id within this time are one event, with
    /// the time of the first arrival.
    pub same_within: Option<SignedDuration>,
    /// The form that was filled in, by the source's name for it.
    pub form: Option<String>,
    /// The fields, by folded name, within limits.
    pub data: Value,
    /// Whether fields were cut or left out of `data`.
    pub is_shortened: bool,
}

/// The answer to a question about consent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The channel that it is about.
    pub channel: Channel,
    /// Whether the answer means yes.
    pub yes: bool,
    /// The text beside the question.
    pub text: Option<String>,
}

/// The reason why a body cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Neither JSON nor a form.
    #[error("content type {0:?} is no content type of forms")]
    ContentType(String),
    /// The text does not match its content type.
    #[error("the body does not parse: {0}")]
    Syntax(String),
    /// More fields than a form has.
    #[error("the form has more than {0} fields")]
    TooManyFields(usize),
    /// It identifies no person until its source says which field is the address.
    #[error("the form has its phone number or email address in a field that is not mapped")]
    UnmappedAddress,
    /// It identifies no person.
    #[error("no field of the form is a phone number or an email address")]
    NoAddress,
    /// A field without which the object cannot be kept.
    #[error("expected a value at {0}")]
    Missing(&'static str),
    /// An id that is part of a key.
    #[error("an id or the name of the shop has more than {0} bytes")]
    TooLong(usize),
    /// A kind of request that this build does not know.
    #[error("unknown topic {0:?}")]
    UnknownTopic(String),
}

impl ParseError {
    /// A stable name.
    pub fn code(&self) -> &'static str {
        match self {
            Self::ContentType(_) => "content_type",
            Self::Syntax(_) => "syntax",
            Self::TooManyFields(_) => "too_many_fields",
            Self::UnmappedAddress => "unmapped_address",
            Self::NoAddress => "no_address",
            Self::Missing(_) => "missing",
            Self::TooLong(_) => "too_long",
            Self::UnknownTopic(_) => "unknown_topic",
        }
    }
}
