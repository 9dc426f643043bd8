//! The laws of identities, over random people and a store in memory.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// Contacts in memory: what each shows, and the addresses that it has without owning them.
#[derive(Default)]
struct Book {
    shown: BTreeMap<ContactId, BTreeSet<Identity>>,
    beside: BTreeMap<ContactId, BTreeSet<Identity>>,
}

fn contact(n: usize) -> ContactId {
    format!("con_{n:011}").parse().unwrap()
}

impl Book {
    fn save(&mut self, input: &BTreeSet<Identity>, trust: Trust, overwrites: bool) -> ContactId {
        let known = |id: ContactId, shown: &BTreeSet<Identity>| Known {
            contact: id,
            exists: true,
            erased: false,
            shows: shown.iter().cloned().collect(),
            overwrites,
        };
        let all: Vec<Known> = self
            .shown
            .iter()
            .map(|(id, shown)| known(*id, shown))
            .collect();
        let given: Vec<(Identity, Option<&Known>)> = input
            .iter()
            .map(|one| {
                (
                    one.clone(),
                    all.iter().find(|known| known.shows.contains(one)),
                )
            })
            .collect();
        let decision = decide(&given, trust);
        let id = decision
            .contact
            .unwrap_or_else(|| contact(self.shown.len()));
        for ((identity, _), fate) in given.iter().zip(&decision.fates) {
            let shown = self.shown.entry(id).or_default();
            match fate {
                Fate::Own => {
                    shown.retain(|old| slot(old) != slot(identity));
                    shown.insert(identity.clone());
                }
                Fate::Not(..) => {
                    self.beside.entry(id).or_default().insert(identity.clone());
                }
                Fate::Stale(_) => panic!("every owner shows its identities"),
            }
        }
        id
    }

    fn finds(&self, identity: &Identity) -> bool {
        let mut all = self.shown.values().chain(self.beside.values());
        all.any(|identities| identities.contains(identity))
    }
}

fn person() -> impl Strategy<Value = BTreeSet<Identity>> {
    let external = prop::option::of((0u8..2, 0u8..5));
    (external, prop::option::of(0u8..5), prop::option::of(0u8..4)).prop_filter_map(
        "somebody",
        |(external, email, phone)| {
            let external = external.map(|(scope, id)| Identity::External {
                scope: format!("s{scope}"),
                id: format!("KH-{id}"),
            });
            let email = email.map(|n| Identity::Email(format!("m{n}@example.vn").parse().unwrap()));
            let phone = phone.map(|n| Identity::Phone(format!("091234567{n}").parse().unwrap()));
            let all: BTreeSet<Identity> = external.into_iter().chain(email).chain(phone).collect();
            (!all.is_empty()).then_some(all)
        },
    )
}

proptest! {
    #[test]
    fn as_many_contacts_as_ids_in_any_order(
        people in prop::collection::vec((prop::option::of(0u8..3), prop::option::of(0u8..3)), 1..8)
            .prop_map(|people| people.into_iter().enumerate().collect::<Vec<_>>())
            .prop_shuffle(),
        overwrites: bool,
        trusted: bool,
    ) {
        let trust = if trusted { Trust::Shop } else { Trust::Anybody };
        let mut book = Book::default();
        let mut ids = BTreeMap::new();
        for round in 0..2 {
            for (n, (email, phone)) in &people {
                let external = Identity::External { scope: "shop".into(), id: format!("KH-{n}") };
                let email = email.map(|n| Identity::Email(format!("m{n}@example.vn").parse().unwrap()));
                let phone = phone.map(|n| Identity::Phone(format!("091234567{n}").parse().unwrap()));
                let input = [Some(external), email, phone].into_iter().flatten().collect();
                let id = book.save(&input, trust, overwrites);
                if round == 1 {
                    prop_assert_eq!(ids.get(n), Some(&id), "the same input is about the same contact");
                }
                ids.insert(*n, id);
            }
        }
        let distinct: BTreeSet<_> = ids.values().collect();
        prop_assert_eq!(distinct.len(), people.len());
        prop_assert_eq!(book.shown.len(), people.len());
    }

    #[test]
    fn nobody_is_lost_and_no_identity_has_two_owners(
        inputs in prop::collection::vec((person(), any::<bool>()), 1..20),
    ) {
        let mut book = Book::default();
        for (input, trusted) in &inputs {
            let trust = if *trusted { Trust::Shop } else { Trust::Anybody };
            book.save(input, trust, false);
            for identity in input {
                prop_assert!(book.finds(identity));
            }
        }
        for (input, _) in &inputs {
            prop_assert!(input.iter().all(|identity| book.finds(identity)));
        }
        let shown: Vec<&Identity> = book.shown.values().flatten().collect();
        let distinct: BTreeSet<&&Identity> = shown.iter().collect();
        prop_assert_eq!(shown.len(), distinct.len());
        for shown in book.shown.values() {
            let slots: BTreeSet<_> = shown.iter().map(slot).collect();
            prop_assert_eq!(slots.len(), shown.len());
            prop_assert!(!shown.is_empty());
        }
    }

    #[test]
    fn what_anybody_typed_changes_no_identity_of_a_known_contact(
        inputs in prop::collection::vec(person(), 1..10),
        typed in person(),
    ) {
        let typed: BTreeSet<_> = typed.into_iter().filter(|one| rank(one) > 0).collect();
        prop_assume!(!typed.is_empty());
        let mut book = Book::default();
        for input in &inputs {
            book.save(input, Trust::Shop, false);
        }
        let before = book.shown.clone();
        book.save(&typed, Trust::Anybody, true);
        for (id, shown) in before {
            prop_assert_eq!(&book.shown[&id], &shown);
        }
    }
}

#[test]
fn a_claim_whose_owner_shows_another_identity_is_stale() {
    let (old, new) = ("m1@example.vn", "m2@example.vn");
    let email = |address: &str| Identity::Email(address.parse().unwrap());
    let owner = Known {
        contact: contact(1),
        exists: true,
        erased: false,
        shows: vec![email(new)],
        overwrites: true,
    };
    let decision = decide(&[(email(old), Some(&owner))], Trust::Shop);
    assert_eq!(decision.fates, [Fate::Stale(contact(1))]);
}
