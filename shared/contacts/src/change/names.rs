//! The names that an upsert writes. Pure.

use kernel::Person;

use crate::model::Contact;
use crate::names;

/// The new names of a contact. All name fields change together: parts of an old name do not stay beside a new one,
/// and an empty field is not filled from another name.
#[derive(Default)]
pub(super) struct Names {
    pub set: Vec<(&'static str, String)>,
    pub removed: Vec<&'static str>,
    pub indexed: Option<String>,
}

impl Names {
    pub fn after(before: Option<&Contact>, given: &Person, overwrites: bool) -> Self {
        let full = given.full_name.as_deref();
        let mut first = given.first_name.as_deref();
        let mut last = given.last_name.as_deref();
        let old = before.map(|contact| contact.clone().complete_names().person);
        let old = old.filter(|person| person.full_name.is_some());
        if [full, first, last].iter().all(Option::is_none) || (old.is_some() && !overwrites) {
            return Self::default();
        }
        if full.is_none() {
            first = first.or(old.as_ref().and_then(|old| old.first_name.as_deref()));
            last = last.or(old.as_ref().and_then(|old| old.last_name.as_deref()));
        }
        let indexed = full.map(str::to_owned).or_else(|| names::join(last, first));
        let same = indexed == old.as_ref().and_then(|old| old.full_name.clone());
        if same && full.is_some() && first.is_none() && last.is_none() {
            return Self::default();
        }
        let indexed = indexed.filter(|_| !same);
        let all = [
            ("full_name", full),
            ("first_name", first),
            ("last_name", last),
        ];
        let mut names = Self {
            indexed,
            ..Self::default()
        };
        for (name, value) in all {
            match value {
                Some(value) => names.set.push((name, value.to_owned())),
                None if old.is_some() => names.removed.push(name),
                None => {}
            }
        }
        names
    }
}

/// The name fields change together; see [`Names`].
pub(super) fn is_name(field: &str) -> bool {
    matches!(field, "full_name" | "first_name" | "last_name")
}
