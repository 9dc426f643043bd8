//! The message of a signup form's submission. `form-submit` has judged the answers already.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kernel::{Channel, ContactId, EmailAddress, FormId, ListId, Person, Phone};
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
    /// Set if a consent to mails must be confirmed.
    #[serde(default)]
    pub confirming: Option<Confirming>,
    /// The event's data: all answers as they were typed.
    pub data: Value,
    /// The address of the visitor's network.
    pub ip: Option<String>,
    /// The visitor's browser.
    pub user_agent: Option<String>,
}

/// The mail that asks the person to confirm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirming {
    /// Name shown in the inbox.
    pub from_name: String,
    /// The sender.
    pub from_email: EmailAddress,
    /// Language tag of the mail.
    pub language: String,
    /// Whether a second mail follows.
    pub reminder: bool,
}

/// A person pressed the button behind the link of a confirmation mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormConfirmation {
    /// The form.
    pub form: FormId,
    /// The contact that the mail was about.
    pub contact: ContactId,
    /// The request that is confirmed: the id of its submission.
    pub id: String,
    /// When the button was pressed.
    pub at: Timestamp,
    /// The address of the person's network.
    pub ip: Option<String>,
    /// The person's browser.
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
