//! An answer goes out to its channel.
//!
//! The queue keeps a conversation's answers in order, so one that can never be delivered is marked
//! failed and let go: the answers behind it move on.

use cloud::Error;
use kernel::TenantKey;

use crate::body::Answer;
use crate::model::{Channel, Delivery};
use crate::store::Chat;

/// The outcome of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivered {
    /// Its channel has it.
    Sent,
    /// It never can be delivered, and its message says so.
    Failed,
    /// There is no such message.
    Missing,
}

impl Chat {
    /// Delivers one answer. On the website the table is the delivery: the visitor reads it there.
    pub async fn deliver(&self, tenant: TenantKey, answer: &Answer) -> Result<Delivered, Error> {
        let (delivery, failure, delivered) = match answer.channel {
            Channel::Website => (Delivery::Sent, None, Delivered::Sent),
            Channel::Unknown => (Delivery::Failed, Some("channel_unknown"), Delivered::Failed),
        };
        let there = self
            .note_delivery(tenant, answer, delivery, failure)
            .await?;
        Ok(if there { delivered } else { Delivered::Missing })
    }
}
