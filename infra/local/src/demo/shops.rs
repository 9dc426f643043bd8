//! Two shops send their orders by signed webhooks: every version several times, and in a wrong order.

use std::time::Duration;

use anyhow::{Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::{Timestamp, ToSpan};
use serde_json::json;
use sha2::Sha256;

use super::{Demo, bar, count_of, text_of};

/// Orders of a shop.
const ORDERS: u64 = 60;
/// Buyers of a shop.
const BUYERS: u64 = 20;
/// Every tenth order is cancelled.
const CANCELLED: u64 = 10;
/// States of an order: placed, paid, and at last completed or cancelled.
const STATES: u64 = 3;
/// Each request is sent so many times.
const TIMES: u64 = 2;
/// The intake takes 100 requests a second of one source, after a burst.
const BETWEEN: Duration = Duration::from_millis(4);
const SECRET: &str = "demo-shop-client-secret";

/// A request of a shop, signed.
struct Post {
    url: String,
    headers: Vec<(&'static str, String)>,
    body: String,
}

/// A shop of the demo.
#[derive(Clone, Copy)]
enum Shop {
    Haravan,
    Kiotviet,
}

pub(super) async fn run(demo: &mut Demo) -> Result<()> {
    let run = demo.stack.clock().clock().now();
    demo.summary.section("orders of two shops");
    let mut posts = Vec::new();
    let mut sources = Vec::new();
    for shop in [Shop::Haravan, Shop::Kiotviet] {
        let new = json!({ "name": "Cửa hàng mẫu", "provider": shop.name(), "secret": SECRET });
        let source = demo.client.post("/v1/sources", &new).await?;
        let url = text_of(&source, "/path")?;
        posts.extend(shop.posts(&url, run)?);
        let before = totals(demo, shop).await?;
        sources.push((shop, text_of(&source, "/id")?, before));
    }
    mix(&mut posts);
    let bar = bar(posts.len() as u64, "taking orders");
    for post in &posts {
        let headers = post
            .headers
            .iter()
            .map(|(name, text)| (*name, text.as_str()));
        let headers: Vec<_> = headers.collect();
        let sent = demo
            .client
            .outside("POST", &post.url, &headers, post.body.clone());
        let (status, text) = sent.await?;
        if status != 200 {
            bail!("an order was answered with {status}: {text}");
        }
        tokio::time::sleep(BETWEEN).await;
        bar.inc(1);
    }
    bar.finish();
    demo.stack.run_until_idle().await;
    demo.summary.figure("requests of two shops", posts.len());
    for (shop, source, before) in sources {
        let after = totals(demo, shop).await?;
        let kept: Vec<u64> = (0..ORDERS).filter(|n| n % CANCELLED != 0).collect();
        let name = shop.name();
        demo.summary.identity(
            &format!("{name}: orders sent, without the cancelled = orders listed"),
            kept.len() as u64,
            after.0 - before.0,
        );
        demo.summary.identity(
            &format!("{name}: their amounts = the list's total, in dong"),
            kept.into_iter().map(amount).sum(),
            after.1 - before.1,
        );
        let path = format!("/v1/sources/{source}/activity");
        let activity = demo.client.get(&path).await?;
        demo.summary.identity(
            &format!("{name}: requests sent = requests processed"),
            ORDERS * STATES * TIMES,
            count_of(&activity, "/requests"),
        );
    }
    Ok(())
}

/// Number and amount of a shop's orders, without the cancelled ones.
async fn totals(demo: &Demo, shop: Shop) -> Result<(u64, u64)> {
    let path = format!("/v1/orders/totals?source={}", shop.name());
    let sums = demo.client.get(&path).await?;
    Ok((count_of(&sums, "/orders"), count_of(&sums, "/total")))
}

/// The total of an order, in dong.
fn amount(n: u64) -> u64 {
    100_000 + n * 10_000
}

/// Shuffles in a fixed way, so that each run sends the same order of requests.
fn mix(posts: &mut [Post]) {
    let len = posts.len();
    for n in 0..len {
        posts.swap(n, (n * 7_901 + 13) % len);
    }
}

impl Shop {
    fn name(self) -> &'static str {
        match self {
            Self::Haravan => "haravan",
            Self::Kiotviet => "kiotviet",
        }
    }

    fn posts(self, url: &str, run: Timestamp) -> Result<Vec<Post>> {
        let mut posts = Vec::new();
        for n in 0..ORDERS {
            for state in 0..STATES {
                let changed = run.checked_add((state as i64).seconds())?;
                for _ in 0..TIMES {
                    posts.push(match self {
                        Self::Haravan => haravan(url, run, n, state, changed),
                        Self::Kiotviet => kiotviet(url, run, n, state, changed),
                    });
                }
            }
        }
        Ok(posts)
    }
}

fn sign(body: &str) -> Vec<u8> {
    // HMAC takes a key of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()) else {
        return Vec::new();
    };
    mac.update(body.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// An id that no earlier demo has used.
fn id(run: Timestamp, n: u64) -> u64 {
    run.as_second().unsigned_abs() * 1_000 + n
}

fn haravan(url: &str, run: Timestamp, n: u64, state: u64, changed: Timestamp) -> Post {
    let last = state + 1 == STATES;
    let is_cancelled = last && n.is_multiple_of(CANCELLED);
    let is_closed = last && !is_cancelled;
    let buyer = n % BUYERS;
    let body = json!({
        "id": id(run, n),
        "name": format!("#D{}", id(run, n)),
        "created_at": run.to_string(),
        "updated_at": changed.to_string(),
        "cancelled_at": is_cancelled.then(|| changed.to_string()),
        "closed_status": if is_closed { "closed" } else { "unclosed" },
        "financial_status": if state == 0 { "pending" } else { "paid" },
        "fulfillment_status": "notfulfilled",
        "gateway": "Thanh toán khi giao hàng (COD)",
        "currency": "VND",
        "total_price": amount(n),
        "line_items": [{ "product_id": 1, "sku": "AO-TR-M", "name": "Áo thun", "quantity": 1, "price": amount(n) }],
        "customer": { "id": 7_000 + buyer, "first_name": format!("Khách {buyer}"), "email": format!("khach{buyer}@example.vn"),
            "updated_at": run.to_string() },
    })
    .to_string();
    let topic = if state == 0 {
        "orders/create"
    } else {
        "orders/updated"
    };
    let signature = STANDARD.encode(sign(&body));
    Post {
        url: url.to_owned(),
        headers: vec![
            ("content-type", "application/json".to_owned()),
            ("x-haravan-topic", topic.to_owned()),
            ("x-haravan-org-id", "1000101234".to_owned()),
            ("x-haravan-hmacsha256", signature),
        ],
        body,
    }
}

/// The sale at the till: an invoice, first open, then completed or cancelled.
fn kiotviet(url: &str, run: Timestamp, n: u64, state: u64, changed: Timestamp) -> Post {
    let status = match state {
        0 | 1 => 3,
        _ if n.is_multiple_of(CANCELLED) => 2,
        _ => 1,
    };
    let buyer = n % BUYERS;
    let invoice = json!({
        "Id": id(run, n),
        "Code": format!("HD{}", id(run, n)),
        "PurchaseDate": run.to_string(),
        "ModifiedDate": changed.to_string(),
        "CustomerId": 8_000 + buyer,
        "CustomerName": format!("Khách {buyer}"),
        "Total": amount(n),
        "TotalPayment": if state == 0 { 0 } else { amount(n) },
        "Status": status,
        "InvoiceDetails": [{ "ProductId": 1, "ProductCode": "AO-TR-M", "ProductName": "Áo thun", "Quantity": 1, "Price": amount(n) }],
    });
    let body = json!({
        "Id": format!("{}-{state}", id(run, n)),
        "Attempt": 1,
        "Notifications": [{ "Action": "invoice.update.500123", "Data": [invoice] }],
    })
    .to_string();
    let signature = hex::encode(sign(&body));
    Post {
        url: url.to_owned(),
        headers: vec![
            ("content-type", "application/json".to_owned()),
            ("x-hub-signature", signature),
        ],
        body,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_is_sent_once_more_and_mixed() {
        let run: Timestamp = "2026-03-02T08:00:00Z".parse().unwrap();
        let mut posts = Shop::Haravan.posts("/w/haravan/src_1", run).unwrap();
        let plain: Vec<String> = posts.iter().map(|post| post.body.clone()).collect();
        mix(&mut posts);
        let mut mixed: Vec<String> = posts.into_iter().map(|post| post.body).collect();
        assert_ne!(mixed, plain);
        let mut sorted = plain;
        sorted.sort_unstable();
        mixed.sort_unstable();
        assert_eq!(mixed, sorted);
        assert_eq!(mixed.len() as u64, ORDERS * STATES * TIMES);
    }
}
