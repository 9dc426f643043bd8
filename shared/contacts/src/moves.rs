//! Changes of a contact that can start workflows: made, on a list, off a list, tagged, untagged. Pure.
//!
//! The entry of the change on the timeline holds them if a workflow listens to one. The relay makes an event of each kind from
//! the entry. So a change that no workflow listens to costs nothing, and one change is one entry.
//!
//! The changes of a workflow start none: a workflow that sets a tag could start itself without end.

use kernel::ListId;
use kernel::text::alike;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::model::{Event, Source};

/// The contact is new.
pub const CREATED: &str = "contact.created";
/// The contact got tags.
pub const TAG_ADDED: &str = "contact.tag_added";
/// The contact lost tags.
pub const TAG_REMOVED: &str = "contact.tag_removed";
/// The contact joined lists.
pub const LIST_JOINED: &str = "contact.list_joined";
/// The contact left lists.
pub const LIST_LEFT: &str = "contact.list_left";
/// The door whose changes start no workflow.
pub(crate) const OWN_DOOR: &str = "workflow";

/// The changes of one write.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Moves {
    /// The source of a new contact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<Source>,
    /// New tags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags_added: Vec<String>,
    /// Former tags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags_removed: Vec<String>,
    /// New lists.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lists_joined: Vec<ListId>,
    /// Former lists.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lists_left: Vec<ListId>,
}

impl Moves {
    /// The names of the events with their data. A tag is there as it is spelt and as it is compared.
    pub fn told(&self) -> Vec<(&'static str, Value)> {
        let mut told = Vec::new();
        if let Some(source) = self.created {
            let data = json!({ "source": source, "list_id": self.lists_joined, "tag": spelt(&self.tags_added) });
            told.push((CREATED, data));
        }
        for (name, tags) in [
            (TAG_ADDED, &self.tags_added),
            (TAG_REMOVED, &self.tags_removed),
        ] {
            if !tags.is_empty() {
                told.push((name, json!({ "tag": spelt(tags) })));
            }
        }
        for (name, lists) in [
            (LIST_JOINED, &self.lists_joined),
            (LIST_LEFT, &self.lists_left),
        ] {
            if !lists.is_empty() {
                told.push((name, json!({ "list_id": lists })));
            }
        }
        told
    }

    /// The events, as parts of the entry that holds them.
    pub fn events(&self, entry: &Event) -> Vec<Event> {
        let told = self.told().into_iter();
        told.map(|(name, data)| Event {
            id: format!("{}#{name}", entry.id),
            name: name.to_owned(),
            data,
            ..entry.clone()
        })
        .collect()
    }
}

/// The tags as they are spelt, then the other spelling that is compared.
fn spelt(tags: &[String]) -> Vec<String> {
    let mut all: Vec<String> = tags.to_vec();
    for tag in tags {
        let other = alike(tag);
        if !all.contains(&other) {
            all.push(other);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_change_is_one_event() {
        let list: ListId = "lst_00000000001".parse().unwrap();
        let moves = Moves {
            created: Some(Source::Import),
            tags_added: vec!["VIP".into(), "sỉ".into()],
            lists_joined: vec![list],
            ..Moves::default()
        };
        let entry = Event {
            id: "e".into(),
            name: "contact.updated".into(),
            at: jiff::Timestamp::UNIX_EPOCH,
            source: "api".into(),
            data: Value::Null,
        };
        let events = moves.events(&entry);
        let names: Vec<&str> = events.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, [CREATED, TAG_ADDED, LIST_JOINED]);
        assert_eq!(events[1].id, "e#contact.tag_added");
        let tags = events[1].data["tag"].as_array().unwrap();
        assert!(tags.contains(&"VIP".into()) && tags.contains(&alike("VIP").into()));
        assert_eq!(events[0].data["source"], "import");
        assert!(Moves::default().events(&entry).is_empty());
    }
}
