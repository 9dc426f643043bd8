//! The common form of every provider's data.

use jiff::{SignedDuration, Timestamp};
use kernel::{EmailAddress, Person, Phone};
use serde_json::Value;

/// An event of a person at a source, with the person's data.
#[derive(Debug, Clone, PartialEq)]
pub struct Arrival {
    /// Address, if a usable one was sent.
    pub email: Option<EmailAddress>,
    /// Mobile number, if a usable one was sent.
    pub phone: Option<Phone>,
    /// Name, address and the other plain fields that the form gave.
    pub person: Person,
    /// Names the event: a repeated submission has the same id.
    pub event_id: String,
    /// The product's name of the event, e.g. `form.submitted`.
    pub event_name: &'static str,
    /// When it happened; if the source does not say, when it arrived.
    pub at: Timestamp,
    /// Set if the source does not say when it happened. Arrivals of the same id within this time are one event, with
    /// the time of the first arrival.
    pub same_within: Option<SignedDuration>,
    /// The submitted fields, by folded name, within limits.
    pub data: Value,
    /// Fields that were cut or left out of `data`.
    pub shortened: Vec<String>,
}

/// The reason why a body can never be used; the message is dead-lettered with it.
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
    /// It identifies no person: its address field holds no usable address.
    #[error("the form has no usable phone number or email address (field {0} does not parse)")]
    BrokenAddress(&'static str),
    /// It identifies no person until its source says which field is the address.
    #[error("the form has its phone number or email address in a field that is not mapped")]
    UnmappedAddress,
    /// It can never identify a person.
    #[error("no field of the form is a phone number or an email address")]
    NoAddress,
}
