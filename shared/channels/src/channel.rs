//! The parts of a channel that the send machine needs: compile the content, compose one message, call the provider.
//!
//! Nothing here reads or writes the ledger; the order of the calls is that of [`crate::machine`].

use std::future::Future;
use std::sync::Arc;

use cloud::Error;
use contacts::{Channel, Contact, Definitions, Device};
use jiff::tz::{TimeZone, offset};
use jiff::{Timestamp, Zoned};
use kernel::TenantKey;
use serde_json::Value;

use crate::email::Letterhead;
use crate::gate::{Gate, Law};
use crate::ledger::LedgerKey;
use crate::machine::Delivery;
use crate::send::{Class, Content, Terms};

/// A channel that sends messages of one kind of content.
pub trait SendChannel: Send + Sync {
    /// Its name in the ledger and in consents.
    const CHANNEL: Channel;
    /// Content that was checked once and is ready for any number of contacts.
    type Prepared: Send + Sync;
    /// A finished message.
    type Composed: Send;
    /// The law for its marketing, beside the settings of the workspace.
    const LAW: Option<Law> = None;
    /// Set if the provider takes the messages of a campaign in groups.
    const GROUP: Option<Group> = None;

    /// Whether the provider may take nothing of an account for hours: then [`SendChannel::hold`] is asked before a slot is reserved.
    const HOLDS: bool = false;

    /// Names the provider's account that sends for the tenant. All senders of an account share its send rate.
    fn account(tenant: TenantKey) -> String;

    /// Makes the content ready. The same content may be asked for at every message.
    fn prepare(
        &self,
        tenant: TenantKey,
        content: &Content,
        class: Class,
        letterhead: &Letterhead,
    ) -> impl Future<Output = Result<Arc<Self::Prepared>, NotReady>> + Send;

    /// Seconds until the provider takes this content again; `None`: it may be sent.
    fn hold(
        &self,
        tenant: TenantKey,
        content: &Content,
    ) -> impl Future<Output = Result<Option<u16>, Error>> + Send {
        let _ = (tenant, content);
        std::future::ready(Ok(None))
    }

    /// The rules that messages of this content follow.
    fn terms(ready: &Self::Prepared) -> Terms;

    /// The devices of the contact, for a channel that sends to devices: none of them is a contact without an address. `None`:
    /// the channel sends to an address of the profile.
    fn devices(
        &self,
        tenant: TenantKey,
        contact: &Contact,
    ) -> impl Future<Output = Result<Option<Vec<Device>>, Error>> + Send {
        let _ = (tenant, contact);
        std::future::ready(Ok(None))
    }

    /// The finished message. The error is a stable name without personal data.
    fn compose(
        &self,
        recipient: &Recipient<'_>,
        ready: &Self::Prepared,
    ) -> Result<Self::Composed, String>;

    /// Makes one call to the provider.
    fn call(&self, message: Self::Composed) -> impl Future<Output = Answer> + Send;

    /// Makes one call for all messages of a group. Only a channel with [`SendChannel::GROUP`] has it.
    fn call_group(&self, messages: Vec<Self::Composed>) -> impl Future<Output = Answer> + Send {
        drop(messages);
        async {
            let code = "no_group_call".to_owned();
            Answer::Refused { code }
        }
    }

    /// Sends another message in place of one that was finally refused for the contact; `None`: nothing takes its place. It is
    /// asked at each try, so the other message has a ledger row of its own.
    fn replace(
        &self,
        _ready: &Self::Prepared,
        _replaced: &Replaced<'_>,
    ) -> impl Future<Output = Result<Option<Delivery>, Error>> + Send {
        std::future::ready(Ok(None))
    }
}

/// The calls of a provider that takes a campaign's messages in groups only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    /// Fewer messages are refused.
    pub least: usize,
    /// Messages of a usual call. A call without an answer leaves all of its messages unknown, so a call is no larger
    /// than it must be.
    pub usual: usize,
}

/// A message that was finally refused.
#[derive(Debug, Clone, Copy)]
pub struct Replaced<'a> {
    /// The workspace.
    pub tenant: TenantKey,
    /// The name of the refused send.
    pub key: &'a LedgerKey,
    /// The contact; `None` if it is gone.
    pub contact: Option<&'a Contact>,
    /// Merge data beside the contact.
    pub data: &'a Value,
    /// The workspace's gate of marketing.
    pub gate: &'a Gate,
    /// Why it was refused: a code of the provider, or a name of our own.
    pub reason: &'a str,
}

/// Why content is not ready. The names are problems of campaigns and reasons of failed sends.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NotReady {
    /// The tenant has no such content.
    #[error("there is no such content: {0}")]
    Missing(&'static str),
    /// The content cannot be sent, for this reason.
    #[error("{0}: {1}")]
    Invalid(&'static str, String),
    /// The content cannot be sent until a person has changed this outside of it.
    #[error("{0}: {1}")]
    Blocked(&'static str, String),
    /// The content may be sent after these seconds, at most a queue's longest delay.
    #[error("not now")]
    Later(u16),
    /// The content could not be read.
    #[error(transparent)]
    Store(#[from] Error),
}

/// A provider's answer to one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The provider accepted the message under this id.
    Accepted {
        /// The provider's id of the message.
        id: String,
    },
    /// The provider refused this message. The refusal is final.
    Refused {
        /// The provider's code.
        code: String,
    },
    /// The provider throttled the call, or could not be reached. Nothing was sent.
    Throttled,
    /// The provider sends nothing now; try again after these seconds. Nothing was sent.
    Later(u16),
    /// The account or the sender may not send: every message would fail in the same way.
    Stopped {
        /// The provider's code.
        code: String,
    },
    /// No answer: the message may have been sent.
    NoAnswer,
}

/// The data of one message.
#[derive(Debug, Clone, Copy)]
pub struct Recipient<'a> {
    /// The workspace.
    pub tenant: TenantKey,
    /// The name of the send.
    pub key: &'a LedgerKey,
    /// The contact.
    pub contact: &'a Contact,
    /// The devices of a channel that sends to devices.
    pub devices: &'a [Device],
    /// The workspace's custom fields.
    pub fields: &'a Definitions,
    /// Merge data beside the contact.
    pub data: &'a Value,
    /// The time of the send.
    pub now: Timestamp,
}

impl Recipient<'_> {
    /// The contact's data and the extra data of the message. Extra data never overwrites `contact`. A custom field
    /// without a value has its default.
    pub fn merge_data(&self) -> Value {
        let mut merged = self.contact.merge_data();
        let custom = merged.pointer_mut("/contact/custom");
        if let Some(custom) = custom.and_then(Value::as_object_mut) {
            self.fields.fill(custom);
        }
        if let (Some(merged), Some(data)) = (merged.as_object_mut(), self.data.as_object()) {
            for (name, value) in data {
                if !merged.contains_key(name) {
                    merged.insert(name.clone(), value.clone());
                }
            }
        }
        merged
    }

    /// The time that templates see: Vietnam's.
    pub fn local_time(&self) -> Zoned {
        self.now.to_zoned(TimeZone::fixed(offset(7)))
    }
}
