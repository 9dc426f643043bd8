//! Names of the data of a contact that a segment may mention. Pure.
//!
//! A writer reports the names of what it changed, and a segment is evaluated if it mentions one of them. Fields of the
//! profile have the names of their attributes: `full_name`, `custom.size`, `email_status`.

use kernel::{ListId, SegmentId};

/// A contact that is new. Every segment mentions this.
pub const CREATED: &str = "created_at";
/// Prefix of events.
pub const EVENT: &str = "event=";

/// A tag that the contact may have.
pub fn tag(tag: &str) -> String {
    format!("tag={tag}")
}

/// A list that the contact may be on.
pub fn list(list: ListId) -> String {
    format!("list={list}")
}

/// An event that may happen.
pub fn event(name: &str) -> String {
    format!("{EVENT}{name}")
}

/// Another segment that the contact may be in.
pub fn segment(segment: SegmentId) -> String {
    format!("segment={segment}")
}

/// A custom field.
pub fn custom(name: &str) -> String {
    format!("custom.{name}")
}
