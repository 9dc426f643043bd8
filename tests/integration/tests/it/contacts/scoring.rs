//! Lead scores: rules over the API, points exactly once, thresholds that start workflows and move segments.

use std::time::Duration;

use contacts::Event;
use jiff::Timestamp;
use kernel::ContactId;
use serde_json::{Value, json};

use super::shop::{Shop, email, person};
use crate::support::{Kill, grant_of, http_event};

struct Scene {
    shop: Shop,
    contact: ContactId,
}

/// A request of a key with all rights.
async fn ask(shop: &Shop, method: &str, path: &str, body: Option<&Value>) -> (u64, Value) {
    let grant = grant_of(shop.tenant.workspace(), "read write admin");
    let function = if path.starts_with("/v1/segments") {
        "api-segments"
    } else {
        "api-contacts"
    };
    shop.world
        .ask(function, http_event(method, path, body, Some(&grant)))
        .await
}

/// A shop with these rules, thresholds at 10 and 20, and one contact.
async fn scene(rules: Value) -> Scene {
    let shop = Shop::new().await;
    let thresholds = json!([{ "score": 20, "label": "nóng" }, { "score": 10, "label": "ấm" }]);
    let body = json!({ "rules": rules, "thresholds": thresholds });
    let (status, scoring) = ask(&shop, "PUT", "/v1/scoring", Some(&body)).await;
    assert_eq!(
        (status, &scoring["thresholds"][0]["label"]),
        (200, &json!("ấm")),
        "{scoring}"
    );
    shop.world.advance(Duration::from_secs(11));
    let contact = shop
        .upsert(person("An", &[email("an@d.example.vn")]))
        .await
        .contact;
    shop.world.settle().await;
    Scene { shop, contact }
}

impl Scene {
    async fn happens(&self, id: &str, name: &str, at: Timestamp, data: Value) {
        let event = Event {
            id: id.into(),
            name: name.into(),
            at,
            source: "test".into(),
            data,
        };
        self.shop
            .contacts()
            .record(self.shop.tenant, self.contact, &event)
            .await
            .unwrap();
    }

    async fn score(&self) -> Value {
        let path = format!("/v1/contacts/{}/score", self.contact);
        let (status, score) = self.shop.api("GET", &path, None).await;
        assert_eq!(status, 200, "{score}");
        score
    }

    /// Names of the crossings on the timeline, newest first.
    async fn crossings(&self) -> Vec<(String, Value)> {
        let path = format!("/v1/contacts/{}/timeline", self.contact);
        let (_, page) = self.shop.api("GET", &path, None).await;
        let events = page["data"].as_array().unwrap().iter();
        let crossings =
            events.filter(|event| event["name"].as_str().unwrap().starts_with("contact.score"));
        crossings
            .map(|event| {
                (
                    event["name"].as_str().unwrap().to_owned(),
                    event["data"]["threshold"].clone(),
                )
            })
            .collect()
    }
}

#[tokio::test]
async fn events_give_points_once_by_the_rules() {
    let rules = json!([
        { "id": "click", "event": "message.clicked", "points": 4 },
        { "id": "form", "event": "form.submitted", "properties": { "form_id": "F8" }, "points": 7, "repeat": "once" },
        { "id": "visit", "event": "page.viewed", "points": 1, "daily_limit": 2 },
        { "id": "gone", "event": "message.unsubscribed", "points": -15 },
    ]);
    for twice in [false, true] {
        let scene = scene(rules.clone()).await;
        let settle = async || {
            if twice {
                scene.shop.world.settle_twice().await;
            } else {
                scene.shop.world.settle().await;
            }
        };
        let at = scene.shop.world.now();
        scene.happens("c1", "message.clicked", at, json!({})).await;
        scene
            .happens("f1", "form.submitted", at, json!({ "form_id": "F8" }))
            .await;
        scene
            .happens("f2", "form.submitted", at, json!({ "form_id": "F9" }))
            .await;
        settle().await;
        let score = scene.score().await;
        assert_eq!(
            (&score["score"], &score["label"]),
            (&json!(11), &json!("ấm")),
            "{score}"
        );
        let next_day = at + Duration::from_hours(24);
        scene
            .happens("f3", "form.submitted", at, json!({ "form_id": "F8" }))
            .await;
        for (n, at) in [(1, at), (2, at), (3, at), (4, next_day)] {
            scene
                .happens(&format!("p{n}"), "page.viewed", at, json!({}))
                .await;
            settle().await;
        }
        scene.happens("c1", "message.clicked", at, json!({})).await;
        settle().await;
        assert_eq!(scene.score().await["score"], 14);
        scene
            .happens("u1", "message.unsubscribed", next_day, json!({}))
            .await;
        settle().await;
        let score = scene.score().await;
        assert_eq!(
            (&score["score"], &score["label"]),
            (&json!(-1), &Value::Null),
            "{score}"
        );
        let history = score["history"]["data"].as_array().unwrap();
        let sum: i64 = history
            .iter()
            .map(|one| one["points"].as_i64().unwrap())
            .sum();
        assert_eq!((history.len(), sum), (6, -1), "{score}");
        let (_, contact) = scene
            .shop
            .api("GET", &format!("/v1/contacts/{}", scene.contact), None)
            .await;
        assert_eq!(contact["lead_score"], -1);
        let expected = [
            ("contact.score_dropped".to_owned(), json!(10)),
            ("contact.score_reached".to_owned(), json!(10)),
        ];
        assert_eq!(scene.crossings().await, expected);
    }
}

#[tokio::test]
async fn a_point_costs_two_reads_and_four_writes() {
    let rules = json!([{ "id": "click", "event": "message.clicked", "points": 4 }]);
    let scene = scene(rules).await;
    let meter = scene.shop.world.aws.meter();
    let event = |n: u32| {
        let at = scene.shop.world.now();
        (format!("c{n}"), at)
    };
    let (id, at) = event(1);
    scene.happens(&id, "message.clicked", at, json!({})).await;
    scene.shop.world.relay().await;
    let before = meter.snapshot();
    scene.shop.world.settle().await;
    let writes = scene.shop.world.writes_since(&before, "Contacts");
    assert!((writes - 4.0).abs() < 0.01, "{writes} units");
    assert_eq!(scene.score().await["score"], 4);
    // An event that meets no rule and no segment is no message.
    let before = meter.snapshot();
    let (id, at) = event(2);
    scene.happens(&id, "form.submitted", at, json!({})).await;
    scene.shop.world.settle().await;
    let writes = scene.shop.world.writes_since(&before, "Contacts");
    assert!((writes - 0.0).abs() < 0.01, "{writes} units");
    let writes = scene.shop.world.writes_since(&before, "Timeline");
    assert!((writes - 1.0).abs() < 0.01, "{writes} units");
}

#[tokio::test]
async fn the_counting_may_be_killed_at_any_call() {
    let rules = json!([{ "id": "click", "event": "message.clicked", "points": 25, "repeat": "once", "daily_limit": 3 }]);
    for call in 0.. {
        let mut finished = false;
        for kill in [Kill::Before(call), Kill::After(call)] {
            let scene = scene(rules.clone()).await;
            let world = &scene.shop.world;
            scene
                .happens("c1", "message.clicked", world.now(), json!({}))
                .await;
            world.relay().await;
            let batch = world.take("segment-updater").expect("a message");
            let event = batch.event.clone();
            finished = world
                .invoke_and_kill("segment-updater", event, kill)
                .await
                .is_some();
            world.release(&batch);
            world.settle().await;
            assert_eq!(scene.score().await["score"], 25, "{kill:?}");
            assert_eq!(scene.crossings().await.len(), 2, "{kill:?}");
        }
        if finished {
            break;
        }
    }
}

#[tokio::test]
async fn a_score_moves_segments_and_a_segment_gives_points() {
    let scene = scene(json!([{ "id": "click", "event": "message.clicked", "points": 12 }])).await;
    let shop = &scene.shop;
    let conditions = json!({ "all": [{ "family": "score", "operator": "gte", "value": 10 }] });
    let body = json!({ "name": "Nóng", "conditions": conditions });
    let (status, segment) = ask(shop, "POST", "/v1/segments", Some(&body)).await;
    assert_eq!(status, 201, "{segment}");
    shop.world.run_for(30).await;
    let id = segment["id"].as_str().unwrap();
    let rules = json!({ "rules": [
        { "id": "click", "event": "message.clicked", "points": 12 },
        { "id": "hot", "event": "segment.entered", "properties": { "segment_id": id }, "points": 8 },
    ], "thresholds": [] });
    assert_eq!(ask(shop, "PUT", "/v1/scoring", Some(&rules)).await.0, 200);
    shop.world.advance(Duration::from_secs(11));
    scene
        .happens("c1", "message.clicked", shop.world.now(), json!({}))
        .await;
    shop.world.run_for(30).await;
    let (_, members) = ask(shop, "GET", &format!("/v1/segments/{id}/members"), None).await;
    assert_eq!(members["data"].as_array().unwrap().len(), 1, "{members}");
    assert_eq!(scene.score().await["score"], 20);
}

#[tokio::test]
async fn points_fade_by_the_day_and_a_segment_is_left_at_that_second() {
    let scene = scene(json!([])).await;
    let shop = &scene.shop;
    let rules = json!({
        "rules": [{ "id": "click", "event": "message.clicked", "points": 12 }],
        "thresholds": [{ "score": 10, "label": "ấm" }], "decay": { "points": 5, "idle_days": 30 },
    });
    let (status, scoring) = ask(shop, "PUT", "/v1/scoring", Some(&rules)).await;
    assert_eq!((status, &scoring["decay"]["points"]), (200, &json!(5)));
    let conditions = json!({ "all": [{ "family": "score", "operator": "gte", "value": 10 }] });
    let body = json!({ "name": "Ấm", "conditions": conditions });
    let (status, segment) = ask(shop, "POST", "/v1/segments", Some(&body)).await;
    assert_eq!(status, 201, "{segment}");
    shop.world.run_for(30).await;
    let path = format!("/v1/segments/{}/members", segment["id"].as_str().unwrap());
    let members = async || {
        let (_, members) = ask(shop, "GET", &path, None).await;
        members["data"].as_array().unwrap().len()
    };
    let lead = async || {
        let path = format!("/v1/contacts/{}", scene.contact);
        shop.api("GET", &path, None).await.1["lead_score"].clone()
    };
    let at = shop.world.now();
    scene.happens("c1", "message.clicked", at, json!({})).await;
    shop.world.settle().await;
    assert_eq!((lead().await, members().await), (json!(12), 1));

    // Thirty days later, to the second.
    let due = at + Duration::from_hours(24 * 30);
    let wait = due.duration_since(shop.world.now()).unsigned_abs();
    shop.world
        .advance(wait.saturating_sub(Duration::from_secs(90)));
    shop.world.swept().await;
    while shop.world.now() < due {
        if shop.world.now().as_second() % 30 == 0 {
            shop.world.invoke("due-timer", json!({})).await.unwrap();
        }
        shop.world.settle().await;
        assert_eq!(members().await, 1, "{}", shop.world.now());
        shop.world.advance(Duration::from_secs(1));
    }
    shop.world.run_for(2).await;
    let score = scene.score().await;
    assert_eq!(
        (&score["score"], &score["label"]),
        (&json!(7), &json!(null))
    );
    assert_eq!((lead().await, members().await), (json!(7), 0));

    // The next points count from the score of that time; the line that was passed meanwhile is told with them.
    let later = due + Duration::from_hours(24 * 60 + 1);
    let wait = later.duration_since(shop.world.now()).unsigned_abs();
    shop.world.advance(wait);
    assert_eq!(lead().await, json!(0));
    let now = shop.world.now();
    scene.happens("c2", "message.clicked", now, json!({})).await;
    shop.world.settle_twice().await;
    let score = scene.score().await;
    let last = &score["history"]["data"][0];
    let parts = ["faded", "before", "after"].map(|name| last[name].as_i64().unwrap());
    assert_eq!((parts, &score["score"]), ([12, 0, 12], &json!(12)));
    assert_eq!(members().await, 1);
}

#[tokio::test]
async fn wrong_rules_are_all_named_at_once() {
    let shop = Shop::new().await;
    let body = json!({
        "rules": [
            { "id": "A b", "event": "", "points": 0, "daily_limit": 0, "properties": { "a/b": null } },
            { "id": "x", "event": "contact.score_reached", "points": 1001 },
            { "id": "x", "event": "y", "points": 1 },
        ],
        "thresholds": [{ "score": 1, "label": "" }, { "score": 1, "label": "a" }],
        "decay": { "points": 0, "idle_days": 366 },
    });
    let (status, problem) = ask(&shop, "PUT", "/v1/scoring", Some(&body)).await;
    let errors = problem["errors"].as_array().unwrap().iter();
    let places: Vec<&str> = errors
        .map(|error| error["pointer"].as_str().unwrap())
        .collect();
    assert_eq!(status, 400);
    let expected = [
        "/rules/0/id",
        "/rules/0/event",
        "/rules/0/points",
        "/rules/0/daily_limit",
        "/rules/0/properties/a~1b",
        "/rules/1/event",
        "/rules/1/points",
        "/rules/2/id",
        "/thresholds/0/label",
        "/thresholds/1/score",
        "/decay/points",
        "/decay/idle_days",
    ];
    assert_eq!(places, expected);
    let (status, scoring) = shop.api("GET", "/v1/scoring", None).await;
    assert_eq!(
        (status, scoring),
        (
            200,
            json!({ "rules": [], "thresholds": [], "decay": null, "updated_at": null })
        )
    );
}
