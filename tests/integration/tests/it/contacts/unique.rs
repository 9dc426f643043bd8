//! Unique fields: one contact has a value, by whichever door, in whatever order, and after every kill.

use std::time::Duration;

use contacts::{Incoming, Kept, Merge, NotTaken, Reason};
use futures::future::join_all;
use kernel::ContactId;
use serde_json::{Value, json};

use super::jobs::admin;
use super::life::survives_kills;
use super::shop::{Shop, email, person};

async fn define(shop: &Shop) {
    let field = json!({ "key": "ma_the", "label": "Mã thẻ", "type": "text", "unique": true });
    let (status, field) = admin(shop, "POST", "/v1/fields", Some(&field)).await;
    assert_eq!((status, &field["unique"]), (201, &json!(true)), "{field}");
}

/// A card of a person.
fn card(address: &str, value: &str) -> Incoming {
    Incoming {
        custom: [("ma_the".to_owned(), json!(value))].into(),
        merge: Merge::Overwrite,
        ..person("Trần Thị An", &[email(address)])
    }
}

async fn save(shop: &Shop, address: &str, value: &Value) -> (u64, Value) {
    let body = json!({ "email": address, "custom": { "ma_the": value } });
    shop.api("POST", "/v1/contacts", Some(&body)).await
}

async fn value(shop: &Shop, id: ContactId) -> Option<Value> {
    shop.contact(id).await.custom.get("ma_the").cloned()
}

fn id(contact: &Value) -> ContactId {
    contact["id"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn the_api_refuses_a_value_of_another_contact_and_names_its_place() {
    let shop = Shop::new().await;
    define(&shop).await;
    let (status, an) = save(&shop, "an@example.vn", &json!("KH 001")).await;
    assert_eq!(status, 201, "{an}");
    let (status, problem) = save(&shop, "binh@example.vn", &json!("kh  001")).await;
    let fault = &problem["errors"][0];
    assert_eq!(
        (status, &fault["pointer"]),
        (409, &json!("/custom/ma_the")),
        "{problem}"
    );
    let message = format!("contact {} has this value", id(&an));
    assert_eq!(fault["message"], json!(message));
    assert_eq!(
        shop.owner(&email("binh@example.vn")).await,
        None,
        "nothing is written"
    );
    let (_, binh) = save(&shop, "binh@example.vn", &json!("KH002")).await;
    let path = format!("/v1/contacts/{}", id(&binh));
    let patch = json!({ "custom": { "ma_the": "KH 001" } });
    assert_eq!(shop.api("PATCH", &path, Some(&patch)).await.0, 409);
    // A contact may spell its own value in another way. The value that it leaves is free.
    let own = json!({ "custom": { "ma_the": "kh002" } });
    assert_eq!(shop.api("PATCH", &path, Some(&own)).await.0, 200);
    let cleared = json!({ "custom": { "ma_the": null } });
    let first = format!("/v1/contacts/{}", id(&an));
    assert_eq!(shop.api("PATCH", &first, Some(&cleared)).await.0, 200);
    assert_eq!(shop.api("PATCH", &path, Some(&patch)).await.0, 200);
    let (status, again) = save(&shop, "an@example.vn", &json!("KH002")).await;
    assert_eq!(status, 200, "{again}");
    // An erased contact frees its value at once.
    let (status, _) = admin(&shop, "DELETE", &path, None).await;
    assert_eq!(status, 204);
    assert_eq!(shop.api("PATCH", &first, Some(&patch)).await.0, 200);
    shop.world.settle().await;
    assert_eq!(save(&shop, "ha@example.vn", &json!("KH 001")).await.0, 409);
}

#[tokio::test]
async fn a_field_is_made_unique_only_when_it_is_created() {
    let shop = Shop::new().await;
    define(&shop).await;
    for n in 0..4 {
        let field =
            json!({ "key": format!("so_{n}"), "label": "Số", "type": "number", "unique": true });
        assert_eq!(
            admin(&shop, "POST", "/v1/fields", Some(&field)).await.0,
            201
        );
    }
    let sixth = json!({ "key": "so_9", "label": "Số", "type": "number", "unique": true });
    assert_eq!(
        admin(&shop, "POST", "/v1/fields", Some(&sixth)).await.0,
        422
    );
    let plain = json!({ "key": "so_9", "label": "Số", "type": "number" });
    assert_eq!(
        admin(&shop, "POST", "/v1/fields", Some(&plain)).await.0,
        201
    );
    let on = json!({ "unique": true });
    let (status, problem) = admin(&shop, "PATCH", "/v1/fields/so_9", Some(&on)).await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (400, &json!("/unique"))
    );
    let off = json!({ "unique": false });
    assert_eq!(
        admin(&shop, "PATCH", "/v1/fields/ma_the", Some(&off))
            .await
            .0,
        200
    );
    shop.world.advance(Duration::from_secs(11));
    assert_eq!(save(&shop, "an@example.vn", &json!("A")).await.0, 201);
    assert_eq!(save(&shop, "binh@example.vn", &json!("A")).await.0, 201);
}

#[tokio::test]
async fn of_many_writers_one_gets_the_value_and_the_others_are_told() {
    let shop = Shop::new().await;
    define(&shop).await;
    let writers = (0..8).map(|n| {
        let shop = shop.clone();
        async move {
            shop.upsert(card(&format!("khach{n}@example.vn"), "KH001"))
                .await
        }
    });
    let done = join_all(writers).await;
    let (with, without): (Vec<_>, Vec<_>) = done.iter().partition(|one| one.not_taken.is_empty());
    assert_eq!((with.len(), without.len()), (1, 7));
    let expected = NotTaken {
        pointer: "/custom/ma_the".into(),
        reason: Reason::BelongsToAnother,
        kept: Kept::Nowhere,
        owner_id: Some(with[0].contact),
    };
    for one in without {
        assert_eq!(one.not_taken, std::slice::from_ref(&expected));
        assert_eq!(value(&shop, one.contact).await, None);
    }
    assert_eq!(value(&shop, with[0].contact).await, Some(json!("KH001")));
}

#[tokio::test]
async fn a_merge_moves_the_value_or_frees_it() {
    let shop = Shop::new().await;
    define(&shop).await;
    let an = shop
        .upsert(person("An", &[email("an@example.vn")]))
        .await
        .contact;
    let binh = shop.upsert(card("binh@example.vn", "KH001")).await.contact;
    let cuc = shop.upsert(card("cuc@example.vn", "KH002")).await.contact;
    shop.contacts()
        .merge(shop.tenant, an, binh, "usr_1")
        .await
        .unwrap();
    assert_eq!(value(&shop, an).await, Some(json!("KH001")));
    shop.contacts()
        .merge(shop.tenant, an, cuc, "usr_1")
        .await
        .unwrap();
    shop.world.settle().await;
    let (status, problem) = save(&shop, "ha@example.vn", &json!("KH001")).await;
    let owner = format!("contact {an} has this value");
    assert_eq!(
        (status, &problem["errors"][0]["message"]),
        (409, &json!(owner))
    );
    assert_eq!(save(&shop, "ha@example.vn", &json!("KH002")).await.0, 201);
}

#[tokio::test]
async fn an_import_leaves_taken_values_out_and_its_undo_gives_back_the_free_ones() {
    let shop = super::uploads::shop().await;
    define(&shop).await;
    let an = shop.upsert(card("an@example.vn", "A1")).await.contact;
    let binh = shop.upsert(card("binh@example.vn", "B1")).await.contact;
    shop.world.advance(Duration::from_secs(5));
    let file = "Email,Mã thẻ\nan@example.vn,A2\nbinh@example.vn,B2\nmoi@example.vn,A2\nkhac@example.vn,K1\n";
    let import = shop.upload("/v1/imports?duplicate_rule=update", file).await;
    shop.world.settle().await;
    let job = shop.job(&import).await;
    assert_eq!(
        (&job["created"], &job["updated"]),
        (&json!(2), &json!(2)),
        "{job}"
    );
    assert_eq!(value(&shop, an).await, Some(json!("A2")));
    let new = shop.owner(&email("moi@example.vn")).await.unwrap();
    assert_eq!(value(&shop, new).await, None);
    // The former value of the second contact is another's before the undo.
    let other = shop.upsert(card("la@example.vn", "B1")).await;
    assert!(other.not_taken.is_empty());
    shop.world.advance(Duration::from_secs(5));
    let path = format!("/v1/imports/{import}/undo");
    assert_eq!(shop.api("POST", &path, None).await.0, 202);
    shop.world.settle().await;
    assert_eq!(value(&shop, an).await, Some(json!("A1")));
    assert_eq!(value(&shop, binh).await, Some(json!("B2")));
    for free in ["A2", "K1"] {
        let address = format!("{free}@example.vn").to_lowercase();
        assert_eq!(save(&shop, &address, &json!(free)).await.0, 201, "{free}");
    }
}

#[tokio::test]
async fn a_saved_value_survives_kills() {
    let prepare = async |shop: &Shop| {
        define(shop).await;
        let an = shop.upsert(card("an@example.vn", "KH001")).await.contact;
        let body = json!({ "custom": { "ma_the": "KH002" } });
        (format!("/v1/contacts/{an}"), Some(body))
    };
    survives_kills("PATCH", prepare, 3).await;
}
