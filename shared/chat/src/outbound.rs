//! Delivers an answer to its channel.
//!
//! The queue keeps a conversation's answers in order. An answer that can never be delivered is marked failed and
//! dropped, so the answers behind it are delivered.

use cloud::Error;
use kernel::TenantKey;

use crate::body::Answer;
use crate::model::{Channel, Delivery};
use crate::store::Chat;

/// The outcome of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivered {
    /// Its channel accepted it.
    Sent,
    /// It can never be delivered, and its row says so.
    Failed,
    /// There is no such message.
    Missing,
}

impl Chat {
    /// Delivers one answer. On the website the stored message is the delivery: the visitor reads it from the table.
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
