//! The common form of every provider's data: facts about people, orders, products and carts.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use kernel::commerce::{IncomingCart, IncomingOrder, IncomingProduct, ProductGone, StockLevel};
use kernel::{Channel, ConsentField};
use serde_json::Value;

use crate::api::Object;
use crate::inbound::RawRequest;
use crate::json;
use crate::submission::{Answer, ParseError, Sender, Submission};

/// Bytes of an id at a source, and of the name of a shop.
const MAX_ID: usize = 200;

/// How far the clock of a shop may be ahead.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);

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
    /// The request holds little more than an id: the object is in the provider's API.
    Fetch(Wanted),
    /// A version of a product.
    Product(Box<IncomingProduct>),
    /// The stock of a product at one place.
    Stock(Box<StockLevel>),
    /// A product that was deleted.
    ProductGone(Box<ProductGone>),
    /// A version of a cart, and its customer if the shop names one.
    Cart {
        /// The customer.
        buyer: Option<Box<Customer>>,
        /// The version.
        cart: Box<IncomingCart>,
    },
}

/// An object of a provider's API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The kind.
    pub object: Object,
    /// The id in calls.
    pub id: String,
}

/// Ids and shops are parts of keys.
fn fits(id: &str, shop: &str) -> Result<(), ParseError> {
    if id.len() > MAX_ID || shop.len() > MAX_ID {
        return Err(ParseError::TooLong(MAX_ID));
    }
    Ok(())
}

impl Fact {
    /// A fetch of an object, if the source is connected and the id can be one.
    pub(crate) fn fetch(request: &RawRequest, object: Object, id: Option<String>) -> Option<Self> {
        let id = id.filter(|id| id.len() <= MAX_ID && request.settings.fetches)?;
        Some(Self::Fetch(Wanted { object, id }))
    }

    /// A customer, whom something identifies.
    pub(crate) fn customer(customer: Customer) -> Result<Self, ParseError> {
        match customer.of_a_request()? {
            Some(customer) => Ok(Self::Customer(customer)),
            None => Err(ParseError::NoAddress),
        }
    }

    /// An order whose buyer may be nobody.
    pub(crate) fn order(buyer: Option<Customer>, order: IncomingOrder) -> Result<Self, ParseError> {
        fits(&order.external_id, &order.shop)?;
        let cart = order.cart.clone().filter(|cart| cart.len() <= MAX_ID);
        Ok(Self::Order {
            buyer: Customer::known(buyer)?,
            order: Box::new(IncomingOrder { cart, ..order }),
        })
    }

    /// A product.
    pub(crate) fn product(product: IncomingProduct) -> Result<Self, ParseError> {
        fits(&product.external_id, &product.shop)?;
        Ok(Self::Product(Box::new(product)))
    }

    /// The stock of a product.
    pub(crate) fn stock(level: StockLevel) -> Result<Self, ParseError> {
        fits(&level.external_id, &level.shop)?;
        Ok(Self::Stock(Box::new(level)))
    }

    /// A product that was deleted.
    pub(crate) fn gone(gone: ProductGone) -> Result<Self, ParseError> {
        fits(&gone.external_id, &gone.shop)?;
        Ok(Self::ProductGone(Box::new(gone)))
    }

    /// Takes a version from the future for one of now: otherwise no later version would count. The clock of a shop may be a
    /// day ahead.
    pub(crate) fn settle(&mut self, received_at: Timestamp) {
        let at = match self {
            Self::Order { order, .. } => &mut order.source_at,
            Self::Cart { cart, .. } => &mut cart.source_at,
            Self::Product(product) => &mut product.source_at,
            Self::Stock(level) => &mut level.at,
            Self::ProductGone(gone) => &mut gone.at,
            Self::Submission(_) | Self::Customer(_) | Self::Fetch(_) => return,
        };
        let latest = received_at.saturating_add(AHEAD).unwrap_or(received_at);
        if *at > latest {
            *at = received_at;
        }
    }

    /// A cart whose customer may be nobody.
    pub(crate) fn cart(buyer: Option<Customer>, cart: IncomingCart) -> Result<Self, ParseError> {
        fits(&cart.external_id, &cart.shop)?;
        Ok(Self::Cart {
            buyer: Customer::known(buyer)?,
            cart: Box::new(cart),
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
    /// The customer if anything identifies the person.
    fn of_a_request(self) -> Result<Option<Box<Self>>, ParseError> {
        if !self.is_somebody() {
            return Ok(None);
        }
        fits(self.id.as_deref().unwrap_or_default(), &self.scope)?;
        Ok(Some(Box::new(self)))
    }

    fn known(buyer: Option<Self>) -> Result<Option<Box<Self>>, ParseError> {
        buyer.map_or(Ok(None), Self::of_a_request)
    }

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
