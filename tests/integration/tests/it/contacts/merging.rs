//! Who is whom: identities that race, stay or are replaced.

use std::collections::BTreeSet;

use contacts::{Identity, Incoming, Merge};

use super::shop::{Shop, email, person, phone};

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
    assert_eq!(shop.contact(id).await.tags.len(), 16);
    for n in 0..16 {
        let number = phone(&format!("09123456{n:02}"));
        let owner = shop
            .contacts()
            .find_identity(shop.tenant, &number)
            .await
            .unwrap();
        assert_eq!(owner, Some(id));
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
    assert_eq!(both.taken, [phone("0912345678")]);
    let (a, b) = (shop.contact(a).await, shop.contact(b).await);
    assert_eq!((a.full_name.as_deref(), a.phone), (Some("An"), None));
    assert!(b.phone.is_some() && b.email.is_none());
}

#[tokio::test]
async fn overwriting_replaces_what_was_known() {
    let shop = Shop::new().await;
    let external = Identity::External("KH-7".into());
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
    assert_eq!(contact.full_name.as_deref(), Some("Lê Bình"));
    assert!(contact.phone.is_some());
    assert_eq!(shop.found("binh").await, ["Lê Bình"]);
    assert!(shop.found("tran").await.is_empty() && shop.found("old@").await.is_empty());
    // The old address is free for somebody else.
    let other = shop.upsert(person("Chi", &[email("old@example.vn")])).await;
    assert!(other.created && other.contact != id);
}
