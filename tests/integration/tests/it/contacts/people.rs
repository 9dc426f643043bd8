//! Different people who share a phone or an address, at each way in.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::shop::{Page, Shop, email, person, phone};

/// The contact that a search finds alone.
async fn one(shop: &Shop, query: &str) -> Value {
    let path = format!("/v1/contacts?query={query}");
    let (status, page) = shop.api("GET", &path, None).await;
    assert_eq!(status, 200, "{page}");
    let found = page["data"].as_array().unwrap();
    assert_eq!(found.len(), 1, "{query}: {page}");
    found[0].clone()
}

#[tokio::test]
async fn two_customer_ids_with_one_phone_are_two_people() {
    let shop = Shop::new().await;
    let (b1, b2) = (
        json!({ "external_id": "KH-1", "full_name": "Trần Ba", "email": "ba@nha.example.vn", "phone": "0904200401" }),
        json!({ "external_id": "KH-2", "full_name": "Trần Tư", "email": "tu@nha.example.vn", "phone": "0904200401" }),
    );
    let (status, first) = shop.api("POST", "/v1/contacts", Some(&b1)).await;
    assert_eq!((status, &first["not_taken"]), (201, &json!([])));
    let (status, second) = shop.api("POST", "/v1/contacts", Some(&b2)).await;
    assert_eq!((status, &second["email"]), (201, &b2["email"]), "{second}");
    assert_eq!(
        (&second["phone"], &second["shared_phones"]),
        (&Value::Null, &json!(["+84904200401"]))
    );
    let expected = json!([{
        "pointer": "/phone", "reason": "belongs_to_another", "kept": "shared", "owner_id": first["id"],
    }]);
    assert_eq!(second["not_taken"], expected);
    assert_eq!(one(&shop, "tu@nha").await["id"], second["id"]);
    assert_eq!(
        shop.found("0904200401").await.len(),
        2,
        "the phone finds both"
    );
    let renamed = json!({ "external_id": "KH-2", "full_name": "Trần Tư Lớn", "overwrite": true });
    let (_, answer) = shop.api("POST", "/v1/contacts", Some(&renamed)).await;
    assert_eq!(answer["id"], second["id"]);
    assert_eq!(one(&shop, "ba@nha").await["full_name"], "Trần Ba");
    // The same request again: the same contact, and the same is named.
    let (status, again) = shop.api("POST", "/v1/contacts", Some(&b2)).await;
    assert_eq!((status, &again["not_taken"]), (200, &expected));
}

#[tokio::test]
async fn another_email_with_a_known_phone_is_another_person() {
    let shop = Shop::new().await;
    let an = shop
        .upsert(person("An", &[email("an@example.vn"), phone("0912345678")]))
        .await;
    let other = shop
        .upsert(person(
            "Khác",
            &[email("khac@example.vn"), phone("0912345678")],
        ))
        .await;
    assert!(other.created && other.contact != an.contact);
    assert_eq!(shop.found("khac@example.vn").await, ["Khác"]);
    // An email that is known decides over a phone that is not.
    let moved = shop
        .upsert(person("An", &[email("an@example.vn"), phone("0912345679")]))
        .await;
    assert_eq!(moved.contact, an.contact);
    assert_eq!(shop.found("0912345679").await, ["An"]);
}

#[tokio::test]
async fn the_rows_of_a_family_stay_apart() {
    let shop = Shop::new().await;
    let file = "Mã khách hàng,Họ và tên,Email,Số điện thoại\n\
        KH-1,Lê Một,mot@nha.example.vn,0903666701\n\
        KH-2,Lê Hai,hai@nha.example.vn,0903666701\n\
        KH-3,Lê Ba,,0903666701\n";
    for _ in 0..2 {
        let import = shop.upload("/v1/imports", file).await;
        shop.world.settle().await;
        let job = shop.job(&import).await;
        assert_eq!(job["failed"], 0, "{job}");
        let told: Vec<_> = job["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| &error["column"])
            .collect();
        assert_eq!(told, ["phone", "phone"], "{job}");
    }
    assert_eq!(shop.found("").await.len(), 3);
    for (query, id, name) in [
        ("mot@nha", "KH-1", "Lê Một"),
        ("hai@nha", "KH-2", "Lê Hai"),
        ("KH-3", "KH-3", "Lê Ba"),
    ] {
        let contact = one(&shop, query).await;
        assert_eq!(
            (&contact["external_id"], &contact["full_name"]),
            (&id.into(), &name.into())
        );
    }
    assert_eq!(shop.found("0903666701").await.len(), 3);
}

#[tokio::test]
async fn a_till_s_phone_makes_no_two_people_one() {
    let shop = Shop::new().await;
    let rows: String = (0..30)
        .map(|n| format!("Khách {n},khach{n}@example.vn,0900000000\n"))
        .collect();
    let import = shop
        .upload("/v1/imports", &format!("Họ tên,Email,SĐT\n{rows}"))
        .await;
    shop.world.settle().await;
    let job = shop.job(&import).await;
    assert_eq!(
        (&job["created"], &job["failed"]),
        (&30.into(), &0.into()),
        "{job}"
    );
    for n in 0..30 {
        assert_eq!(
            shop.found(&format!("khach{n}@example.vn")).await,
            [format!("Khách {n}")]
        );
    }
}

#[tokio::test]
async fn a_form_hides_no_address_on_another_person() {
    let shop = Shop::new().await;
    let page = Page::of(&shop, &[]).await;
    for (name, address) in [("Mẹ", "me@nha.example.vn"), ("Con", "con@nha.example.vn")] {
        page.post(
            &shop,
            &json!({ "name": name, "phone": "0904400001", "email": address }),
        )
        .await;
        shop.world.settle().await;
    }
    assert_eq!(shop.found("con@nha").await, ["Con"]);
    let con = one(&shop, "con@nha").await;
    let path = format!("/v1/contacts/{}/timeline", con["id"].as_str().unwrap());
    let (_, timeline) = shop.api("GET", &path, None).await;
    let told = &timeline["data"][0]["data"]["_not_taken"][0];
    assert_eq!(
        (&told["pointer"], &told["reason"]),
        (&"/phone".into(), &"belongs_to_another".into())
    );
    shop.upload(
        "/v1/imports",
        "Email,Họ tên,SĐT\r\ncon@nha.example.vn,Con Trai,0904500001\r\n",
    )
    .await;
    shop.world.settle().await;
    let (mother, son) = (one(&shop, "me@nha").await, one(&shop, "con@nha").await);
    assert_eq!(
        (&mother["full_name"], &mother["phone"]),
        (&"Mẹ".into(), &"+84904400001".into())
    );
    assert_eq!(
        (&son["full_name"], &son["phone"]),
        (&"Con Trai".into(), &"+84904500001".into())
    );
}

#[tokio::test]
async fn a_form_hangs_no_address_on_a_known_contact() {
    let shop = Shop::new().await;
    let page = Page::of(&shop, &[]).await;
    let id = shop
        .upsert(person("Lan", &[phone("0987111333")]))
        .await
        .contact;
    page.post(
        &shop,
        &json!({ "phone": "0987111333", "email": "la@evil.example" }),
    )
    .await;
    shop.world.settle().await;
    let contact = one(&shop, "0987111333").await;
    assert_eq!(contact["id"], json!(id));
    assert_eq!(
        (&contact["email"], &contact["unconfirmed_emails"]),
        (&Value::Null, &json!(["la@evil.example"]))
    );
    assert_eq!(
        one(&shop, "la@evil").await["id"],
        json!(id),
        "it is seen, and found"
    );
    assert_eq!(shop.owner(&email("la@evil.example")).await, None);
    // The shop's own word confirms the address.
    shop.upsert(person(
        "Lan",
        &[phone("0987111333"), email("la@evil.example")],
    ))
    .await;
    let contact = shop.contact(id).await;
    assert!(contact.email.is_some() && contact.unconfirmed_emails.is_empty());
}

#[tokio::test]
async fn two_people_at_once_with_one_phone_are_two_contacts() {
    let (one, other) = (
        person(
            "Một",
            &[contacts::Identity::own("KH-1"), phone("0912345678")],
        ),
        person(
            "Hai",
            &[contacts::Identity::own("KH-2"), phone("0912345678")],
        ),
    );
    for known in [false, true] {
        for at in 0.. {
            let shop = Shop::new().await;
            if known {
                shop.upsert(person("Ai đó", &[phone("0912345678")])).await;
            }
            let (first, second) = (shop.upsert(one.clone()), shop.upsert(other.clone()));
            let (_, _, made) = shop.world.interleave(at, first, second).await;
            // A repetition finds what the race left, and finishes it.
            let ids = [
                shop.upsert(one.clone()).await,
                shop.upsert(other.clone()).await,
            ];
            let ids: BTreeSet<_> = ids.iter().map(|done| done.contact).collect();
            assert_eq!(ids.len(), 2, "call {at}");
            assert_eq!(shop.found("").await.len(), 2, "call {at}");
            for id in ["KH-1", "KH-2"] {
                assert_eq!(shop.found(id).await.len(), 1, "call {at}");
            }
            assert_eq!(shop.found("0912345678").await.len(), 2, "call {at}");
            if made.is_none() {
                break;
            }
        }
    }
}
