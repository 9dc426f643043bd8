//! The common form of every provider's data: facts about people and orders.

use std::collections::BTreeMap;

use jiff::Timestamp;
use kernel::commerce::IncomingOrder;
use kernel::{Channel, ConsentField};
use serde_json::Value;

use crate::json;
use crate::submission::{Answer, ParseError, Sender, Submission};

/// Bytes of an id at a source, and of the name of a shop.
const MAX_ID: usize = 200;

/// One fact of a request. A request of a shop may hold several.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// A person's event, such as a form.
    Submission(Box<Submission>),
    /// A person, as a shop knows them.
    Customer(Box<Customer>),
    /// A version of an order, and its buyer if the shop names one.
    Order {
        /// The buyer.
        buyer: Option<Box<Customer>>,
        /// The version.
        order: Box<IncomingOrder>,
    },
}

impl Fact {
    /// An order whose buyer may be nobody. Its id and its shop are parts of keys.
    pub(crate) fn order(buyer: Option<Customer>, order: IncomingOrder) -> Result<Self, ParseError> {
        if order.external_id.len() > MAX_ID || order.shop.len() > MAX_ID {
            return Err(ParseError::TooLong(MAX_ID));
        }
        Ok(Self::Order {
            buyer: buyer.filter(Customer::is_somebody).map(Box::new),
            order: Box::new(order),
        })
    }
}

/// A person, as a shop knows them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Customer {
    /// The scope of its id: provider and shop, such as `haravan:1000101234`.
    pub scope: String,
    /// Its id in that shop.
    pub id: Option<String>,
    /// Addresses and plain fields.
    pub sender: Sender,
    /// The shop's own tags and groups.
    pub tags: Vec<String>,
    /// When the shop last changed it. Older values do not replace newer ones.
    pub at: Option<Timestamp>,
    /// The answers to the source's questions about consent.
    pub consent: Vec<Answer>,
}

impl Customer {
    /// Whether anything identifies the person.
    pub fn is_somebody(&self) -> bool {
        self.id.is_some() || self.sender.email.is_some() || self.sender.phone.is_some()
    }
}

/// The answers of an object to the questions of the settings. The field's name is a path such as `consents.sms`; an
/// absent field is no answer.
pub fn answers(value: &Value, asked: &BTreeMap<Channel, ConsentField>) -> Vec<Answer> {
    let answer = |(channel, asked): (&Channel, &ConsentField)| {
        let given = json::text(json::at(value, &asked.field)?)?;
        let given = kernel::text::fold(&given);
        let mut texts = asked.yes.iter();
        Some(Answer {
            channel: *channel,
            yes: texts.any(|yes| kernel::text::fold(yes.trim()) == given),
            text: asked.text.clone(),
        })
    };
    asked.iter().filter_map(answer).collect()
}
