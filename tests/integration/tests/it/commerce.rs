//! Orders over the stack: entered by staff and recorded from sources, in any order and with kills, with the totals of
//! their contacts.

use std::collections::BTreeSet;
use std::sync::Arc;

use commerce::{
    Amounts, IncomingOrder, Item, OrderStatus, Orders, Outcome, PaymentStatus, Quantity, Receiver,
    Source,
};
use contacts::{Contacts, Identity, Incoming};
use kernel::{ContactId, Money, OrderId, Person, TenantKey};
use serde_json::{Value, json};

use crate::support::{Kill, World, grant_of, http_event};

struct Shop {
    world: Arc<World>,
    tenant: TenantKey,
}

impl Shop {
    async fn new() -> Self {
        let world = Arc::new(World::new());
        let tenant = world.workspace().await;
        Self { world, tenant }
    }

    fn orders(&self) -> Orders {
        Orders::over(&self.world.resources())
    }

    async fn contact(&self, address: &str) -> ContactId {
        let incoming = Incoming {
            identities: vec![Identity::Email(address.parse().unwrap())],
            person: Person {
                full_name: Some("Trần Thị An".into()),
                ..Person::default()
            },
            ..Incoming::default()
        };
        let contacts = Contacts::over(&self.world.resources());
        let upserted = contacts.upsert(self.tenant, &incoming).await;
        upserted.unwrap().contact
    }

    fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let mut grant = grant_of(self.tenant.workspace(), "write");
        grant.role = Some(kernel::Role::AccountAdmin);
        http_event(method, path, body, Some(&grant))
    }

    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> (u64, Value) {
        let event = self.request(method, path, body.as_ref());
        let function = match path {
            _ if path.starts_with("/v1/contacts") => "api-contacts",
            _ if path.starts_with("/v1/segments") => "api-segments",
            _ => "api-commerce",
        };
        self.world.ask(function, event).await
    }

    async fn enter(&self, contact: ContactId, more: Value) -> Value {
        let mut body = json!({
            "contact_id": contact,
            "items": [{ "sku": "SP001", "name": "Áo thun", "quantity": 2, "price": 285_000 }],
            "shipping_fee": 30_000,
        });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        let (status, order) = self.ask("POST", "/v1/orders", Some(body)).await;
        assert_eq!(status, 201, "{order}");
        order
    }

    /// Codes of a list, in its order.
    async fn codes(&self, query: &str) -> Vec<String> {
        let (status, page) = self.ask("GET", &format!("/v1/orders{query}"), None).await;
        assert_eq!(status, 200, "{page}");
        let data = page["data"].as_array().unwrap().iter();
        data.map(|one| one["code"].as_str().unwrap().to_owned())
            .collect()
    }

    async fn record(&self, contact: ContactId, version: &IncomingOrder) -> Outcome {
        let orders = self.orders();
        let recorded = orders.record(self.tenant, Some(contact), version).await;
        recorded.unwrap().outcome
    }

    /// Number and sum of the orders that segments know of the contact.
    async fn known(&self, contact: ContactId) -> (u64, i64) {
        let rows = self.world.dump("Contacts").await;
        let pk = format!("{}#{contact}", self.tenant);
        let mut rows = rows.iter();
        let state = rows.find(|row| row["pk"] == pk && row["sk"] == "STATE");
        let orders = state.map_or(&Value::Null, |state| &state["ord"]);
        let count = orders["count"].as_u64().unwrap_or_default();
        (count, orders["sum"].as_i64().unwrap_or_default())
    }

    /// The rows of orders, without what tells how they came to be.
    async fn essence(&self) -> BTreeSet<String> {
        let rows = self.world.dump("Commerce").await.into_iter();
        let told = [
            "version",
            "first",
            "told",
            "latest",
            "recount",
            "created_at",
            "updated_at",
            "write_id",
            "update_id",
            "outbox",
            "pending",
            "id",
            "order",
            "pk",
            "sk",
        ];
        rows.map(|mut row| {
            let fields = row.as_object_mut().unwrap();
            fields.retain(|name, _| !told.contains(&name.as_str()));
            row.to_string()
        })
        .collect()
    }
}

fn version(minute: u32, status: OrderStatus, payment: PaymentStatus, total: i64) -> IncomingOrder {
    let at = |minute: u32| format!("2026-03-02T08:{minute:02}:00Z").parse().unwrap();
    IncomingOrder {
        source: Source::Haravan,
        shop: "ao-dai".into(),
        external_id: "1200450077".into(),
        code: "#104512".into(),
        ordered_at: at(0),
        source_at: at(minute),
        status,
        payment_status: payment,
        amounts: Amounts {
            subtotal: Money::vnd(total),
            total: Money::vnd(total),
            ..Amounts::default()
        },
        items: vec![Item {
            product: Some("1031110022".into()),
            sku: Some("SP001".into()),
            name: "Áo thun - Trắng / M".into(),
            quantity: Quantity::pieces(2),
            price: Money::vnd(total / 2),
            ..Item::default()
        }],
        receiver: Receiver {
            name: Some("Trần Thị An".into()),
            phone: Some("0912345678".into()),
            address: Some("12 Lê Lợi".into()),
            province: Some("Hồ Chí Minh".into()),
            ..Receiver::default()
        },
        customer_name: Some("Trần Thị An".into()),
        ..IncomingOrder::default()
    }
}

fn life() -> Vec<IncomingOrder> {
    use OrderStatus::{Completed, Confirmed, New, Shipping};
    use PaymentStatus::{Paid, Unpaid};
    vec![
        version(1, New, Unpaid, 580_000),
        version(2, Confirmed, Unpaid, 580_000),
        // Two changes of one second.
        version(3, Shipping, Unpaid, 570_000),
        version(3, Shipping, Paid, 570_000),
        version(4, Completed, Paid, 570_000),
    ]
}

#[tokio::test]
async fn staff_enter_change_and_find_orders() {
    let shop = Shop::new().await;
    let an = shop.contact("an@example.vn").await;
    let first = shop.enter(an, json!({ "code": "DH-1041" })).await;
    assert_eq!(first["total"], 600_000);
    assert_eq!(first["customer_name"], "Trần Thị An");
    shop.world.advance(std::time::Duration::from_mins(1));
    let paid = json!({ "code": "DH-1042", "payment_status": "paid", "payment_method": "cod" });
    let second = shop.enter(an, paid).await;
    assert_eq!(second["paid"], 600_000);
    assert_eq!(shop.codes("").await, ["DH-1042", "DH-1041"]);
    assert_eq!(shop.codes("?payment_method=cod").await, ["DH-1042"]);
    assert_eq!(shop.codes("?payment_status=unpaid").await, ["DH-1041"]);
    assert_eq!(shop.codes("?code=041").await, ["DH-1041"]);
    let of = format!("?contact_id={an}");
    assert_eq!(shop.codes(&of).await.len(), 2);
    assert!(shop.codes("?min_total=600001").await.is_empty());
    assert!(shop.codes("?source=haravan").await.is_empty());

    let path = format!("/v1/orders/{}", first["id"].as_str().unwrap());
    let change = json!({ "status": "shipping", "staff_note": "Gọi trước", "staff_tags": ["gấp"] });
    let (status, order) = shop.ask("PATCH", &path, Some(change)).await;
    assert_eq!((status, &order["staff_note"]), (200, &json!("Gọi trước")));
    assert!(order["shipped_at"].is_string());
    let back = json!({ "status": "new" });
    assert_eq!(shop.ask("PATCH", &path, Some(back)).await.0, 409);
    assert_eq!(shop.codes("?status=shipping").await, ["DH-1041"]);
    let reason = json!({ "reason": "Khách đổi ý" });
    let cancel = format!("{path}/cancel");
    for _ in 0..2 {
        let (status, order) = shop.ask("POST", &cancel, Some(reason.clone())).await;
        assert_eq!((status, &order["status"]), (200, &json!("cancelled")));
    }
    assert_eq!(shop.codes("").await, ["DH-1042"]);
    assert_eq!(shop.codes("?status=cancelled").await, ["DH-1041"]);
    let (_, page) = shop.ask("GET", "/v1/orders", None).await;
    assert_eq!(page["page"], json!({ "orders": 1, "total": 600_000 }));
    let (_, sums) = shop.ask("GET", "/v1/orders/totals", None).await;
    assert_eq!(
        sums,
        json!({ "orders": 1, "total": 600_000, "is_complete": true })
    );
    let (_, timeline) = shop
        .ask("GET", &format!("/v1/contacts/{an}/timeline"), None)
        .await;
    let events = timeline["data"].as_array().unwrap().iter();
    let mut names: Vec<&str> = events.map(|one| one["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    let expected = [
        "order.cancelled",
        "order.created",
        "order.created",
        "order.paid",
        "order.shipped",
    ];
    assert_eq!(names, expected);
}

#[tokio::test]
async fn one_answer_names_all_faults_of_an_order() {
    let shop = Shop::new().await;
    let body = json!({
        "contact_id": "con_00000000009", "code": "", "status": "returned", "discount": -1,
        "items": [{ "name": "", "quantity": 1, "price": -5 }],
    });
    let (status, problem) = shop.ask("POST", "/v1/orders", Some(body)).await;
    assert_eq!(status, 400);
    let errors = problem["errors"].as_array().unwrap().iter();
    let places: Vec<&str> = errors.map(|one| one["pointer"].as_str().unwrap()).collect();
    for place in [
        "/code",
        "/status",
        "/items/0/name",
        "/items/0/price",
        "/discount",
    ] {
        assert!(places.contains(&place), "{place}: {places:?}");
    }
    for query in [
        "?code=x",
        "?code=1042&status=new",
        "?contact_id=con_00000000009&status=new",
    ] {
        let path = format!("/v1/orders{query}");
        assert_eq!(shop.ask("GET", &path, None).await.0, 400, "{query}");
    }
}

#[tokio::test]
async fn versions_in_any_order_and_any_number_end_alike() {
    let mut random = fastrand::Rng::with_seed(7);
    let calm = Shop::new().await;
    let contact = calm.contact("an@example.vn").await;
    for version in life() {
        calm.record(contact, &version).await;
    }
    calm.world.settle().await;
    assert_eq!(calm.known(contact).await, (1, 570_000));
    let text = |rows: BTreeSet<String>, contact: ContactId| -> BTreeSet<String> {
        let plain = |row: String| row.replace(&contact.to_string(), "con");
        rows.into_iter().map(plain).collect()
    };
    let tenant = |rows: BTreeSet<String>, shop: &Shop| -> BTreeSet<String> {
        let own = shop.tenant.to_string();
        rows.into_iter()
            .map(|row| row.replace(&own, "ws"))
            .collect()
    };
    let expected = tenant(text(calm.essence().await, contact), &calm);
    for round in 0..8 {
        let shop = Shop::new().await;
        let contact = shop.contact("an@example.vn").await;
        let mut versions = [life(), life()].concat();
        random.shuffle(&mut versions);
        for version in &versions {
            shop.record(contact, version).await;
            if random.bool() {
                shop.world.relay().await;
            }
        }
        shop.world.settle().await;
        let rows = tenant(text(shop.essence().await, contact), &shop);
        assert_eq!(rows, expected, "round {round}");
        assert_eq!(shop.known(contact).await, (1, 570_000), "round {round}");
    }
}

#[tokio::test]
async fn an_order_costs_its_budget() {
    let shop = Shop::new().await;
    let contact = shop.contact("an@example.vn").await;
    let names = ["Commerce", "Contacts", "Timeline"];
    let versions = life();
    for (n, version) in versions.iter().enumerate() {
        let before = shop.world.aws.meter().snapshot();
        shop.record(contact, version).await;
        let writes: f64 = names
            .iter()
            .map(|name| shop.world.writes_since(&before, name))
            .sum();
        let effect = shop.world.aws.meter().snapshot();
        shop.world.settle().await;
        let after: f64 = names
            .iter()
            .map(|name| shop.world.writes_since(&effect, name))
            .sum();
        eprintln!("version {n}: {writes} write units, and {after} for the totals");
        let most = if n == 0 { 10.5 } else { 9.2 };
        assert!(writes <= most, "version {n}: {writes}");
        assert!(after <= 4.0, "version {n}: {after}");
        let again = shop.world.aws.meter().snapshot();
        assert_eq!(shop.record(contact, version).await, Outcome::Same);
        if n > 0 {
            assert_eq!(shop.record(contact, &versions[0]).await, Outcome::Older);
        }
        for name in names {
            let writes = shop.world.writes_since(&again, name);
            assert!(writes <= 0.0, "repeated version {n}: {name} {writes}");
        }
    }
}

#[tokio::test]
async fn a_segment_follows_the_orders_of_its_contacts() {
    let shop = Shop::new().await;
    let an = shop.contact("an@example.vn").await;
    let body = json!({ "name": "Đã mua", "conditions": { "all": [
        { "family": "order", "field": "total", "operator": "gte", "value": 500_000 },
        { "family": "order", "field": "product", "operator": "has_any", "values": ["SP001"] },
    ]}});
    let (status, segment) = shop.ask("POST", "/v1/segments", Some(body)).await;
    assert_eq!(status, 201, "{segment}");
    for _ in 0..4 {
        shop.world.run_for(15).await;
    }
    let path = format!("/v1/segments/{}/members", segment["id"].as_str().unwrap());
    let members = async || {
        shop.world.settle().await;
        let (_, page) = shop.ask("GET", &path, None).await;
        page["data"].as_array().unwrap().len()
    };
    for version in life() {
        assert_eq!(members().await, 0);
        shop.record(an, &version).await;
    }
    assert_eq!(members().await, 1);
    let returned = version(5, OrderStatus::Returned, PaymentStatus::Refunded, 570_000);
    shop.record(an, &returned).await;
    assert_eq!(members().await, 0);
    assert_eq!(shop.known(an).await, (0, 0));
}

#[tokio::test]
async fn orders_follow_a_merged_contact_and_lose_an_erased_person() {
    let shop = Shop::new().await;
    let (an, binh) = (
        shop.contact("an@example.vn").await,
        shop.contact("binh@example.vn").await,
    );
    for version in life() {
        shop.record(an, &version).await;
    }
    shop.enter(binh, json!({ "status": "completed" })).await;
    shop.world.settle().await;
    let merge = json!({ "contact_id": an });
    let path = format!("/v1/contacts/{binh}/merge");
    let (status, answer) = shop.ask("POST", &path, Some(merge)).await;
    assert!(status < 300, "{answer}");
    shop.world.settle().await;
    assert_eq!(shop.known(binh).await, (2, 1_170_000));
    for contact in [an, binh] {
        let of = format!("?contact_id={contact}");
        assert_eq!(shop.codes(&of).await.len(), 2);
    }
    // A late version that names the former contact is the survivor's too.
    let late = version(6, OrderStatus::Completed, PaymentStatus::Paid, 500_000);
    shop.record(an, &late).await;
    shop.world.settle().await;
    assert_eq!(shop.known(binh).await, (2, 1_100_000));

    let path = format!("/v1/contacts/{binh}");
    assert_eq!(shop.ask("DELETE", &path, None).await.0, 204);
    shop.world.settle().await;
    let (_, page) = shop.ask("GET", "/v1/orders", None).await;
    assert_eq!(page["page"], json!({ "orders": 2, "total": 1_100_000 }));
    for row in shop.world.dump("Commerce").await {
        let text = row.to_string();
        let marks = [
            &an.to_string(),
            &binh.to_string(),
            "Trần",
            "0912345678",
            "Lê Lợi",
        ];
        let found: Vec<_> = marks.iter().filter(|mark| text.contains(**mark)).collect();
        assert!(found.is_empty(), "{found:?}: {text}");
    }
}

#[tokio::test]
async fn an_order_of_a_shop_system_is_read_only_but_for_the_staff_s_own() {
    let shop = Shop::new().await;
    let an = shop.contact("an@example.vn").await;
    let versions = life();
    shop.record(an, &versions[0]).await;
    let (_, page) = shop.ask("GET", "/v1/orders", None).await;
    let id: OrderId = page["data"][0]["id"].as_str().unwrap().parse().unwrap();
    let path = format!("/v1/orders/{id}");
    let change = json!({ "status": "completed" });
    assert_eq!(shop.ask("PATCH", &path, Some(change)).await.0, 409);
    let note = json!({ "staff_note": "Khách quen" });
    assert_eq!(shop.ask("PATCH", &path, Some(note)).await.0, 200);
    shop.record(an, &versions[1]).await;
    let (_, order) = shop.ask("GET", &path, None).await;
    assert_eq!(order["status"], "confirmed");
    assert_eq!(order["staff_note"], "Khách quen");
}

#[tokio::test]
async fn an_order_has_the_fields_that_the_shop_defines() {
    let shop = Shop::new().await;
    let fields = async |method: &str, path: &str, body: Option<Value>| {
        let grant = grant_of(shop.tenant.workspace(), "admin");
        let event = http_event(method, path, body.as_ref(), Some(&grant));
        shop.world.ask("api-contacts", event).await
    };
    let gift = json!({ "target": "order", "key": "qua", "label": "Quà", "type": "choice",
        "options": [{ "key": "hop", "label": "Hộp" }] });
    let (status, field) = fields("POST", "/v1/fields", Some(gift)).await;
    assert_eq!(
        (status, &field["merge_tag"]),
        (201, &Value::Null),
        "{field}"
    );
    let weight = json!({ "target": "order", "key": "can_nang", "label": "Cân nặng", "type": "number", "unique": true });
    let (status, problem) = fields("POST", "/v1/fields", Some(weight.clone())).await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (400, &json!("/unique"))
    );
    let mut weight = weight;
    weight["unique"] = json!(false);
    assert_eq!(fields("POST", "/v1/fields", Some(weight)).await.0, 201);
    // Contacts have other fields.
    let (_, page) = fields("GET", "/v1/fields", None).await;
    assert_eq!(page["data"], json!([]));
    let (_, page) = fields("GET", "/v1/fields?target=order", None).await;
    assert_eq!(page["data"].as_array().map(Vec::len), Some(2));

    let an = shop.contact("an@example.vn").await;
    let versions = life();
    shop.record(an, &versions[0]).await;
    let (_, page) = shop.ask("GET", "/v1/orders", None).await;
    let path = format!("/v1/orders/{}", page["data"][0]["id"].as_str().unwrap());
    let wrong = json!({ "staff_note": "", "custom": { "qua": "túi", "la": 1, "can_nang": "x" } });
    let (status, problem) = shop.ask("PATCH", &path, Some(wrong)).await;
    let places = problem["errors"].as_array().unwrap().iter();
    let places: Vec<&str> = places.map(|one| one["pointer"].as_str().unwrap()).collect();
    let expected = [
        "/custom/can_nang",
        "/custom/la",
        "/custom/qua",
        "/staff_note",
    ];
    assert_eq!((status, &places[..]), (400, &expected[..]));
    let values = json!({ "custom": { "qua": "HỘP", "can_nang": "1,5" } });
    let (status, order) = shop.ask("PATCH", &path, Some(values)).await;
    let stored = json!({ "qua": "hop", "can_nang": 1.5 });
    assert_eq!((status, &order["custom"]), (200, &stored));
    // The source changes the order: the values stay. A cleared field goes.
    shop.record(an, &versions[1]).await;
    let cleared = json!({ "custom": { "can_nang": null } });
    let (_, order) = shop.ask("PATCH", &path, Some(cleared)).await;
    assert_eq!(
        (&order["status"], &order["custom"]),
        (&json!("confirmed"), &json!({ "qua": "hop" }))
    );
    assert_eq!(fields("DELETE", "/v1/fields/qua", None).await.0, 404);
    assert_eq!(
        fields("DELETE", "/v1/fields/qua?target=order", None)
            .await
            .0,
        204
    );
}

#[tokio::test]
async fn a_buyer_who_becomes_known_later_has_the_order() {
    let shop = Shop::new().await;
    let an = shop.contact("an@example.vn").await;
    let versions = life();
    for version in [&versions[0], &versions[0], &versions[2]] {
        let recorded = shop.orders().record(shop.tenant, None, version).await;
        recorded.unwrap();
    }
    assert_eq!(shop.codes("?code=104512").await, ["#104512"]);
    shop.record(an, &versions[4]).await;
    shop.world.settle().await;
    assert_eq!(shop.known(an).await, (1, 570_000));
    assert_eq!(shop.codes(&format!("?contact_id={an}")).await.len(), 1);
    let path = format!("/v1/contacts/{an}/timeline");
    let (_, timeline) = shop.ask("GET", &path, None).await;
    let events = timeline["data"].as_array().unwrap().iter();
    let names: BTreeSet<&str> = events.map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        BTreeSet::from(["order.completed", "order.created", "order.paid"])
    );
}

#[tokio::test]
async fn a_change_killed_at_any_call_and_repeated_is_whole() {
    for n in 0.. {
        let shop = Shop::new().await;
        let an = shop.contact("an@example.vn").await;
        let order = shop.enter(an, json!({})).await;
        shop.world.settle().await;
        let path = format!("/v1/orders/{}", order["id"].as_str().unwrap());
        let body = json!({ "status": "completed", "payment_status": "paid" });
        let event = shop.request("PATCH", &path, Some(&body));
        let killed = shop
            .world
            .invoke_and_kill("api-commerce", event.clone(), Kill::After(n));
        let survived = killed.await.is_some();
        shop.world.advance(std::time::Duration::from_secs(61));
        assert_eq!(shop.world.ask("api-commerce", event).await.0, 200);
        shop.world.settle().await;
        assert_eq!(shop.known(an).await, (1, 600_000), "killed after {n}");
        let (_, timeline) = shop
            .ask("GET", &format!("/v1/contacts/{an}/timeline"), None)
            .await;
        assert_eq!(
            timeline["data"].as_array().unwrap().len(),
            3,
            "{n}: {timeline}"
        );
        if survived {
            assert!(n > 4, "only {n} calls");
            break;
        }
    }
}
