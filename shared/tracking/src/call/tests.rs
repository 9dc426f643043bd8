use super::*;
use serde_json::json;

#[expect(
    clippy::needless_pass_by_value,
    reason = "callers write the value in place"
)]
fn reason(call: Value) -> Option<(&'static str, Reason)> {
    let fault = Call::read(&call, None).err()?;
    Some((fault.pointer, fault.reason))
}

#[test]
fn faults_have_a_place_and_a_reason() {
    let long = "x".repeat(101);
    for (call, pointer, expected) in [
        (json!(7), "", Reason::NoObject),
        (json!({}), "/type", Reason::UnknownType),
        (json!({ "type": "t" }), "/type", Reason::UnknownType),
        (
            json!({ "type": "group", "userId": "1" }),
            "/type",
            Reason::GroupNotSupported,
        ),
        (
            json!({ "type": "track", "event": "A" }),
            "",
            Reason::NoPerson,
        ),
        (
            json!({ "type": "track", "event": "A", "userId": "" }),
            "",
            Reason::NoPerson,
        ),
        (
            json!({ "type": "page", "userId": "undefined" }),
            "/userId",
            Reason::BadId,
        ),
        (
            json!({ "type": "alias", "userId": "1" }),
            "",
            Reason::NoPerson,
        ),
        (
            json!({ "type": "track", "userId": 1 }),
            "/event",
            Reason::BadName,
        ),
        (
            json!({ "type": "track", "userId": 1, "event": long }),
            "/event",
            Reason::BadName,
        ),
        (
            json!({ "type": "track", "userId": 1, "event": "order.paid" }),
            "/event",
            Reason::ReservedName,
        ),
        (
            json!({ "type": "track", "userId": 1, "event": "Contact.x" }),
            "/event",
            Reason::ReservedName,
        ),
    ] {
        assert_eq!(reason(call.clone()), Some((pointer, expected)), "{call}");
    }
}

#[test]
fn an_event_keeps_its_id_and_no_other_door_has_it() {
    let id = |id: &str| {
        let call = json!({ "type": "page", "userId": 1, "messageId": id });
        Call::read(&call, None).unwrap().event_id()
    };
    assert_eq!(id("ajs-next-1.a_b"), "t.ajs-next-1.a_b");
    assert_eq!(id("a#b").len(), 34);
    assert_ne!(id("a#b"), id("a#c"));
}

#[test]
fn names_of_online_shops_are_the_products_own() {
    let call = json!({ "type": "track", "userId": 1, "event": "Product Viewed",
        "properties": { "product_id": "7" }, "context": { "page": { "url": "https://a.vn/7" } } });
    let call = Call::read(&call, None).unwrap();
    assert_eq!(call.name, "product.viewed");
    assert_eq!(
        Value::Object(call.data),
        json!({ "product_id": "7", "url": "https://a.vn/7" })
    );
}

#[test]
fn times_are_texts_or_milliseconds() {
    let at = |value: Value| time(&json!({ "timestamp": value }), "timestamp");
    let expected = "2026-03-02T08:00:00Z".parse().ok();
    assert_eq!(at(json!("2026-03-02T15:00:00.000+07:00")), expected);
    assert_eq!(at(json!(1_772_438_400_000_i64)), expected);
    assert_eq!(at(json!("yesterday")), None);
}
