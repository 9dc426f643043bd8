//! The webhooks of the shops, signed as the providers sign them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::kiotviet::RETAILER;
use super::shop::{Kind, Shop};
use super::shopee::SHOP;
use super::storefront::ORG;

/// A request of a provider.
#[derive(Debug, Clone)]
pub struct Push {
    /// Headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
}

fn hmac(key: &str, text: &str) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(key.as_bytes());
    mac.map_or_else(
        |_| Vec::new(),
        |mut mac| {
            mac.update(text.as_bytes());
            mac.finalize().into_bytes().to_vec()
        },
    )
}

/// Lower-case hex of HMAC-SHA-256.
pub fn hmac_hex(key: &str, text: &str) -> String {
    hex::encode(hmac(key, text))
}

impl Shop {
    /// Changes an object now, and gives the webhook that tells of the change. `secret` is that of the source, `url` the address
    /// that the provider was given.
    pub fn push(&mut self, kind: Kind, id: u64, now: i64, secret: &str, url: &str) -> Push {
        let value = self.touch(kind, id, now);
        let json_type = ("content-type", "application/json".to_owned());
        match self.provider {
            "kiotviet" => {
                let body = kiotviet(kind, &value).to_string();
                let headers = vec![json_type, ("x-hub-signature", hmac_hex(secret, &body))];
                Push { headers, body }
            }
            "shopee" => {
                let body = shopee(&value, now).to_string();
                let signed = format!("{url}|{body}");
                let headers = vec![json_type, ("authorization", hmac_hex(secret, &signed))];
                Push { headers, body }
            }
            "getfly" => getfly(kind, &value, id, now, secret),
            provider => {
                let body = value.to_string();
                let signature = STANDARD.encode(hmac(secret, &body));
                let topic = match kind {
                    Kind::Orders | Kind::Invoices => "orders/updated",
                    Kind::Customers => "customers/update",
                    Kind::Products => "products/update",
                };
                let mut headers = vec![json_type];
                if provider == "sapo" {
                    headers.push(("x-sapo-topic", topic.to_owned()));
                    headers.push(("x-sapo-hmac-sha256", signature));
                } else {
                    headers.push(("x-haravan-topic", topic.to_owned()));
                    headers.push(("x-haravan-org-id", ORG.to_string()));
                    headers.push(("x-haravan-hmacsha256", signature));
                }
                Push { headers, body }
            }
        }
    }

    /// Changes an order without a delivery: the push is among the lost ones.
    pub fn lose_push(&mut self, id: u64, now: i64) {
        let value = self.touch(Kind::Orders, id, now);
        let push = shopee(&value, now);
        let lost = json!({ "shop_id": SHOP, "code": 3, "timestamp": now, "data": push["data"].to_string() });
        self.lost.push(lost);
    }
}

/// The envelope, with names as webhooks have them.
fn kiotviet(kind: Kind, value: &Value) -> Value {
    fn pascal(value: &Value) -> Value {
        match value {
            Value::Object(object) => {
                let named = object.iter().map(|(name, value)| {
                    let (first, rest) = name.split_at(1);
                    (first.to_uppercase() + rest, pascal(value))
                });
                Value::Object(named.collect())
            }
            Value::Array(values) => values.iter().map(pascal).collect(),
            other => other.clone(),
        }
    }
    let name = match kind {
        Kind::Customers => "customer",
        Kind::Orders => "order",
        Kind::Invoices => "invoice",
        Kind::Products => "product",
    };
    let action = format!("{name}.update.{RETAILER}");
    json!({ "Id": "6f1c2d3e-0a1b-4c5d-8e9f-001122334455", "Attempt": 1,
        "Notifications": [{ "Action": action, "Data": [pascal(value)] }] })
}

fn shopee(value: &Value, now: i64) -> Value {
    json!({ "msg_id": "", "data": { "completed_scenario": null, "items": [], "ordersn": value["order_sn"],
        "status": value["order_status"], "update_time": value["update_time"] }, "shop_id": SHOP, "code": 3,
        "timestamp": now })
}

fn getfly(kind: Kind, value: &Value, id: u64, now: i64, secret: &str) -> Push {
    let (id, now) = (id.to_string(), now.to_string());
    let mut pairs = vec![
        ("secret_key", secret),
        ("uid", "0b0f7c2e-1111-4222-8333-944445555666"),
        ("created_at", now.as_str()),
        ("domain", "acme.getflycrm.com"),
    ];
    if kind == Kind::Customers {
        pairs.extend([
            ("event", "customer.created"),
            ("data[account_id]", id.as_str()),
        ]);
    } else {
        let code = value["order_code"].as_str().unwrap_or_default();
        pairs.extend([
            ("event", "order.created"),
            ("data[order_id]", id.as_str()),
            ("data[order_code]", code),
        ]);
    }
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .finish();
    let kind = "application/x-www-form-urlencoded".to_owned();
    Push {
        headers: vec![("content-type", kind)],
        body,
    }
}
