//! The columns of an export, and the line of a contact. Pure.

use std::collections::BTreeSet;

use kernel::person;
use serde_json::Value;

use crate::csv_out;
use crate::model::Contact;

/// Most custom fields with a column of their own. The others are in the last column, as JSON.
pub const MAX_FIELDS: usize = 200;
/// The columns before those of the person.
const COLUMNS: [&str; 14] = [
    "contact_id",
    "external_id",
    "email",
    "phone",
    "tags",
    "email_status",
    "sms_status",
    "source",
    "created_at",
    "updated_at",
    "owner_id",
    "other_emails",
    "other_phones",
    "other_external_ids",
];
/// The last column.
const OTHERS: &str = "other_fields";

/// The columns before the custom fields.
pub fn columns() -> impl Iterator<Item = &'static str> {
    COLUMNS
        .into_iter()
        .chain(person::FIELDS.iter().map(kernel::person::Field::name))
}

/// The first line of the file.
pub fn headings(fields: &BTreeSet<String>) -> String {
    let own = columns().map(str::to_owned);
    let custom = fields.iter().map(|name| format!("custom.{name}"));
    csv_out::MARK.to_owned() + &csv_out::line(own.chain(custom).chain([OTHERS.to_owned()]))
}

/// The line of a contact.
pub fn line(contact: &Contact, fields: &BTreeSet<String>) -> String {
    let own = [
        contact.id.to_string(),
        contact.external_id.clone().unwrap_or_default(),
        contact
            .email
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        contact
            .phone
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        several(&contact.tags),
        name(&contact.email_status),
        name(&contact.sms_status),
        name(&contact.source),
        contact.created_at.to_string(),
        contact.updated_at.to_string(),
        contact
            .owner
            .map(|owner| owner.to_string())
            .unwrap_or_default(),
        several(&contact.other_emails),
        several(&contact.other_phones),
        several(further_ids(contact)),
    ];
    let plain = person::FIELDS
        .iter()
        .map(|field| field.of(&contact.person).unwrap_or_default().to_owned());
    let custom = fields
        .iter()
        .map(|name| contact.custom.get(name).map(text).unwrap_or_default());
    let others: serde_json::Map<String, Value> = contact
        .custom
        .iter()
        .filter(|(name, _)| !fields.contains(*name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let others = if others.is_empty() {
        String::new()
    } else {
        Value::Object(others).to_string()
    };
    csv_out::line(own.into_iter().chain(plain).chain(custom).chain([others]))
}

/// Several values in one cell.
fn several(values: impl IntoIterator<Item = impl ToString>) -> String {
    let values: Vec<String> = values.into_iter().map(|one| one.to_string()).collect();
    values.join("; ")
}

/// The further ids of other systems, each behind its system.
fn further_ids(contact: &Contact) -> impl Iterator<Item = String> {
    let ids = contact.other_external_ids.iter();
    ids.flat_map(|(scope, ids)| ids.iter().map(move |id| format!("{scope}:{id}")))
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The name of a value with few, such as a status.
fn name(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value)
        .as_ref()
        .map(text)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_field_of_a_contact_is_in_the_file() {
        let contact: Contact = serde_json::from_value(json!({
            "id": "con_00000000001", "external_id": "=KH1", "email": "an@example.vn", "phone": "+84912345678",
            "full_name": "Trần An", "first_name": "An", "last_name": "Trần", "tags": ["VIP", "sỉ"], "list_ids": [],
            "custom": { "size": "M", "điểm": 3, "lạ": ["a"] }, "email_status": "subscribed", "sms_status": "none",
            "zalo_status": "none", "push_status": "none", "source": "import", "created_at": "2026-03-02T01:00:00Z",
            "updated_at": "2026-03-02T01:00:00Z", "owner_id": "usr_00000000001",
            "other_emails": ["an@cu.example.vn", "an2@example.vn"], "other_phones": ["+84987654321"],
            "other_external_ids": { "haravan:ao-dai": ["71"], "shop": ["KH2", "KH3"] },
        }))
        .unwrap();
        let fields: BTreeSet<String> = ["size".to_owned(), "điểm".to_owned()].into();
        let heading = headings(&fields);
        let row = line(&contact, &fields);
        let text = heading.trim_start_matches(csv_out::MARK).to_owned() + &row;
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let names: Vec<String> = reader
            .headers()
            .unwrap()
            .iter()
            .map(str::to_owned)
            .collect();
        let cells = reader.records().next().unwrap().unwrap();
        let cell = |name: &str| {
            cells
                .get(names.iter().position(|one| one == name).unwrap())
                .unwrap()
        };
        assert_eq!(cell("external_id"), "'=KH1");
        assert_eq!(cell("phone"), "'+84912345678");
        assert_eq!(cell("tags"), "VIP; sỉ");
        assert_eq!(cell("owner_id"), "usr_00000000001");
        assert_eq!(cell("other_emails"), "an2@example.vn; an@cu.example.vn");
        assert_eq!(cell("other_phones"), "'+84987654321");
        assert_eq!(
            cell("other_external_ids"),
            "haravan:ao-dai:71; shop:KH2; shop:KH3"
        );
        assert_eq!((cell("custom.size"), cell("custom.điểm")), ("M", "3"));
        assert_eq!(cell("other_fields"), "{\"lạ\":[\"a\"]}");
        assert_eq!(
            (cell("email_status"), cell("source")),
            ("subscribed", "import")
        );
    }
}
