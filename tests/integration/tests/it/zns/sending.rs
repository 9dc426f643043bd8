//! Campaigns: values, refusals, text messages in their place, quotas, pauses.

use std::time::Duration;

use serde_json::json;

use super::shop::{Shop, connect, number, settled};

#[tokio::test]
async fn a_campaign_goes_by_zalo_and_by_text_to_those_whom_zalo_cannot_reach() {
    let shop = Shop::open(12).await;
    let zalo = shop.world.providers.zalo();
    for (n, code) in [(1, -118), (4, -141), (7, -108)] {
        zalo.refuse(&number(n), code);
    }
    // A parameter that is wrong for Zalo is no reason for a text message.
    zalo.refuse(&number(9), -1124);
    let campaign = shop.begin(true).await;
    shop.world.settle_twice().await;
    let report = shop.report(&campaign).await;
    assert_eq!(report["status"], "sent", "{report}");
    assert_eq!(
        report["failed"],
        json!({ "-118": 1, "-141": 1, "-108": 1, "-1124": 1 })
    );
    assert_eq!(
        (&report["sent"], &report["fallback_sms"]),
        (&json!(8), &json!({ "sent": 3 }))
    );
    assert_eq!(settled(&report), shop.people);
    let (zns, sms) = shop.got((0, 0));
    assert_eq!((zns.len(), sms.len()), (8, 3));
    assert!(zns.values().chain(sms.values()).all(|n| *n == 1));
    assert_eq!(
        sms.keys().collect::<Vec<_>>(),
        [&number(1), &number(4), &number(7)]
    );
    let sent = zalo.sent();
    assert!(sent.iter().all(|one| one.tracking_id.len() == 48));
    assert_eq!(sent[0].data["order_code"], "DH000123");
    assert!(
        sent[0].data["customer_name"]
            .as_str()
            .unwrap()
            .starts_with("Trần Thị An")
    );
    let ledger = json!(shop.world.dump("SendLedger").await).to_string();
    assert!(ledger.contains("zns#0") && ledger.contains("sms#0#fb"));
}

#[tokio::test]
async fn a_campaign_is_checked_against_its_template() {
    let shop = Shop::open(1).await;
    for (change, place) in [
        (json!({ "template_id": "999" }), "/zns/template_id"),
        (
            json!({ "params": { "customer_name": "An" } }),
            "/zns/params",
        ),
        (
            json!({ "params": { "customer_name": "An", "order_code": "x".repeat(31) } }),
            "/zns/params/order_code",
        ),
        (
            json!({ "params": { "customer_name": "{{ contact.secret }}", "order_code": "1" } }),
            "/zns/params/customer_name",
        ),
        (
            json!({ "fallback": { "brandname_id": "brn_00000000009", "text": "Chao" } }),
            "/zns/fallback/brandname_id",
        ),
    ] {
        let mut body = shop.letter(false);
        for (name, value) in change.as_object().unwrap() {
            body["zns"][name] = value.clone();
        }
        let (status, problem) = shop.campaigns("POST", "/v1/campaigns", Some(&body)).await;
        assert_eq!(status, 400, "{place}: {problem}");
        assert_eq!(problem["errors"][0]["pointer"], place, "{problem}");
    }
    let (_, made) = shop
        .campaigns("POST", "/v1/campaigns", Some(&shop.letter(true)))
        .await;
    let shown = shop.shown(made["id"].as_str().unwrap()).await;
    assert_eq!(shown["zns"]["template_id"], "207320", "{shown}");
    assert_eq!(shown["summary"], "Mẫu 207320");
}

/// A value that is too long for one person fails for this person alone.
#[tokio::test]
async fn a_value_that_does_not_fit_fails_for_its_person() {
    let shop = Shop::open(2).await;
    let mut body = shop.letter(false);
    let text = "{% if contact.phone contains '912000001' %}{{ 'x' | append: '0123456789012345678901234567890' }}{% else %}DH1{% endif %}";
    body["zns"]["params"]["order_code"] = json!(text);
    let (status, made) = shop.campaigns("POST", "/v1/campaigns", Some(&body)).await;
    assert_eq!(status, 201, "{made}");
    let id = made["id"].as_str().unwrap();
    let path = format!("/v1/campaigns/{id}/send");
    assert_eq!(shop.campaigns("POST", &path, None).await.0, 202);
    shop.world.settle().await;
    let report = shop.report(id).await;
    assert_eq!(
        report["failed"],
        json!({ "parameter_too_long": 1 }),
        "{report}"
    );
    assert_eq!(report["sent"], 1);
}

#[tokio::test]
async fn the_rest_waits_for_the_next_day_when_the_quota_is_used_up() {
    let shop = Shop::open(6).await;
    shop.world.providers.zalo().set_quota(4);
    let campaign = shop.begin(false).await;
    shop.world.run_for(60).await;
    assert_eq!(shop.world.providers.zalo().sent().len(), 4);
    let calls = shop.world.providers.zalo().calls().len();
    let oa = shop.oa().await;
    assert_eq!(oa["quiet_until"], "2026-03-02T17:00:00.000Z", "{oa}");
    shop.world.run_for(1_000).await;
    assert_eq!(
        shop.world.providers.zalo().calls().len(),
        calls,
        "no further try"
    );
    assert_eq!(shop.report(&campaign).await["status"], "sending");
    // Nine hours later it is the next day in Vietnam.
    shop.world.advance(Duration::from_hours(9));
    shop.world.run_for(1_000).await;
    let report = shop.report(&campaign).await;
    assert_eq!(
        (&report["status"], &report["sent"]),
        (&json!("sent"), &json!(6)),
        "{report}"
    );
    let (zns, _) = shop.got((0, 0));
    assert!(zns.values().all(|n| *n == 1));
}

#[tokio::test]
async fn a_refused_package_or_a_removed_app_pauses_the_campaign() {
    let shop = Shop::open(3).await;
    let zalo = shop.world.providers.zalo();
    zalo.refuse_all(Some(-224));
    let campaign = shop.begin(false).await;
    shop.world.settle().await;
    let shown = shop.shown(&campaign).await;
    assert_eq!(
        (&shown["status"], &shown["problem"]),
        (&json!("paused"), &json!("-224")),
        "{shown}"
    );
    assert_eq!(shop.oa().await["status"], "package_required");

    zalo.refuse_all(None);
    zalo.remove_app();
    let path = format!("/v1/campaigns/{campaign}/resume");
    assert_eq!(shop.campaigns("POST", &path, None).await.0, 200);
    shop.world.settle().await;
    let shown = shop.shown(&campaign).await;
    assert_eq!(
        (&shown["status"], &shown["problem"]),
        (&json!("paused"), &json!("expired")),
        "{shown}"
    );
    assert_eq!(shop.oa().await["status"], "expired");
    assert_eq!(zalo.sent(), []);

    connect(&shop.world, shop.tenant).await;
    shop.world.advance(Duration::from_secs(11));
    assert_eq!(shop.campaigns("POST", &path, None).await.0, 200);
    shop.world.settle().await;
    let report = shop.report(&campaign).await;
    assert_eq!(
        (&report["status"], &report["sent"]),
        (&json!("sent"), &json!(3)),
        "{report}"
    );
}
