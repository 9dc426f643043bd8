//! Admits connections and assigns each to its room.

use std::num::NonZeroU32;

use access::Operation;
use accounts::RecentWorkspaces;
use accounts::sessions::tenant_of;
use chat::realtime::Rooms;
use chat::token::{PREFIX, Tokens};
use cloud::{Buckets, SocketError, Sockets};
use kernel::{Clock, Verdict};
use lambda::socket::{Kind, SocketEvent};
use lambda::{Failure, metrics};

const OK: u16 = 200;
const REFUSED: u16 = 401;
const TOO_MANY: u16 = 429;
/// Messages of a connection in a second. A browser sends a ping now and then.
const PER_SECOND: NonZeroU32 = NonZeroU32::new(2).unwrap();
/// Messages of a connection at once.
const BURST: NonZeroU32 = NonZeroU32::new(20).unwrap();

/// Decides about connections.
#[derive(Clone)]
pub struct Gate {
    pub tokens: Tokens,
    pub rooms: Rooms,
    pub clock: Clock,
    /// Messages by connection.
    pub buckets: Buckets,
    pub sockets: Sockets,
    pub workspaces: RecentWorkspaces,
}

impl Gate {
    pub fn buckets(clock: &Clock) -> Buckets {
        Buckets::new(clock, PER_SECOND, BURST)
    }

    /// The status of one socket event.
    pub async fn handle(&self, event: SocketEvent) -> Result<u16, Failure> {
        match event.kind {
            Kind::Connect => self.connect(&event).await,
            Kind::Message => self.message(&event.connection).await,
            Kind::Disconnect => {
                self.rooms.leave(&event.connection).await?;
                Ok(OK)
            }
        }
    }

    /// A ping needs no action: its arrival keeps the connection from the idle time-out. Typing signs have no
    /// subscriber yet. A connection that floods is closed, since each message is an invocation.
    async fn message(&self, connection: &str) -> Result<u16, Failure> {
        if self.buckets.take(connection).is_ok() {
            return Ok(OK);
        }
        metrics::count("ConnectionsFlooding", 1);
        match self.sockets.close(connection).await {
            Ok(()) | Err(SocketError::Gone) => {}
            // The next message closes the connection.
            Err(SocketError::Failed(error)) => {
                tracing::warn!(%error, "a flooding connection could not be closed");
            }
        }
        Ok(TOO_MANY)
    }

    /// A visitor's token is verified here, and its workspace must be open; the authorizer looked up every other token.
    async fn connect(&self, event: &SocketEvent) -> Result<u16, Failure> {
        let connection = event.connection.as_str();
        let token = event.query.get("token").map_or("", String::as_str);
        if token.starts_with(PREFIX) {
            let session = self.tokens.open(token, self.clock.now());
            if let Some(session) = session
                && self.workspaces.is_open(session.tenant).await?
            {
                if !self.rooms.join_visitor(&session, connection).await? {
                    metrics::count("ConnectionsOverLimit", 1);
                    return Ok(TOO_MANY);
                }
                metrics::count("VisitorsConnected", 1);
                return Ok(OK);
            }
        } else if let Verdict::Granted(grant) = &event.verdict
            && grant.may(Operation::ListConversations)
            && let (Some(tenant), Some(holder)) = (tenant_of(grant), &grant.holder)
        {
            self.rooms.join_agents(tenant, connection, holder).await?;
            metrics::count("AgentsConnected", 1);
            return Ok(OK);
        }
        metrics::incident("ConnectionsRefused", 1);
        Ok(REFUSED)
    }
}
