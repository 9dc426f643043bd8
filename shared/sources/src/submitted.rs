//! The one shape that every provider's data is brought into.

use jiff::{SignedDuration, Timestamp};
use kernel::{EmailAddress, Phone};
use serde_json::Value;

/// Something that a person did at a source, with what it says about the person.
#[derive(Debug, Clone, PartialEq)]
pub struct Arrival {
    /// Address, if a usable one was given.
    pub email: Option<EmailAddress>,
    /// Mobile number, if a usable one was given.
    pub phone: Option<Phone>,
    /// Whole name.
    pub full_name: Option<String>,
    /// Names the event: the same submission, sent twice, has the same id.
    pub event_id: String,
    /// The product's name of the event, e.g. `form.submitted`.
    pub event_name: &'static str,
    /// When it happened; when it arrived, where the source does not say.
    pub at: Timestamp,
    /// Where the source does not say when: arrivals of the same id that lie so close together are one
    /// event, which happened when the first of them arrived.
    pub same_within: Option<SignedDuration>,
    /// The fields that were sent, by folded name, within bounds.
    pub data: Value,
    /// Fields that did not fit whole into `data`.
    pub shortened: Vec<String>,
}

/// The reason why a body can never be used; the message is dead-lettered with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Neither JSON nor a form.
    #[error("content type {0:?} is not one that forms are sent as")]
    ContentType(String),
    /// The text is not what the content type says.
    #[error("the body does not parse: {0}")]
    Syntax(String),
    /// More fields than a form has.
    #[error("the form has more than {0} fields")]
    TooManyFields(usize),
    /// Nobody can be recognised by it: the field of an address holds none that is usable.
    #[error("the form has no usable phone number or email address (field {0} does not parse)")]
    BrokenAddress(&'static str),
    /// Nobody can be recognised by it as long as its source does not say which field is the address.
    #[error("the form has its phone number or email address in a field that is not mapped")]
    UnmappedAddress,
    /// Nobody will ever be recognised by it.
    #[error("no field of the form is a phone number or an email address")]
    NoAddress,
}
