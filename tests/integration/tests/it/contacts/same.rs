//! Contacts that are perhaps one person, and the confirmation of addresses.

use contacts::{Incoming, Trust};
use kernel::ContactId;
use serde_json::{Value, json};

use super::life::survives_kills;
use super::shop::{Shop, email, person, phone};

async fn pairs(shop: &Shop, query: &str) -> Value {
    let path = format!("/v1/contacts/duplicates{query}");
    let (status, page) = shop.api("GET", &path, None).await;
    assert_eq!(status, 200, "{page}");
    page
}

/// A contact to whom a form gave an address; the contact has no email yet.
async fn unconfirmed(shop: &Shop, address: &str) -> ContactId {
    let own = shop
        .upsert(person("Trần Thị An", &[phone("0912345678")]))
        .await
        .contact;
    let form = Incoming {
        trust: Trust::Anybody,
        ..person("An", &[phone("0912345678"), email(address)])
    };
    shop.upsert(form).await;
    assert_eq!(shop.contact(own).await.unconfirmed_emails.len(), 1);
    own
}

async fn confirm(shop: &Shop, id: ContactId, body: Value) -> (u64, Value) {
    let path = format!("/v1/contacts/{id}/identities/confirm");
    shop.api("POST", &path, Some(&body)).await
}

#[tokio::test]
async fn an_unconfirmed_address_becomes_the_contacts_own_or_names_its_owner() {
    let shop = Shop::new().await;
    let id = unconfirmed(&shop, "an@example.vn").await;
    let address = json!({ "email": "an@example.vn" });
    assert_eq!(confirm(&shop, id, json!({})).await.0, 400);
    assert_eq!(
        confirm(&shop, id, json!({ "email": "x@example.vn" }))
            .await
            .0,
        400
    );
    for _ in 0..2 {
        let (status, contact) = confirm(&shop, id, address.clone()).await;
        assert_eq!((status, &contact["email"]), (200, &json!("an@example.vn")));
        assert_eq!(contact["unconfirmed_emails"], json!([]));
    }
    assert_eq!(shop.owner(&email("an@example.vn")).await, Some(id));

    let shop = Shop::new().await;
    let id = unconfirmed(&shop, "an@example.vn").await;
    let owner = shop
        .upsert(person("Lê Hà", &[email("an@example.vn")]))
        .await
        .contact;
    assert_ne!(owner, id);
    let (status, problem) = confirm(&shop, id, address).await;
    assert_eq!(status, 409);
    assert_eq!(problem["errors"][0]["pointer"], "/email");
    let message = problem["errors"][0]["message"].as_str().unwrap();
    assert!(message.contains(&owner.to_string()), "{message}");
    let page = pairs(&shop, "").await;
    let reasons: Vec<&Value> = page["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["reason"])
        .collect();
    assert_eq!(reasons.len(), 1, "{page}");
}

#[tokio::test]
async fn pairs_are_listed_while_they_are_pairs() {
    let shop = Shop::new().await;
    let mother = shop
        .upsert(person(
            "Trần Thị An",
            &[phone("0912345678"), email("an@example.vn")],
        ))
        .await
        .contact;
    // Of another email, so another person, with the phone of the family.
    let mut children = Vec::new();
    for n in 0..3 {
        let own = email(&format!("con{n}@example.vn"));
        let child = shop
            .upsert(person("Trần Bình", &[own, phone("0912345678")]))
            .await;
        children.push(child.contact);
    }
    let page = pairs(&shop, "").await;
    let data = page["data"].as_array().unwrap();
    assert_eq!(data.len(), 3, "{page}");
    for one in data {
        assert_eq!(one["owner"]["id"], json!(mother));
        assert_eq!(
            (&one["reason"], &one["address"]),
            (&json!("shared_phone"), &json!("+84912345678"))
        );
    }
    let mut seen = 0;
    let mut query = "?limit=1".to_owned();
    loop {
        let page = pairs(&shop, &query).await;
        seen += page["data"].as_array().unwrap().len();
        let Some(next) = page["next"].as_str() else {
            break;
        };
        query = format!("?limit=1&cursor={next}");
    }
    assert_eq!(seen, 3);
    let before = shop.world.aws.meter().snapshot();
    pairs(&shop, "").await;
    let (read, _) = shop.world.units("Contacts", &before);
    assert!(read <= 46.0, "{read}");
    shop.api(
        "POST",
        &format!("/v1/contacts/{}/archive", children[0]),
        None,
    )
    .await;
    shop.contacts()
        .erase(shop.tenant, children[1])
        .await
        .unwrap();
    assert_eq!(pairs(&shop, "").await["data"].as_array().unwrap().len(), 1);
    // The owner gives the number up.
    let body = json!({ "phone": null });
    shop.api("PATCH", &format!("/v1/contacts/{mother}"), Some(&body))
        .await;
    assert_eq!(pairs(&shop, "").await["data"], json!([]));
}

#[tokio::test]
async fn a_confirmation_may_be_killed_at_any_call() {
    let prepare = async |shop: &Shop| {
        let id = unconfirmed(shop, "an@example.vn").await;
        let body = json!({ "email": "an@example.vn" });
        (format!("/v1/contacts/{id}/identities/confirm"), Some(body))
    };
    survives_kills("POST", prepare, 4).await;
}
