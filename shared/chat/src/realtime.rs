//! Open browsers: who is connected, and telling them to read again.
//!
//! Posts are hints. A browser reads by cursor when one arrives, when it has connected again, and once
//! a minute; so a post that is lost costs a minute and never a message, and is not tried again.

use std::collections::{BTreeMap, BTreeSet};

use cloud::{Error, Query, SocketError, Sockets, Table};
use futures::{StreamExt, stream};
use kernel::TenantKey;
use serde::{Deserialize, Serialize};

use crate::body::{Event, Happened, What};
use crate::keys;
use crate::token::Session;

/// API Gateway ends a connection after two hours.
const KEEP_SECONDS: i64 = 2 * 3600 + 600;
/// API Gateway's frames hold 32 KB; one event with its text has at most 7 KB.
const FRAME_BYTES: usize = 30_000;
/// Posts at once.
const CONCURRENCY: usize = 16;

/// The connections of each room.
#[derive(Clone, Debug)]
pub struct Rooms {
    table: Table,
}

#[derive(Serialize, Deserialize)]
struct Member {
    sk: String,
    ttl: i64,
}

#[derive(Serialize, Deserialize)]
struct Connection {
    room: String,
    ttl: i64,
}

impl Rooms {
    /// Over the realtime table.
    pub fn new(table: Table) -> Self {
        Self { table }
    }

    /// An agent's browser has connected.
    pub async fn join_agents(&self, tenant: TenantKey, connection: &str) -> Result<(), Error> {
        self.join(keys::agents_room(tenant), connection).await
    }

    /// A visitor's browser has connected.
    pub async fn join_visitor(&self, session: &Session, connection: &str) -> Result<(), Error> {
        let room = keys::visitor_room(session.tenant, session.inbox, &session.visitor);
        self.join(room, connection).await
    }

    /// The connection first: a disconnect that overtakes the second write then finds its room.
    async fn join(&self, room: String, connection: &str) -> Result<(), Error> {
        let ttl = self.table.clock().now().as_second() + KEEP_SECONDS;
        let member = keys::member(&room, connection);
        let row = Connection { room, ttl };
        self.table.put(&keys::connection(connection), &row).await?;
        let row = Member {
            sk: connection.to_owned(),
            ttl,
        };
        self.table.put(&member, &row).await
    }

    /// The connection has ended.
    pub async fn leave(&self, connection: &str) -> Result<(), Error> {
        let key = keys::connection(connection);
        let Some(row) = self.table.get::<Connection>(&key).await? else {
            return Ok(());
        };
        self.table
            .delete(&keys::member(&row.room, connection))
            .await?;
        self.table.delete(&key).await
    }

    async fn members(&self, room: &str) -> Result<Vec<String>, Error> {
        let now = self.table.clock().now().as_second();
        let rows: Vec<Member> = self.table.query_all(Query::partition(room)).await?;
        let live = rows.into_iter().filter(|row| row.ttl > now);
        Ok(live.map(|row| row.sk).collect())
    }
}

/// How the posts of one batch went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pushed {
    /// Arrived.
    pub posted: u64,
    /// Connections that had ended and are forgotten now.
    pub gone: u64,
    /// Lost hints.
    pub lost: u64,
}

/// Tells open browsers.
#[derive(Clone, Debug)]
pub struct Pusher {
    rooms: Rooms,
    sockets: Sockets,
}

impl Pusher {
    /// Over the rooms and the WebSocket API.
    pub fn new(rooms: Rooms, sockets: Sockets) -> Self {
        Self { rooms, sockets }
    }

    /// Posts what happened to everybody who may know: one room is read once for all of its events,
    /// and each connection gets them together.
    pub async fn push(&self, happened: &[(TenantKey, Happened)]) -> Result<Pushed, Error> {
        let mut posts = Vec::new();
        for (room, events) in by_room(happened) {
            let frames = frames(&events)?;
            for connection in self.rooms.members(&room).await? {
                posts.push((connection, frames.clone()));
            }
        }
        let results = stream::iter(posts)
            .map(|(connection, frames)| self.post(connection, frames))
            .buffer_unordered(CONCURRENCY);
        let add = |sum: Pushed, one: Pushed| Pushed {
            posted: sum.posted + one.posted,
            gone: sum.gone + one.gone,
            lost: sum.lost + one.lost,
        };
        let fold = |sum, one| async move { add(sum, one) };
        Ok(results.fold(Pushed::default(), fold).await)
    }

    async fn post(&self, connection: String, frames: Vec<Vec<u8>>) -> Pushed {
        let mut pushed = Pushed::default();
        for frame in frames {
            match self.sockets.post(&connection, frame).await {
                Ok(()) => pushed.posted += 1,
                Err(SocketError::Gone) => {
                    pushed.gone += 1;
                    // Left behind it expires by itself, and is gone again at the next post.
                    if let Err(error) = self.rooms.leave(&connection).await {
                        tracing::warn!(%error, "a gone connection could not be forgotten");
                    }
                    break;
                }
                Err(SocketError::Failed(error)) => {
                    pushed.lost += 1;
                    tracing::warn!(%error, "a post was lost");
                }
            }
        }
        pushed
    }
}

/// Which room hears which events; repeated notices count once.
fn by_room(happened: &[(TenantKey, Happened)]) -> BTreeMap<String, BTreeSet<Event>> {
    let mut rooms: BTreeMap<String, BTreeSet<Event>> = BTreeMap::new();
    for (tenant, one) in happened {
        if let Some(visitor) = &one.visitor {
            let room = keys::visitor_room(*tenant, visitor.inbox, &visitor.visitor);
            // An answer is new to the visitor when its channel has it.
            let event = Event {
                r#type: What::New,
                ..one.event.clone()
            };
            rooms.entry(room).or_default().insert(event);
        }
        let room = keys::agents_room(*tenant);
        rooms.entry(room).or_default().insert(one.event.clone());
    }
    rooms
}

/// What is posted: `{"v":1,"events":[…]}`, as many events as fit.
fn frames(events: &BTreeSet<Event>) -> Result<Vec<Vec<u8>>, Error> {
    let mut frames: Vec<String> = Vec::new();
    for event in events {
        let json = serde_json::to_string(event).map_err(|error| Error::Shape(error.to_string()))?;
        match frames.last_mut() {
            Some(frame) if frame.len() + json.len() < FRAME_BYTES => {
                frame.push(',');
                frame.push_str(&json);
            }
            _ => frames.push(format!("{{\"v\":1,\"events\":[{json}")),
        }
    }
    let closed = frames.into_iter().map(|frame| (frame + "]}").into_bytes());
    Ok(closed.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::{Address, Author};
    use crate::keys::Position;
    use crate::model::{Delivery, Visitor};
    use jiff::Timestamp;
    use kernel::{ConversationId, InboxId, MessageId};

    #[expect(clippy::disallowed_methods, reason = "a tenant for tests")]
    fn tenant() -> TenantKey {
        TenantKey::authenticated("ws_00000000001".parse().unwrap())
    }

    fn happened(n: i64, what: What, told: bool) -> Happened {
        let at = Timestamp::from_millisecond(1_772_438_400_000 + n).unwrap();
        let address = Address {
            inbox: InboxId::derived(Timestamp::UNIX_EPOCH, &["a"]),
            visitor: Visitor::new(&kernel::Entropy::seeded(1)),
        };
        let event = Event {
            cursor: Position::before(at),
            conversation_id: ConversationId::derived(Timestamp::UNIX_EPOCH, &["a"]),
            message_id: MessageId::derived(at, &["a"]),
            r#type: what,
            at,
            author: Author::Agent,
            private: !told,
            status: Delivery::Sent,
            text: Some("\u{1}".repeat(1_000)),
        };
        Happened {
            visitor: told.then_some(address),
            event,
        }
    }

    #[test]
    fn a_note_is_for_agents_only_and_a_repeated_notice_counts_once() {
        let note = (tenant(), happened(0, What::New, false));
        let rooms = by_room(&[note.clone(), note]);
        assert_eq!(rooms.len(), 1);
        assert_eq!(rooms["ws_00000000001#agents"].len(), 1);
    }

    #[test]
    fn an_answer_that_arrived_is_new_to_the_visitor() {
        let rooms = by_room(&[(tenant(), happened(0, What::Updated, true))]);
        let types = |room: &str| -> Vec<What> {
            let events = rooms.iter().find(|(name, _)| name.contains(room));
            events.unwrap().1.iter().map(|event| event.r#type).collect()
        };
        assert_eq!(types("#CU#"), [What::New]);
        assert_eq!(types("#agents"), [What::Updated]);
    }

    #[test]
    fn frames_are_json_below_the_gateways_limit_and_hold_every_event_in_order() {
        let many: Vec<_> = (0..50)
            .map(|n| (tenant(), happened(n, What::New, false)))
            .collect();
        let rooms = by_room(&many);
        let mut shown: Vec<Timestamp> = Vec::new();
        for frame in frames(&rooms["ws_00000000001#agents"]).unwrap() {
            assert!(frame.len() < 32 * 1024);
            let frame: serde_json::Value = serde_json::from_slice(&frame).unwrap();
            assert_eq!(frame["v"], 1);
            let events = frame["events"].as_array().unwrap().iter();
            shown.extend(
                events.map(|event| event["at"].as_str().unwrap().parse::<Timestamp>().unwrap()),
            );
        }
        assert!(shown.len() == 50 && shown.is_sorted());
    }
}
