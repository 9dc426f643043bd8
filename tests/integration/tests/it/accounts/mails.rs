//! The mails of accounts when their worker crashes, or when no store takes a write.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use accounts::Invitations;
use serde_json::json;
use tanigo_local::aws::{Call, Fault, Kind};

use super::office::{EMAIL, GUEST, HOUR, Office, PASSWORD};
use crate::support::Kill;

/// Longer than the claim of a mail.
const LEASE: Duration = Duration::from_secs(61);

#[tokio::test]
async fn a_mailer_killed_at_any_call_mails_a_link_that_works() {
    for at in 0.. {
        let office = Office::open().await;
        office.invite(GUEST).await;
        let batch = office.world.take("account-mailer").unwrap();
        let mut survived = true;
        for kill in [Kill::Before(at), Kill::After(at)] {
            let event = batch.event.clone();
            let work = office.world.invoke_and_kill("account-mailer", event, kill);
            survived &= work.await.is_some();
            office.world.advance(LEASE);
        }
        for _ in 0..2 {
            let last = office.world.invoke("account-mailer", batch.event.clone());
            assert_eq!(
                last.await.unwrap().to_string(),
                r#"{"batchItemFailures":[]}"#
            );
        }
        let count = office.world.aws.outbox().all(Kind::Mail).len();
        // A mail was sent just before a kill.
        assert!((1..=2).contains(&count), "{at}: {count} mails");
        if survived {
            assert_eq!(count, 1);
        }
        for token in office.mailed_tokens(GUEST) {
            let found = Invitations::over(&office.world.resources());
            assert!(found.find(&token).await.unwrap().is_some(), "{at}");
        }
        if survived {
            break;
        }
    }
}

#[tokio::test]
async fn a_mail_that_was_refused_while_no_store_takes_a_write_is_sent_later() {
    let office = Office::open().await;
    office.invite(GUEST).await;
    assert_eq!(office.forgot(EMAIL).await, 202);
    assert_eq!(office.ask_for("shop@example.vn").await.0, 201);
    let batch = office.world.take("account-mailer").unwrap();
    let records = batch.event["Records"].as_array().unwrap().clone();
    assert_eq!(records.len(), 3);
    for record in &records {
        let event = json!({ "Records": [record] });
        let is_out = AtomicBool::new(false);
        let throttled = move |call: &Call| {
            is_out.fetch_or(call.service == "ses", Ordering::SeqCst);
            if is_out.load(Ordering::SeqCst) {
                Fault::Throttle
            } else {
                Fault::None
            }
        };
        office.world.aws.set_fault_hook(Some(Arc::new(throttled)));
        let answer = office.world.invoke("account-mailer", event).await.unwrap();
        assert_eq!(answer["batchItemFailures"].as_array().unwrap().len(), 1);
        office.world.aws.set_fault_hook(None);
    }
    office.world.advance(LEASE);
    for _ in 0..2 {
        let answer = office.world.invoke("account-mailer", batch.event.clone());
        assert_eq!(
            answer.await.unwrap().to_string(),
            r#"{"batchItemFailures":[]}"#
        );
    }
    let mails = office.world.aws.outbox().all(Kind::Mail);
    let mut to: Vec<_> = mails.iter().map(|mail| mail.to.join(",")).collect();
    to.sort_unstable();
    assert_eq!(to, [EMAIL, GUEST, "shop@example.vn"]);
}

#[tokio::test]
async fn a_mail_that_was_sent_is_not_repeated_if_its_outcome_cannot_be_stored() {
    let office = Office::open().await;
    office.invite(GUEST).await;
    let is_sent = AtomicBool::new(false);
    let throttled = move |call: &Call| match call.service {
        "ses" => {
            is_sent.store(true, Ordering::SeqCst);
            Fault::None
        }
        _ if is_sent.load(Ordering::SeqCst) => Fault::Throttle,
        _ => Fault::None,
    };
    let hook = Arc::new(throttled);
    office.world.aws.set_fault_hook(Some(hook));
    office
        .world
        .deliver("account-mailer", false)
        .await
        .unwrap()
        .unwrap();
    office.world.aws.set_fault_hook(None);
    office.world.advance(HOUR);
    office.mail().await;
    assert_eq!(office.world.aws.outbox().all(Kind::Mail).len(), 1);
    let token = office.mailed_token(GUEST).unwrap();
    assert_eq!(office.accept(&token, PASSWORD).await.0, 200);
}
