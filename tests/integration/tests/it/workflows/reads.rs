//! A message costs no read of the table Directory once the processes know their workspace.

use serde_json::{Value, json};
use sources::{NewSource, Provider, Settings, Sources};
use tanigo_local::aws::Kind;

use super::shop::{Shop, greeting};
use crate::support::http_event;

const MESSAGES: usize = 20;

/// A greeting that is sent at once.
fn at_once() -> Value {
    let mut draft = greeting();
    draft["graph"]["nodes"]["tag"]["next"] = json!("mail");
    draft["graph"]["nodes"]
        .as_object_mut()
        .unwrap()
        .remove("wait");
    draft
}

#[tokio::test]
async fn a_form_its_event_its_steps_and_its_mail_read_nothing_of_the_directory() {
    let shop = Shop::new().await;
    let world = &shop.world;
    let id = shop.active(at_once()).await;
    let new = NewSource {
        settings: Settings {
            consent: crate::contacts::proof::asking(),
            ..Settings::default()
        },
        ..NewSource::of(Provider::Ladipage)
    };
    let sources = Sources::over(&world.resources());
    let (source, token) = sources.create(shop.tenant, new, "x-token").await.unwrap();
    let post = async |n: usize| {
        let form = json!({ "email": format!("khach{n}@example.vn"), "ladi_form_id": "FORM8", "Nhận tin": "on" });
        let mut event = http_event("POST", &format!("/w/ladipage/{source}"), Some(&form), None);
        event["headers"]["x-token"] = json!(token);
        assert_eq!(world.ask("webhook-ladipage", event).await.0, 200);
    };
    let cold = world.aws.meter().snapshot();
    post(0).await;
    world.settle().await;
    let first = world.directory_reads(&cold);
    assert!(first > 0.0, "the meter counts: {first}");
    let warm = world.aws.meter().snapshot();
    for n in 1..=MESSAGES {
        post(n).await;
    }
    world.settle().await;
    let reads = world.directory_reads(&warm);
    assert_eq!(shop.report(&id).await[0], 1 + MESSAGES as u64);
    assert_eq!(world.aws.outbox().all(Kind::Mail).len(), 1 + MESSAGES);
    assert!(
        reads == 0.0,
        "{reads} read units for {MESSAGES} forms; the first cost {first}"
    );

    // Ten seconds later each process rereads once the rows that may have changed, and no version or mail.
    world.forget();
    let later = world.aws.meter().snapshot();
    for n in 1..=MESSAGES {
        post(MESSAGES + n).await;
    }
    world.settle().await;
    let reads = world.directory_reads(&later);
    assert!(0.0 < reads && reads < first, "{reads}, at first {first}");
}
