//! Single messages: what happens to an answer that did not come.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use channels::{Class, Ledger, LedgerKey, MailStore, SendMessage, Sender, State, StoredMail};
use cloud::SendOptions;
use serde_json::json;
use tanigo_local::aws::{Call, Fault};

use super::shop::Shop;
use crate::support::World;

/// Sends one mail whose first `cut` calls to the provider give no answer, `commit` or not; gives how
/// many mails went out, and the row's state.
async fn run(class: Class, cut: u32, fault: Fault, events: bool) -> (usize, State) {
    let world = World::new();
    let shop = Shop::open(&world, "ws_0000000000a", 3).await;
    let mail = StoredMail {
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
    };
    let mails = MailStore::new(world.table("Directory"));
    let name = mails.put(shop.tenant, &mail).await.unwrap();
    assert_eq!(mails.put(shop.tenant, &mail).await.unwrap(), name);
    let (scope, step) = ("enr_0123", "n1");
    let message = SendMessage::Email {
        scope: scope.into(),
        step: step.into(),
        contact: shop.contacts[2],
        mail: name,
        data: json!({ "trigger": { "order": "#1042" } }),
        class,
    };
    let queue = world
        .setup("change-relay")
        .queue("MESSAGE_QUEUE_URL")
        .unwrap();
    queue
        .send(shop.tenant, &message, SendOptions::default())
        .await
        .unwrap();
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
    let key = LedgerKey {
        scope: scope.into(),
        contact: shop.contacts[2],
        step: step.into(),
    };
    let row = Ledger::new(world.table("SendLedger"))
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
        subjects.iter().all(|subject| subject == "Đơn #1042"),
        "{subjects:?}"
    );
    (subjects.len(), row.state())
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
