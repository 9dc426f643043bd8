//! From the pages that a visitor views to the segments of the contact.

use contacts::consent::{Decision, Method, Purpose};
use contacts::{Channel, ChannelStatus, Identity, Incoming, Statement};
use kernel::ContactId;
use serde_json::{Value, json};

use super::Shop;
use crate::support::{grant_of, http_event};

const MINUTE: std::time::Duration = std::time::Duration::from_mins(1);

impl Shop {
    async fn segments(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let grant = grant_of(self.tenant.workspace(), "read write");
        let event = http_event(method, path, body.as_ref(), Some(&grant));
        let (status, answer) = self.world.ask("api-segments", event).await;
        assert!(status < 300, "{answer}");
        answer
    }

    /// A segment of those who viewed a page, built.
    async fn viewers(&self, url: &str, operator: &str) -> String {
        let condition = json!({ "family": "page_view", "match": "contains", "url": url,
            "operator": operator, "within": { "last_days": 7 } });
        let body =
            json!({ "name": format!("{operator} {url}"), "conditions": { "all": [condition] } });
        let made = self.segments("POST", "/v1/segments", Some(body)).await;
        let id = made["id"].as_str().unwrap().to_owned();
        for _ in 0..20 {
            self.world.run_for(15).await;
            let path = format!("/v1/segments/{id}");
            if self.segments("GET", &path, None).await["status"] == "ready" {
                return id;
            }
        }
        panic!("a build does not end");
    }

    async fn members(&self, segment: &str) -> Vec<ContactId> {
        let path = format!("/v1/segments/{segment}/members");
        let page = self.segments("GET", &path, None).await;
        let data = page["data"].as_array().unwrap().iter();
        let ids = data.map(|one| one["contact_id"].as_str().unwrap().parse().unwrap());
        ids.collect()
    }

    async fn views(&self, id: &str, visitor: &str, url: &str) {
        let view = json!({ "type": "page", "messageId": id, "anonymousId": visitor,
            "timestamp": self.world.now(), "properties": { "url": url } });
        self.take(&self.public, json!([view])).await;
        self.world.advance(MINUTE);
        self.world.settle().await;
    }

    /// The visitor says who this is; with a text the visitor has agreed to be followed.
    async fn identifies(
        &self,
        id: &str,
        visitor: &str,
        user: &str,
        email: Option<&str>,
        text: Option<&str>,
    ) {
        let mut call = json!({ "type": "identify", "messageId": id, "anonymousId": visitor, "userId": user,
            "timestamp": self.world.now(), "traits": { "email": email } });
        if let Some(text) = text {
            call["context"] = json!({ "consent": { "tracking": true, "text": text } });
        }
        self.take(&self.public, json!([call])).await;
        self.world.advance(MINUTE);
        self.world.settle().await;
    }
}

const TEXT: &str = "Tôi đồng ý để cửa hàng ghi nhận những trang tôi xem";

#[tokio::test]
async fn the_pages_of_a_visitor_who_agreed_lead_into_a_segment() {
    let shop = Shop::open().await;
    let tet = shop.viewers("/tet", "did").await;
    let hoa = shop.viewers("/hoa", "did").await;
    let not = shop.viewers("/tet", "did_not").await;
    shop.world.lead();
    for visitor in ["v1", "v2"] {
        shop.views(
            &format!("{visitor}-1"),
            visitor,
            "https://shop.vn/tet/ao-dai",
        )
        .await;
    }
    shop.identifies("i1", "v1", "42", Some("an@example.vn"), Some(TEXT))
        .await;
    shop.identifies("i2", "v2", "43", Some("binh@example.vn"), None)
        .await;
    let (an, binh) = (shop.user("42").await.id, shop.user("43").await.id);
    assert_eq!(shop.members(&tet).await, [an], "only a visitor who agreed");
    assert!(shop.members(&hoa).await.is_empty());
    let neither = shop.members(&not).await;
    assert!(neither.is_empty(), "who did not agree is in neither");

    // The browser is known from now on.
    for visitor in ["v1", "v2"] {
        shop.views(&format!("{visitor}-2"), visitor, "https://shop.vn/hoa")
            .await;
    }
    assert_eq!(shop.members(&hoa).await, [an]);
    // The same call again counts once, and changes nothing.
    shop.views("v1-2", "v1", "https://shop.vn/hoa").await;
    assert_eq!(shop.members(&hoa).await, [an]);

    // The visitor agrees later: what was counted before counts now.
    shop.identifies("i3", "v2", "43", Some("binh@example.vn"), Some(TEXT))
        .await;
    let mut both = vec![an, binh];
    both.sort_unstable();
    let mut seen = shop.members(&hoa).await;
    seen.sort_unstable();
    assert_eq!(seen, both);

    // A withdrawal ends both.
    let mut stop = Statement::new(Method::Staff, Decision::Withdrawn, Channel::ALL);
    stop.purposes = [Purpose::BehaviouralAds].into();
    let contacts = shop.contacts();
    let stopped = contacts.declare(shop.tenant, an, &stop, "t", None);
    stopped.await.unwrap();
    shop.world.advance(MINUTE);
    shop.world.settle().await;
    assert_eq!(shop.members(&tet).await, [binh]);
    assert_eq!(shop.members(&hoa).await, [binh]);
    assert_eq!(shop.world.dead_letters(), Vec::<String>::new());
}

/// Each channel of the consent concerns the same segments, and the change of the contact names these once.
#[tokio::test]
async fn a_person_with_two_addresses_agrees_for_all_channels_at_once() {
    let shop = Shop::open().await;
    shop.viewers("/tet", "did").await;
    shop.world.lead();
    let contacts = shop.contacts();
    let known = Incoming {
        identities: vec![
            Identity::Email("an@example.vn".parse().unwrap()),
            Identity::Phone("0912000001".parse().unwrap()),
        ],
        ..Incoming::default()
    };
    let contact = contacts.upsert(shop.tenant, &known).await.unwrap().contact;
    let mut told = Statement::new(Method::FormTick, Decision::Granted, Channel::ALL);
    told.purposes = [Purpose::BehaviouralAds].into();
    told.text = Some(TEXT.to_owned());
    let stated = contacts.declare(shop.tenant, contact, &told, "t", None);
    stated.await.unwrap();
    let found = contacts.get(shop.tenant, contact).await.unwrap().unwrap();
    for channel in Channel::ALL {
        let state = found.consents.state(channel, Purpose::BehaviouralAds);
        assert_eq!(state.status, ChannelStatus::Subscribed, "{channel:?}");
    }
}
