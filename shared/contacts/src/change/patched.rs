//! The change that staff make to a contact that they name: fields that are cleared, and names. Pure.

use kernel::text::alike;

use super::{Change, released};
use crate::identity::Reason;
use crate::model::{Contact, Identity};
use crate::names::join;
use crate::patch::Edit;
use crate::rows::{CUSTOM, Claim, OWNER, Profile};

impl Change {
    /// Compares an edit with the profile. `own` holds the identities of the edit that the contact gets, `others` those
    /// that belong to others.
    pub fn edited(
        profile: &Profile,
        edit: &Edit,
        own: &[(Identity, Claim)],
        others: &[(Identity, Reason)],
    ) -> Self {
        let mut change = Self::of(Some(profile), &edit.incoming(), own, others);
        let Some(before) = profile.clone().given() else {
            return change;
        };
        change.rename(&before, edit);
        change.promote(&before, own);
        change.clear(&before, edit);
        change
    }

    /// A further identity that the edit gives becomes the first of its kind; the one before is free.
    fn promote(&mut self, before: &Contact, own: &[(Identity, Claim)]) {
        let mut also = before.also();
        for (identity, _) in own {
            let (true, Some((name, value))) = (also.contains(identity), super::field(identity))
            else {
                continue;
            };
            also.retain(|one| one != identity);
            self.fields.push((name, value));
            self.identities.push(identity.clone());
            let first = before.identities();
            let mut first = first.into_iter().filter(|one| {
                crate::keys::kind(one) == crate::keys::kind(identity) && !self.was_replaced(one)
            });
            if let Some(first) = first.next() {
                self.replaced.push(released(before, first));
            }
            self.also = Some(also.clone());
        }
    }

    fn was_replaced(&self, identity: &Identity) -> bool {
        self.replaced.iter().any(|one| one.identity == *identity)
    }

    /// Removes the fields that the edit clears and the contact has.
    fn clear(&mut self, before: &Contact, edit: &Edit) {
        for identity in before.identities() {
            let name = match &identity {
                Identity::External { scope, .. } if scope == crate::model::OWN_SCOPE => {
                    "external_id"
                }
                Identity::Email(_) => "email",
                Identity::Phone(_) => "phone",
                Identity::External { .. }
                | Identity::Visitor { .. }
                | Identity::Anonymous { .. } => continue,
            };
            if edit.cleared.contains(name) {
                self.removed.push(name.to_owned());
                self.replaced.push(released(before, identity));
            }
        }
        if before.owner.is_some() && edit.cleared.contains(OWNER) {
            self.removed.push(OWNER.to_owned());
        }
        let had = before.person.values().map(|(field, _)| field.name());
        let had = had.filter(|name| !super::is_name(name) && edit.cleared.contains(*name));
        self.removed.extend(had.map(str::to_owned));
        let custom = before.custom.keys();
        let gone = custom.filter(|name| edit.cleared_custom.contains(&alike(name)));
        self.removed
            .extend(gone.map(|name| format!("{CUSTOM}{name}")));
    }

    /// The names after the edit. A whole name that is given or cleared ends the parts that are not given. Parts alone
    /// end the whole name, which is then joined from them.
    fn rename(&mut self, before: &Contact, edit: &Edit) {
        let touches = |name: &str| edit.names.iter().any(|(named, _)| *named == name);
        if edit.names.is_empty() {
            return;
        }
        let shown = before.clone().complete_names().person;
        let old = shown.full_name.clone();
        let given = |name: &str| {
            let mut names = edit.names.iter();
            let named = names.find(|(named, _)| *named == name);
            named.and_then(|(_, value)| value.clone())
        };
        let keeps_parts = !touches("full_name");
        let part = |name: &str, shown: Option<String>| {
            if keeps_parts && !touches(name) {
                shown
            } else {
                given(name)
            }
        };
        let all = [
            ("full_name", given("full_name")),
            ("first_name", part("first_name", shown.first_name)),
            ("last_name", part("last_name", shown.last_name)),
        ];
        let whole = all[0].1.clone();
        let whole = whole.or_else(|| join(all[2].1.as_deref(), all[1].1.as_deref()));
        for (name, new) in all {
            let stored = kernel::person::field(name).and_then(|field| field.of(&before.person));
            match new {
                Some(new) if stored != Some(&new) => {
                    self.fields.push((name.to_owned(), new.into()));
                }
                None if stored.is_some() => self.removed.push(name.to_owned()),
                _ => {}
            }
        }
        if whole != old {
            // Without a name there are no rows for the search.
            self.indexed_name = Some(whole.unwrap_or_default());
            self.former_name = old;
        }
    }
}

#[cfg(test)]
mod tests {
    use kernel::Person;
    use proptest::prelude::*;

    use super::*;

    fn contact(full: Option<&str>) -> Contact {
        let mut row = serde_json::json!({
            "contact": "con_0123456789a", "created_at": "2026-03-02T08:00:00Z",
        });
        if let Some(full) = full {
            row["full_name"] = full.into();
        }
        let row: Profile = serde_json::from_value(row).unwrap();
        row.given().unwrap()
    }

    /// The names that the contact shows after the change.
    fn after(before: &Contact, change: &Change) -> Person {
        let mut after = before.clone();
        for (name, value) in &change.fields {
            let field = kernel::person::field(name).unwrap();
            *field.slot(&mut after.person) = value.as_str().map(str::to_owned);
        }
        for name in &change.removed {
            *kernel::person::field(name).unwrap().slot(&mut after.person) = None;
        }
        after.complete_names().person
    }

    fn renamed(
        before: &Contact,
        names: &[(&'static str, Option<&str>)],
    ) -> (Person, Option<String>) {
        let edit = Edit {
            names: names
                .iter()
                .map(|(name, value)| (*name, value.map(str::to_owned)))
                .collect(),
            ..Edit::default()
        };
        let mut change = Change::default();
        change.rename(before, &edit);
        (after(before, &change), change.indexed_name)
    }

    #[test]
    fn a_part_of_a_name_changes_the_whole() {
        let an = contact(Some("Trần Thị An"));
        let (names, indexed) = renamed(&an, &[("first_name", Some("Bình"))]);
        assert_eq!(names.full_name.as_deref(), Some("Trần Thị Bình"));
        assert_eq!(indexed, names.full_name);
        let (names, _) = renamed(&an, &[("full_name", Some("Lê Hà"))]);
        assert_eq!(names.last_name.as_deref(), Some("Lê"));
        let (names, indexed) = renamed(&an, &[("full_name", None)]);
        assert_eq!((names, indexed.as_deref()), (Person::default(), Some("")));
    }

    proptest! {
        #[test]
        fn the_index_has_the_name_that_is_shown(
            full in proptest::option::of("[A-C]( [A-C]){0,2}"),
            first in proptest::option::of(proptest::option::of("[A-C]")),
            last in proptest::option::of(proptest::option::of("[A-C]( [A-C])?")),
            whole in proptest::option::of(proptest::option::of("[A-C]( [A-C]){0,2}")),
        ) {
            let before = contact(full.as_deref());
            let mut names = Vec::new();
            for (name, value) in [("full_name", &whole), ("first_name", &first), ("last_name", &last)] {
                if let Some(value) = value {
                    names.push((name, value.as_deref()));
                }
            }
            let (shown, indexed) = renamed(&before, &names);
            let whole_before = before.complete_names().person.full_name;
            let known = indexed.clone().unwrap_or_else(|| whole_before.unwrap_or_default());
            prop_assert_eq!(shown.full_name.unwrap_or_default(), known);
        }
    }
}
