//! Which address was agreed to, and what stays of it when addresses change.

use contacts::{Channel, ChannelStatus, Identity, Incoming, Merge};

use super::shop::{Shop, email, person, phone};

#[tokio::test]
async fn whoever_left_is_not_brought_back() {
    let shop = Shop::new().await;
    let agreed = Incoming {
        email_status: Some(ChannelStatus::Subscribed),
        ..person("An", &[email("an@example.vn")])
    };
    let id = shop.upsert(agreed.clone()).await.contact;
    let (contacts, at) = (shop.contacts(), shop.world.now());
    let set = async |status, reason| {
        let channel = Channel::Email;
        contacts
            .set_channel_status(shop.tenant, id, channel, status, at, reason)
            .await
            .unwrap()
    };
    assert!(set(ChannelStatus::Unsubscribed, "link").await);
    assert!(!set(ChannelStatus::Unsubscribed, "link").await);
    assert!(!set(ChannelStatus::Subscribed, "late").await);
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
        .upsert(person("An", &[number.clone(), email("an@example.vn")]))
        .await
        .contact;
    for status in [ChannelStatus::Subscribed, ChannelStatus::Unsubscribed] {
        let other = Incoming {
            email_status: Some(status),
            ..person("An", &[number.clone(), email("khac@example.vn")])
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
        sms_status: Some(ChannelStatus::Subscribed),
        ..person("An", &[email("an@example.vn"), phone("0987654321")])
    };
    assert_eq!(shop.upsert(other).await.contact, id);
    assert_eq!(shop.contact(id).await.sms_status, ChannelStatus::None);
    // For the address that the contact has, it counts, however it is found.
    let same = Incoming {
        email_status: Some(ChannelStatus::Subscribed),
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
            let external = Identity::External("KH-7".into());
            if known {
                shop.upsert(person("An", std::slice::from_ref(&external)))
                    .await;
            }
            let silent = person("An", &[external.clone(), email("an@example.vn")]);
            let agreed = Incoming {
                email_status: Some(ChannelStatus::Subscribed),
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
