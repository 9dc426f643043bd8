//! A contact that is full: what has no room is refused or left out, and the rest still works.

use contacts::bounds::{MAX_FIELD_BYTES, MAX_LISTS, MAX_TAGS};
use contacts::consent::Stated;
use contacts::{Channel, ChannelStatus, Incoming, Joined, Statement};
use serde_json::{Value, json};

use super::shop::{Page, Shop, email, form, person, phone};

fn fields(from: usize, count: usize, bytes: usize) -> Value {
    let fields = (from..from + count).map(|n| (format!("f{n}"), json!("x".repeat(bytes))));
    Value::Object(fields.collect())
}

#[tokio::test]
async fn what_does_not_fit_is_named_and_nothing_of_the_request_is_written() {
    let shop = Shop::new().await;
    let save = async |custom: Value| {
        let body = json!({ "email": "an@example.vn", "custom": custom, "overwrite": true });
        shop.api("POST", "/v1/contacts", Some(&body)).await
    };
    let bytes = MAX_FIELD_BYTES / 50;
    assert_eq!(save(fields(0, 48, bytes)).await.0, 201);
    let (status, problem) = save(fields(40, 20, bytes)).await;
    assert_eq!(status, 422, "{problem}");
    let errors = problem["errors"].as_array().unwrap();
    assert!(
        errors
            .iter()
            .all(|error| error["pointer"].as_str().unwrap().starts_with("/custom/f"))
    );
    assert!((10..=12).contains(&errors.len()), "{problem}");
    let id = shop.owner(&email("an@example.vn")).await.unwrap();
    assert_eq!(shop.contact(id).await.custom.len(), 48);
    // Known fields can still change.
    assert_eq!(save(json!({ "f1": "y" })).await.0, 200);
    for (bad, status) in [
        (json!(1e300), 400),
        (json!([{ "a": 1e-200 }]), 400),
        (json!(1e125), 200),
    ] {
        let (found, answer) = save(json!({ "f1": bad })).await;
        assert_eq!(found, status, "{answer}");
        if status == 400 {
            assert_eq!(answer["errors"][0]["pointer"], "/custom/f1");
        }
    }
}

#[tokio::test]
async fn a_full_contact_gets_its_events_and_can_unsubscribe() {
    let shop = Shop::new().await;
    let everything = |n: usize| Incoming {
        tags: (0..40)
            .map(|tag| format!("{n}-{tag}{}", "ặ".repeat(240)))
            .collect(),
        custom: (0..40)
            .map(|field| (format!("{n}-{field}"), "ặ".repeat(900).into()))
            .collect(),
        ..person(
            "Trần An",
            &[phone("0912345678"), email("an.tran@example.vn")],
        )
    };
    let mut left_out = 0;
    let mut id = None;
    for n in 0..8 {
        let upserted = shop.upsert(everything(n)).await;
        left_out += upserted.surplus.count();
        id = Some(upserted.contact);
    }
    let id = id.unwrap();
    let contact = shop.contact(id).await;
    assert_eq!(contact.tags.len(), MAX_TAGS);
    assert!(left_out > 100, "{left_out}");
    let more = [String::from("một"), String::from("hai")];
    shop.contacts()
        .add_tags(shop.tenant, id, &more)
        .await
        .unwrap();
    assert_eq!(shop.contact(id).await.tags.len(), MAX_TAGS);

    // A form of this person whose source adds tags.
    let page = Page::of(&shop, &["ladipage"]).await;
    page.post(&shop, &form()).await;
    shop.world.settle().await;
    assert!(shop.world.dead_letters().is_empty());
    let owner = shop.owner(&phone("0912345678")).await.unwrap();
    assert_eq!(owner, id);
    let path = format!("/v1/contacts/{id}/timeline");
    let (_, timeline) = shop.api("GET", &path, None).await;
    let mut events = timeline["data"].as_array().unwrap().iter();
    let form = events.find(|one| one["name"] == "form.submitted").unwrap();
    assert_eq!(form["data"]["_left_out"], 1, "{timeline}");
    let store = shop.contacts();
    let left = Statement::from_status(Channel::Email, ChannelStatus::Unsubscribed).unwrap();
    let stated = store.declare(shop.tenant, id, &left, "link", None);
    assert_eq!(stated.await.unwrap(), Stated::Yes { news: true });
}

#[tokio::test]
async fn a_contact_is_on_a_bounded_number_of_lists() {
    let shop = Shop::new().await;
    let id = shop
        .upsert(person("An", &[email("an@example.vn")]))
        .await
        .contact;
    let list = |n: usize| format!("lst_{n:011}").parse().unwrap();
    for n in 0..MAX_LISTS + 3 {
        let joined = shop
            .contacts()
            .join_list(shop.tenant, id, list(n))
            .await
            .unwrap();
        assert_eq!(joined == Joined::Yes, n < MAX_LISTS, "{n}");
    }
    let again = shop
        .contacts()
        .join_list(shop.tenant, id, list(0))
        .await
        .unwrap();
    assert_eq!(again, Joined::Yes);
    let rows = shop.world.dump("Contacts").await;
    let memberships = rows.iter().filter(|row| row.get("member_of").is_some());
    assert_eq!(memberships.count(), MAX_LISTS);
}

#[tokio::test]
async fn a_name_that_two_writers_change_at_once_is_still_found() {
    for at in 0.. {
        let shop = Shop::new().await;
        let named = |name: &str| Incoming {
            merge: contacts::Merge::Overwrite,
            ..person(name, &[email("an@example.vn")])
        };
        let id = shop.upsert(named("Trần An")).await.contact;
        let back = async {
            shop.upsert(named("Lê Bình")).await;
            shop.upsert(named("Trần An")).await;
        };
        let (_, (), made) = shop
            .world
            .interleave(at, shop.upsert(named("Lê Bình")), back)
            .await;
        let shown = shop.contact(id).await.person.full_name.unwrap();
        let word = shown.split(' ').next().unwrap();
        assert_eq!(
            shop.found(word).await,
            std::slice::from_ref(&shown),
            "call {at}"
        );
        if made.is_none() {
            break;
        }
    }
}
