//! The APIs of shops on this machine, in their wire formats: tokens, lists by page, details, subscriptions, rates, faults.
//!
//! Each provider has one shop. The right secret, key or token of a private app is [`SECRET`]; every other is refused. A host of a
//! provider is at `/_local/providers/<host>/`. `/_local/providers/<provider>` shows a shop, and changes it with `POST`:
//! see [`control`]. It holds no product rule.

pub mod browsers;
pub mod control;
pub mod esms;
pub mod fcm;
mod getfly;
mod kiotviet;
pub mod push;
mod shop;
mod shopee;
mod storefront;
pub mod zalo;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use cloud::{Web, WebError};
use futures::FutureExt;
use http::{Request, Response, StatusCode, header};
use kernel::Clock;
use serde_json::{Value, json};

use crate::receiver::{self, Receiver};
use crate::template::model;

pub use browsers::Browsers;
pub use esms::Esms;
pub use fcm::Fcm;
pub use push::Push;
pub use shop::{Fault, Kind, Shop};
pub use zalo::Zalo;

/// The secret of every shop.
pub const SECRET: &str = "local-secret-0123456789";
/// The providers.
pub const NAMES: [&str; 5] = ["getfly", "haravan", "kiotviet", "sapo", "shopee"];

/// The shops; cheap to clone.
#[derive(Debug, Clone)]
pub struct Providers {
    shops: Arc<Mutex<BTreeMap<&'static str, Shop>>>,
    clock: Clock,
    receiver: Arc<Receiver>,
    esms: Esms,
    zalo: Zalo,
    browsers: Browsers,
    fcm: Fcm,
}

/// A request as a provider sees it.
pub struct Asked<'a> {
    /// `GET` or `POST`.
    pub method: &'a str,
    /// The provider's host.
    pub host: &'a str,
    /// The path, without the query.
    pub path: &'a str,
    /// The query.
    pub pairs: Vec<(String, String)>,
    /// Headers.
    pub headers: &'a http::HeaderMap,
    /// The body.
    pub body: &'a Bytes,
    /// Seconds since the epoch.
    pub now: i64,
}

impl Asked<'_> {
    /// A pair of the query; empty if there is none.
    pub fn pair(&self, name: &str) -> &str {
        let pair = self.pairs.iter().find(|(given, _)| given == name);
        pair.map_or("", |(_, text)| text.as_str())
    }

    /// A number of the query.
    pub fn number(&self, name: &str, otherwise: usize) -> usize {
        self.pair(name).parse().unwrap_or(otherwise)
    }

    /// A header's text.
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(self.body).unwrap_or_default()
    }

    /// A field of the body, which is a form.
    pub fn field(&self, name: &str) -> String {
        let mut pairs = url::form_urlencoded::parse(self.body);
        let pair = pairs.find(|(given, _)| given == name);
        pair.map_or_else(String::new, |(_, text)| text.into_owned())
    }
}

/// JSON with a status.
pub fn reply(status: u16, body: &Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    let kind = header::HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// The provider whose host this is.
fn provider_of(host: &str) -> Option<&'static str> {
    let ends = [
        ("kiotviet.vn", "kiotviet"),
        ("kiotapi.com", "kiotviet"),
        ("haravan.com", "haravan"),
        ("mysapo.net", "sapo"),
        ("shopeemobile.com", "shopee"),
        ("getflycrm.com", "getfly"),
    ];
    let found = ends.iter().find(|(end, _)| host.ends_with(end));
    found.map(|(_, name)| *name)
}

impl Providers {
    /// Empty shops.
    pub fn new(clock: Clock) -> Self {
        let shops = NAMES.map(|name| (name, Shop::new(name)));
        Self {
            shops: Arc::new(Mutex::new(BTreeMap::from(shops))),
            clock,
            receiver: Arc::default(),
            esms: Esms::default(),
            zalo: Zalo::default(),
            browsers: Browsers::default(),
            fcm: Fcm::default(),
        }
    }

    /// The receivers of webhooks.
    pub fn receiver(&self) -> &Receiver {
        &self.receiver
    }

    /// The provider of text messages.
    pub fn esms(&self) -> &Esms {
        &self.esms
    }

    /// Takes the secrets of the installation's app at Zalo from a deployment.
    pub fn know(&self, template: &model::Stack) {
        let mut functions = template.functions.iter();
        if let Some(webhook) = functions.find(|function| function.handler == "webhook-zalo") {
            let secret = |name: &str| webhook.environment.get(name).map_or("", String::as_str);
            self.zalo
                .set_secrets(secret("ZALO_APP_SECRET"), secret("ZALO_OA_SECRET"));
        }
    }

    /// Zalo.
    pub fn zalo(&self) -> &Zalo {
        &self.zalo
    }

    /// The browsers that take push notifications.
    pub fn browsers(&self) -> &Browsers {
        &self.browsers
    }

    /// FCM.
    pub fn fcm(&self) -> &Fcm {
        &self.fcm
    }

    /// The clock of the stack.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    fn shops(&self) -> MutexGuard<'_, BTreeMap<&'static str, Shop>> {
        self.shops.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at a shop, or changes it.
    pub fn with<T>(&self, provider: &str, act: impl FnOnce(&mut Shop) -> T) -> Option<T> {
        self.shops().get_mut(provider).map(act)
    }

    /// Seconds since the epoch.
    pub fn now(&self) -> i64 {
        self.clock.now().as_second()
    }

    /// Calls of functions, answered in this process.
    pub fn web(&self) -> Web {
        let (own, names) = (self.clone(), self.clone());
        let names = move |host: &str| match host {
            // Any public address: the answer comes from this process.
            browsers::HOST => vec![IpAddr::V4(Ipv4Addr::new(93, 184, 215, 14))],
            host => names.receiver.addresses(host),
        };
        let answer = move |request: Request<Bytes>| {
            let own = own.clone();
            async move {
                let uri = request.uri();
                let host = uri.host().unwrap_or_default().to_owned();
                let path = uri.path().to_owned();
                if path.starts_with(receiver::PATH) {
                    return own.receiver.serve(&request, &own.clock);
                }
                match path
                    .strip_prefix("/_local/providers/")
                    .and_then(|rest| rest.split_once('/'))
                {
                    Some((host, path)) => own.answer(host, &format!("/{path}"), &request),
                    None => own.answer(&host, &path, &request),
                }
            }
            .boxed()
        };
        Web::in_process(Arc::new(answer), Arc::new(names))
    }

    /// Answers a request to a host of a provider.
    pub fn answer(
        &self,
        host: &str,
        path: &str,
        request: &Request<Bytes>,
    ) -> Result<Response<Bytes>, WebError> {
        if host == esms::HOST {
            return self.esms.answer(path, request, self.now());
        }
        match host {
            browsers::HOST => return self.browsers.answer(path, request, self.now()),
            fcm::TOKENS => return Ok(self.fcm.grant(request, self.now())),
            fcm::HOST => return self.fcm.answer(path, request, self.now()),
            _ => {}
        }
        let query = request.uri().query().unwrap_or_default();
        let asked = Asked {
            method: request.method().as_str(),
            host,
            path,
            pairs: url::form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
            headers: request.headers(),
            body: request.body(),
            now: self.now(),
        };
        if zalo::HOSTS.contains(&host) {
            return self.zalo.answer(&asked);
        }
        let Some(provider) = provider_of(host) else {
            return Err(WebError::Unreachable("no such host".into()));
        };
        let mut shops = self.shops();
        let Some(shop) = shops.get_mut(provider) else {
            return Ok(reply(404, &json!({})));
        };
        shop.calls.push(format!("{} {path}", asked.method));
        match shop.next_fault() {
            Some(Fault::Timeout) => Err(WebError::Timeout),
            Some(Fault::Html) => Ok(html(200)),
            Some(Fault::Down) => Ok(html(503)),
            Some(Fault::Busy) => Ok(shop.busy(7)),
            Some(Fault::Refuse) => Ok(shop.refused()),
            Some(Fault::Lost) => {
                dispatch(provider, shop, &asked);
                Err(WebError::Timeout)
            }
            None => Ok(dispatch(provider, shop, &asked)),
        }
    }
}

fn dispatch(provider: &str, shop: &mut Shop, asked: &Asked<'_>) -> Response<Bytes> {
    match provider {
        "kiotviet" => kiotviet::answer(shop, asked),
        "haravan" => storefront::haravan(shop, asked),
        "sapo" => storefront::sapo(shop, asked),
        "shopee" => shopee::answer(shop, asked),
        _ => getfly::answer(shop, asked),
    }
}

/// A page for people, as a gateway that is down gives it.
fn html(status: u16) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(
        b"<html><body><h1>Bao tri</h1></body></html>",
    ));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    response
}
