//! Delivery events from the provider: many mails of one tenant, and few of another.

use channels::{Fact, Ledger, LedgerKey};
use cloud::Counters;
use jiff::Timestamp;
use kernel::{CampaignId, ContactId, TenantKey};
use serde_json::{Value, json};

use crate::support::World;

/// Number of messages that Lambda gathers for a batch of delivery-status.
const BATCH: usize = 100;
const DONE: &str = r#"{"batchItemFailures":[]}"#;

/// A tenant's campaign and its recipients.
struct Sent {
    tenant: TenantKey,
    campaign: CampaignId,
    contacts: Vec<ContactId>,
}

impl Sent {
    /// Mails that are with the provider.
    async fn of(world: &World, mails: usize) -> Self {
        let tenant = world.workspace().await;
        let campaign = CampaignId::new(&world.clock(), &world.entropy);
        let at = |n: usize| Timestamp::from_millisecond(1_772_000_000_000 + n as i64).unwrap();
        let sent = Self {
            tenant,
            campaign,
            contacts: (0..mails).map(|n| ContactId::derived(at(n), &[])).collect(),
        };
        let ledger = Ledger::over(&world.resources());
        for contact in &sent.contacts {
            ledger.claim(tenant, &sent.key(*contact)).await.unwrap();
        }
        sent
    }

    fn key(&self, contact: ContactId) -> LedgerKey {
        LedgerKey::campaign(self.campaign, contact, contacts::Channel::Email)
    }

    /// Each mail has arrived.
    fn arrive(&self, world: &World) {
        let queue = world.queue_of("delivery-status");
        for contact in &self.contacts {
            let detail = json!({
                "eventType": "Delivery",
                "mail": {
                    "timestamp": "2026-03-02T08:00:00Z", "messageId": "0100",
                    "destination": ["an@example.vn"],
                    "tags": {
                        "tenant": [self.tenant.to_string()], "scope": [self.campaign.to_string()],
                        "contact": [contact.to_string()], "step": ["0"],
                    },
                },
                "delivery": { "timestamp": "2026-03-02T08:00:01Z" },
            });
            let event = json!({ "source": "aws.ses", "detail": detail });
            world
                .aws
                .sqs()
                .send(&queue, event.to_string(), None)
                .unwrap();
        }
    }

    /// How many the ledger knows to have arrived.
    async fn arrived(&self, world: &World) -> usize {
        let rows = world.dump("SendLedger").await;
        let own = format!("{}#", self.tenant);
        let is_arrived = |row: &&Value| {
            row["pk"].as_str().unwrap().starts_with(&own) && row["delivered_at"].is_string()
        };
        rows.iter().filter(is_arrived).count()
    }

    async fn are_all_known(&self, world: &World) -> bool {
        let ledger = Ledger::over(&world.resources());
        for contact in &self.contacts {
            let row = ledger.get(self.tenant, &self.key(*contact)).await.unwrap();
            if !row.unwrap().facts.has(Fact::Delivered) {
                return false;
            }
        }
        true
    }

    async fn counted(&self, world: &World) -> i64 {
        let counters = Counters::over(&world.resources());
        let campaign = self.campaign.to_string();
        let counts = counters.read(self.tenant, &campaign).await.unwrap();
        counts.get("delivered").copied().unwrap_or(0)
    }
}

/// Delivers a batch of up to this number of messages to a function; twice if `twice`. False: the queue is empty.
async fn work(world: &World, function: &str, most: usize, twice: bool) -> bool {
    let queue = world.queue_of(function);
    let mut messages = Vec::new();
    while messages.len() < most {
        let some = world.aws.sqs().receive(&queue, 10.min(most), None);
        if some.is_empty() {
            break;
        }
        messages.extend(some);
    }
    if messages.is_empty() {
        return false;
    }
    let event = world.aws.sqs().lambda_event(&queue, &messages);
    for _ in 0..=usize::from(twice) {
        let answer = world.invoke(function, event.clone()).await.unwrap();
        assert_eq!(answer.to_string(), DONE);
    }
    let handles: Vec<&str> = messages
        .iter()
        .map(|one| one.receipt_handle.as_str())
        .collect();
    world.aws.sqs().delete_all(&queue, &handles);
    true
}

#[tokio::test]
async fn a_flood_of_one_tenant_s_events_does_not_hold_up_another_s() {
    let world = World::new();
    let (flood, small) = (Sent::of(&world, 20_000).await, Sent::of(&world, 10).await);
    flood.arrive(&world);
    small.arrive(&world);
    let mut batches = 0;
    while !small.are_all_known(&world).await {
        assert!(work(&world, "delivery-status", BATCH, false).await);
        batches += 1;
    }
    // The small tenant's 10 messages were behind 20,000 others, and none of the 20,000 was processed before them.
    assert_eq!(batches, 201);
    assert_eq!(flood.arrived(&world).await, 0);
    assert_eq!(small.counted(&world).await, 10);
    let backlog = world.queue_of("delivery-backlog");
    assert_eq!(
        world.aws.sqs().depth(&backlog).total(),
        200,
        "a message for each 100 events"
    );

    // While the workers process messages of the large tenant, the messages of another tenant are received next.
    let sqs = world.aws.sqs();
    let in_hand: Vec<_> = (0..4)
        .flat_map(|_| sqs.receive(&backlog, 10, None))
        .collect();
    let next = Sent::of(&world, 30).await;
    next.arrive(&world);
    assert!(work(&world, "delivery-status", BATCH, false).await);
    assert!(work(&world, "delivery-backlog", 1, false).await);
    assert!(next.are_all_known(&world).await);
    assert_eq!(flood.arrived(&world).await, 0);

    // In the end all messages of the large tenant are processed, each once.
    for message in in_hand {
        sqs.change_visibility(&backlog, &message.receipt_handle, 0);
    }
    while work(&world, "delivery-backlog", 5, false).await {}
    assert!(flood.are_all_known(&world).await);
    assert_eq!(flood.counted(&world).await, 20_000);
}

#[tokio::test]
async fn events_that_wait_are_counted_once_though_they_come_twice() {
    let world = World::new();
    let (busy, calm) = (Sent::of(&world, 70).await, Sent::of(&world, 10).await);
    busy.arrive(&world);
    calm.arrive(&world);
    while work(&world, "delivery-status", BATCH, true).await {}
    let backlog = world.queue_of("delivery-backlog");
    assert_eq!(
        world.aws.sqs().depth(&backlog).total(),
        2,
        "the same message twice"
    );
    while work(&world, "delivery-backlog", 1, true).await {}
    assert!(busy.are_all_known(&world).await && calm.are_all_known(&world).await);
    assert_eq!(
        (busy.counted(&world).await, calm.counted(&world).await),
        (70, 10)
    );
}
