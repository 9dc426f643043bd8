use cloud::outbox::effects_of;
use serde_json::json;

use super::*;

#[test]
fn an_event_that_is_heard_is_told_as_it_is_stored() {
    let image = json!({
        "pk": { "S": "ws_00000000001#con_0000000000a" },
        "sk": { "S": "2026-03-02T08:00:00.000Z#f1" },
        "id": { "S": "f1" },
        "name": { "S": "form.submitted" },
        "at": { "S": "2026-03-02T08:00:00.0000005Z" },
        "source": { "S": "ladipage" },
        "data": { "M": { "form_id": { "S": "F8" }, "rate": { "N": "4.5" }, "n": { "N": "3" } } },
        "recorded_at": { "S": "2026-03-02T08:00:01Z" },
        "ttl": { "N": "1806652800" },
        "pending": { "S": r#"{"names":["contact.event"],"trace":"t"}"# },
    });
    let effects = effects_of(crate::EFFECTS, &image).unwrap();
    assert_eq!(effects.len(), 1);
    let effect = &effects[0];
    assert_eq!(effect.queue.as_str(), "workflow-trigger");
    assert_eq!(effect.group, "ws_00000000001");
    assert_eq!(effect.id, "con_0000000000a#f1");
    let message: serde_json::Value = serde_json::from_str(&effect.text).unwrap();
    let expected = json!({ "tenant": "ws_00000000001", "body": {
        "type": "contact.event.v1",
        "contact": "con_0000000000a",
        "recorded_at": "2026-03-02T08:00:01Z",
        "event": {
            "id": "f1",
            "name": "form.submitted",
            "at": "2026-03-02T08:00:00.0000005Z",
            "source": "ladipage",
            "data": { "form_id": "F8", "rate": 4.5, "n": 3 },
        },
    }});
    assert_eq!(message, expected);
}

#[test]
fn an_event_is_kept_as_long_as_its_class() {
    let days = |name: &str| {
        let event = Event {
            id: "e1".into(),
            name: name.into(),
            at: Timestamp::UNIX_EPOCH,
            source: "api".into(),
            data: serde_json::Value::Null,
        };
        expiry(&event) / (24 * 3600)
    };
    assert_eq!(days("message.machine_opened"), 30);
    assert_eq!(days("message.machine_clicked"), 30);
    assert_eq!(days("page.viewed"), 90);
    assert_eq!(days("product.viewed"), 180);
    assert_eq!(days("contact.updated"), 180);
    for name in ["order.completed", "message.opened", "form.submitted"] {
        assert_eq!(days(name), 396, "{name}");
    }
}
