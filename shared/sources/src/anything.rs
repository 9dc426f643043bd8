//! Bodies of any shape: each parser reads or refuses them, and nothing is lost between.

use jiff::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use crate::api::FETCHED;
use crate::fact::Fact;
use crate::inbound::RawRequest;
use crate::provider::Provider;
use crate::source::Settings;
use crate::submission::ParseError;

/// Real bodies of shops; each is under `events`.
const BODIES: [&str; 8] = [
    include_str!("../../../events/webhook-haravan/order.json"),
    include_str!("../../../events/webhook-haravan/product.json"),
    include_str!("../../../events/webhook-haravan/checkout.json"),
    include_str!("../../../events/webhook-haravan/ok.json"),
    include_str!("../../../events/webhook-kiotviet/order.json"),
    include_str!("../../../events/webhook-sapo/omni.json"),
    include_str!("../../../events/webhook-shopee/ok.json"),
    include_str!("../../../events/webhook-custom/ok.json"),
];

/// Topics of Haravan and Sapo that become something.
const TOPICS: [&str; 6] = [
    "customers/update",
    "orders/create",
    "orders/paid",
    "products/update",
    "products/delete",
    "checkouts/update",
];
/// Types of own systems that become something.
const TYPES: [&str; 7] = [
    "customer.updated",
    "order.created",
    "order.refunded",
    "product.updated",
    "product.deleted",
    "cart.updated",
    "form.submitted",
];
/// Actions of KiotViet that become something.
const ACTIONS: [&str; 6] = [
    "customer.update.500123",
    "order.update.500123",
    "invoice.update.500123",
    "product.update.500123",
    "product.delete.500123",
    "stock.update",
];

fn bodies() -> Vec<Value> {
    let body = |text: &&str| {
        let event: Value = serde_json::from_str(text).unwrap();
        serde_json::from_str(event["body"].as_str().unwrap()).unwrap()
    };
    BODIES.iter().map(body).collect()
}

/// Values at the edges of what is read.
fn odd() -> impl Strategy<Value = Value> {
    let texts = select(vec![
        "",
        " ",
        "-",
        "null",
        "9999-12-31T23:59:59Z",
        "-009999-01-02T01:59:59Z",
        "2026-03-02T08:15:30.0000000+07:00",
        "99999999999999999999.5",
        "-0.5",
        "1e400",
        "0912345678",
        "an@example.vn",
        "Áo\u{0}\u{feff}",
    ]);
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        texts.prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        (1_usize..5_000).prop_map(|n| Value::from("9".repeat(n))),
        Just(json!([])),
        Just(json!({})),
        Just(json!([[{ "id": [] }], null, 1])),
    ]
}

/// The places of a value.
fn places(value: &Value) -> usize {
    let inner: usize = match value {
        Value::Array(all) => all.iter().map(places).sum(),
        Value::Object(all) => all.values().map(places).sum(),
        _ => 0,
    };
    inner + 1
}

/// Puts another value at the n-th place.
fn put(value: &mut Value, n: &mut usize, new: &Value) {
    if *n == 0 {
        value.clone_from(new);
    }
    *n = n.wrapping_sub(1);
    match value {
        Value::Array(all) => all.iter_mut().for_each(|one| put(one, n, new)),
        Value::Object(all) => all.values_mut().for_each(|one| put(one, n, new)),
        _ => {}
    }
}

/// A real body with odd values at some places.
fn damaged() -> impl Strategy<Value = Value> {
    (select(bodies()), vec((any::<usize>(), odd()), 0..6)).prop_map(|(mut body, changes)| {
        for (n, new) in changes {
            let mut n = n % places(&body);
            put(&mut body, &mut n, &new);
        }
        body
    })
}

fn request(provider: Provider, headers: &[(&str, &str)], body: &Value) -> RawRequest {
    let headers = headers.iter();
    let headers = headers.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    RawRequest {
        source: "src_0123456789a".parse().unwrap(),
        provider,
        received_at: "2026-03-02T08:00:00Z".parse().unwrap(),
        headers: headers.collect(),
        body: body.to_string(),
        file: None,
        replay_of: None,
        settings: Settings::default(),
    }
}

/// Reads the body. All that can be stored has a name and a time that later versions can follow.
fn read(provider: Provider, headers: &[(&str, &str)], body: &Value) -> Result<usize, ParseError> {
    let request = request(provider, headers, body);
    let latest: Timestamp = "2026-03-03T08:00:00Z".parse().unwrap();
    let facts = provider.parse(&request)?;
    for fact in &facts {
        let (id, at, buyer) = match fact {
            Fact::Submission(_) | Fact::Fetch(_) => continue,
            Fact::Customer(customer) => {
                assert!(customer.is_somebody(), "{customer:?}");
                (None, None, Some(customer))
            }
            Fact::Order { buyer, order } => {
                let id = Some(order.external_id.as_str());
                (id, Some(order.source_at), buyer.as_ref())
            }
            Fact::Cart { buyer, cart } => {
                let id = Some(cart.external_id.as_str());
                (id, Some(cart.source_at), buyer.as_ref())
            }
            Fact::Product(one) => (Some(one.external_id.as_str()), Some(one.source_at), None),
            Fact::Stock(one) => (Some(one.external_id.as_str()), Some(one.at), None),
            Fact::ProductGone(one) => (Some(one.external_id.as_str()), Some(one.at), None),
        };
        assert!(
            id.is_none_or(|id| !id.is_empty() && id.len() <= 200),
            "{fact:?}"
        );
        assert!(at.is_none_or(|at| at <= latest), "{fact:?}");
        let buyer_id = buyer.and_then(|buyer| buyer.id.as_ref());
        assert!(buyer_id.is_none_or(|id| id.len() <= 200), "{fact:?}");
    }
    Ok(facts.len())
}

/// Nothing is lost: something was read, or the request is kept as failed.
fn is_kept(read: &Result<usize, ParseError>) -> bool {
    !matches!(read, Ok(0))
}

proptest! {
    #[test]
    fn storefronts_lose_nothing(topic in select(TOPICS.to_vec()), body in damaged()) {
        prop_assume!(body.is_object());
        for (provider, header) in [(Provider::Haravan, "x-haravan-topic"), (Provider::Sapo, "x-sapo-topic")] {
            let headers = [(header, topic), ("x-haravan-org-id", "1000101234"), ("x-sapo-shop-domain", "ao-dai.mysapo.net")];
            let is_omni = provider == Provider::Sapo && body.get("tenant_id").is_some();
            let read = read(provider, &headers, &body);
            prop_assert!(is_kept(&read) || is_omni, "{read:?} of {body}");
        }
    }

    #[test]
    fn kiotviet_loses_nothing(action in select(ACTIONS.to_vec()), data in vec(damaged(), 1..3), wrong in odd(), place in 0_u8..4) {
        let mut envelope = json!({ "Notifications": [{ "Action": action, "Data": data }] });
        match place {
            1 => envelope["Notifications"] = wrong,
            2 => envelope["Notifications"][0]["Data"] = wrong,
            3 => envelope["Notifications"][0] = wrong,
            _ => {}
        }
        let read = read(Provider::Kiotviet, &[], &envelope);
        let is_empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty);
        let list = &envelope["Notifications"];
        let tells_nothing = is_empty(list) || is_empty(&list[0]["Data"]);
        prop_assert!(is_kept(&read) || tells_nothing, "{read:?} of {envelope}");
    }

    #[test]
    fn own_systems_lose_nothing(kind in select(TYPES.to_vec()), at in odd(), data in damaged()) {
        let event = json!({ "type": kind, "timestamp": at, "data": data });
        let read = read(Provider::Custom, &[("webhook-id", "msg_1")], &event);
        prop_assert!(is_kept(&read), "{read:?} of {event}");
    }

    #[test]
    fn pushes_of_ids_lose_nothing(body in damaged(), data in odd(), is_fetched in any::<bool>()) {
        let fetched: &[(&str, &str)] = if is_fetched { &[(FETCHED, "orders")] } else { &[] };
        let push = json!({ "code": 3, "shop_id": 7, "data": data, "order": body });
        let read = read(Provider::Shopee, fetched, &push);
        prop_assert!(is_kept(&read), "{read:?} of {push}");
        let mut fields = Map::new();
        fields.insert("event".into(), "order.created".into());
        fields.insert("data".into(), body);
        let form = Value::Object(fields);
        let read = self::read(Provider::Getfly, &[], &form);
        prop_assert!(is_kept(&read), "{read:?} of {form}");
    }

    #[test]
    fn any_json_is_read_or_refused(text in "\\PC{0,40}", body in damaged()) {
        let text = Value::from(text);
        for provider in Provider::ALL {
            for body in [&text, &body] {
                // The result does not matter: no parser may panic.
                drop(read(provider, &[], body));
                drop(read(provider, &[("x-sapo-tenant-domain", "a"), ("x-sapo-topic", "orders/create")], body));
            }
        }
    }
}

#[test]
fn a_version_from_the_future_does_not_end_all_later_ones() {
    let body = json!({ "id": 1, "updated_at": "9999-12-31T00:00:00Z", "title": "Áo" });
    let headers = [("x-haravan-topic", "products/update")];
    let facts = Provider::Haravan
        .parse(&request(Provider::Haravan, &headers, &body))
        .unwrap();
    let [Fact::Product(product)] = facts.as_slice() else {
        panic!("{facts:?}");
    };
    assert_eq!(product.source_at.to_string(), "2026-03-02T08:00:00Z");
}
