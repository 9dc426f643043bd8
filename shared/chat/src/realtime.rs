//! Open browsers: the connections of each room, and the notifications to read again.
//!
//! A connection outlives the request that opened it. So a row of the agents' room names its holder, and the holder
//! is checked before each post. A session that has ended receives nothing more. The caller does the check; here the
//! holder is only a text.
//!
//! Posts are hints. A browser reads by cursor when a post arrives, when it has reconnected, and once a minute. So a
//! lost post delays a message by at most a minute and is not retried. If a room has more connections than the limit,
//! the others learn of the message at their next poll.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;

use cloud::{Error, Query, Resources, SocketError, Sockets, Table};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use kernel::TenantKey;
use serde::{Deserialize, Serialize};

use crate::body::{Event, Happened, What};
use crate::keys;
use crate::token::Session;

/// API Gateway ends a connection after two hours.
const KEEP_SECONDS: i64 = 2 * 3600 + 600;
/// API Gateway returns 410 both for a closed connection and for one that is still opening. `$connect` is answered
/// within 29 seconds, so a row younger than that is not deleted.
const OPENING_SECONDS: i64 = 30;
/// API Gateway's frames hold 32 KB; one event with its text has at most 7 KB.
pub const FRAME_BYTES: usize = 30_000;
/// Posts at once.
const CONCURRENCY: usize = 16;
/// Connections that a visitor may have. Anybody can be a visitor. Thousands of connections of one visitor must not
/// delay the posts to all others.
pub const VISITORS_CONNECTIONS: u32 = 20;
/// Connections of a workspace's agents that are notified, so that one workspace does not delay the others.
pub const AGENTS_CONNECTIONS: u32 = 1_000;

/// The connections of each room.
#[derive(Clone, Debug)]
pub struct Rooms {
    table: Table,
}

#[derive(Serialize, Deserialize)]
struct Member {
    /// The room.
    pk: String,
    /// The connection.
    sk: String,
    ttl: i64,
    /// The holder of an agent's connection. A visitor's connection has none: the room itself proves the visitor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    holder: Option<String>,
}

impl Member {
    /// Whether it may still be opening.
    fn is_opening(&self, now: Timestamp) -> bool {
        now.as_second() < self.ttl - KEEP_SECONDS + OPENING_SECONDS
    }
}

#[derive(Serialize, Deserialize)]
struct Connection {
    room: String,
    ttl: i64,
}

impl Rooms {
    /// Over the table Realtime.
    pub fn over(resources: &Resources) -> Self {
        Self {
            table: resources.table("Realtime"),
        }
    }

    /// An agent's browser has connected; `holder` names the agent's credential.
    pub async fn join_agents(
        &self,
        tenant: TenantKey,
        connection: &str,
        holder: &str,
    ) -> Result<(), Error> {
        let room = keys::agents_room(tenant);
        self.join(room, connection, Some(holder.to_owned())).await
    }

    /// A visitor's browser has connected. False: the visitor already has [`VISITORS_CONNECTIONS`], and this
    /// connection was not added. The room is read after the connection is added. So of many concurrent connections
    /// no more than the limit stay. This costs one read unit beside the two writes.
    pub async fn join_visitor(&self, session: &Session, connection: &str) -> Result<bool, Error> {
        let room = keys::visitor_room(session.tenant, session.inbox, &session.visitor);
        self.join(room.clone(), connection, None).await?;
        // Expired rows that are not deleted yet may sort before the others.
        let query = Query::partition(&room).limit(2 * VISITORS_CONNECTIONS + 1);
        let now = self.table.clock().now().as_second();
        let members: Vec<Member> = self.table.query(query).await?.data;
        let live = members.iter().filter(|member| member.ttl > now).count();
        if live <= VISITORS_CONNECTIONS as usize {
            return Ok(true);
        }
        self.forget(&room, connection).await?;
        Ok(false)
    }

    /// The connection's row is written first: a disconnect that overtakes the second write then finds the room.
    async fn join(
        &self,
        room: String,
        connection: &str,
        holder: Option<String>,
    ) -> Result<(), Error> {
        let ttl = self.table.clock().now().as_second() + KEEP_SECONDS;
        let member = keys::member(&room, connection);
        let row = Member {
            pk: room.clone(),
            sk: connection.to_owned(),
            ttl,
            holder,
        };
        let own = Connection { room, ttl };
        self.table.put(&keys::connection(connection), &own).await?;
        self.table.put(&member, &row).await
    }

    /// The connection has ended.
    pub async fn leave(&self, connection: &str) -> Result<(), Error> {
        let key = keys::connection(connection);
        let Some(row) = self.table.get::<Connection>(&key).await? else {
            return Ok(());
        };
        self.forget(&row.room, connection).await
    }

    /// A connection of the room has ended. Its own row may be deleted already. A disconnect between the two writes
    /// of joining deletes it, and the room's row is written afterwards.
    async fn forget(&self, room: &str, connection: &str) -> Result<(), Error> {
        self.table.delete(&keys::member(room, connection)).await?;
        self.table.delete(&keys::connection(connection)).await
    }

    /// The connections of a room that are notified. Expired connections are included on purpose: posting to one
    /// returns 410, and it is then deleted. Otherwise they would use up the limit.
    async fn members(&self, room: &Room) -> Result<Vec<Member>, Error> {
        let most = match room.agents_of {
            Some(_) => AGENTS_CONNECTIONS,
            None => VISITORS_CONNECTIONS,
        };
        let query = Query::partition(&room.name).limit(most);
        Ok(self.table.query(query).await?.data)
    }
}

/// The outcome of the posts of one batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pushed {
    /// Arrived.
    pub posted: u64,
    /// Connections that had ended and are now deleted, or were not open yet.
    pub gone: u64,
    /// Posts that failed.
    pub lost: u64,
    /// Agents' connections that were closed because the credential has ended.
    pub ended: u64,
}

/// Notifies open browsers.
#[derive(Clone, Debug)]
pub struct Pusher {
    rooms: Rooms,
    sockets: Sockets,
}

impl Pusher {
    /// Over the table Realtime and the WebSocket API.
    pub fn over(resources: &Resources) -> Self {
        Self {
            rooms: Rooms::over(resources),
            sockets: resources.sockets(),
        }
    }

    /// Posts events to all connections that may see them. Each room is read once for all of its events, and each
    /// connection gets them in one frame if they fit. `admits` is called once for each holder of a workspace. It
    /// decides whether the holder may still see the agents' events.
    pub async fn push<A, F>(
        &self,
        happened: &[(TenantKey, Happened)],
        admits: A,
    ) -> Result<Pushed, Error>
    where
        A: Fn(TenantKey, String) -> F,
        F: Future<Output = Result<bool, Error>>,
    {
        let mut pushed = Pushed::default();
        let mut posts = Vec::new();
        for (room, events) in by_room(happened) {
            let frames: Arc<[Vec<u8>]> = frames(&events)?.into();
            let mut members = self.rooms.members(&room).await?;
            if let Some(tenant) = room.agents_of {
                let admitted = admitted(tenant, &members, &admits).await?;
                let may_hear = |member: &Member| {
                    let holder = member.holder.as_ref();
                    holder.is_some_and(|holder| admitted.contains(holder))
                };
                let (live, ended): (Vec<_>, Vec<_>) = members.into_iter().partition(may_hear);
                for member in ended {
                    pushed.ended += 1;
                    self.close(&member).await;
                }
                members = live;
            }
            posts.extend(members.into_iter().map(|one| (one, frames.clone())));
        }
        let results = stream::iter(posts)
            .map(|(member, frames)| self.post(member, frames))
            .buffer_unordered(CONCURRENCY);
        let add = |sum: Pushed, one: Pushed| Pushed {
            posted: sum.posted + one.posted,
            gone: sum.gone + one.gone,
            lost: sum.lost + one.lost,
            ended: sum.ended,
        };
        let fold = |sum, one| async move { add(sum, one) };
        Ok(results.fold(pushed, fold).await)
    }

    /// Closes a connection whose credential has ended. A failure is retried at the next post.
    async fn close(&self, member: &Member) {
        match self.sockets.close(&member.sk).await {
            Ok(()) => self.forget(member).await,
            Err(SocketError::Gone) => self.gone(member).await,
            Err(SocketError::Failed(error)) => {
                tracing::warn!(%error, "an ended session's connection could not be closed");
            }
        }
    }

    /// Deletes a connection that API Gateway reports as closed, unless it is still opening.
    async fn gone(&self, member: &Member) {
        if !member.is_opening(self.rooms.table.clock().now()) {
            self.forget(member).await;
        }
    }

    /// If the delete fails, the row expires by itself, and the next post to it returns 410 again.
    async fn forget(&self, member: &Member) {
        if let Err(error) = self.rooms.forget(&member.pk, &member.sk).await {
            tracing::warn!(%error, "a closed connection could not be deleted");
        }
    }

    async fn post(&self, member: Member, frames: Arc<[Vec<u8>]>) -> Pushed {
        let mut pushed = Pushed::default();
        for frame in frames.iter() {
            match self.sockets.post(&member.sk, frame.clone()).await {
                Ok(()) => pushed.posted += 1,
                Err(SocketError::Gone) => {
                    pushed.gone += 1;
                    self.gone(&member).await;
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

/// A room to post to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Room {
    name: String,
    /// Set for the room of a workspace's agents, whose members are checked.
    agents_of: Option<TenantKey>,
}

/// The holders among the members who may still see the agents' events.
async fn admitted<A, F>(
    tenant: TenantKey,
    members: &[Member],
    admits: &A,
) -> Result<BTreeSet<String>, Error>
where
    A: Fn(TenantKey, String) -> F,
    F: Future<Output = Result<bool, Error>>,
{
    let holders: BTreeSet<String> = members
        .iter()
        .filter_map(|member| member.holder.clone())
        .collect();
    stream::iter(holders)
        .map(|holder| async {
            let admitted = admits(tenant, holder.clone()).await?;
            Ok(admitted.then_some(holder))
        })
        .buffer_unordered(CONCURRENCY)
        .try_filter_map(async |holder| Ok(holder))
        .try_collect()
        .await
}

/// The events of each room; repeated notices count once.
fn by_room(happened: &[(TenantKey, Happened)]) -> BTreeMap<Room, BTreeSet<Event>> {
    let mut rooms: BTreeMap<Room, BTreeSet<Event>> = BTreeMap::new();
    for (tenant, one) in happened {
        if let Some(visitor) = &one.visitor {
            let room = Room {
                name: keys::visitor_room(*tenant, visitor.inbox, &visitor.visitor),
                agents_of: None,
            };
            // For the visitor an answer is new when its channel has accepted it.
            let event = Event {
                r#type: What::New,
                ..one.event.clone()
            };
            rooms.entry(room).or_default().insert(event);
        }
        let room = Room {
            name: keys::agents_room(*tenant),
            agents_of: Some(*tenant),
        };
        rooms.entry(room).or_default().insert(one.event.clone());
    }
    rooms
}

/// The posted frames: `{"v":1,"events":[…]}`, each with as many events as fit.
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
mod tests;
