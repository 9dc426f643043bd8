//! A campaign by Zalo to a small list, with a text message to those whom Zalo cannot reach.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::json;

use super::{Demo, count_of, sum_of, text_of};
use crate::providers::{SECRET, zalo};

/// People of the list.
const PEOPLE: u32 = 60;
/// Every n-th number has no account at Zalo.
const WITHOUT: u32 = 6;

pub(super) async fn run(demo: &mut Demo) -> Result<()> {
    let oa = connect(demo).await?;
    let brandname = texts(demo).await?;
    let list = people(demo).await?;
    let fake = demo.stack.providers().zalo().clone();
    let texts_before = demo.stack.providers().esms().sent().len();
    let mut without = 0;
    for n in (0..PEOPLE).step_by(WITHOUT as usize) {
        fake.refuse(&format!("84{}", &number(n)[1..]), -118);
        without += 1;
    }
    let campaign = demo
        .client
        .post(
            "/v1/campaigns",
            &json!({ "name": "Đơn hàng", "audience": { "include": { "list_ids": [list] } },
            "zns": { "oa_id": oa, "template_id": zalo::TEMPLATE,
                "params": { "customer_name": "{{ contact.full_name }}", "order_code": "DH000123" },
                "fallback": { "brandname_id": brandname, "text": "ACME: Don hang DH000123 da san sang." } } }),
        )
        .await?;
    let id = text_of(&campaign, "/id")?;
    demo.client
        .post(&format!("/v1/campaigns/{id}/send"), &json!({}))
        .await?;
    loop {
        let now = demo.client.get(&format!("/v1/campaigns/{id}")).await?;
        match text_of(&now, "/status")?.as_str() {
            "sent" => break,
            "sending" => tokio::time::sleep(Duration::from_millis(100)).await,
            other => bail!("the campaign by Zalo is {other}"),
        }
    }
    let path = format!("/_local/providers/{}/receipts", zalo::NAME);
    let (status, text) = demo
        .client
        .outside("POST", &path, &[], String::new())
        .await?;
    if status != 200 {
        bail!("the receipts of Zalo: {status} {text}");
    }
    demo.stack.run_until_idle().await;
    let report = demo
        .client
        .get(&format!("/v1/campaigns/{id}/report"))
        .await?;
    let sent = fake.sent();
    let texts = demo.stack.providers().esms().sent().len() - texts_before;
    demo.summary
        .section("campaign by Zalo, with text messages in place of refused ones");
    for name in ["audience", "sent", "delivered"] {
        demo.summary
            .figure(name, count_of(&report, &format!("/{name}")));
    }
    demo.summary.figure("seen", count_of(&report, "/opened"));
    demo.summary.figure(
        "text messages in their place",
        sum_of(&report, "/fallback_sms"),
    );
    let parts = count_of(&report, "/sent")
        + sum_of(&report, "/skipped")
        + sum_of(&report, "/failed")
        + count_of(&report, "/unknown");
    demo.summary.identity(
        "sent + skipped + failed + unknown = audience",
        parts,
        count_of(&report, "/audience"),
    );
    let people: BTreeSet<&String> = sent.iter().map(|one| &one.phone).collect();
    demo.summary.identity(
        "recipients = messages at Zalo",
        people.len() as u64,
        sent.len() as u64,
    );
    demo.summary.identity(
        "text messages = numbers without Zalo",
        texts as u64,
        without,
    );
    Ok(())
}

/// Connects the account as its administrator does, and reads its templates.
async fn connect(demo: &Demo) -> Result<String> {
    let asked = demo
        .client
        .post("/v1/channels/zalo/authorize", &json!({}))
        .await?;
    let back = demo.client.redirect(&text_of(&asked, "/url")?).await?;
    let (status, page) = demo
        .client
        .outside("GET", &back, &[], String::new())
        .await?;
    if status != 200 {
        bail!("the consent at Zalo: {status} {page}");
    }
    let path = format!("/v1/channels/zalo/{}/sync", zalo::OA);
    demo.client.post(&path, &json!({})).await?;
    Ok(zalo::OA.to_owned())
}

/// Connects eSMS, and enters the brandname.
async fn texts(demo: &Demo) -> Result<String> {
    let keys = json!({ "api_key": "demo", "secret_key": SECRET });
    demo.client.put("/v1/channels/sms", &keys).await?;
    let body = json!({ "name": "ACME", "kind": "care", "carriers": [{ "carrier": "viettel", "status": "approved",
        "price_per_segment": 800, "expires_at": "2040-01-01T00:00:00Z" }] });
    let made = demo
        .client
        .post("/v1/channels/sms/brandnames", &body)
        .await?;
    text_of(&made, "/id")
}

/// A list of people with numbers.
async fn people(demo: &Demo) -> Result<String> {
    let list = demo
        .client
        .post("/v1/lists", &json!({ "name": "Khách đặt hàng" }))
        .await?;
    let list = text_of(&list, "/id")?;
    for n in 0..PEOPLE {
        let body =
            json!({ "full_name": format!("Khách {n}"), "phone": number(n), "list_ids": [list] });
        demo.client.post("/v1/contacts", &body).await?;
    }
    Ok(list)
}

/// The number of a person.
fn number(n: u32) -> String {
    format!("0399{n:06}")
}
