//! Who connects, and into which room.

use access::Operation;
use accounts::sessions::tenant_of;
use chat::realtime::Rooms;
use chat::token::{PREFIX, Tokens};
use kernel::{Clock, Verdict};
use lambda::socket::{Kind, SocketEvent};
use lambda::{Failure, metrics};

const OK: u16 = 200;
const REFUSED: u16 = 401;

/// Decides about connections.
#[derive(Clone)]
pub struct Gate {
    pub tokens: Tokens,
    pub rooms: Rooms,
    pub clock: Clock,
}

impl Gate {
    /// The status of one socket event.
    pub async fn handle(&self, event: SocketEvent) -> Result<u16, Failure> {
        match event.kind {
            Kind::Connect => self.connect(&event).await,
            // A ping keeps the connection from idling out by having arrived; a typing sign has no
            // listener yet. Answering would need the right to post.
            Kind::Message => Ok(OK),
            Kind::Disconnect => {
                self.rooms.leave(&event.connection).await?;
                Ok(OK)
            }
        }
    }

    /// A visitor's token is proved here; anything else was looked up by the authorizer.
    async fn connect(&self, event: &SocketEvent) -> Result<u16, Failure> {
        let connection = event.connection.as_str();
        let token = event.query.get("token").map_or("", String::as_str);
        if token.starts_with(PREFIX) {
            if let Some(session) = self.tokens.open(token, self.clock.now()) {
                self.rooms.join_visitor(&session, connection).await?;
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
