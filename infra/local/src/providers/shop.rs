//! One shop of a provider: its objects, tokens, subscriptions, rate and faults.

use std::collections::VecDeque;

use bytes::Bytes;
use http::Response;
use jiff::Timestamp;
use jiff::tz::Offset;
use serde_json::{Value, json};

use super::reply;

/// 2026-03-01T00:00:00Z: the first object changed then, the next ones a second later each.
const FIRST: i64 = 1_772_323_200;
/// Calls that are remembered.
const MOST_CALLS: usize = 10_000;

/// A kind of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// People.
    Customers,
    /// Orders.
    Orders,
    /// Invoices of KiotViet.
    Invoices,
    /// Products.
    Products,
}

/// The fate of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// No answer, and nothing was done.
    Timeout,
    /// No answer, although the work was done.
    Lost,
    /// 200 with a page for people.
    Html,
    /// 503 with a page for people.
    Down,
    /// The provider's refusal of too many calls.
    Busy,
    /// The provider's refusal of a token.
    Refuse,
}

/// An object in the shape of the provider's API.
#[derive(Debug, Clone)]
pub struct Object {
    /// The id in the shop.
    pub id: u64,
    /// When it last changed, in seconds since the epoch.
    pub at: i64,
    /// The object.
    pub value: Value,
}

/// The shop.
#[derive(Debug)]
pub struct Shop {
    /// The provider's name.
    pub provider: &'static str,
    /// People.
    pub customers: Vec<Object>,
    /// Orders.
    pub orders: Vec<Object>,
    /// Invoices of KiotViet.
    pub invoices: Vec<Object>,
    /// Products.
    pub products: Vec<Object>,
    /// The number of the valid token.
    pub token: u64,
    /// The end of the token, in seconds since the epoch.
    pub token_until: i64,
    /// The code that a person's consent gave.
    pub code: Option<String>,
    /// Registered webhooks.
    pub subscriptions: Vec<Value>,
    /// Whether the provider has ended the pushes of the app.
    pub is_suspended: bool,
    /// Tokens that were asked for with a refresh token that was used before.
    pub reused: usize,
    /// Pushes that could not be delivered.
    pub lost: Vec<Value>,
    /// Methods and paths of the calls.
    pub calls: Vec<String>,
    faults: VecDeque<Fault>,
    /// Times of the calls of the rate, in seconds.
    window: VecDeque<i64>,
}

impl Shop {
    /// An empty shop.
    pub fn new(provider: &'static str) -> Self {
        Self {
            provider,
            customers: Vec::new(),
            orders: Vec::new(),
            invoices: Vec::new(),
            products: Vec::new(),
            token: 0,
            token_until: 0,
            code: None,
            subscriptions: Vec::new(),
            is_suspended: false,
            reused: 0,
            lost: Vec::new(),
            calls: Vec::new(),
            faults: VecDeque::new(),
            window: VecDeque::new(),
        }
    }

    /// Fills it with customers, with one order for each of the first ones, and with products.
    pub fn fill(&mut self, customers: u64, orders: u64, products: u64) {
        self.customers = (1..=customers)
            .map(|n| self.object(Kind::Customers, n, FIRST + n as i64))
            .collect();
        self.orders = (1..=orders)
            .map(|n| self.object(Kind::Orders, n, FIRST + n as i64))
            .collect();
        self.products = (1..=products)
            .map(|n| self.object(Kind::Products, n, FIRST + n as i64))
            .collect();
        if self.provider == "kiotviet" {
            self.invoices = (1..=orders)
                .map(|n| self.object(Kind::Invoices, n, FIRST + n as i64))
                .collect();
        }
    }

    /// Changes an object, or makes it.
    pub fn touch(&mut self, kind: Kind, id: u64, at: i64) -> Value {
        let object = self.object(kind, id, at);
        let value = object.value.clone();
        let all = self.of(kind);
        match all.iter_mut().find(|one| one.id == id) {
            Some(held) => *held = object,
            None => all.push(object),
        }
        value
    }

    fn object(&self, kind: Kind, id: u64, at: i64) -> Object {
        let value = match self.provider {
            "kiotviet" => super::kiotviet::object(kind, id, at),
            "shopee" => super::shopee::object(id, at),
            "getfly" => super::getfly::object(kind, id, at),
            provider => super::storefront::object(provider, kind, id, at),
        };
        Object { id, at, value }
    }

    /// The objects of a kind.
    pub fn of(&mut self, kind: Kind) -> &mut Vec<Object> {
        match kind {
            Kind::Customers => &mut self.customers,
            Kind::Orders => &mut self.orders,
            Kind::Invoices => &mut self.invoices,
            Kind::Products => &mut self.products,
        }
    }

    /// The next calls fail so.
    pub fn fail(&mut self, fault: Fault, times: usize) {
        self.faults.extend(std::iter::repeat_n(fault, times));
    }

    pub(super) fn next_fault(&mut self) -> Option<Fault> {
        if self.calls.len() > MOST_CALLS {
            self.calls.clear();
        }
        self.faults.pop_front()
    }

    /// Whether the calls of a span stay within the provider's rate.
    pub(super) fn is_within(&mut self, now: i64, seconds: i64, most: usize) -> bool {
        while self.window.front().is_some_and(|at| *at <= now - seconds) {
            self.window.pop_front();
        }
        if self.window.len() >= most {
            return false;
        }
        self.window.push_back(now);
        true
    }

    /// The refusal of too many calls.
    pub(super) fn busy(&self, seconds: u32) -> Response<Bytes> {
        if self.provider == "shopee" {
            return reply(
                200,
                &json!({ "error": "error_rate_limit", "message": "too many", "request_id": "1" }),
            );
        }
        let mut response = reply(429, &json!({ "errors": "too many calls" }));
        if self.provider == "haravan"
            && let Ok(value) = http::HeaderValue::from_str(&format!("{seconds}.0"))
        {
            response
                .headers_mut()
                .insert(http::header::RETRY_AFTER, value);
        }
        response
    }

    /// The refusal of a token or a key.
    pub(super) fn refused(&self) -> Response<Bytes> {
        match self.provider {
            "shopee" => reply(
                403,
                &json!({ "error": "error_auth", "message": "Invalid access_token.", "request_id": "1" }),
            ),
            _ => reply(401, &json!({ "errors": "unauthorized" })),
        }
    }

    /// The next token, which lives for these seconds.
    pub(super) fn grant(&mut self, now: i64, seconds: i64) -> String {
        self.token += 1;
        self.token_until = now + seconds;
        self.access()
    }

    /// The valid token.
    pub fn access(&self) -> String {
        format!("{}-access-{}", self.provider, self.token)
    }

    /// Whether a token is valid.
    pub(super) fn admits(&self, token: &str, now: i64) -> bool {
        self.token > 0 && token == self.access() && now < self.token_until
    }
}

/// A time as RFC 3339.
pub fn utc(at: i64) -> String {
    Timestamp::from_second(at).unwrap_or_default().to_string()
}

/// A time of Vietnam without an offset.
pub fn local(at: i64, between: char) -> String {
    let at = Offset::constant(7).to_datetime(Timestamp::from_second(at).unwrap_or_default());
    format!("{}{between}{}", at.date(), at.time().strftime("%H:%M:%S"))
}

/// The seconds of a time with or without an offset; 0 for none.
pub fn seconds(text: &str) -> i64 {
    if let Ok(at) = text.parse::<Timestamp>() {
        return at.as_second();
    }
    let local: Option<jiff::civil::DateTime> = text.replace(' ', "T").parse().ok();
    let at = local.and_then(|local| Offset::constant(7).to_timestamp(local).ok());
    at.map_or(0, Timestamp::as_second)
}

/// A mobile number of the n-th customer.
pub fn phone(n: u64) -> String {
    format!("09{:08}", 10_000_000 + n)
}
