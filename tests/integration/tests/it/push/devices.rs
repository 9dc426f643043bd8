//! Devices: a browser that subscribes by a public key, private endpoints, merges, erasure.

use std::net::{IpAddr, Ipv4Addr};

use contacts::{ChannelStatus, Identity, Purpose};
use serde_json::{Value, json};

use super::{Shop, browser, note};
use crate::support::http_event;

/// The call of a page whose visitor agreed to notifications.
fn subscribed(name: &str, endpoint: &str, keys: &Value) -> Value {
    json!({ "type": "identify", "messageId": format!("m-{name}"), "anonymousId": name, "traits": {},
        "context": { "device": { "type": "web", "token": endpoint, "keys": keys },
            "consent": { "push": true, "text": "Nhận tin khuyến mãi?" },
            "page": { "url": "https://shop.example/products/ao" } } })
}

impl Shop {
    async fn track(&self, key: &str, call: Value) {
        let body = json!({ "batch": [call], "writeKey": key, "sentAt": self.world.now() });
        let event = http_event("POST", "/s/b", Some(&body), None);
        let answer = self.world.invoke("track-events", event).await.unwrap();
        assert_eq!(answer["statusCode"], 200, "{answer}");
        self.world.settle().await;
    }
}

#[tokio::test]
async fn a_browser_that_subscribes_is_a_contact_and_gets_nothing_of_anybody() {
    let shop = Shop::open().await;
    let key = shop.public_key().await;
    let made = shop
        .world
        .providers
        .browsers()
        .subscribe("an", &shop.key, None);
    let keys = json!({ "p256dh": made.p256dh, "auth": made.auth });
    for _ in 0..2 {
        shop.track(&key, subscribed("an", &made.endpoint, &keys))
            .await;
    }
    let visitor = Identity::Anonymous { id: "an".into() };
    let owner = shop.contacts().find_identity(shop.tenant, &visitor).await;
    let contact = owner.unwrap().expect("a contact of the browser");
    assert_eq!(shop.devices(contact).await, 1);
    let found = shop
        .contacts()
        .get(shop.tenant, contact)
        .await
        .unwrap()
        .unwrap();
    let push = found
        .consents
        .state(contacts::Channel::Push, Purpose::Marketing);
    assert_eq!(push.status, ChannelStatus::Subscribed);
    let mail = found
        .consents
        .state(contacts::Channel::Email, Purpose::Marketing);
    assert_eq!(mail.status, ChannelStatus::None);
    let rows = json!(shop.world.dump("Contacts").await).to_string();
    assert!(
        rows.contains("Nhận tin khuyến mãi?"),
        "the proof of the consent"
    );

    // Anybody can name anybody's id: the device gets no data of that contact.
    let person = shop.person(1, ChannelStatus::Subscribed).await;
    let other = shop
        .world
        .providers
        .browsers()
        .subscribe("eve", &shop.key, None);
    let keys = json!({ "p256dh": other.p256dh, "auth": other.auth });
    let mut call = subscribed("eve", &other.endpoint, &keys);
    call["userId"] = "KH-1".into();
    shop.track(&key, call).await;
    shop.browser(person, "own").await;
    let campaign = shop.campaign(&note()).await;
    shop.launch(&campaign).await;
    shop.world.settle().await;
    let shown = shop.world.providers.browsers().shown();
    let title = |name: &str| {
        let one = shown.iter().find(|one| one.browser == name);
        one.map(|one| one.payload["title"].as_str().unwrap().to_owned())
    };
    assert_eq!(title("own").as_deref(), Some("Chào An1"));
    assert_eq!(title("eve").as_deref(), Some("Chào bạn"));
}

#[tokio::test]
async fn the_shops_own_system_names_devices_and_no_token_is_shown() {
    let shop = Shop::open().await;
    let (an, binh) = (
        shop.person(1, ChannelStatus::Subscribed).await,
        shop.person(2, ChannelStatus::Subscribed).await,
    );
    let path = |contact| format!("/v1/contacts/{contact}/devices");
    let device = json!({ "token": "app-1", "platform": "ios" });
    for contact in [an, an, binh] {
        let (status, saved) = shop
            .ask("api-contacts", "PUT", &path(contact), Some(&device))
            .await;
        assert_eq!(
            (status, &saved["is_confirmed"]),
            (200, &json!(true)),
            "{saved}"
        );
        assert!(!saved.to_string().contains("app-1"), "{saved}");
    }
    let (_, shown) = shop.ask("api-contacts", "GET", &path(an), None).await;
    assert_eq!(shown["data"], json!([]), "the token has one contact");
    let (_, shown) = shop.ask("api-contacts", "GET", &path(binh), None).await;
    let id = shown["data"][0]["id"].as_str().unwrap().to_owned();
    let one = format!("{}/{id}", path(binh));
    assert_eq!(shop.ask("api-contacts", "DELETE", &one, None).await.0, 204);
    assert_eq!(shop.ask("api-contacts", "DELETE", &one, None).await.0, 404);
    assert_eq!(shop.devices(binh).await, 0);
    let bad = json!({ "token": "", "platform": "web", "keys": { "p256dh": "x", "auth": "y" } });
    let (status, refused) = shop.ask("api-contacts", "PUT", &path(an), Some(&bad)).await;
    assert_eq!(
        (status, refused["errors"].as_array().unwrap().len()),
        (400, 3),
        "{refused}"
    );
}

#[tokio::test]
async fn keys_that_no_browser_has_are_no_device() {
    let shop = Shop::open().await;
    let key = shop.public_key().await;
    for (n, keys) in [
        json!({ "p256dh": "x", "auth": "y" }),
        json!({ "p256dh": "A".repeat(87), "auth": "A".repeat(23) }),
        json!({}),
        Value::Null,
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("v{n}");
        shop.track(
            &key,
            subscribed(&name, "https://push.browsers.example/x", &keys),
        )
        .await;
        let visitor = Identity::Anonymous { id: name };
        let owner = shop.contacts().find_identity(shop.tenant, &visitor).await;
        assert_eq!(owner.unwrap(), None, "{keys}");
    }
}

/// The address of a subscription is given by the browser: an address of our own network is never called.
#[tokio::test]
async fn an_endpoint_in_a_private_network_is_not_called_and_goes() {
    let shop = Shop::open().await;
    let host = "push.evil.example";
    let private = IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254));
    shop.world
        .providers
        .receiver()
        .set_host(host, vec![private]);
    let person = shop.person(1, ChannelStatus::Subscribed).await;
    for (n, endpoint) in [
        "https://169.254.169.254/latest",
        "http://push.browsers.example/an",
        "https://push.evil.example/_local/receiver/inside",
        "https://[fd00::1]/x",
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("b{n}");
        let mut made = shop
            .world
            .providers
            .browsers()
            .subscribe(&name, &shop.key, None);
        made.endpoint = endpoint.into();
        shop.add_device(person, &browser(made)).await;
    }
    let campaign = shop.campaign(&note()).await;
    shop.launch(&campaign).await;
    shop.world.settle().await;
    let report = shop.report(&campaign).await;
    assert_eq!(report["failed"], json!({ "device_gone": 1 }), "{report}");
    assert_eq!(shop.world.providers.browsers().calls().0, 0);
    assert!(
        shop.world
            .providers
            .receiver()
            .received("inside")
            .is_empty()
    );
    assert_eq!(shop.devices(person).await, 0);
}

#[tokio::test]
async fn a_merge_moves_devices_and_erasure_removes_them() {
    let shop = Shop::open().await;
    let gone = shop.person(1, ChannelStatus::Subscribed).await;
    let survivor = shop.person(2, ChannelStatus::Subscribed).await;
    shop.browser(gone, "an").await;
    shop.app(gone, "app-1").await;
    let contacts = shop.contacts();
    contacts
        .merge(shop.tenant, survivor, gone, "usr_1")
        .await
        .unwrap();
    shop.world.settle().await;
    assert_eq!(
        (shop.devices(gone).await, shop.devices(survivor).await),
        (0, 2)
    );
    // A later sign of life finds the survivor's own device.
    shop.world.advance(std::time::Duration::from_hours(8 * 24));
    shop.browser(survivor, "an").await;
    assert_eq!(shop.devices(survivor).await, 2);

    contacts.erase(shop.tenant, survivor).await.unwrap();
    shop.world.settle().await;
    assert_eq!(shop.devices(survivor).await, 0);
    let rows = json!(shop.world.dump("Contacts").await).to_string();
    assert!(
        !rows.contains("push.browsers.example") && !rows.contains("app-1"),
        "{rows}"
    );
}
