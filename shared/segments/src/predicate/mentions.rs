//! The data on which the answer of a predicate depends. Pure.

use std::collections::BTreeSet;

use contacts::Channel;
use kernel::{ListId, SegmentId};

use super::test::tag_key;
use crate::facts::{CLICKED, OPENED, SENT, VISITS};
use crate::language::{Condition, Conditions, Field, Node, Test};
use crate::tracked::Tracked;

/// The data on which the answer of a predicate depends. A change of anything else never changes the answer.
#[derive(Debug, Clone, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a kind of data by itself"
)]
pub struct Mentions {
    /// Fields of the profile by their names in conditions: `email`, `custom.size`.
    pub fields: BTreeSet<String>,
    /// Tags in the form that is compared.
    pub tags: BTreeSet<String>,
    /// Whether any tag matters: the condition asks whether there is one.
    pub any_tag: bool,
    /// Lists.
    pub lists: BTreeSet<ListId>,
    /// Other segments.
    pub segments: BTreeSet<SegmentId>,
    /// Channels whose consent matters.
    pub consent: BTreeSet<Channel>,
    /// Counted events, each once.
    pub events: Vec<Tracked>,
    /// Names of the events whose last time matters, see [`crate::facts::Last`].
    pub last: BTreeSet<&'static str>,
    /// Whether orders matter.
    pub orders: bool,
    /// Whether the lead score matters.
    pub score: bool,
    /// Whether the consent to be followed on the website matters.
    pub tracking: bool,
}

impl Mentions {
    pub(super) fn of(conditions: &Conditions) -> Self {
        let mut mentions = Self::default();
        mentions.add(conditions.root());
        mentions
    }

    /// Whether a change of this tag matters.
    pub fn tag(&self, tag: &str) -> bool {
        self.any_tag || self.tags.contains(&tag_key(tag))
    }

    /// Names of all events that matter.
    pub fn event_names(&self) -> BTreeSet<&str> {
        let counted = self.events.iter().map(|event| event.name.as_str());
        counted.chain(self.last.iter().copied()).collect()
    }

    fn add(&mut self, node: &Node) {
        match node {
            Node::All(nodes) | Node::Any(nodes) => {
                for node in nodes {
                    self.add(node);
                }
            }
            Node::One(condition) => self.condition(condition),
        }
    }

    fn condition(&mut self, condition: &Condition) {
        match condition {
            Condition::Field { field, .. } => self.field(field),
            Condition::Tags(Test::Many { values, .. }) => {
                self.tags.extend(values.iter().map(|tag| tag_key(tag)));
            }
            Condition::Tags(_) => self.any_tag = true,
            Condition::Lists { lists, .. } => self.lists.extend(lists),
            Condition::Segments { segments, .. } => self.segments.extend(segments),
            Condition::Consent { channel, .. } => {
                self.consent.insert(*channel);
            }
            Condition::Products(_) => self.orders = true,
            Condition::Happened(happened) => {
                self.tracking |= happened.tracks;
                let event = Tracked::of(happened);
                if !self.events.iter().any(|own| own.hash == event.hash) {
                    self.events.push(event);
                }
            }
        }
    }

    fn field(&mut self, field: &Field) {
        match field {
            Field::LastSeenAt => self.last.extend(VISITS),
            Field::LastOpenedAt => self.last.extend([OPENED]),
            Field::LastClickedAt => self.last.extend([CLICKED]),
            Field::LastSentAt => self.last.extend([SENT]),
            Field::LastActivityAt => {
                self.last.extend(VISITS);
                self.last.extend([OPENED, CLICKED]);
                self.orders = true;
            }
            Field::Score => self.score = true,
            Field::OrdersCount
            | Field::OrdersTotal
            | Field::OrdersAverage
            | Field::FirstOrderAt
            | Field::LastOrderAt => self.orders = true,
            Field::Custom(name) => {
                self.fields.insert(format!("custom.{name}"));
            }
            _ => {
                let names = crate::language::standard("profile").into_iter();
                let own = names.filter(|(_, own, _)| own == field);
                self.fields.extend(own.map(|(name, ..)| name.to_owned()));
            }
        }
    }
}
