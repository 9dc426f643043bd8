//! A cart as its source tells it. Pure.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Item, Source};
use crate::Money;

/// One version of a cart: a checkout that a customer has begun.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct IncomingCart {
    /// The kind of source.
    pub source: Source,
    /// The shop at the source.
    pub shop: String,
    /// The id at the source. With source and shop it names the cart.
    pub external_id: String,
    /// When the customer began the cart.
    pub started_at: Timestamp,
    /// When the customer last changed the cart.
    pub source_at: Timestamp,
    /// The page on which the customer can go on.
    pub url: Option<String>,
    /// ISO 4217; empty means [`VND`](super::VND).
    pub currency: String,
    /// The sum.
    pub total: Money,
    /// The items.
    pub items: Vec<Item>,
    /// Whether the customer has ordered.
    pub is_ordered: bool,
    /// Whether the source itself says that the customer has left the cart.
    pub is_abandoned: bool,
}

/// The end of a cart's wait. A cart with another mark has changed since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CartDue {
    /// The kind of source.
    pub source: Source,
    /// The shop at the source.
    pub shop: String,
    /// The id at the source.
    pub external_id: String,
    /// The mark of the version that waits.
    pub mark: String,
}
