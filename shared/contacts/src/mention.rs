//! Names of the data of a contact that a segment may mention. Pure.
//!
//! A writer reports the names of what it changed, and a segment is evaluated if it mentions one of them. Fields of the
//! profile have the names of their attributes: `full_name`, `custom.size`, `email_status`.

use kernel::{Channel, ListId, SegmentId};

use crate::consent::Purpose;

/// A contact that is new. Every segment mentions this.
pub const CREATED: &str = "created_at";
/// Prefix of events.
pub const EVENT: &str = "event=";

/// Any tag at all.
pub const TAGS: &str = "tags";
/// The orders of the contact.
pub const ORDERS: &str = "orders";
/// The lead score of the contact.
pub const SCORE: &str = "score";
/// The consent to be followed on the website.
pub const TRACKING: &str = "tracking";
/// When the profile last changed: every change.
pub(crate) const UPDATED: &str = "updated_at";

/// A tag that the contact may have, in any spelling.
pub fn tag(tag: &str) -> String {
    format!("tag={}", kernel::text::fold(tag))
}

/// The names of a change of these tags.
pub(crate) fn tags<'a>(tags: impl IntoIterator<Item = &'a String>) -> Vec<String> {
    let mut names: Vec<String> = tags.into_iter().map(|one| tag(one)).collect();
    if !names.is_empty() {
        names.push(TAGS.to_owned());
    }
    names
}

/// The consent to a channel: the attribute of its status.
pub(crate) fn status(channel: Channel) -> String {
    format!("{}_status", channel.name())
}

/// The names of a decision about a channel; `None`: about every purpose.
pub(crate) fn consent(channel: Channel, purpose: Option<Purpose>) -> Vec<String> {
    let follows = matches!(purpose, None | Some(Purpose::BehaviouralAds));
    let tracking = follows.then(|| TRACKING.to_owned());
    [status(channel)].into_iter().chain(tracking).collect()
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
