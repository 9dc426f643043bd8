//! Persons: identified, anonymous, and what a public key may not do.

use contacts::{Identity, Incoming};
use serde_json::json;

use super::{Shop, page, track};

fn browser(id: &str) -> Identity {
    Identity::Anonymous { id: id.to_owned() }
}

#[tokio::test]
async fn a_repetition_in_any_order_is_one_event() {
    let shop = Shop::open().await;
    let calls = json!([track("m1", "42", "A"), track("m2", "42", "B")]);
    shop.take(&shop.secret, calls.clone()).await;
    let before = shop.world.dump("Timeline").await;
    shop.world.advance(std::time::Duration::from_secs(40));
    shop.take(&shop.secret, json!([calls[1], calls[0], calls[0]]))
        .await;
    assert_eq!(shop.world.dump("Timeline").await, before);
    let contact = shop.user("42").await;
    assert_eq!(shop.names(contact.id).await, ["A", "B"]);
}

/// The sender's clock is seven hours ahead. A repetition has another `sentAt`, and the event keeps its first time.
#[tokio::test]
async fn a_wrong_clock_is_corrected_once() {
    let shop = Shop::open().await;
    let mut call = track("m1", "42", "A");
    call["timestamp"] = "2026-03-02T14:59:00Z".into();
    for sent in ["2026-03-02T15:00:00Z", "2026-03-02T15:00:07Z"] {
        let body = json!({ "batch": [call], "sentAt": sent });
        let answer = shop.post(&shop.secret, "/v1/batch", &body).await;
        assert_eq!(answer["statusCode"], 200);
        shop.world.advance(std::time::Duration::from_secs(9));
        shop.world.settle().await;
    }
    let contact = shop.user("42").await;
    let events = shop.events(contact.id).await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].at, "2026-03-02T07:59:00Z".parse().unwrap());
}

#[tokio::test]
async fn an_anonymous_visitor_becomes_a_contact() {
    let shop = Shop::open().await;
    let pages: Vec<_> = (0..30)
        .map(|n| page(&format!("p{n}"), "v1", &format!("https://shop.vn/{n}")))
        .collect();
    shop.take(&shop.public, json!(pages)).await;
    assert_eq!(shop.unowned().await, 30);
    assert_eq!(shop.owner(&browser("v1")).await, None);
    let identify = json!({ "type": "identify", "messageId": "i1", "anonymousId": "v1", "userId": "42",
        "traits": { "firstName": "An", "email": "an@example.vn" } });
    shop.take(&shop.public, json!([identify])).await;
    let contact = shop.user("42").await;
    assert_eq!(shop.unowned().await, 0);
    assert_eq!(shop.names(contact.id).await.len(), 30);
    assert_eq!(shop.owner(&browser("v1")).await, Some(contact.id));
    // From now on the browser is the contact's, with and without the id.
    shop.take(
        &shop.public,
        json!([page("p30", "v1", "https://shop.vn/30")]),
    )
    .await;
    assert_eq!(shop.names(contact.id).await.len(), 31);
    assert_eq!(shop.unowned().await, 0);
    // Erasing the contact frees the browser and deletes its events.
    shop.contacts()
        .erase(shop.tenant, contact.id)
        .await
        .unwrap();
    shop.world.settle().await;
    assert_eq!(shop.owner(&browser("v1")).await, None);
    assert!(shop.names(contact.id).await.is_empty());
}

#[tokio::test]
async fn an_alias_joins_an_anonymous_id() {
    let shop = Shop::open().await;
    shop.take(&shop.secret, json!([page("p1", "v1", "https://shop.vn/")]))
        .await;
    let alias = json!({ "type": "alias", "messageId": "a1", "previousId": "v1", "userId": "42" });
    shop.take(&shop.secret, json!([alias])).await;
    let contact = shop.user("42").await;
    assert_eq!(shop.names(contact.id).await, ["page.viewed"]);
}

/// One browser, two people: the first one keeps the browser.
#[tokio::test]
async fn a_shared_browser_does_not_join_two_people() {
    let shop = Shop::open().await;
    for user in ["1", "2"] {
        let identify =
            json!({ "type": "identify", "messageId": user, "anonymousId": "v1", "userId": user });
        shop.take(&shop.public, json!([identify])).await;
    }
    let (one, two) = (shop.user("1").await, shop.user("2").await);
    assert_ne!(one.id, two.id);
    assert_eq!(shop.owner(&browser("v1")).await, Some(one.id));
}

#[tokio::test]
async fn a_public_key_cannot_take_over_a_contact() {
    let shop = Shop::open().await;
    let email = "nan-nhan@example.vn";
    let victim = shop
        .contacts()
        .upsert(
            shop.tenant,
            &Incoming {
                identities: vec![Identity::Email(email.parse().unwrap())],
                ..Incoming::default()
            },
        )
        .await
        .unwrap()
        .contact;
    let call = |id: &str, more: serde_json::Value| {
        let mut call = json!({ "type": "identify", "messageId": id, "traits": { "email": email, "name": "Kẻ Gian" } });
        call.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        call
    };
    // An id of the attacker beside the victim's address.
    shop.take(
        &shop.public,
        json!([call("m1", json!({ "userId": "evil" }))]),
    )
    .await;
    let evil = shop.user("evil").await;
    assert_ne!(evil.id, victim);
    assert_eq!(evil.email, None, "the address is the victim's");
    // The victim's address beside the attacker's browser: what was browsed stays the browser's.
    shop.take(
        &shop.public,
        json!([
            call("m2", json!({ "anonymousId": "v9" })),
            page("p1", "v9", "https://shop.vn/"),
        ]),
    )
    .await;
    assert_eq!(shop.owner(&browser("v9")).await, None);
    assert!(shop.names(victim).await.is_empty());
    assert_eq!(shop.unowned().await, 1);
    let contact = shop
        .contacts()
        .get(shop.tenant, victim)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(contact.external_id, None);
    assert_eq!(contact.person.full_name, None);
    // An address of the attacker for a known id.
    let own = json!({ "type": "identify", "messageId": "m3", "userId": "KH-1", "traits": { "email": "an@example.vn" } });
    shop.take(&shop.secret, json!([own])).await;
    let other = json!({ "type": "identify", "messageId": "m4", "userId": "KH-1",
        "traits": { "email": "evil@example.vn", "phone": "0912345678", "name": "Kẻ Gian" } });
    shop.take(&shop.public, json!([other])).await;
    let known = shop.user("KH-1").await;
    assert_eq!(known.email.as_ref().unwrap().as_str(), "an@example.vn");
    assert_eq!(known.phone, None);
    assert_eq!(
        known.unconfirmed_emails.len() + known.unconfirmed_phones.len(),
        2
    );
}

#[tokio::test]
async fn the_shops_own_key_identifies_and_replaces() {
    let shop = Shop::open().await;
    let call = |id: &str, name: &str, at: &str| {
        json!({ "type": "identify", "messageId": id, "userId": "42", "timestamp": at,
            "traits": { "name": name, "email": "an@example.vn", "plan": "pro", "tags": ["vip"] } })
    };
    shop.take(
        &shop.secret,
        json!([call("m2", "Nguyễn An", "2026-03-02T07:59:00Z")]),
    )
    .await;
    shop.take(
        &shop.secret,
        json!([call("m1", "An", "2026-03-02T07:00:00Z")]),
    )
    .await;
    let contact = shop.user("42").await;
    assert_eq!(
        contact.person.full_name.as_deref(),
        Some("Nguyễn An"),
        "the later value"
    );
    assert_eq!(contact.custom["plan"], "pro");
    assert!(contact.tags.contains("vip"));
}

#[tokio::test]
async fn an_event_that_a_workflow_waits_for_is_told_once() {
    let shop = Shop::open().await;
    let listeners = contacts::Listeners::over(&shop.world.resources());
    let filter = contacts::Filter::default();
    for (event, workflow) in [
        ("Signed Up", "wfl_00000000001"),
        ("page.viewed", "wfl_00000000002"),
    ] {
        assert!(
            listeners
                .listen(shop.tenant, event, workflow, &filter)
                .await
                .unwrap()
        );
    }
    shop.world.lead();
    let mut calls: Vec<_> = (0..30)
        .map(|n| json!({ "type": "page", "messageId": format!("p{n}"), "userId": "42", "timestamp": "2026-03-02T08:00:10Z" }))
        .collect();
    calls.push(json!({ "type": "track", "messageId": "s1", "userId": "42", "event": "Signed Up" }));
    calls.push(json!({ "type": "track", "messageId": "s2", "userId": "42", "event": "Unheard" }));
    shop.take(&shop.public, json!(calls)).await;
    let rows = shop.world.dump("Timeline").await;
    let heard = rows
        .iter()
        .filter(|row| row["recorded_at"].is_string())
        .count();
    assert_eq!(heard, 20, "a public key starts no more in an hour");
    assert!(
        rows.iter()
            .all(|row| row["name"] != "Unheard" || row["recorded_at"].is_null())
    );
}

#[tokio::test]
async fn the_consent_of_the_script_is_recorded_with_its_text() {
    let shop = Shop::open().await;
    let call = json!({ "type": "identify", "messageId": "m1", "userId": "42",
        "traits": { "email": "an@example.vn" }, "context": {
        "consent": { "tracking": true, "text": "Tôi đồng ý" }, "page": { "url": "https://shop.vn/" } } });
    shop.take(&shop.secret, json!([call])).await;
    let contact = shop.user("42").await;
    let state = contact
        .consents
        .state(contacts::Channel::Email, contacts::Purpose::BehaviouralAds);
    assert_eq!(state.status, contacts::ChannelStatus::Subscribed);
    let rows = shop.world.dump("Contacts").await;
    let mut proofs = rows.iter().filter(|row| row["text"] == "Tôi đồng ý");
    assert!(proofs.next().is_some(), "{rows:?}");
    let state = contact
        .consents
        .state(contacts::Channel::Email, contacts::Purpose::Marketing);
    assert_eq!(state.status, contacts::ChannelStatus::None);
}

#[tokio::test]
async fn a_device_has_one_owner_and_a_public_key_takes_none() {
    let shop = Shop::open().await;
    let call = |id: &str, user: &str| {
        json!({ "type": "identify", "messageId": id, "userId": user,
            "context": { "device": { "token": "fcm-1", "type": "android" } } })
    };
    let devices = async |user: &str| {
        let contact = shop.user(user).await;
        shop.contacts()
            .devices(shop.tenant, contact.id)
            .await
            .unwrap()
    };
    shop.take(&shop.public, json!([call("m1", "1")])).await;
    assert!(!devices("1").await[0].is_confirmed);
    shop.take(&shop.public, json!([call("m2", "2")])).await;
    assert!(devices("2").await.is_empty(), "it is another contact's");
    shop.take(&shop.secret, json!([call("m3", "2")])).await;
    assert!(devices("1").await.is_empty());
    let own = devices("2").await;
    assert_eq!(
        (own[0].platform.as_str(), own[0].is_confirmed),
        ("android", true)
    );
    let before = shop.world.aws.meter().snapshot();
    shop.take(&shop.secret, json!([call("m4", "2")])).await;
    let (contacts, _) = shop.world.units("Contacts", &before);
    assert!(contacts < 0.5, "a fresh device is not written");
}
