//! A segment as it is stored, and as the API shows it. Pure.

use std::collections::{BTreeMap, BTreeSet};

use contacts::{Mentions as Interest, mention};
use jiff::Timestamp;
use kernel::SegmentId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::predicate::Mentions;

/// Segments that a workspace may have.
pub const MAX_SEGMENTS: usize = 200;

/// The only version of a static segment.
pub(crate) const STATIC: u32 = 1;

/// How the members of a segment are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = SegmentKind)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// By conditions; kept current.
    #[default]
    Dynamic,
    /// Added and removed by hand.
    Static,
}

/// Whether the members are complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = SegmentStatus)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The members of the newest conditions are being found. Until then the members are those of the former ones.
    Building,
    /// The members are complete and kept current.
    Ready,
}

/// A segment as it is stored: `ws#SEGMENTS / seg`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// Its id.
    pub segment: SegmentId,
    /// Name; unique in the workspace.
    pub name: String,
    /// Its purpose.
    #[serde(default)]
    pub description: Option<String>,
    /// How the members are found.
    pub kind: Kind,
    /// Name of the offered segment that this one was made from.
    #[serde(default)]
    pub system: Option<String>,
    /// The newest version of the conditions.
    pub latest: u32,
    /// The version whose members are shown.
    #[serde(default)]
    pub live: Option<u32>,
    /// When that version became the live one.
    #[serde(default)]
    pub live_since: Option<Timestamp>,
    /// The version whose members are being found.
    #[serde(default)]
    pub building: Option<u32>,
    /// From this time on changes are evaluated by the version that is being built.
    #[serde(default)]
    pub active_since: Option<Timestamp>,
    /// Contact shards that are finished. A set of DynamoDB is never empty.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub built: BTreeSet<String>,
    /// Segments that the newest conditions name.
    #[serde(default)]
    pub depends: BTreeSet<SegmentId>,
    /// Members when the live version was finished.
    #[serde(default)]
    pub count: Option<i64>,
    /// When they were counted.
    #[serde(default)]
    pub count_at: Option<Timestamp>,
    /// Members of each finished shard, as `c00` to `c15`, and attributes of the table.
    #[serde(flatten, skip_serializing)]
    pub rest: BTreeMap<String, Value>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its name, description or conditions last changed.
    pub updated_at: Timestamp,
}

impl Segment {
    /// Whether the members are complete.
    pub fn status(&self) -> Status {
        if self.building.is_some() {
            Status::Building
        } else {
            Status::Ready
        }
    }

    /// Members of all finished shards.
    pub(crate) fn counted(&self) -> i64 {
        let shards = (0..contacts::SHARDS).filter_map(|shard| self.rest.get(&counted(shard)));
        shards.filter_map(Value::as_i64).sum()
    }
}

/// The attribute with the members of a finished shard.
pub(crate) fn counted(shard: u32) -> String {
    format!("c{shard:02}")
}

/// One version of the conditions: `ws#seg / VERSION#0007`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Version {
    /// The conditions as text: JSON that [`crate::parse`] has accepted.
    pub conditions: String,
    /// Time zone of the workspace.
    pub zone: String,
}

/// The names under which writers report changes of what a predicate mentions.
pub fn names(mentions: &Mentions) -> BTreeSet<String> {
    let fields = mentions.fields.iter().cloned();
    let tags = mentions.tags.iter().map(|tag| mention::tag(tag));
    let any_tag = mentions.any_tag.then(|| mention::TAGS.to_owned());
    let lists = mentions.lists.iter().map(|&list| mention::list(list));
    let segments = mentions.segments.iter().map(|&one| mention::segment(one));
    let consent = mentions.consent.iter();
    let consent = consent.map(|channel| format!("{}_status", channel.name()));
    let events = mentions.event_names().into_iter().map(mention::event);
    let flags = [
        (mentions.orders, mention::ORDERS),
        (mentions.score, mention::SCORE),
        (mentions.tracking, mention::TRACKING),
    ];
    let flags = flags.into_iter().filter(|(is, _)| *is);
    fields
        .chain(tags)
        .chain(any_tag)
        .chain(lists)
        .chain(segments)
        .chain(consent)
        .chain(events)
        .chain(flags.map(|(_, name)| name.to_owned()))
        .collect()
}

/// The segments to evaluate after a change of these memberships.
pub(crate) fn dependents(interest: &Interest, of: SegmentId) -> BTreeSet<SegmentId> {
    interest.concerned([mention::segment(of).as_str()])
}
