//! The evaluation of one contact: which segments it is in now, and when time alone changes that. Pure.

use std::collections::{BTreeMap, BTreeSet};

use contacts::{Contact, Mentions as Interest};
use jiff::Timestamp;
use kernel::SegmentId;

use crate::definitions::{Defined, Definition};
use crate::model::{STATIC, dependents};
use crate::state::State;
use crate::subject::Subject;

/// The memberships that were read from member rows, by segment.
pub(crate) type Looked = BTreeMap<SegmentId, bool>;

/// The result of an evaluation.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Segments whose live version the contact entered or left.
    pub moved: Vec<(SegmentId, u32, bool)>,
    /// Answers of versions that are being built.
    pub built: Vec<(SegmentId, u32, bool)>,
    /// The first instant at which an answer may change by itself.
    pub flips_at: Option<Timestamp>,
    /// Checks made.
    pub checks: u64,
    /// Requests of staff about static segments.
    pub placed: BTreeMap<SegmentId, Placed>,
}

/// A request of staff that a static segment holds the contact, or does not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Placed {
    pub is_in: bool,
    pub at: Timestamp,
    /// Whether the membership changes.
    pub is_news: bool,
}

impl Found {
    /// The changes that follow from requests of staff.
    pub fn of_placed(placed: BTreeMap<SegmentId, Placed>, state: &mut State) -> Self {
        let mut found = Self::default();
        for (&segment, one) in &placed {
            state.note(segment, STATIC, one.is_in);
            let list = if one.is_news {
                &mut found.moved
            } else {
                // The row notes the later time.
                &mut found.built
            };
            list.push((segment, STATIC, one.is_in));
        }
        found.placed = placed;
        found
    }

    /// When the cause of a change happened; `at` is the last cause of the run.
    pub fn at(&self, segment: SegmentId, at: Timestamp) -> Timestamp {
        self.placed.get(&segment).map_or(at, |placed| placed.at)
    }
}

/// Evaluates the `affected` segments, then those that name a segment that the contact entered or left. Notes the
/// answers in `state`, and the changes in `found`.
#[expect(clippy::too_many_arguments, reason = "the parts of one run")]
pub(crate) fn evaluate(
    defined: &Defined,
    interest: &Interest,
    mut affected: BTreeSet<SegmentId>,
    contact: &Contact,
    state: &mut State,
    looked: &Looked,
    now: Timestamp,
    found: &mut Found,
) {
    for one in &defined.all {
        let id = one.segment.segment;
        if !affected.contains(&id) {
            continue;
        }
        for version in one.versions() {
            let is_live = Some(version.version) == one.live_version();
            let subject = Subject::new(contact, &state.facts);
            let verdict = version.predicate.check(&subject, now);
            // An archived contact is kept, and in no segment.
            let is_in = verdict.is_in && !contact.is_archived();
            found.checks += 1;
            found.flips_at = earliest(found.flips_at, verdict.flips_at);
            if !is_live {
                found.built.push((id, version.version, is_in));
                continue;
            }
            let was = state.is_in(id, version.version);
            let was = was.or_else(|| looked.get(&id).copied()).unwrap_or(false);
            state.note(id, version.version, is_in);
            if was != is_in {
                found.moved.push((id, version.version, is_in));
                affected.extend(dependents(interest, id));
            }
        }
    }
}

/// The earlier of two instants.
pub(crate) fn earliest(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// The segments whose membership must be known before `affected` are evaluated: those and the ones that they name,
/// and all that name them.
pub(crate) fn needed(
    defined: &Defined,
    interest: &Interest,
    affected: &BTreeSet<SegmentId>,
) -> BTreeSet<SegmentId> {
    let mut all = affected.clone();
    let mut next: Vec<SegmentId> = affected.iter().copied().collect();
    while let Some(one) = next.pop() {
        next.extend(
            dependents(interest, one)
                .into_iter()
                .filter(|new| all.insert(*new)),
        );
    }
    let named = all.iter().filter_map(|one| defined.get(*one));
    let named: Vec<SegmentId> = named.flat_map(Definition::named).collect();
    all.extend(named);
    all
}

impl Definition {
    /// The segments that its conditions name.
    fn named(&self) -> Vec<SegmentId> {
        let versions = self.versions();
        versions
            .flat_map(|version| version.predicate.mentions().segments.iter().copied())
            .collect()
    }
}
