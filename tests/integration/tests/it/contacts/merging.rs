//! Merging of contacts: identities that race, stay or are replaced.

use std::collections::BTreeSet;

use contacts::{Identity, Incoming, Kept, Merge, NotTaken, Reason};
use serde_json::json;

use super::shop::{Shop, email, person, phone};
use crate::support::{Kill, http_event};

#[tokio::test]
async fn racing_forms_for_one_email_make_one_contact() {
    let shop = Shop::new().await;
    let racers = (0..16).map(|n| {
        let shop = shop.clone();
        async move {
            let number = format!("09123456{n:02}");
            let incoming = Incoming {
                tags: vec![format!("tag {n}")],
                ..person("An", &[email("an@example.vn"), phone(&number)])
            };
            shop.upsert(incoming).await
        }
    });
    let done = futures::future::join_all(racers).await;
    let ids: BTreeSet<_> = done.iter().map(|one| one.contact).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(done.iter().filter(|one| one.created).count(), 1);
    let id = done[0].contact;
    let contact = shop.contact(id).await;
    assert_eq!(contact.tags.len(), 16);
    let shown = contact.phone.iter().chain(&contact.shared_phones);
    assert_eq!(shown.collect::<BTreeSet<_>>().len(), 16);
    for n in 0..16 {
        let number = format!("09123456{n:02}");
        assert_eq!(shop.found(&number).await, ["An"], "{number}");
        let owner = shop.owner(&phone(&number)).await;
        let shows = contact.phone == Some(number.parse().unwrap());
        assert_eq!(owner, shows.then_some(id), "{number}");
    }
    let rows = shop.world.dump("Contacts").await;
    let profiles = rows.iter().filter(|row| row["sk"] == "PROFILE");
    assert_eq!(profiles.count(), 1, "reservations that lost are taken back");
}

#[tokio::test]
async fn an_identity_stays_with_its_first_owner() {
    let shop = Shop::new().await;
    let a = shop
        .upsert(person("An", &[email("an@example.vn")]))
        .await
        .contact;
    let b = shop
        .upsert(person("Bình", &[phone("0912345678")]))
        .await
        .contact;
    let both = shop
        .upsert(person(
            "Chi",
            &[email("an@example.vn"), phone("0912345678")],
        ))
        .await;
    assert_eq!((both.contact, both.created), (a, false));
    let expected = NotTaken {
        pointer: "/phone".into(),
        reason: Reason::BelongsToAnother,
        kept: Kept::Shared,
        owner_id: Some(b),
    };
    assert_eq!(both.not_taken, [expected]);
    let (a, b) = (shop.contact(a).await, shop.contact(b).await);
    assert_eq!((a.person.full_name.as_deref(), a.phone), (Some("An"), None));
    assert!(b.phone.is_some() && b.email.is_none());
}

#[tokio::test]
async fn overwriting_replaces_what_was_known() {
    let shop = Shop::new().await;
    let external = Identity::own("KH-7");
    let known = [
        external.clone(),
        email("old@example.vn"),
        phone("0912345678"),
    ];
    let id = shop.upsert(person("Trần An", &known)).await.contact;
    let new = Incoming {
        merge: Merge::Overwrite,
        ..person("Lê Bình", &[external, email("new@example.vn")])
    };
    for _ in 0..2 {
        assert_eq!(shop.upsert(new.clone()).await.contact, id);
    }
    let contact = shop.contact(id).await;
    assert_eq!(contact.email, Some("new@example.vn".parse().unwrap()));
    assert_eq!(contact.person.full_name.as_deref(), Some("Lê Bình"));
    assert!(contact.phone.is_some());
    assert_eq!(shop.found("binh").await, ["Lê Bình"]);
    assert!(shop.found("tran").await.is_empty() && shop.found("old@").await.is_empty());
    // The old address is free for somebody else.
    let other = shop.upsert(person("Chi", &[email("old@example.vn")])).await;
    assert!(other.created && other.contact != id);
}

/// A row of a file about a customer, whose address it brings up to date.
fn row(address: &str) -> Incoming {
    Incoming {
        merge: Merge::Overwrite,
        ..person("An", &[Identity::own("KH-7"), email(address)])
    }
}

#[tokio::test]
async fn an_overwrite_that_is_killed_at_any_call_leaves_no_claim_behind() {
    let (old, new) = ("old@example.vn", "new@example.vn");
    let body = json!({ "external_id": "KH-7", "email": new, "overwrite": true });
    let mut replaced = 0;
    for call in 0.. {
        let mut finished = false;
        for kill in [Kill::Before(call), Kill::After(call)] {
            let shop = Shop::new().await;
            let id = shop.upsert(row(old)).await.contact;
            let event = http_event("POST", "/v1/contacts", Some(&body), Some(&shop.grant()));
            let answer = shop.world.invoke_and_kill("api-contacts", event, kill);
            finished = answer.await.is_some();
            if shop.contact(id).await.email == Some(new.parse().unwrap()) {
                replaced += 1;
                // Another contact owns the address next; a write to either contact completes the interrupted
                // change.
                let next = shop.upsert(person("Chi", &[email(old)])).await;
                assert!(next.created && next.contact != id, "{kill:?}");
            }
            shop.upsert(row(new)).await;
            let contact = shop.contact(id).await;
            assert_eq!(contact.email, Some(new.parse().unwrap()));
            assert_ne!(shop.owner(&email(old)).await, Some(id), "{kill:?}");
        }
        if finished {
            break;
        }
    }
    assert!(replaced > 3, "{replaced}");
}

#[tokio::test]
async fn an_address_that_is_written_back_meanwhile_stays_claimed() {
    let (old, new) = ("old@example.vn", "new@example.vn");
    for (first, second) in [(new, old), (old, new)] {
        for owned in [false, true] {
            for at in 0.. {
                let shop = Shop::new().await;
                let id = shop.upsert(row(old)).await.contact;
                if owned {
                    // Not shown, but the contact's.
                    let also = [Identity::own("KH-7"), email(new)];
                    shop.upsert(person("An", &also)).await;
                }
                let (one, other) = (shop.upsert(row(first)), shop.upsert(row(second)));
                let (_, _, made) = shop.world.interleave(at, one, other).await;
                shop.upsert(person("An", &[Identity::own("KH-7")])).await;
                let shown = shop.contact(id).await.email.unwrap();
                let when = format!("{first} first, {shown} shown, call {at}");
                let owner = shop.owner(&email(shown.as_str())).await;
                assert_eq!(owner, Some(id), "{when}");
                if made.is_none() {
                    break;
                }
            }
        }
    }
}

#[tokio::test]
async fn two_forms_of_one_new_person_at_once_make_one_contact() {
    let (address, number) = (email("an@example.vn"), phone("0912345678"));
    let capture = person("An", std::slice::from_ref(&number));
    let last = person("An", &[address.clone(), number.clone()]);
    for (first, second) in [(&capture, &last), (&last, &capture), (&last, &last)] {
        for at in 0.. {
            let shop = Shop::new().await;
            let (one, other) = (shop.upsert(first.clone()), shop.upsert(second.clone()));
            let (one, other, made) = shop.world.interleave(at, one, other).await;
            assert_eq!(one.contact, other.contact, "call {at}");
            assert_ne!(one.created, other.created, "call {at}");
            let contact = shop.contact(one.contact).await;
            assert!(
                contact.email.is_some() && contact.phone.is_some(),
                "call {at}"
            );
            let rows = shop.world.dump("Contacts").await;
            let profiles = rows.iter().filter(|row| row["sk"] == "PROFILE");
            assert_eq!(profiles.count(), 1, "call {at}");
            if made.is_none() {
                break;
            }
        }
    }
}
