//! Consent belongs to an address: which consent stays when addresses change.

use contacts::consent::Stated;
use contacts::{Channel, ChannelStatus, Identity, Incoming, Merge, Statement};

use super::shop::{Shop, email, person, phone, told};

#[tokio::test]
async fn whoever_left_is_not_brought_back() {
    let shop = Shop::new().await;
    let agreed = Incoming {
        consent: told(ChannelStatus::Subscribed, &[Channel::Email]),
        ..person("An", &[email("an@example.vn")])
    };
    let id = shop.upsert(agreed.clone()).await.contact;
    let (contacts, at) = (shop.contacts(), shop.world.now());
    let set = async |status, cause| {
        let mut statement = Statement::from_status(Channel::Email, status).unwrap();
        statement.at = Some(at);
        let stated = contacts.declare(shop.tenant, id, &statement, cause, None);
        stated.await.unwrap() == Stated::Yes { news: true }
    };
    assert!(set(ChannelStatus::Unsubscribed, "link").await);
    assert!(!set(ChannelStatus::Unsubscribed, "link").await);
    set(ChannelStatus::Subscribed, "late").await;
    shop.upsert(agreed.clone()).await;
    shop.upsert(Incoming {
        merge: Merge::Overwrite,
        ..agreed
    })
    .await;
    assert_eq!(
        shop.contact(id).await.email_status,
        ChannelStatus::Unsubscribed
    );
    assert!(set(ChannelStatus::Complained, "report").await);
}

#[tokio::test]
async fn consent_for_one_address_is_not_booked_on_another() {
    let shop = Shop::new().await;
    let number = phone("0912345678");
    let id = shop
        .upsert(person(
            "An",
            &[
                Identity::own("KH-7"),
                number.clone(),
                email("an@example.vn"),
            ],
        ))
        .await
        .contact;
    for status in [ChannelStatus::Subscribed, ChannelStatus::Unsubscribed] {
        let other = Incoming {
            consent: told(status, &[Channel::Email]),
            ..person("An", &[Identity::own("KH-7"), email("khac@example.vn")])
        };
        for _ in 0..2 {
            assert_eq!(shop.upsert(other.clone()).await.contact, id);
        }
        let contact = shop.contact(id).await;
        assert_eq!(contact.email, Some("an@example.vn".parse().unwrap()));
        assert_eq!(contact.email_status, ChannelStatus::None);
    }
    // The same for text messages.
    let other = Incoming {
        consent: told(ChannelStatus::Subscribed, &[Channel::Sms]),
        ..person("An", &[email("an@example.vn"), phone("0987654321")])
    };
    assert_eq!(shop.upsert(other).await.contact, id);
    assert_eq!(shop.contact(id).await.sms_status, ChannelStatus::None);
    // Consent for the contact's current address counts, however the contact is found.
    let same = Incoming {
        consent: told(ChannelStatus::Subscribed, &[Channel::Email]),
        ..person("An", &[number, email("an@example.vn")])
    };
    shop.upsert(same).await;
    let status = shop.contact(id).await.email_status;
    assert_eq!(status, ChannelStatus::Subscribed);
}

#[tokio::test]
async fn consent_stays_with_its_address_whoever_writes_meanwhile() {
    for known in [false, true] {
        for at in 0.. {
            let shop = Shop::new().await;
            let external = Identity::own("KH-7");
            if known {
                shop.upsert(person("An", std::slice::from_ref(&external)))
                    .await;
            }
            let silent = person("An", &[external.clone(), email("an@example.vn")]);
            let agreed = Incoming {
                consent: told(ChannelStatus::Subscribed, &[Channel::Email]),
                ..person("An", &[external.clone(), email("khac@example.vn")])
            };
            let (first, second) = (shop.upsert(agreed), shop.upsert(silent));
            let (first, second, made) = shop.world.interleave(at, first, second).await;
            assert_eq!(first.contact, second.contact);
            assert_eq!(first.created || second.created, !known);
            let contact = shop.contact(first.contact).await;
            let expected = match contact.email.as_ref().unwrap().as_str() {
                "khac@example.vn" => ChannelStatus::Subscribed,
                _ => ChannelStatus::None,
            };
            assert_eq!(contact.email_status, expected, "call {at}");
            if made.is_none() {
                break;
            }
        }
    }
}

/// A contact is found by its external id, so that its addresses can be replaced.
fn customer(id: &str, identities: &[Identity], merge: Merge) -> Incoming {
    let mut incoming = person("An", &[Identity::own(id)]);
    incoming.identities.extend_from_slice(identities);
    Incoming {
        consent: told(ChannelStatus::Subscribed, &[Channel::Email, Channel::Sms]),
        merge,
        ..incoming
    }
}

#[tokio::test]
async fn a_no_goes_with_the_address_to_its_next_owner() {
    use ChannelStatus::{Bounced, Complained, Subscribed, Unsubscribed};
    let old = [email("an@example.vn"), phone("0912345678")];
    let new = [email("moi@example.vn"), phone("0987654321")];
    // The next owner is new, had no address, or had another.
    for next in [
        None,
        Some(vec![]),
        Some(vec![email("khac@example.vn"), phone("0911111111")]),
    ] {
        for no in [Unsubscribed, Bounced, Complained] {
            let shop = Shop::new().await;
            let (store, at) = (shop.contacts(), shop.world.now());
            let known = customer("KH-1", &old, Merge::FillEmpty);
            let id = shop.upsert(known).await.contact;
            for (channel, address) in [(Channel::Email, &old[0]), (Channel::Sms, &old[1])] {
                match address {
                    Identity::Email(address) if no == Bounced => {
                        assert!(store.bounced(shop.tenant, id, address).await.unwrap());
                    }
                    _ if no == Bounced => {}
                    _ => {
                        let mut statement = Statement::from_status(channel, no).unwrap();
                        statement.at = Some(at);
                        let set = store.declare(shop.tenant, id, &statement, "x", None);
                        assert_eq!(set.await.unwrap(), Stated::Yes { news: true });
                    }
                }
            }
            shop.upsert(customer("KH-1", &new, Merge::Overwrite)).await;
            // A bounce concerns the address; a refusal concerns the person.
            let person = shop.contact(id).await;
            let expected = if no == Bounced { Subscribed } else { no };
            assert_eq!(person.email_status, expected);

            if let Some(addresses) = &next {
                shop.upsert(customer("KH-2", addresses, Merge::FillEmpty))
                    .await;
            }
            let second = customer("KH-2", &old, Merge::Overwrite);
            for _ in 0..2 {
                let second = shop.upsert(second.clone()).await.contact;
                assert_ne!(second, id);
                let contact = shop.contact(second).await;
                assert!(contact.email.is_some() && contact.phone.is_some());
                assert_eq!(contact.email_status, no, "{next:?}");
                let sms = if no == Bounced { Subscribed } else { no };
                assert_eq!(contact.sms_status, sms, "{next:?}");
            }
        }
    }
}
