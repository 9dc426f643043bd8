//! Addresses that bounce, are corrected, or belong to a contact who unsubscribed.

use channels::Class;
use contacts::{ChannelStatus, Contact, Identity, Incoming, Merge};
use kernel::ContactId;
use serde_json::{Value, json};

use super::messages::enqueue;
use super::shop::{Shop, contacts, number, sqs_event, told};
use crate::support::World;

const DEAD: &str = "bounce+an@example.com";
const NEW: &str = "an@example.vn";

fn customer(address: &str, merge: Merge) -> Incoming {
    Incoming {
        identities: vec![
            Identity::own("KH-7"),
            Identity::Email(address.parse().unwrap()),
        ],
        merge,
        ..Incoming::default()
    }
}

/// The shop's third contact has an address that bounces, and the shop's own id.
async fn bouncing(world: &World, status: ChannelStatus) -> (Shop, ContactId) {
    let mut shop = Shop::open(world, 3).await;
    let incoming = Incoming {
        consent: told(status),
        lists: vec![shop.list],
        ..customer(DEAD, Merge::FillEmpty)
    };
    let upserted = contacts(world).upsert(shop.tenant, &incoming).await;
    let id = upserted.unwrap().contact;
    shop.contacts[2] = id;
    (shop, id)
}

async fn correct(world: &World, shop: &Shop) {
    let incoming = customer(NEW, Merge::Overwrite);
    contacts(world)
        .upsert(shop.tenant, &incoming)
        .await
        .unwrap();
}

async fn contact(world: &World, shop: &Shop, id: ContactId) -> Contact {
    let contact = contacts(world).get(shop.tenant, id).await;
    contact.unwrap().unwrap()
}

#[tokio::test]
async fn a_bounce_of_the_old_address_leaves_the_corrected_one_alone() {
    let world = World::new();
    let (shop, id) = bouncing(&world, ChannelStatus::Subscribed).await;
    let campaign = shop.campaign(&world).await;
    shop.send(&world, &campaign).await;
    shop.work(&world).await;
    let events = shop.provider_events(&world);
    correct(&world, &shop).await;
    for _ in 0..2 {
        for batch in events.chunks(10) {
            let answer = world.invoke("delivery-status", sqs_event(batch)).await;
            assert_eq!(answer.unwrap(), json!({ "batchItemFailures": [] }));
        }
    }
    let status = contact(&world, &shop, id).await.email_status;
    assert_eq!(status, ChannelStatus::Subscribed);
    // The send itself bounced, and the next campaign reaches the new address. The first contact's
    // address bounces as well, and is still its own.
    let report = shop.report(&world, &campaign).await;
    assert_eq!(number(&report, "bounced"), 2);
    let next = shop.campaign(&world).await;
    shop.send(&world, &next).await;
    world.settle().await;
    let mut mails = shop.mails(&world, &next);
    mails.sort_unstable();
    assert_eq!(mails, ["an+2@example.com", NEW]);
}

#[tokio::test]
async fn nothing_goes_to_a_dead_address_and_who_left_stays_away_when_it_is_replaced() {
    for bounces_first in [false, true] {
        let world = World::new();
        let (shop, id) = bouncing(&world, ChannelStatus::Subscribed).await;
        let leave = async || {
            for statement in told(ChannelStatus::Unsubscribed) {
                let store = contacts(&world);
                let stated = store.declare(shop.tenant, id, &statement, "link", None);
                stated.await.unwrap();
            }
        };
        if !bounces_first {
            leave().await;
        }
        enqueue(&world, &shop, "enr_1", Class::Transactional).await;
        world.settle_twice().await;
        assert_eq!(shop.mails(&world, "enr_1"), [DEAD]);
        if bounces_first {
            leave().await;
        }
        let status = contact(&world, &shop, id).await.email_status;
        assert_eq!(status, ChannelStatus::Bounced);
        enqueue(&world, &shop, "enr_2", Class::Transactional).await;
        world.settle_twice().await;
        assert!(shop.mails(&world, "enr_2").is_empty());

        correct(&world, &shop).await;
        let status = contact(&world, &shop, id).await.email_status;
        assert_eq!(status, ChannelStatus::Unsubscribed);
        enqueue(&world, &shop, "enr_3", Class::Transactional).await;
        enqueue(&world, &shop, "enr_4", Class::Marketing).await;
        world.settle_twice().await;
        assert_eq!(shop.mails(&world, "enr_3"), [NEW]);
        assert!(shop.mails(&world, "enr_4").is_empty());
    }
}

/// Sends a campaign to everybody, and reports of the mail to `address` what `change` makes of its delivery.
async fn reported(world: &World, shop: &Shop, address: &str, change: impl Fn(&mut Value)) {
    let campaign = shop.campaign(world).await;
    shop.send(world, &campaign).await;
    shop.work(world).await;
    let events = shop.provider_events(world);
    let own = events.iter().filter_map(|body| {
        let mut event: Value = serde_json::from_str(body).unwrap();
        let detail = &mut event["detail"];
        let is_own = detail["mail"]["destination"][0] == address;
        let is_own = is_own && detail["eventType"] == "Delivery";
        if !is_own {
            return None;
        }
        change(detail);
        Some(event.to_string())
    });
    let own: Vec<String> = own.collect();
    assert_eq!(own.len(), 1, "{address}");
    for _ in 0..2 {
        let answer = world.invoke("delivery-status", sqs_event(&own)).await;
        assert_eq!(answer.unwrap(), json!({ "batchItemFailures": [] }));
    }
}

fn softly(kind: &str) -> impl Fn(&mut Value) {
    move |detail| {
        detail["eventType"] = "Bounce".into();
        detail["bounce"] = json!({ "bounceType": "Transient", "bounceSubType": kind });
    }
}

#[tokio::test]
async fn the_fifth_soft_bounce_in_a_row_stops_the_address() {
    let world = World::new();
    let shop = Shop::open(&world, 3).await;
    let id = shop.contacts[2];
    let address = contact(&world, &shop, id).await.email.unwrap();
    let status = async || contact(&world, &shop, id).await.email_status;
    // A mail that is too large says nothing about the address.
    reported(&world, &shop, address.as_str(), softly("MessageTooLarge")).await;
    for _ in 0..4 {
        reported(&world, &shop, address.as_str(), softly("MailboxFull")).await;
    }
    assert_eq!(status().await, ChannelStatus::Subscribed);
    // A delivery forgets them, and the automatic answer to it counts for nothing.
    let delivered = |detail: &mut Value| detail["delivery"] = json!({});
    reported(&world, &shop, address.as_str(), delivered).await;
    for n in 0..5 {
        assert_eq!(status().await, ChannelStatus::Subscribed, "{n}");
        reported(&world, &shop, address.as_str(), softly("General")).await;
    }
    assert_eq!(status().await, ChannelStatus::Bounced);
}
