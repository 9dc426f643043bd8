//! Conditions compiled once and checked for a contact at an instant. Pure.
//!
//! A check tells whether the contact is in, and until when that stays so without any event. A condition that is not
//! about the past or the future never changes by time alone.

mod days;
mod leaf;
mod mentions;
pub(crate) mod test;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::language::{Conditions, Node};
use crate::subject::Subject;

pub use days::{day_of, delay};
pub use mentions::Mentions;

use days::{Answer, Moment};
use leaf::Leaf;

/// The answer of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the contact is in the segment.
    pub is_in: bool,
    /// The first later instant, in whole milliseconds, at which the answer may change without any event. A check at
    /// that instant gives the answer. None: time alone never changes it.
    pub flips_at: Option<Timestamp>,
}

/// Compiled conditions of a segment.
#[derive(Debug, Clone)]
pub struct Predicate {
    root: Branch,
    zone: TimeZone,
    mentions: Mentions,
}

#[derive(Debug, Clone)]
enum Branch {
    All(Vec<Branch>),
    Any(Vec<Branch>),
    One(Leaf),
}

impl Predicate {
    /// Compiles conditions; `zone` is the time zone of the workspace.
    pub fn compile(conditions: &Conditions, zone: &TimeZone) -> Self {
        Self {
            root: Branch::compile(conditions.root(), zone),
            zone: zone.clone(),
            mentions: Mentions::of(conditions),
        }
    }

    /// What the answer depends on.
    pub fn mentions(&self) -> &Mentions {
        &self.mentions
    }

    /// Whether the contact is in the segment at this instant.
    pub fn check(&self, subject: &Subject<'_>, now: Timestamp) -> Verdict {
        let moment = Moment::new(now, &self.zone, subject.contact.id);
        let answer = self.root.check(subject, &moment);
        let flips_at = answer.until.map(Timestamp::from_millisecond);
        Verdict {
            is_in: answer.holds,
            flips_at: flips_at.and_then(Result::ok),
        }
    }
}

impl Branch {
    fn compile(node: &Node, zone: &TimeZone) -> Self {
        let parts = |nodes: &[Node]| {
            let mut parts: Vec<Self> = nodes.iter().map(|node| Self::compile(node, zone)).collect();
            // The order does not change the answer: cheap ones first.
            parts.sort_by_key(Self::cost);
            parts
        };
        match node {
            Node::All(nodes) => Self::All(parts(nodes)),
            Node::Any(nodes) => Self::Any(parts(nodes)),
            Node::One(condition) => Self::One(Leaf::compile(condition, zone)),
        }
    }

    fn cost(&self) -> u32 {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().map(Self::cost).sum(),
            Self::One(leaf) => leaf.cost(),
        }
    }

    fn check(&self, subject: &Subject<'_>, moment: &Moment<'_>) -> Answer {
        match self {
            Self::All(parts) => join(parts, false, subject, moment),
            Self::Any(parts) => join(parts, true, subject, moment),
            Self::One(leaf) => leaf.check(subject, moment),
        }
    }
}

/// The answer of a group. One part that answers `decides` decides.
///
/// While a part decides, the answer stays until the last such part changes. Otherwise it stays until the first
/// part changes. A part that decides for ever ends the search.
fn join(parts: &[Branch], decides: bool, subject: &Subject<'_>, moment: &Moment<'_>) -> Answer {
    let mut last: Option<i64> = None;
    let mut first: Option<i64> = None;
    for part in parts {
        let answer = part.check(subject, moment);
        match answer.until {
            None if answer.holds == decides => return answer,
            Some(until) if answer.holds == decides => last = last.max(Some(until)),
            Some(until) => first = Some(first.map_or(until, |first| first.min(until))),
            None => {}
        }
    }
    match last {
        Some(until) => Answer {
            holds: decides,
            until: Some(until),
        },
        None => Answer {
            holds: !decides,
            until: first,
        },
    }
}
