//! A workflow as its author writes it, and its possible flaws. Pure.

use contacts::Tags;
use std::collections::{BTreeMap, BTreeSet};

use channels::push::{Note, note};
use channels::{Class, Sender, StoredMail, mail_check, sms};
use indexmap::IndexMap;
use kernel::{BrandnameId, EmailAddress, TransactionalReason};
use serde::{Deserialize, Serialize};

use crate::model::EntryRule;
use crate::trigger::{Trigger, escape};

/// Most steps of one workflow.
pub const MAX_NODES: usize = 100;
/// Longest wait: one year.
const MAX_WAIT_SECONDS: u64 = 366 * 86_400;
const MAX_TEXT: usize = 200;
const MAX_TAGS: usize = 20;
/// Longest texts of all steps, in bytes; mails are stored apart. An item of DynamoDB holds 400 KB.
const MAX_GRAPH_BYTES: usize = 200_000;
/// Most bytes of HTML and text in all mails of one workflow.
pub const MAX_MAIL_BYTES: usize = 1024 * 1024;

/// A flaw of a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// JSON pointer into the draft.
    pub pointer: String,
    /// The expected value.
    pub message: String,
}

impl Flaw {
    /// A flaw at a place.
    pub fn new(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            message: message.into(),
        }
    }
}

/// The author's request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = NewWorkflow)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// Name for people.
    #[schema(min_length = 1, max_length = 200, example = "Chào khách mới")]
    pub name: String,
    /// The trigger.
    pub trigger: Trigger,
    /// How often one contact may enter.
    #[serde(default)]
    pub entry: EntryRule,
    /// The steps of a contact.
    pub graph: DraftGraph,
}

/// The steps, by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = NewWorkflowGraph)]
#[serde(deny_unknown_fields)]
pub struct DraftGraph {
    /// Name of the first step.
    #[schema(min_length = 1, max_length = 40)]
    pub start: String,
    /// All steps.
    #[schema(value_type = crate::schema::Steps)]
    pub nodes: IndexMap<String, DraftNode>,
}

/// One step, its content still inside. Without `next` the contact has completed the workflow after it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = NewWorkflowNode)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum DraftNode {
    /// Nothing happens for a while; the parts are added up.
    WaitDuration {
        /// Minutes.
        #[serde(default)]
        #[schema(maximum = 527_040)]
        minutes: u32,
        /// Hours.
        #[serde(default)]
        #[schema(maximum = 8784)]
        hours: u32,
        /// Days of 24 hours.
        #[serde(default)]
        #[schema(maximum = 366)]
        days: u32,
        /// Weeks.
        #[serde(default)]
        #[schema(maximum = 52)]
        weeks: u32,
        /// Step after it.
        #[serde(default)]
        #[schema(max_length = 40)]
        next: Option<String>,
    },
    /// A mail to the contact.
    SendEmail(Box<DraftMail>),
    /// A text message to the contact, by a brandname for customer care.
    SendSms(DraftSms),
    /// A push notification to the contact's devices.
    SendPush(Box<DraftPush>),
    /// Tags for the contact.
    AddTag {
        /// The tags.
        #[schema(min_items = 1, max_items = 20)]
        tags: Vec<String>,
        /// Step after it.
        #[serde(default)]
        #[schema(max_length = 40)]
        next: Option<String>,
    },
    /// The contact leaves before the end.
    Exit,
}

/// A mail step. `{{contact.…}}` and `{{trigger.…}}` are filled in when it is sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = NewWorkflowMail)]
#[serde(deny_unknown_fields)]
pub struct DraftMail {
    /// From.
    pub sender: Sender,
    /// Subject template.
    #[schema(min_length = 1, max_length = 255)]
    pub subject: String,
    /// Text that inboxes show beside the subject.
    #[serde(default)]
    #[schema(max_length = 255)]
    pub preview_text: Option<String>,
    /// HTML template.
    #[serde(default)]
    #[schema(max_length = 163_840)]
    pub html: Option<String>,
    /// Text template.
    #[serde(default)]
    #[schema(max_length = 163_840)]
    pub text: Option<String>,
    /// Counts opens.
    #[serde(default = "yes")]
    pub track_opens: bool,
    /// Counts clicks.
    #[serde(default = "yes")]
    pub track_clicks: bool,
    /// Whether it needs consent.
    #[serde(default = "marketing")]
    pub class: Class,
    /// Why a transactional mail is expected; the workspace's settings say which reasons it may give.
    #[serde(default)]
    pub reason: Option<TransactionalReason>,
    /// Step after it.
    #[serde(default)]
    #[schema(max_length = 40)]
    pub next: Option<String>,
}

/// A step that sends a text message. `{{contact.…}}` and `{{trigger.…}}` are filled in when it is sent. The carriers take only
/// texts that match a template which is registered for the brandname.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = NewWorkflowSms)]
#[serde(deny_unknown_fields)]
pub struct DraftSms {
    /// A brandname of the workspace, of kind `care`.
    pub brandname_id: BrandnameId,
    /// Text template.
    #[schema(min_length = 1, max_length = 1000)]
    pub content: String,
    /// Why it is expected; the workspace's settings say which reasons it may give.
    pub reason: TransactionalReason,
    /// Step after it.
    #[serde(default)]
    #[schema(max_length = 40)]
    pub next: Option<String>,
}

/// A step that sends a push notification. `{{contact.…}}` and `{{trigger.…}}` of title and body are filled in when it is sent. A device
/// that only a public key has named gets them empty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = NewWorkflowPush)]
#[serde(deny_unknown_fields)]
pub struct DraftPush {
    /// Title template.
    #[schema(min_length = 1, max_length = 500)]
    pub title: String,
    /// Text template.
    #[schema(min_length = 1, max_length = 2000)]
    pub body: String,
    /// Picture beside the text; https.
    #[serde(default)]
    #[schema(max_length = 1000)]
    pub icon: Option<String>,
    /// Large picture; https.
    #[serde(default)]
    #[schema(max_length = 1000)]
    pub image: Option<String>,
    /// The page that a click opens.
    #[serde(default)]
    #[schema(max_length = 1000)]
    pub link: Option<String>,
    /// Seconds for which the push service keeps it; a day if absent.
    #[serde(default)]
    #[schema(maximum = 2_419_200)]
    pub ttl: Option<u32>,
    /// Data for the app or the service worker.
    #[serde(default)]
    pub data: BTreeMap<String, String>,
    /// Whether it needs consent.
    #[serde(default = "marketing")]
    pub class: Class,
    /// Why a transactional notification is expected; the workspace's settings say which reasons it may give.
    #[serde(default)]
    pub reason: Option<TransactionalReason>,
    /// Step after it.
    #[serde(default)]
    #[schema(max_length = 40)]
    pub next: Option<String>,
}

impl DraftPush {
    /// The part that is sent.
    pub fn note(&self) -> Note {
        Note {
            title: self.title.clone(),
            body: self.body.clone(),
            icon: self.icon.clone(),
            image: self.image.clone(),
            link: self.link.clone(),
            actions: Vec::new(),
            ttl: self.ttl.unwrap_or(note::USUAL_TTL),
            data: self.data.clone(),
        }
    }
}

fn yes() -> bool {
    true
}

fn marketing() -> Class {
    Class::Marketing
}

impl DraftMail {
    /// The part that is sent.
    pub fn stored(&self) -> StoredMail {
        StoredMail {
            sender: self.sender.clone(),
            subject: self.subject.clone(),
            preview_text: self.preview_text.clone(),
            html: self.html.clone(),
            text: self.text.clone(),
            track_opens: self.track_opens,
            track_clicks: self.track_clicks,
        }
    }
}

impl DraftNode {
    /// Name of the step after it.
    pub fn next(&self) -> Option<&str> {
        match self {
            Self::WaitDuration { next, .. } | Self::AddTag { next, .. } => next.as_deref(),
            Self::SendEmail(mail) => mail.next.as_deref(),
            Self::SendSms(sms) => sms.next.as_deref(),
            Self::SendPush(push) => push.next.as_deref(),
            Self::Exit => None,
        }
    }

    /// Bytes of its texts as they are stored in the graph.
    fn bytes(&self) -> usize {
        match self {
            Self::AddTag { tags, .. } => tags.iter().map(|tag| tag.len() + 3).sum(),
            Self::SendEmail(mail) => mail.subject.len(),
            Self::SendSms(sms) => sms.content.len(),
            Self::SendPush(push) => {
                let note = push.note();
                let urls = [note.icon, note.image, note.link];
                let urls: usize = urls.iter().flatten().map(String::len).sum();
                let data = note.data.iter();
                let data: usize = data.map(|(name, value)| name.len() + value.len() + 6).sum();
                note.title.len() + note.body.len() + urls + data
            }
            Self::WaitDuration { .. } | Self::Exit => 0,
        }
    }

    /// Length of a wait.
    pub(crate) fn wait_seconds(minutes: u32, hours: u32, days: u32, weeks: u32) -> u64 {
        let minutes = u64::from(minutes) + 60 * u64::from(hours);
        60 * minutes + 86_400 * (u64::from(days) + 7 * u64::from(weeks))
    }
}

impl Draft {
    /// All flaws of the draft. Mails are compiled as for sending, and come from `identity`.
    pub fn check(&self, identity: &str) -> Vec<Flaw> {
        let mut flaws = Vec::new();
        if self.name.trim().is_empty() || self.name.chars().count() > MAX_TEXT {
            flaws.push(Flaw::new("/name", "expected a name of 1 to 200 letters"));
        }
        self.trigger.check(&mut flaws);
        if self.mail_bytes() > MAX_MAIL_BYTES {
            // Not compiled: one request has ten seconds.
            let message = format!("its mails together may have {MAX_MAIL_BYTES} bytes");
            flaws.push(Flaw::new("/graph/nodes", message));
            return flaws;
        }
        for (id, node) in &self.graph.nodes {
            check_node(id, node, identity, &mut flaws);
        }
        self.graph.check_shape(&mut flaws);
        flaws
    }

    /// Bytes of the HTML and text of all its mails.
    fn mail_bytes(&self) -> usize {
        let mails = self.graph.nodes.values().filter_map(|node| match node {
            DraftNode::SendEmail(mail) => Some(mail),
            _ => None,
        });
        let parts = mails.flat_map(|mail| mail.html.iter().chain(&mail.text));
        parts.map(String::len).sum()
    }

    /// The reasons of its transactional messages, each with its place in the draft.
    pub fn reasons(&self) -> impl Iterator<Item = (String, TransactionalReason)> {
        self.graph.nodes.iter().filter_map(|(id, node)| match node {
            DraftNode::SendEmail(mail) => {
                let place = format!("/graph/nodes/{}/reason", escape(id));
                Some((place, mail.reason?))
            }
            DraftNode::SendSms(sms) => {
                let place = format!("/graph/nodes/{}/reason", escape(id));
                Some((place, sms.reason))
            }
            DraftNode::SendPush(push) => {
                let place = format!("/graph/nodes/{}/reason", escape(id));
                Some((place, push.reason?))
            }
            _ => None,
        })
    }

    /// The brandnames of its text messages, each with its place in the draft.
    pub fn brandnames(&self) -> impl Iterator<Item = (String, BrandnameId)> {
        self.graph.nodes.iter().filter_map(|(id, node)| match node {
            DraftNode::SendSms(sms) => {
                let place = format!("/graph/nodes/{}/brandname_id", escape(id));
                Some((place, sms.brandname_id))
            }
            _ => None,
        })
    }

    /// The senders of its mails, each with its place in the draft.
    pub fn senders(&self) -> impl Iterator<Item = (String, EmailAddress)> {
        self.graph.nodes.iter().filter_map(|(id, node)| match node {
            DraftNode::SendEmail(mail) => {
                let place = format!("/graph/nodes/{}/sender/from_email", escape(id));
                Some((place, mail.sender.from_email.clone()))
            }
            _ => None,
        })
    }
}

fn check_node(id: &str, node: &DraftNode, identity: &str, flaws: &mut Vec<Flaw>) {
    let pointer = format!("/graph/nodes/{}", escape(id));
    // The name becomes a mail tag, and tags accept only these characters.
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if id.is_empty() || id.len() > 40 || !id.chars().all(legal) {
        let message = "expected a name of 1 to 40 letters, digits, _ or -";
        flaws.push(Flaw::new(pointer.clone(), message));
    }
    match node {
        &DraftNode::WaitDuration {
            minutes,
            hours,
            days,
            weeks,
            ..
        } => {
            let seconds = DraftNode::wait_seconds(minutes, hours, days, weeks);
            if seconds == 0 || seconds > MAX_WAIT_SECONDS {
                let message = "expected minutes, hours, days or weeks: one minute to one year";
                flaws.push(Flaw::new(pointer, message));
            }
        }
        DraftNode::AddTag { tags, .. } => {
            let bad = |tag: &String| Tags::parse(tag).is_err();
            if tags.is_empty() || tags.len() > MAX_TAGS || tags.iter().any(bad) {
                let message = "expected 1 to 20 tags of 1 to 255 characters";
                flaws.push(Flaw::new(format!("{pointer}/tags"), message));
            }
        }
        DraftNode::SendEmail(mail) => {
            let found = mail_check::flaws(
                &mail.stored(),
                mail.class,
                identity,
                Some(mail_check::TRIGGER),
            );
            let at = |(place, message)| Flaw::new(format!("{pointer}{place}"), message);
            flaws.extend(found.into_iter().map(at));
            let flaw = reason_flaw(mail.class, mail.reason, "mail");
            flaws.extend(flaw.map(|flaw| Flaw::new(format!("{pointer}/reason"), flaw)));
        }
        DraftNode::SendPush(push) => {
            let found = push.note().faults(Some(mail_check::TRIGGER));
            let at = |(place, message)| Flaw::new(format!("{pointer}{place}"), message);
            flaws.extend(found.into_iter().map(at));
            let flaw = reason_flaw(push.class, push.reason, "notification");
            flaws.extend(flaw.map(|flaw| Flaw::new(format!("{pointer}/reason"), flaw)));
        }
        DraftNode::SendSms(sms) => {
            let found = sms::template::content_flaws(&sms.content);
            let at = |message| Flaw::new(format!("{pointer}/content"), message);
            flaws.extend(found.into_iter().map(at));
        }
        DraftNode::Exit => {}
    }
}

/// The flaw of a reason: a transactional message has one, and no other.
fn reason_flaw(class: Class, reason: Option<TransactionalReason>, message: &str) -> Option<String> {
    match (class, reason) {
        (Class::Transactional, None) => {
            let names = TransactionalReason::ALL.map(TransactionalReason::name);
            let names = names.join(", ");
            Some(format!("a transactional {message} needs one of: {names}"))
        }
        (Class::Marketing, Some(_)) => Some(format!("only a transactional {message} has a reason")),
        _ => None,
    }
}

impl DraftGraph {
    /// Every name is the name of a step, every step is reached, and there is no cycle.
    fn check_shape(&self, flaws: &mut Vec<Flaw>) {
        if self.nodes.is_empty() || self.nodes.len() > MAX_NODES {
            flaws.push(Flaw::new("/graph/nodes", "expected 1 to 100 steps"));
            return;
        }
        let bytes: usize = self
            .nodes
            .iter()
            .map(|(id, node)| id.len() + node.bytes())
            .sum();
        if bytes > MAX_GRAPH_BYTES {
            let message =
                format!("hold at most {MAX_GRAPH_BYTES} bytes of tags, subjects and texts");
            flaws.push(Flaw::new("/graph/nodes", message));
        }
        let unknown = |name: &str| format!("there is no step {name:?}");
        if !self.nodes.contains_key(&self.start) {
            flaws.push(Flaw::new("/graph/start", unknown(&self.start)));
            return;
        }
        for (id, node) in &self.nodes {
            if let Some(next) = node.next()
                && !self.nodes.contains_key(next)
            {
                let pointer = format!("/graph/nodes/{}/next", escape(id));
                flaws.push(Flaw::new(pointer, unknown(next)));
            }
        }
        let mut reached = BTreeSet::new();
        let mut at = Some(self.start.as_str());
        while let Some(id) = at {
            reached.insert(id);
            let next = self.nodes.get(id).and_then(DraftNode::next);
            if let Some(back) = next.filter(|next| reached.contains(next)) {
                let pointer = format!("/graph/nodes/{}/next", escape(id));
                flaws.push(Flaw::new(pointer, format!("leads back to {back:?}")));
                break;
            }
            at = next.filter(|next| self.nodes.contains_key(*next));
        }
        for id in self.nodes.keys() {
            if !reached.contains(id.as_str()) {
                let pointer = format!("/graph/nodes/{}", escape(id));
                flaws.push(Flaw::new(pointer, "no way leads to this step"));
            }
        }
    }
}

#[cfg(test)]
mod tests;
