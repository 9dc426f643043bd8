//! The messages to `segment-builder`.

use cloud::{Message, QueueName};
use kernel::{Cursor, SegmentId};
use serde::{Deserialize, Serialize};

/// To `segment-builder`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum BuildMessage {
    /// Find the members of a version among the contacts of this shard, from this place.
    #[serde(rename = "segment.build.v1")]
    Build {
        /// The segment.
        segment: SegmentId,
        /// The version.
        version: u32,
        /// Contact shard.
        shard: u32,
        /// Where the shard continues.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cursor: Option<Cursor>,
    },
    /// Delete the members of a version that is neither live nor being built.
    #[serde(rename = "segment.clear.v1")]
    Clear {
        /// The segment.
        segment: SegmentId,
        /// The version.
        version: u32,
        /// Contact shard.
        shard: u32,
    },
}

impl Message for BuildMessage {
    const QUEUE: QueueName = QueueName::new("segment-build");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_shapes_are_fixed() {
        for text in [
            r#"{"type":"segment.build.v1","segment":"seg_0123456789a","version":2,"shard":3}"#,
            r#"{"type":"segment.clear.v1","segment":"seg_0123456789a","version":1,"shard":3}"#,
        ] {
            let message: BuildMessage = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&message).unwrap(), text);
        }
    }
}
