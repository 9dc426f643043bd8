//! The messages to `segment-updater`, and the effects that carry them (docs/adr/0029).
//!
//! The write of a profile that changes mentioned data names the effect in `pending` and adds the names of the data to
//! `changed`. The relay removes both. A change that no segment mentions costs nothing.

use std::collections::BTreeSet;

use cloud::outbox::{Image, Rule};
use cloud::{Effect, Error, Message, Pending, QueueName, Update};
use jiff::Timestamp;
use kernel::{ContactId, SegmentId, TenantKey};
use serde::{Deserialize, Serialize};

use crate::mention;
use crate::model::Event;
use crate::store::Contacts;

/// Message on the queue of `segment-updater`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum ContactChanged {
    /// The profile changed.
    #[serde(rename = "contact.changed.v1")]
    Profile {
        /// The contact.
        contact: ContactId,
        /// Names of the changed data ([`crate::mention`]).
        changed: BTreeSet<String>,
        /// When the profile was written.
        at: Option<Timestamp>,
    },
    /// An event was recorded that a segment mentions.
    #[serde(rename = "contact.tracked.v1")]
    Event {
        /// The contact.
        contact: ContactId,
        /// The event.
        event: Event,
        /// When the entry was written.
        recorded_at: Timestamp,
    },
    /// Staff added the contact to a static segment, or removed it.
    #[serde(rename = "contact.placed.v1")]
    Placed {
        /// The contact.
        contact: ContactId,
        /// The segment.
        segment: SegmentId,
        /// Whether the contact is in from now on.
        is_in: bool,
        /// When staff asked. The latest request wins.
        at: Timestamp,
    },
    /// The orders of the contact changed.
    #[serde(rename = "contact.ordered.v1")]
    Ordered {
        /// The contact.
        contact: ContactId,
    },
    /// Time alone may have changed an answer.
    #[serde(rename = "contact.flip.v1")]
    Flip {
        /// The contact.
        contact: ContactId,
        /// The timer that the contact's state waits for.
        token: String,
    },
}

impl ContactChanged {
    /// The contact.
    pub fn contact(&self) -> ContactId {
        match self {
            Self::Profile { contact, .. }
            | Self::Event { contact, .. }
            | Self::Placed { contact, .. }
            | Self::Ordered { contact }
            | Self::Flip { contact, .. } => *contact,
        }
    }
}

impl Message for ContactChanged {
    const QUEUE: QueueName = QueueName::new("segments");
}

/// On a profile: tells `segment-updater` what changed.
pub(crate) const CHANGED: Rule = Rule {
    name: "contact.segments",
    messages: changed,
};
/// On an event: tells `segment-updater` what happened.
pub(crate) const TRACKED: Rule = Rule {
    name: "contact.tracked",
    messages: tracked,
};

#[derive(Deserialize)]
struct ChangedRow {
    #[serde(default)]
    changed: BTreeSet<String>,
    updated_at: Option<Timestamp>,
}

fn changed(image: &Image) -> Result<Vec<Effect>, Error> {
    let contact: ContactId = image.subject()?;
    let ChangedRow {
        changed,
        updated_at: at,
    } = image.row()?;
    let message = ContactChanged::Profile {
        contact,
        changed,
        at,
    };
    Ok(vec![Effect::new(
        image.tenant(),
        contact.to_string(),
        &message,
    )?])
}

#[derive(Deserialize)]
struct TrackedRow {
    #[serde(flatten)]
    event: Event,
    recorded_at: Timestamp,
}

fn tracked(image: &Image) -> Result<Vec<Effect>, Error> {
    let contact: ContactId = image.subject()?;
    let TrackedRow { event, recorded_at } = image.row()?;
    let id = format!("{contact}#{}", event.id);
    let message = ContactChanged::Event {
        contact,
        event,
        recorded_at,
    };
    Ok(vec![Effect::new(image.tenant(), id, &message)?])
}

impl Contacts {
    /// The update of a profile, with the effect for segments where a segment mentions one of the names. Every update
    /// of a profile goes through here.
    pub(crate) async fn telling(
        &self,
        tenant: TenantKey,
        update: Update,
        names: impl IntoIterator<Item = String>,
    ) -> Result<Update, Error> {
        let names = names.into_iter().chain([mention::UPDATED.to_owned()]);
        let mentioned = self.interest.mentioned(tenant, names).await?;
        if mentioned.is_empty() {
            return Ok(update);
        }
        let update = update.add_to_set(cloud::item::CHANGED, mentioned);
        Ok(update.set("pending", Pending::of(&[CHANGED])))
    }
}
