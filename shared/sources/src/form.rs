//! The message of a signup form's submission. `form-submit` has judged the answers already.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kernel::{Channel, EmailAddress, FormId, ListId, Person, Phone};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An accepted submission of a signup form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormSubmission {
    /// The form.
    pub form: FormId,
    /// Names the submission: the same page with the same answers has the same id.
    pub id: String,
    /// When it was accepted.
    pub received_at: Timestamp,
    /// Submissions of the same id within this many seconds are one event.
    pub same_within_seconds: i64,
    /// Address.
    pub email: Option<EmailAddress>,
    /// Mobile number.
    pub phone: Option<Phone>,
    /// The plain fields.
    #[serde(default)]
    pub person: Person,
    /// Custom fields, in their stored form.
    #[serde(default)]
    pub custom: BTreeMap<String, Value>,
    /// Tags that the contact gets.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Lists that the contact joins.
    #[serde(default)]
    pub lists: Vec<ListId>,
    /// The answers to the questions about consent.
    #[serde(default)]
    pub consent: Vec<ConsentAnswer>,
    /// The event's data: all answers as they were typed.
    pub data: Value,
    /// The address of the visitor's network.
    pub ip: Option<String>,
    /// The visitor's browser.
    pub user_agent: Option<String>,
}

/// The answer to one question about consent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentAnswer {
    /// The channel that it is about.
    pub channel: Channel,
    /// Whether the box was ticked.
    pub ticked: bool,
    /// The text beside the box.
    pub text: String,
    /// The form and the version of its settings.
    pub form: String,
}
