//! Contacts that staff merge: nothing of either is lost, and messages that name the former contact reach the survivor.

use contacts::consent::{Decision, Method};
use contacts::{Channel, ChannelStatus, Event, Identity, Incoming, Note, Notes, Statement};
use kernel::{ContactId, Limit, ListId, NoteId};
use serde_json::{Value, json};

use super::life::{survives_kills, without_marks};
use super::shop::{Shop, compares, email, essence, members, person, phone, told};

fn visitor() -> Identity {
    Identity::Visitor {
        inbox: "inb_0000000000a".parse().unwrap(),
        visitor: "khach".into(),
    }
}

async fn list(shop: &Shop, name: &str) -> ListId {
    let (_, list) = shop
        .api("POST", "/v1/lists", Some(&json!({ "name": name })))
        .await;
    list["id"].as_str().unwrap().parse().unwrap()
}

async fn note(shop: &Shop, id: ContactId, text: &str) {
    let note = Note {
        id: NoteId::new(&shop.world.clock(), shop.world.table("Contacts").entropy()),
        text: text.into(),
        author_id: "usr_1".into(),
        created_at: shop.world.now(),
        updated_at: shop.world.now(),
    };
    let notes = Notes::over(&shop.world.resources());
    notes.add(shop.tenant, id, &note).await.unwrap();
}

async fn event(shop: &Shop, id: ContactId, name: &str) {
    let event = Event {
        id: name.to_owned(),
        name: "form.submitted".into(),
        at: shop.world.now(),
        source: "api".into(),
        data: json!({}),
    };
    let contacts = shop.contacts();
    contacts.record(shop.tenant, id, &event).await.unwrap();
}

/// Two contacts, each with rows of every kind.
async fn two(shop: &Shop) -> (ContactId, ContactId, [ListId; 2]) {
    let lists = [
        list(shop, "Khách quen").await,
        list(shop, "Khách mới").await,
    ];
    let stays = Incoming {
        tags: vec!["VIP".into()],
        lists: vec![lists[0]],
        custom: [("hạng".to_owned(), json!("vàng"))].into(),
        consent: told(ChannelStatus::Subscribed, &[Channel::Email]),
        ..person("Trần Thị An", &[email("an@example.vn")])
    };
    let stays = shop.upsert(stays).await.contact;
    let own = [
        email("an2@example.vn"),
        phone("0912345678"),
        Identity::own("K7"),
        visitor(),
    ];
    let goes = Incoming {
        tags: vec!["vip".into(), "sỉ".into()],
        lists: lists.to_vec(),
        custom: [
            ("Hạng".to_owned(), json!("bạc")),
            ("size".to_owned(), json!("M")),
        ]
        .into(),
        consent: told(ChannelStatus::Unsubscribed, &[Channel::Sms]),
        ..person("Trần An", &own)
    };
    let goes = shop.upsert(goes).await.contact;
    for id in [stays, goes] {
        note(shop, id, &format!("note of {}", id == stays)).await;
        event(shop, id, &format!("e{}", u8::from(id == stays))).await;
    }
    shop.world.settle_twice().await;
    (stays, goes, lists)
}

async fn merge(shop: &Shop, stays: ContactId, goes: ContactId) -> (u64, Value) {
    let path = format!("/v1/contacts/{stays}/merge");
    let body = json!({ "contact_id": goes });
    shop.api("POST", &path, Some(&body)).await
}

async fn names(shop: &Shop, id: ContactId) -> Vec<String> {
    let mut names = Vec::new();
    let mut query = "?limit=1".to_owned();
    loop {
        let path = format!("/v1/contacts/{id}/timeline{query}");
        let (status, page) = shop.api("GET", &path, None).await;
        assert_eq!(status, 200, "{page}");
        let data = page["data"].as_array().unwrap().iter();
        names.extend(data.map(|one| one["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else {
            return names;
        };
        query = format!("?limit=1&cursor={next}");
    }
}

#[tokio::test]
async fn a_merged_contact_has_what_both_had() {
    let shop = Shop::new().await;
    let (stays, goes, lists) = two(&shop).await;
    let (status, contact) = merge(&shop, stays, goes).await;
    assert_eq!(status, 200, "{contact}");
    for (field, value) in [
        ("full_name", json!("Trần Thị An")),
        ("email", json!("an@example.vn")),
        ("phone", json!("+84912345678")),
        ("external_id", json!("K7")),
        ("other_emails", json!(["an2@example.vn"])),
        ("merged_ids", json!([goes])),
        ("tags", json!(["VIP", "sỉ"])),
        ("custom", json!({ "hạng": "vàng", "size": "M" })),
        ("email_status", json!("subscribed")),
        ("sms_status", json!("unsubscribed")),
    ] {
        assert_eq!(contact[field], value, "{field}: {contact}");
    }
    for list in lists {
        assert!(members(&shop, list).await.contains(&stays));
    }
    shop.world.settle_twice().await;
    assert!(shop.world.dead_letters().is_empty());
    for list in lists {
        assert_eq!(members(&shop, list).await, [stays].into());
    }
    for identity in [
        email("an2@example.vn"),
        phone("0912345678"),
        Identity::own("K7"),
        visitor(),
    ] {
        assert_eq!(shop.owner(&identity).await, Some(stays), "{identity:?}");
    }
    let ids = names(&shop, stays).await;
    assert_eq!(ids.len(), 3, "{ids:?}");
    assert!(ids.contains(&format!("contact.merged#{goes}")), "{ids:?}");
    let path = format!("/v1/contacts/{stays}/notes");
    let notes = shop.api("GET", &path, None).await.1;
    assert_eq!(notes["data"].as_array().unwrap().len(), 2, "{notes}");
    let path = format!("/v1/contacts/{stays}/consent");
    let consent = shop.api("GET", &path, None).await.1;
    assert_eq!(consent["data"].as_array().unwrap().len(), 2, "{consent}");
    for query in ["an2@example.vn", "0912345678", "K7", "Trần Thị An"] {
        assert_eq!(shop.found(query).await, ["Trần Thị An"], "{query}");
    }
    let log = shop.world.dump("Directory").await;
    let noted = log
        .iter()
        .find(|row| row["action"] == "mergeContacts")
        .unwrap();
    assert!(noted.to_string().contains(&goes.to_string()));
    // Again, and by the former id.
    assert_eq!(merge(&shop, stays, goes).await.0, 200);
    let (status, problem) = shop.api("GET", &format!("/v1/contacts/{goes}"), None).await;
    assert_eq!((status, &problem["code"]), (410, &json!("merged")));
    assert_eq!(problem["errors"][0]["message"], json!(stays));
    let third = shop
        .upsert(person("Lê Hà", &[email("ha@example.vn")]))
        .await;
    assert_eq!(merge(&shop, third.contact, goes).await.0, 409);
    assert_eq!(merge(&shop, stays, stays).await.0, 400);
}

#[tokio::test]
async fn what_names_the_former_contact_is_about_the_survivor() {
    let shop = Shop::new().await;
    let (stays, goes, _) = two(&shop).await;
    let (middle, _) = (stays, merge(&shop, stays, goes).await);
    let last = shop
        .upsert(person("Lê Hà", &[email("ha@example.vn")]))
        .await
        .contact;
    // Before the workers.
    assert_eq!(merge(&shop, last, middle).await.0, 200);
    shop.world.settle_twice().await;
    let input = Incoming {
        tags: vec!["mới".into()],
        ..person("An", &[email("an2@example.vn")])
    };
    let again = shop.upsert(input).await;
    assert_eq!((again.contact, again.created), (last, false));
    // Another email of the person is no contradiction.
    let both = shop
        .upsert(person(
            "An",
            &[phone("0912345678"), email("an2@example.vn")],
        ))
        .await;
    assert_eq!((both.contact, both.not_taken.len()), (last, 0));
    for (n, former) in [goes, middle].into_iter().enumerate() {
        event(&shop, former, &format!("late-{former}")).await;
        let leave = Statement::new(Method::MailLink, Decision::Withdrawn, [Channel::Email]);
        let cause = former.to_string();
        let contacts = shop.contacts();
        contacts
            .declare(shop.tenant, former, &leave, &cause, None)
            .await
            .unwrap();
        contacts
            .add_tags(shop.tenant, former, &[format!("late {n}")])
            .await
            .unwrap();
    }
    let contact = shop.contact(last).await;
    assert_eq!(contact.email_status, ChannelStatus::Unsubscribed);
    assert_eq!(contact.tags.len(), 5, "{:?}", contact.tags);
    let ids = names(&shop, last).await;
    // Two late events, and three changes of tags.
    assert_eq!(ids.len(), 9, "{ids:?}");
    let history = shop
        .contacts()
        .consent_history(shop.tenant, last, Limit::default(), None)
        .await;
    assert!(history.unwrap().data.len() >= 3);
    // A stop for a further address is a stop of the person; a grant is none.
    let back = Incoming {
        consent: told(ChannelStatus::Subscribed, &[Channel::Email]),
        ..person("An", &[email("an@example.vn")])
    };
    shop.upsert(back).await;
    assert_eq!(
        shop.contact(last).await.email_status,
        ChannelStatus::Unsubscribed
    );
    let body = json!({ "email": "an2@example.vn" });
    let (status, edited) = shop
        .api("PATCH", &format!("/v1/contacts/{last}"), Some(&body))
        .await;
    assert_eq!(
        (status, &edited["email"]),
        (200, &json!("an2@example.vn")),
        "{edited}"
    );
    assert_eq!(edited["other_emails"], json!(["an@example.vn"]));
    assert_eq!(shop.owner(&email("ha@example.vn")).await, None);
    // Erased, nothing of any of them is left.
    let mut grant = shop.grant();
    grant.role = Some(kernel::Role::AccountAdmin);
    let path = format!("/v1/contacts/{last}");
    let erase = crate::support::http_event("DELETE", &path, None, Some(&grant));
    assert_eq!(shop.world.ask("api-contacts", erase).await.0, 204);
    shop.world.settle_twice().await;
    for table in ["Contacts", "Timeline"] {
        for row in shop.world.dump(table).await {
            let text = row.to_string();
            let ids = [goes, middle, last].map(|id| id.to_string());
            let is_person = (text.contains("example.vn") && !text.contains("ha@"))
                || text.contains("912345678");
            let is_tombstone = row["sk"] == "PROFILE" && row["ttl"].is_number();
            let is_closed = row["sk"] == "NOTES" && row["ttl"].is_number();
            let names_one = ids.iter().any(|id| text.contains(id));
            assert!(
                !is_person || row["pk"].as_str().unwrap().contains("#REFUSED#"),
                "{row}"
            );
            assert!(!names_one || is_tombstone || is_closed, "{row}");
        }
    }
}

#[tokio::test]
async fn two_that_have_too_much_stay_two() {
    let shop = Shop::new().await;
    let mut ids = Vec::new();
    for (n, name) in ["an@example.vn", "binh@example.vn"].into_iter().enumerate() {
        let incoming = Incoming {
            tags: (0..150).map(|tag| format!("t{n}-{tag}")).collect(),
            ..person("An", &[email(name)])
        };
        ids.push(shop.upsert(incoming).await.contact);
    }
    let (status, problem) = merge(&shop, ids[0], ids[1]).await;
    assert_eq!(status, 422, "{problem}");
    assert_eq!(problem["errors"][0]["pointer"], "/tags");
    assert_eq!(shop.owner(&email("binh@example.vn")).await, Some(ids[1]));
    shop.api("POST", &format!("/v1/contacts/{}/archive", ids[0]), None)
        .await;
    assert_eq!(merge(&shop, ids[0], ids[1]).await.0, 409);
    let gone: ContactId = "con_0000000000a".parse().unwrap();
    assert_eq!(merge(&shop, ids[1], gone).await.0, 400);
    assert_eq!(merge(&shop, gone, ids[1]).await.0, 404);
}

#[tokio::test]
async fn a_merge_may_be_killed_at_any_call() {
    let prepare = async |shop: &Shop| {
        let (stays, goes, _) = two(shop).await;
        (
            format!("/v1/contacts/{stays}/merge"),
            Some(json!({ "contact_id": goes })),
        )
    };
    survives_kills("POST", prepare, 8).await;
    let outcome = async |kill: Option<crate::support::Kill>| {
        let shop = Shop::new().await;
        let (stays, goes, _) = two(&shop).await;
        assert_eq!(merge(&shop, stays, goes).await.0, 200);
        shop.world.relay().await;
        let mut finished = true;
        if let Some(kill) = kill {
            let batch = shop.world.take("contact-bulk").unwrap();
            let event = batch.event.clone();
            finished = shop
                .world
                .invoke_and_kill("contact-bulk", event, kill)
                .await
                .is_some();
            shop.world.release(&batch);
        }
        shop.world.settle_twice().await;
        assert!(shop.world.dead_letters().is_empty());
        let state = (
            essence(&shop.world, "Contacts").await,
            essence(&shop.world, "Timeline").await,
        );
        (finished, without_marks(state))
    };
    compares(outcome, 8).await;
}

#[tokio::test]
async fn a_merge_costs_two_units_for_each_row() {
    let shop = Shop::new().await;
    let (stays, goes, _) = two(&shop).await;
    let before = shop.world.aws.meter().snapshot();
    merge(&shop, stays, goes).await;
    let (written, read) = shop.world.units("Contacts", &before);
    // Eight for profiles and notes, two for each of four identities, two lists, and the outbox with its index.
    assert!(written <= 30.0, "{written}");
    assert!(read <= 16.0, "{read}");
    shop.world.settle_twice().await;
    let (written, _) = shop.world.units("Contacts", &before);
    assert!(written <= 62.0, "{written}");
}
