//! The fields of a segment that the API reads and shows.

use contacts::Contact;
use jiff::Timestamp;
use kernel::{ContactId, Cursor, Limit, Patch, SegmentId};
use lambda::http::{Code, Flaws, Problem};
use segments::{Bounds, Conditions, Kind, Refused, Segment, Status, parse};
use serde::{Deserialize, Serialize};
use serde_json::Value;

const MAX_NAME: usize = 255;
const MAX_DESCRIPTION: usize = 1_000;
/// Contacts of one request.
const MAX_MEMBERS: usize = 100;

/// Query of a list.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    #[serde(default)]
    pub limit: Limit,
    pub cursor: Option<Cursor>,
}

/// A segment to make.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSegment {
    /// Unique in the workspace, whatever its case and marks.
    #[schema(min_length = 1, max_length = 255)]
    name: String,
    #[schema(max_length = 1000)]
    description: Option<String>,
    /// `static` segments have no conditions.
    #[serde(default)]
    kind: Kind,
    /// The conditions of a dynamic segment.
    #[schema(value_type = Option<Conditions>)]
    conditions: Option<Value>,
}

impl NewSegment {
    /// The stored form of these fields.
    pub fn check(self, zone: String) -> Result<segments::NewSegment, Problem> {
        let mut flaws = Flaws::default();
        check_texts(&mut flaws, Some(&self.name), self.description.as_deref());
        let conditions = match (self.kind, &self.conditions) {
            (Kind::Dynamic, Some(json)) => conditions(&mut flaws, json),
            (Kind::Dynamic, None) => {
                flaws.add("/conditions", "a dynamic segment needs conditions");
                None
            }
            (Kind::Static, Some(_)) => {
                flaws.add("/conditions", "a static segment has no conditions");
                None
            }
            (Kind::Static, None) => None,
        };
        flaws.refuse()?;
        Ok(segments::NewSegment {
            name: self.name.trim().to_owned(),
            description: self.description,
            conditions,
            system: None,
            zone,
        })
    }
}

/// Changes of a segment. An absent field stays.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SegmentUpdate {
    #[schema(min_length = 1, max_length = 255)]
    name: Option<String>,
    /// `null` removes the description.
    #[serde(default)]
    #[schema(value_type = Option<String>, max_length = 1000)]
    description: Patch<String>,
    /// New conditions are a new version. The members of the old ones are shown until it is built.
    #[schema(value_type = Option<Conditions>)]
    conditions: Option<Value>,
}

impl SegmentUpdate {
    /// The stored form of these fields.
    pub fn check(self, zone: String) -> Result<segments::Changes, Problem> {
        let mut flaws = Flaws::default();
        let description = match self.description {
            Patch::Keep => None,
            Patch::Clear => Some(None),
            Patch::Set(text) => Some(Some(text)),
        };
        let text = description.as_ref().and_then(Option::as_deref);
        check_texts(&mut flaws, self.name.as_deref(), text);
        let json = self.conditions.as_ref();
        let conditions = json.and_then(|json| conditions(&mut flaws, json));
        flaws.refuse()?;
        Ok(segments::Changes {
            name: self.name.map(|name| name.trim().to_owned()),
            description,
            conditions: conditions.map(|conditions| (conditions, zone)),
        })
    }
}

/// Conditions to try.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSegmentPreview {
    #[schema(value_type = Conditions)]
    conditions: Value,
}

impl NewSegmentPreview {
    /// The conditions.
    pub fn check(&self) -> Result<Conditions, Problem> {
        let mut flaws = Flaws::default();
        let conditions = conditions(&mut flaws, &self.conditions);
        flaws.refuse()?;
        conditions.ok_or_else(|| Problem::invalid("/conditions", "expected conditions"))
    }
}

/// What conditions would find.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SegmentPreview {
    /// Members.
    pub count: u64,
    /// Whether the count is scaled from a part of the contacts.
    pub is_estimate: bool,
    /// Contacts that were checked.
    pub checked: u64,
    /// Up to ten members.
    pub contacts: Vec<Contact>,
}

/// Contacts to add to and to remove from a static segment.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SegmentMembersUpdate {
    #[serde(default)]
    #[schema(max_items = 100)]
    pub add_contact_ids: Vec<ContactId>,
    #[serde(default)]
    #[schema(max_items = 100)]
    pub remove_contact_ids: Vec<ContactId>,
}

impl SegmentMembersUpdate {
    /// Checks the bounds; the contacts are checked later.
    pub fn check(&self) -> Result<(), Problem> {
        let mut flaws = Flaws::default();
        let message = "holds at most 100 contacts";
        let (add, remove) = (&self.add_contact_ids, &self.remove_contact_ids);
        flaws.check(add.len() > MAX_MEMBERS, "/add_contact_ids", message);
        flaws.check(remove.len() > MAX_MEMBERS, "/remove_contact_ids", message);
        for (n, id) in remove.iter().enumerate() {
            let pointer = format!("/remove_contact_ids/{n}");
            flaws.check(add.contains(id), pointer, "is also to be added");
        }
        flaws.refuse()
    }
}

/// A member of a segment.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SegmentMember {
    /// The contact.
    pub contact_id: ContactId,
}

/// A segment as the API shows it.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Segment)]
pub struct SegmentView {
    pub id: SegmentId,
    pub name: String,
    pub description: Option<String>,
    pub kind: Kind,
    /// Key of the offered segment that this one was made from.
    pub system: Option<String>,
    pub status: Status,
    /// The newest conditions; null for a static segment.
    #[schema(value_type = Option<Conditions>)]
    pub conditions: Option<Value>,
    /// Members when they were last counted: when the conditions were built.
    pub count: Option<i64>,
    #[serde(serialize_with = "kernel::clock::millis")]
    pub count_at: Option<Timestamp>,
    #[serde(serialize_with = "kernel::clock::millis")]
    pub created_at: Timestamp,
    #[serde(serialize_with = "kernel::clock::millis")]
    pub updated_at: Timestamp,
}

impl SegmentView {
    /// The view of a segment with its newest conditions as text.
    pub fn new(segment: Segment, conditions: Option<&str>) -> Self {
        Self {
            status: segment.status(),
            id: segment.segment,
            name: segment.name,
            description: segment.description,
            kind: segment.kind,
            system: segment.system,
            conditions: conditions.and_then(|text| serde_json::from_str(text).ok()),
            count: segment.count,
            count_at: segment.count_at,
            created_at: segment.created_at,
            updated_at: segment.updated_at,
        }
    }
}

/// The offered segments that were made.
#[derive(Serialize, utoipa::ToSchema)]
pub struct OfferedSegments {
    pub data: Vec<SegmentView>,
}

fn check_texts(flaws: &mut Flaws, name: Option<&str>, description: Option<&str>) {
    let is_name = |name: &str| !name.trim().is_empty() && name.chars().count() <= MAX_NAME;
    let bad_name = name.is_some_and(|name| !is_name(name));
    flaws.check(bad_name, "/name", "expected 1 to 255 letters");
    let is_long = description.is_some_and(|text| text.chars().count() > MAX_DESCRIPTION);
    flaws.check(is_long, "/description", "holds at most 1000 letters");
}

fn conditions(flaws: &mut Flaws, json: &Value) -> Option<Conditions> {
    match parse(json, &Bounds::default()) {
        Ok(conditions) => Some(conditions),
        Err(faults) => {
            for fault in faults {
                flaws.add(format!("/conditions{}", fault.pointer), fault.message);
            }
            None
        }
    }
}

/// The problem of a refused change.
pub fn refused(refused: Refused) -> Problem {
    match refused {
        Refused::Absent => Problem::not_found("segment"),
        Refused::NameTaken => {
            let detail = "another segment of the workspace has this name";
            Problem::new(Code::Conflict, detail).at("/name", "is taken")
        }
        Refused::IdTaken => Problem::from(cloud::Error::Conflict),
        Refused::Unknown(id) => {
            Problem::invalid("/conditions", format!("there is no segment {id}"))
        }
        Refused::Cycle => {
            Problem::invalid("/conditions", "the segment would depend on its own members")
        }
        Refused::TooMany => {
            let detail = format!(
                "a workspace has at most {} segments",
                segments::MAX_SEGMENTS
            );
            Problem::new(Code::Unprocessable, detail)
        }
        Refused::NoRoom => {
            let detail = "the segments of the workspace name too many fields, tags and events";
            Problem::new(Code::Unprocessable, detail).at("/conditions", "names too much")
        }
        Refused::Static => Problem::invalid("/conditions", "a static segment has no conditions"),
        Refused::Busy => {
            let detail = "another change of the workspace's segments is running";
            Problem::new(Code::Unavailable, detail).retry_after(2)
        }
        Refused::Used(users) => {
            let detail = format!("the segment is used by {}", users.join(", "));
            Problem::new(Code::Conflict, detail)
        }
    }
}
