//! The persons of a message: their calls, and the contacts that the calls tell of. Pure.

use std::collections::{BTreeMap, BTreeSet};

use contacts::consent::{Decision, Evidence, Method, Purpose};
use contacts::{Identity, Incoming, Merge, Statement, Trust};
use jiff::Timestamp;
use kernel::Channel;

use crate::call::{Call, Consent};
use crate::message::Batch;
use crate::time::when;
use crate::traits::Told;

/// A person as the calls name the person.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    /// By the id of the shop's own system.
    User(String),
    /// By the id of a browser or an app.
    Visitor(String),
}

impl Who {
    /// The identity of the person.
    pub fn identity(&self) -> Identity {
        match self {
            Self::User(id) => Identity::own(id),
            Self::Visitor(id) => browser(id),
        }
    }
}

/// The calls of one person.
#[derive(Debug, Default)]
pub(crate) struct Group {
    /// Browsers that the calls name beside the person.
    pub visitors: BTreeSet<String>,
    /// In the order of the message.
    pub calls: Vec<Call>,
}

/// The identity of a browser or an app.
pub(crate) fn browser(id: &str) -> Identity {
    Identity::Anonymous { id: id.to_owned() }
}

/// The calls by person. A call that names only a browser is about the person whom another call of the message names
/// beside that browser.
pub(crate) fn groups(calls: Vec<Call>) -> BTreeMap<Who, Group> {
    let mut links: BTreeMap<String, String> = BTreeMap::new();
    for call in &calls {
        if let (Some(user), Some(visitor)) = (&call.user, &call.visitor) {
            links.entry(visitor.clone()).or_insert_with(|| user.clone());
        }
    }
    let mut groups: BTreeMap<Who, Group> = BTreeMap::new();
    for call in calls {
        let linked = || links.get(call.visitor.as_ref()?).cloned();
        let who = match (call.user.clone().or_else(linked), call.visitor.clone()) {
            (Some(user), _) => Who::User(user),
            (None, Some(visitor)) => Who::Visitor(visitor),
            (None, None) => continue,
        };
        let group = groups.entry(who.clone()).or_default();
        if let Who::User(_) = who {
            group.visitors.extend(call.visitor.clone());
        }
        group.calls.push(call);
    }
    groups
}

/// The contact of a person, as the calls tell it. Values of the shop's systems replace older ones.
pub(crate) fn incoming(
    batch: &Batch,
    who: &Who,
    group: &Group,
    told: Told,
    strangers: &[String],
    consents: &Consents,
) -> Incoming {
    let mut identities = told.identities;
    identities.push(who.identity());
    identities.extend(strangers.iter().map(|id| browser(id)));
    let newest = group
        .calls
        .iter()
        .rev()
        .find(|call| !call.traits.is_empty());
    let at = newest.map_or(batch.received_at, |call| {
        when(call.original, batch.sent_at, batch.received_at).at
    });
    let at = at.min(batch.received_at);
    let first = group.calls.first();
    Incoming {
        identities,
        person: told.person,
        custom: told.custom,
        tags: told.tags,
        consent: consents.statements(batch, at),
        merge: match batch.trust {
            Trust::Shop => Merge::Overwrite,
            Trust::Anybody => Merge::FillEmpty,
        },
        trust: batch.trust,
        at: Some(at),
        operation: first.map(|call| format!("track#{}", call.event_id())),
        ..Incoming::default()
    }
}

/// The consents that the calls of a person carry, the newest of each kind.
#[derive(Debug, Default)]
pub(crate) struct Consents {
    tracking: Option<Consent>,
    push: Option<Consent>,
}

impl Consents {
    /// Those of a person's calls.
    pub fn of(group: &Group) -> Self {
        let newest = |pick: fn(&Call) -> Option<Consent>| group.calls.iter().rev().find_map(pick);
        Self {
            tracking: newest(|call| call.consent.clone()),
            push: newest(|call| call.push_consent.clone()),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.tracking.is_none() && self.push.is_none()
    }

    fn statements(&self, batch: &Batch, at: Timestamp) -> Vec<Statement> {
        let tracking = self.tracking.clone().map(|given| {
            let purposes = BTreeSet::from([Purpose::BehaviouralAds]);
            agreed(given, purposes, &Channel::ALL, batch, at)
        });
        let push = self.push.clone().map(|given| {
            let purposes = BTreeSet::from([Purpose::Marketing]);
            agreed(given, purposes, &[Channel::Push], batch, at)
        });
        tracking.into_iter().chain(push).collect()
    }
}

/// A person's consent, with the text that the page showed.
fn agreed(
    given: Consent,
    purposes: BTreeSet<Purpose>,
    channels: &[Channel],
    batch: &Batch,
    at: Timestamp,
) -> Statement {
    Statement {
        purposes,
        text: Some(given.text),
        evidence: Evidence {
            form: given.page.or_else(|| Some(batch.key.clone())),
            ..Evidence::default()
        },
        at: Some(at),
        ..Statement::new(
            Method::FormTick,
            Decision::Granted,
            channels.iter().copied(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_browser_is_the_persons_whom_another_call_names_beside_it() {
        let calls = [
            json!({ "type": "page", "anonymousId": "v1" }),
            json!({ "type": "identify", "anonymousId": "v1", "userId": "42" }),
            json!({ "type": "page", "anonymousId": "v2" }),
            json!({ "type": "page", "anonymousId": "v1", "userId": "43" }),
        ];
        let calls = calls.iter().map(|call| Call::read(call, None).unwrap());
        let groups = groups(calls.collect());
        let sizes: Vec<(Who, usize)> = groups
            .into_iter()
            .map(|(who, group)| (who, group.calls.len()))
            .collect();
        let user = |id: &str| Who::User(id.to_owned());
        let expected = [
            (user("42"), 2),
            (user("43"), 1),
            (Who::Visitor("v2".to_owned()), 1),
        ];
        assert_eq!(sizes, expected);
    }
}
