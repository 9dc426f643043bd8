//! One id from the form to the mail and back: one query of the logs finds all effects of one cause.

use std::time::Duration;

use serde_json::{Value, json};
use sources::{NewSource, Provider, Settings, Sources};
use tanigo_local::aws::Kind;

use crate::support::{World, grant_of, http_event};

const HEADER: &str = "x-tanigo-token";

/// The trace ids of the messages on the worker's queue.
fn on_the_way(world: &World, worker: &str) -> Vec<String> {
    let queue = world.queue_of(worker);
    let messages = world.aws.sqs().receive(&queue, 10, Some(0)).into_iter();
    let trace = messages.map(|message| message.message_attributes["trace"].string_value.clone());
    trace.flatten().collect()
}

/// Checks the id on the worker's queue, then runs the worker.
async fn hop(world: &World, worker: &str, trace: &str) {
    world.relay().await;
    assert_eq!(on_the_way(world, worker), [trace], "before {worker}");
    let answer = world.deliver(worker, false).await.unwrap();
    assert_eq!(answer, Ok(json!({ "batchItemFailures": [] })), "{worker}");
}

#[tokio::test]
async fn one_id_goes_from_the_form_to_the_mail() {
    let world = World::new();
    let tenant = world.workspace().await;
    let grant = grant_of(tenant.workspace(), "write");
    let workflow = json!({
        "name": "Chào", "trigger": { "type": "form.submitted" },
        "graph": { "start": "wait", "nodes": {
            "wait": { "type": "wait_duration", "days": 1, "next": "mail" },
            "mail": {
                "type": "send_email", "subject": "Chào", "html": "<p>Chào</p>",
                "sender": { "from_name": "Shop", "from_email": "shop@example.vn" },
            },
        }},
    });
    let create = http_event("POST", "/v1/workflows", Some(&workflow), Some(&grant));
    let created = world.invoke("api-workflows", create).await.unwrap();
    let created: Value = serde_json::from_str(created["body"].as_str().unwrap()).unwrap();
    let path = format!("/v1/workflows/{}/activate", created["id"].as_str().unwrap());
    let activate = http_event("POST", &path, None, Some(&grant));
    assert_eq!(
        world.invoke("api-workflows", activate).await.unwrap()["statusCode"],
        200
    );
    world.lead();

    let new = NewSource {
        settings: Settings {
            consent: crate::contacts::proof::asking(),
            ..Settings::default()
        },
        ..NewSource::of(Provider::Ladipage)
    };
    let sources = Sources::over(&world.resources());
    let (source, token) = sources.create(tenant, new, HEADER).await.unwrap();
    let form = json!({ "email": "an@example.vn", "ladi_form_id": "F", "Nhận tin": "on" });
    let mut post = http_event("POST", &format!("/w/ladipage/{source}"), Some(&form), None);
    post["headers"][HEADER] = token.into();
    let answer = world.invoke("webhook-ladipage", post).await.unwrap();
    assert_eq!(answer["statusCode"], 200, "{answer}");
    let trace = answer["headers"]["x-request-id"].as_str().unwrap();

    hop(&world, "ingest", trace).await;
    hop(&world, "workflow-trigger", trace).await;
    hop(&world, "workflow-step", trace).await;
    world.advance(Duration::from_hours(24));
    world.invoke("due-timer", json!({})).await.unwrap();
    hop(&world, "workflow-step", trace).await;
    hop(&world, "message-sender", trace).await;
    let mails = world.aws.outbox().all(Kind::Mail);
    let tag = ("trace".to_owned(), trace.to_owned());
    assert!(mails[0].tags.contains(&tag), "{:?}", mails[0].tags);
    // The provider's event for the mail returns the id.
    let events = world
        .aws
        .sqs()
        .receive(&world.queue_of("delivery-status"), 10, Some(0));
    assert!(!events.is_empty());
    for event in events {
        let channels::ses_event::SesEvent::About(_, about) =
            channels::ses_event::parse(&event.body).unwrap()
        else {
            panic!("{}", event.body)
        };
        assert_eq!(about.trace.as_deref(), Some(trace));
    }
}
