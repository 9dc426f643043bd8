//! Every key of the tables Contacts and Timeline, and of the rows in Directory that belong to contacts.

use std::borrow::Cow;

use cloud::Key;
use jiff::Timestamp;
use kernel::{ContactId, ImportId, ListId, TenantKey, clock};

use crate::model::{Event, Identity, OWN_SCOPE};

/// Sort key of the profile.
pub const PROFILE: &str = "PROFILE";
/// Characters of a value that are part of the partition key. Prefix search needs at least as many.
pub const HEAD: usize = 3;

/// Sort key of identities, by kind; the widget's inbox is part of the value.
pub fn kind(identity: &Identity) -> Cow<'static, str> {
    match identity {
        Identity::External { scope, .. } if scope == OWN_SCOPE => "external".into(),
        Identity::External { scope, .. } => format!("external.{scope}").into(),
        Identity::Email(_) => "email".into(),
        Identity::Phone(_) => "phone".into(),
        Identity::Visitor { .. } => "widget".into(),
    }
}

/// The unique key of an identity. Phones are stored without the country code, which nearly all share. So their first
/// digits spread over the partitions.
pub fn value(identity: &Identity) -> String {
    match identity {
        Identity::External { id, .. } => id.clone(),
        Identity::Email(address) => address.as_str().to_owned(),
        Identity::Phone(phone) => national(phone.digits()).to_owned(),
        Identity::Visitor { inbox, visitor } => format!("{visitor}@{inbox}"),
    }
}

/// A number without the country code.
pub fn national(digits: &str) -> &str {
    digits.strip_prefix("84").unwrap_or(digits)
}

/// The first characters of a value; a short value is padded with blanks.
pub fn head(value: &str) -> String {
    let head: String = value.chars().take(HEAD).collect();
    format!("{head:HEAD$}")
}

pub fn contact(tenant: TenantKey, contact: ContactId) -> String {
    format!("{tenant}#{contact}")
}

pub fn profile(tenant: TenantKey, id: ContactId) -> Key {
    Key::new(contact(tenant, id), PROFILE)
}

pub fn membership(tenant: TenantKey, id: ContactId, list: ListId) -> Key {
    Key::new(contact(tenant, id), format!("LIST#{list}"))
}

pub fn identity(tenant: TenantKey, identity: &Identity) -> Key {
    let value = value(identity);
    Key::new(identity_partition(tenant, &kind(identity), &value), value)
}

/// Row by which a search finds an address that the contact shows and does not own. The owner's row has the bare value.
pub fn beside(tenant: TenantKey, identity: &Identity, id: ContactId) -> Key {
    let value = value(identity);
    let partition = identity_partition(tenant, &kind(identity), &value);
    Key::new(partition, beside_order(&value, id))
}

/// Sort key of that row.
pub fn beside_order(value: &str, id: ContactId) -> String {
    format!("{value}#{id}")
}

/// Partition of the identities that begin with the head of `value`.
pub fn identity_partition(tenant: TenantKey, kind: &str, value: &str) -> String {
    format!("{tenant}#I#{kind}#{}", head(value))
}

pub fn name(tenant: TenantKey, rotation: &str, id: ContactId) -> Key {
    Key::new(name_partition(tenant, rotation), format!("{rotation}#{id}"))
}

/// Partition of the names that begin with the head of `rotation`.
pub fn name_partition(tenant: TenantKey, rotation: &str) -> String {
    format!("{tenant}#N#{}", head(rotation))
}

pub fn event(tenant: TenantKey, id: ContactId, event: &Event) -> Key {
    Key::new(contact(tenant, id), event_order(event.at, &event.id))
}

/// Row of the first arrivals of events with this id.
pub fn sightings(tenant: TenantKey, event_id: &str) -> Key {
    Key::new(format!("{tenant}#SEEN#{event_id}"), "SEEN")
}

fn event_order(at: Timestamp, id: &str) -> String {
    format!("{}#{id}", clock::sortable(at))
}

/// Partition of the pairs of event and workflow.
pub fn listeners(tenant: TenantKey) -> String {
    format!("{tenant}#TRIGGER")
}

/// Row of a workflow that listens to the event. Workflow ids have one length and no `#`, so two pairs never share a
/// key.
pub fn listener(tenant: TenantKey, event: &str, workflow: &str) -> Key {
    Key::new(listeners(tenant), format!("{event}#{workflow}"))
}

/// Row of the interest set, which is made from those pairs.
pub fn interest(tenant: TenantKey) -> Key {
    Key::new(tenant.to_string(), "INTEREST")
}

pub fn list(tenant: TenantKey, list: ListId) -> Key {
    Key::new(tenant.to_string(), format!("LIST#{list}"))
}

pub fn import(tenant: TenantKey, import: ImportId) -> Key {
    Key::new(format!("{tenant}#{import}"), "IMPORT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "a test's own tenant")]
    fn tenant() -> TenantKey {
        TenantKey::authenticated("ws_0123456789a".parse().unwrap())
    }

    fn key(key: &Key) -> (&str, &str) {
        (&key.pk, &key.sk)
    }

    #[test]
    fn keys_have_these_exact_texts() {
        let (t, id) = (tenant(), "con_0123456789a".parse().unwrap());
        let list_id = "lst_0123456789a".parse().unwrap();
        assert_eq!(
            key(&profile(t, id)),
            ("ws_0123456789a#con_0123456789a", "PROFILE")
        );
        assert_eq!(
            key(&membership(t, id, list_id)),
            ("ws_0123456789a#con_0123456789a", "LIST#lst_0123456789a")
        );
        assert_eq!(
            key(&name(t, "tran thi an", id)),
            ("ws_0123456789a#N#tra", "tran thi an#con_0123456789a")
        );
        assert_eq!(
            key(&name(t, "an", id)),
            ("ws_0123456789a#N#an ", "an#con_0123456789a")
        );
        assert_eq!(
            key(&list(t, list_id)),
            ("ws_0123456789a", "LIST#lst_0123456789a")
        );
        assert_eq!(key(&sightings(t, "e1")), ("ws_0123456789a#SEEN#e1", "SEEN"));
        let import_id = "imp_0123456789a".parse().unwrap();
        assert_eq!(
            key(&import(t, import_id)),
            ("ws_0123456789a#imp_0123456789a", "IMPORT")
        );
        assert_eq!(
            key(&listener(t, "form.submitted", "wfl_0123456789a")),
            ("ws_0123456789a#TRIGGER", "form.submitted#wfl_0123456789a")
        );
        assert_eq!(key(&interest(t)), ("ws_0123456789a", "INTEREST"));
    }

    #[test]
    fn identities_have_these_exact_texts() {
        let inbox = "inb_0123456789a".parse().unwrap();
        let visitor = "v1".to_owned();
        for (one, pk, sk) in [
            (Identity::own("7"), "external#7  ", "7"),
            (
                Identity::External {
                    scope: "haravan:a".into(),
                    id: "7".into(),
                },
                "external.haravan:a#7  ",
                "7",
            ),
            (
                Identity::Email("an@example.vn".parse().unwrap()),
                "email#an@",
                "an@example.vn",
            ),
            (
                Identity::Phone("0912345678".parse().unwrap()),
                "phone#912",
                "912345678",
            ),
            (
                Identity::Visitor { inbox, visitor },
                "widget#v1@",
                "v1@inb_0123456789a",
            ),
        ] {
            let pk = format!("ws_0123456789a#I#{pk}");
            assert_eq!(key(&identity(tenant(), &one)), (pk.as_str(), sk));
        }
    }

    #[test]
    fn an_event_is_found_by_time_and_id() {
        let one = Event {
            id: "e1".into(),
            name: "form.submitted".into(),
            at: "2026-03-02T08:00:00Z".parse().unwrap(),
            source: "api".into(),
            data: serde_json::Value::Null,
        };
        assert_eq!(
            key(&event(tenant(), "con_0123456789a".parse().unwrap(), &one)),
            (
                "ws_0123456789a#con_0123456789a",
                "2026-03-02T08:00:00.000Z#e1"
            )
        );
    }
}
