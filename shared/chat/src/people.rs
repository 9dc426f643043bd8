//! The contact of a visitor.
//!
//! A visitor is recognised by its browser only. The typed details are not verified, since anybody can type any
//! address. They fill empty fields of the visitor's own contact and never find, claim or merge another contact. So a
//! typed address is the custom field `chat_email` or `chat_phone`, not an identity.

use std::collections::BTreeMap;

use cloud::Error;
use contacts::{Contacts, Event, Identity, Incoming, Merge, Person, Source};
use kernel::links::without_links;
use kernel::{ContactId, TenantKey};
use serde_json::{Value, json};

use crate::body::{Details, FromWidget};
use crate::model::Conversation;

/// Name of the timeline event that workflows may listen to.
const CREATED: &str = "conversation.created";

/// Finds or makes the visitor's contact, and fills in the typed details.
pub(crate) async fn contact(
    contacts: &Contacts,
    tenant: TenantKey,
    message: &FromWidget,
) -> Result<ContactId, Error> {
    let incoming = incoming(message);
    Ok(contacts.upsert(tenant, &incoming).await?.contact)
}

fn incoming(message: &FromWidget) -> Incoming {
    let Details { name, email, phone } = message.details.clone();
    let typed = [
        ("chat_email", email.map(|email| email.to_string())),
        ("chat_phone", phone.map(|phone| phone.to_string())),
    ];
    let custom: BTreeMap<String, Value> = typed
        .into_iter()
        .filter_map(|(field, value)| Some((field.to_owned(), Value::from(value?))))
        .collect();
    Incoming {
        identities: vec![Identity::Visitor {
            inbox: message.inbox,
            visitor: message.visitor.to_string(),
        }],
        // The shop's mails show the name, and anybody can open the widget.
        person: Person {
            full_name: name.map(|name| without_links(&name)),
            ..Person::default()
        },
        custom,
        source: Source::Chat,
        merge: Merge::FillEmpty,
        ..Incoming::default()
    }
}

/// Writes the conversation's beginning to the contact's timeline; a repetition changes nothing.
pub(crate) async fn tell_beginning(
    contacts: &Contacts,
    tenant: TenantKey,
    conversation: &Conversation,
) -> Result<(), Error> {
    let event = Event {
        id: conversation.id.to_string(),
        name: CREATED.to_owned(),
        at: conversation.created_at,
        source: conversation.inbox.to_string(),
        data: json!({ "conversation_id": conversation.id, "inbox_id": conversation.inbox }),
    };
    contacts
        .record_of_known(tenant, conversation.contact, &event)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Visitor;

    #[test]
    fn a_typed_address_is_never_an_identity() {
        let at = jiff::Timestamp::from_millisecond(1_772_438_400_000).unwrap();
        let message = FromWidget {
            inbox: kernel::InboxId::derived(at, &["a"]),
            visitor: Visitor::new(&kernel::Entropy::seeded(1)),
            client_msg_id: "c-1".into(),
            sent_at: at,
            text: "Shop ơi".into(),
            details: Details {
                name: Some("Lan, quà tại evil.example/qua".into()),
                email: Some("lan@example.vn".parse().unwrap()),
                phone: Some("0912345678".parse().unwrap()),
            },
        };
        let incoming = incoming(&message);
        assert!(matches!(
            incoming.identities.as_slice(),
            [Identity::Visitor { .. }]
        ));
        assert_eq!(incoming.person.full_name.as_deref(), Some("Lan, quà tại"));
        assert_eq!(incoming.merge, Merge::FillEmpty);
        assert_eq!(incoming.custom["chat_email"], "lan@example.vn");
        assert_eq!(incoming.custom["chat_phone"], "+84912345678");
        assert!(incoming.consent.is_empty());
    }
}
