//! The facts that calls tell about a person: fields of the contact, by the one table of their names. Pure.
//!
//! The table (`kernel::person`) knows names in Vietnamese and English. Segment's own names that it lacks are here. A
//! trait that is none of these is a custom field: of a public key only a defined one, since anybody can send any name.

use std::collections::BTreeMap;

use contacts::{Definitions, FieldName, Identity, Trust, bounds};
use kernel::person::{self, Person};
use serde_json::{Map, Value};

use crate::data;

/// Segment's names that mean another field here (segment.com/docs/connections/spec/identify).
const OTHERS: [(&str, &str); 2] = [("title", "job_title"), ("avatar", "avatar_url")];
/// Most tags of one call.
const MAX_TAGS: usize = 50;

/// The facts about a person.
#[derive(Debug, Default, PartialEq)]
pub struct Told {
    /// Addresses.
    pub identities: Vec<Identity>,
    /// Plain fields.
    pub person: Person,
    /// Custom fields.
    pub custom: BTreeMap<String, Value>,
    /// Tags; of the shop's systems only.
    pub tags: Vec<String>,
    /// Values that their field does not take.
    pub unreadable: i64,
    /// Traits without a field.
    pub unknown: i64,
}

impl Told {
    /// Takes in the traits of a call. A later call replaces the values of earlier ones.
    pub fn take(&mut self, traits: &Map<String, Value>, definitions: &Definitions, trust: Trust) {
        for (name, value) in traits {
            if value.is_null() {
                continue;
            }
            match (meant(name), value) {
                (Some("address"), Value::Object(parts)) => self.take(parts, definitions, trust),
                (Some("company"), Value::Object(parts)) => {
                    let name = parts.get("name").unwrap_or(&Value::Null);
                    self.plain("company", name);
                }
                (Some("email"), value) => {
                    self.address(value, |text| text.parse().ok().map(Identity::Email));
                }
                (Some("phone"), value) => {
                    self.address(value, |text| text.parse().ok().map(Identity::Phone));
                }
                (Some("tags"), value) if trust == Trust::Shop => self.tag(value),
                // The id of a person is the call's `userId`.
                (Some("tags" | "external_id"), _) => self.unknown += 1,
                (Some(field), value) => self.plain(field, value),
                (None, value) => self.own(name, value, definitions, trust),
            }
        }
    }

    /// Whether nothing was told.
    pub fn is_empty(&self) -> bool {
        self.identities.is_empty()
            && self.person == Person::default()
            && self.custom.is_empty()
            && self.tags.is_empty()
    }

    fn plain(&mut self, name: &str, value: &Value) {
        let Some(field) = person::field(name) else {
            self.unknown += 1;
            return;
        };
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => String::new(),
        };
        // A day is often sent with its time.
        let day = text.get(..10).filter(|_| name == "birthday");
        match field.fit(&text).or_else(|| field.fit(day?)) {
            Some(value) => *field.slot(&mut self.person) = Some(value),
            None => self.unreadable += 1,
        }
    }

    fn address(&mut self, value: &Value, parse: impl Fn(&str) -> Option<Identity>) {
        let text = match value {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            _ => String::new(),
        };
        let Some(identity) = parse(&text) else {
            self.unreadable += 1;
            return;
        };
        let is_other =
            |one: &Identity| std::mem::discriminant(one) != std::mem::discriminant(&identity);
        self.identities.retain(is_other);
        self.identities.push(identity);
    }

    fn tag(&mut self, value: &Value) {
        let one = std::slice::from_ref(value);
        let all = value.as_array().map_or(one, Vec::as_slice);
        let texts = all.iter().filter_map(Value::as_str).map(str::to_owned);
        self.tags.extend(texts.take(MAX_TAGS));
    }

    fn own(&mut self, name: &str, value: &Value, definitions: &Definitions, trust: Trust) {
        let defined = definitions.get(name).map(|field| field.key.clone());
        let is_defined = defined.is_some();
        let name = match defined {
            Some(key) => Some(key),
            None if trust == Trust::Shop => FieldName::parse(name)
                .ok()
                .map(|name| name.as_str().to_owned()),
            None => None,
        };
        let Some(name) = name else {
            self.unknown += 1;
            return;
        };
        let value = if is_defined {
            value.clone()
        } else {
            data::stored(value)
        };
        match definitions.check(&name, &value) {
            Ok(value) if bounds::is_storable(&value) => {
                self.custom.insert(name, value);
            }
            _ => self.unreadable += 1,
        }
    }
}

/// The field that a trait means.
fn meant(name: &str) -> Option<&'static str> {
    let heading = person::heading(&words(name));
    let other = OTHERS.iter().find(|(other, _)| *other == heading);
    other
        .map(|(_, field)| *field)
        .or_else(|| person::meant(&heading))
}

/// A name in words: `firstName` is `first Name`.
fn words(name: &str) -> String {
    let mut words = String::new();
    let mut before = ' ';
    for c in name.chars() {
        if c.is_uppercase() && before.is_lowercase() {
            words.push(' ');
        }
        words.push(c);
        before = c;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers write the value in place"
    )]
    fn told(traits: Value, trust: Trust) -> Told {
        let mut told = Told::default();
        told.take(traits.as_object().unwrap(), &Definitions::of([]), trust);
        told
    }

    #[test]
    fn segments_names_are_the_contacts_fields() {
        let told = told(
            json!({
                "firstName": "An", "lastName": "Nguyễn", "email": "An@Example.vn", "phone": "0912 345 678",
                "birthday": "1990-03-02T00:00:00.000Z", "title": "CEO", "company": { "name": "Áo Dài" },
                "address": { "street": "1 Lê Lợi", "city": "Huế", "postalCode": "49000" },
                "plan": "pro", "Hạng": "vàng", "gender": 7, "name": null,
            }),
            Trust::Shop,
        );
        let person = &told.person;
        assert_eq!(person.first_name.as_deref(), Some("An"));
        assert_eq!(person.last_name.as_deref(), Some("Nguyễn"));
        assert_eq!(person.birthday.as_deref(), Some("1990-03-02"));
        assert_eq!(person.job_title.as_deref(), Some("CEO"));
        assert_eq!(person.company.as_deref(), Some("Áo Dài"));
        assert_eq!(person.address.as_deref(), Some("1 Lê Lợi"));
        assert_eq!(person.province.as_deref(), Some("Huế"));
        assert_eq!(person.postal_code.as_deref(), Some("49000"));
        assert_eq!(told.identities.len(), 2);
        assert_eq!(told.custom["plan"], "pro");
        assert_eq!((told.unreadable, told.unknown), (1, 0));
    }

    #[test]
    fn a_public_key_makes_no_fields_and_no_tags() {
        let traits = json!({ "plan": "pro", "tags": ["vip"], "name": "An" });
        let told = told(traits, Trust::Anybody);
        assert!(told.custom.is_empty() && told.tags.is_empty());
        assert_eq!(told.unknown, 2);
        assert_eq!(told.person.full_name.as_deref(), Some("An"));
    }
}
