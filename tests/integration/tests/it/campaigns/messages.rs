//! Single messages whose answer from the provider is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use channels::{
    Class, Content, Ledger, LedgerKey, MailStore, Send, SendMessage, Sender, State, StoredMail,
};
use cloud::SendOptions;
use serde_json::json;
use tanigo_local::aws::{Call, Fault};

use super::shop::{Shop, told};
use crate::support::{Kill, World};

const SCOPE: &str = "enr_0123";
const STEP: &str = "n1";

fn order_mail() -> StoredMail {
    StoredMail {
        sender: Sender {
            from_name: "Cửa hàng mẫu".into(),
            from_email: "tin@example.vn".parse().unwrap(),
            reply_to: None,
        },
        subject: "Đơn {{ trigger.order }}".into(),
        preview_text: None,
        html: None,
        text: Some("Chào {{ contact.email }}".into()),
        track_opens: false,
        track_clicks: false,
    }
}

/// Puts one mail to the third contact on the queue.
pub async fn enqueue(world: &World, shop: &Shop, scope: &str, class: Class) {
    let mails = MailStore::over(&world.resources());
    let name = mails.put(shop.tenant, &order_mail()).await.unwrap();
    let message = SendMessage::V1(Box::new(Send {
        scope: scope.into(),
        step: STEP.into(),
        contact: shop.contacts[2],
        content: Content::Email { mail: name },
        data: json!({ "trigger": { "order": "#1042" } }),
        class,
        reason: None,
        workflow: "wfl_00000000001".parse().ok(),
        opt_in: None,
        test: None,
        at: world.now(),
        slot: None,
    }));
    let queue = world.resources().queue_of();
    queue
        .send(shop.tenant, &message, SendOptions::default())
        .await
        .unwrap();
}

/// How many mails were sent, and the state of the send's row.
async fn outcome(world: &World, shop: &Shop) -> (usize, State) {
    let key = LedgerKey {
        scope: SCOPE.into(),
        contact: shop.contacts[2],
        channel: contacts::Channel::Email,
        step: STEP.into(),
    };
    let row = Ledger::over(&world.resources())
        .get(shop.tenant, &key)
        .await
        .unwrap()
        .unwrap();
    let subjects: Vec<String> = world
        .aws
        .outbox()
        .all(tanigo_local::aws::Kind::Mail)
        .into_iter()
        .map(|mail| mail.subject)
        .collect();
    assert!(
        subjects
            .iter()
            .all(|subject| subject.trim_start_matches("[QC] ") == "Đơn #1042"),
        "{subjects:?}"
    );
    (subjects.len(), row.state())
}

/// Sends one mail. The first `cut` calls to the provider give no answer; with `commit` the calls still take
/// effect. Gives how many mails were sent, and the row's state.
async fn run(class: Class, cut: u32, fault: Fault, events: bool) -> (usize, State) {
    let world = World::new();
    let shop = Shop::open(&world, 3).await;
    enqueue(&world, &shop, SCOPE, class).await;
    let calls = AtomicU32::new(0);
    world.aws.set_fault_hook(Some(Arc::new(move |call: &Call| {
        let is_cut = call.service == "ses" && calls.fetch_add(1, Ordering::SeqCst) < cut;
        if is_cut { fault } else { Fault::None }
    })));
    for _ in 0..5 {
        while world.deliver("message-sender", true).await.is_some() {}
        if events {
            while world.deliver("delivery-status", true).await.is_some() {}
        }
        world.advance(Duration::from_secs(200));
    }
    world.aws.set_fault_hook(None);
    outcome(&world, &shop).await
}

#[tokio::test]
async fn a_message_that_comes_twice_is_one_mail() {
    assert_eq!(
        run(Class::Marketing, 0, Fault::None, true).await,
        (1, State::Delivered)
    );
    assert_eq!(
        run(Class::Transactional, 0, Fault::None, false).await,
        (1, State::Sent)
    );
}

#[tokio::test]
async fn a_domain_with_vietnamese_letters_is_written_to_and_answered() {
    let world = World::new();
    let shop = Shop::open(&world, 0).await;
    let customer = contacts::Incoming {
        identities: vec![contacts::Identity::Email("an@cửahàng.vn".parse().unwrap())],
        lists: vec![shop.list],
        consent: told(contacts::ChannelStatus::Subscribed),
        ..contacts::Incoming::default()
    };
    let store = super::shop::contacts(&world);
    store.upsert(shop.tenant, &customer).await.unwrap();
    let mut letter = super::shop::letter(shop.list);
    letter["mail"]["sender"]["reply_to"] = json!("cskh@cửahàng.vn");
    let path = "/v1/campaigns";
    let (status, campaign) = shop.call(&world, "POST", path, Some(&letter)).await;
    assert_eq!(status, 201, "{campaign}");
    shop.send(&world, campaign["id"].as_str().unwrap()).await;
    world.settle().await;
    let mails = world.aws.outbox().all(tanigo_local::aws::Kind::Mail);
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].to, ["an@xn--cahng-tqa2694c.vn"]);
    letter["mail"]["sender"]["from_name"] = json!("Cửa\u{2028}hàng");
    let (status, problem) = shop.call(&world, "POST", path, Some(&letter)).await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (400, &json!("/mail/sender/from_name"))
    );
}

#[tokio::test]
async fn marketing_is_never_tried_again() {
    let lost = Fault::TimeoutAfterCommit;
    assert_eq!(
        run(Class::Marketing, 9, lost, false).await,
        (1, State::Unknown)
    );
    assert_eq!(
        run(Class::Marketing, 9, lost, true).await,
        (1, State::Delivered)
    );
}

#[tokio::test]
async fn a_transactional_mail_is_tried_once_more_unless_an_event_proves_it() {
    let lost = Fault::TimeoutAfterCommit;
    assert_eq!(
        run(Class::Transactional, 1, lost, false).await,
        (2, State::Sent)
    );
    assert_eq!(
        run(Class::Transactional, 9, lost, false).await,
        (2, State::Unknown)
    );
    assert_eq!(
        run(Class::Transactional, 9, lost, true).await,
        (1, State::Delivered)
    );
}

#[tokio::test]
async fn not_now_is_not_no() {
    assert_eq!(
        run(Class::Marketing, 2, Fault::Throttle, true).await,
        (1, State::Delivered)
    );
}

#[tokio::test]
async fn a_message_that_is_killed_at_any_call_ends_as_its_class_promises() {
    for (class, most) in [(Class::Marketing, 1), (Class::Transactional, 2)] {
        for after in [false, true] {
            for call in 0.. {
                let world = World::new();
                let shop = Shop::open(&world, 3).await;
                enqueue(&world, &shop, SCOPE, class).await;
                let kill = if after {
                    Kill::After(call)
                } else {
                    Kill::Before(call)
                };
                let batch = world.take("message-sender").expect("the message");
                let result = world
                    .invoke_and_kill("message-sender", batch.event.clone(), kill)
                    .await;
                if result.is_some() {
                    assert!(call >= 7, "{call} calls");
                    break;
                }
                for _ in 0..3 {
                    world.advance(Duration::from_secs(200));
                    while world.deliver("message-sender", true).await.is_some() {}
                }
                let (mails, state) = outcome(&world, &shop).await;
                assert!(mails <= most, "{class:?} {kill:?}: {mails} mails");
                let settled = match (class, mails) {
                    (Class::Marketing, _) => [State::Sent, State::Unknown].contains(&state),
                    (Class::Transactional, 0) => false,
                    (Class::Transactional, _) => state == State::Sent,
                };
                assert!(settled, "{class:?} {kill:?}: {mails} mails, {state:?}");
                assert!(world.dead_letters().is_empty(), "{kill:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_message_with_another_tenant_s_names_sends_nothing() {
    let world = World::new();
    let shop = Shop::open(&world, 3).await;
    let other = Shop::open(&world, 3).await;
    enqueue(&world, &shop, SCOPE, Class::Transactional).await;
    let batch = world.take("message-sender").expect("the message");
    let mut event = batch.event.clone();
    let body = event["Records"][0]["body"].as_str().unwrap().to_owned();
    let foreign = body.replace(&shop.tenant.to_string(), &other.tenant.to_string());
    event["Records"][0]["body"] = json!(foreign);
    world.invoke("message-sender", event).await.unwrap();
    // Neither the mail nor the contact belongs to the other tenant; the message is dead-lettered with its reason.
    assert_eq!(world.dead_letters().len(), 1);
    // Even with a mail of its own tenant, the contact does not exist there.
    let mails = MailStore::over(&world.resources());
    mails.put(other.tenant, &order_mail()).await.unwrap();
    let mut event = batch.event.clone();
    event["Records"][0]["body"] = json!(foreign);
    world.invoke("message-sender", event).await.unwrap();
    assert!(
        world
            .aws
            .outbox()
            .all(tanigo_local::aws::Kind::Mail)
            .is_empty()
    );
    assert!(world.dump("SendLedger").await.is_empty());
    world.release(&batch);
    world.deliver("message-sender", false).await;
    assert_eq!(outcome(&world, &shop).await, (1, State::Sent));
}
