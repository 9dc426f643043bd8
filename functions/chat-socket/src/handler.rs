//! Who connects, and into which room.

use accounts::Sessions;
use accounts::sessions::tenant_of;
use chat::realtime::Rooms;
use chat::token::{PREFIX, Tokens};
use kernel::{Clock, Operation, Verdict};
use lambda::socket::{Kind, SocketEvent};
use lambda::{Failure, metrics};

const OK: u16 = 200;
const REFUSED: u16 = 401;

/// Decides about connections.
#[derive(Clone)]
pub struct Gate {
    pub sessions: Sessions,
    pub tokens: Tokens,
    pub rooms: Rooms,
    pub clock: Clock,
}

impl Gate {
    /// The status of one socket event.
    pub async fn handle(&self, event: SocketEvent) -> Result<u16, Failure> {
        match event.kind {
            Kind::Connect => {
                let given = |name: &str| event.query.get(name).map(String::as_str);
                let token = given("token").unwrap_or_default();
                self.connect(&event.connection, token, given("workspace"))
                    .await
            }
            // A ping keeps the connection from idling out by having arrived; a typing sign has no
            // listener yet. Answering would need the right to post.
            Kind::Message => Ok(OK),
            Kind::Disconnect => {
                self.rooms.leave(&event.connection).await?;
                Ok(OK)
            }
        }
    }

    async fn connect(
        &self,
        connection: &str,
        token: &str,
        workspace: Option<&str>,
    ) -> Result<u16, Failure> {
        if token.starts_with(PREFIX) {
            if let Some(session) = self.tokens.open(token, self.clock.now()) {
                self.rooms.join_visitor(&session, connection).await?;
                metrics::count("VisitorsConnected", 1);
                return Ok(OK);
            }
        } else if let Some(holder) = self.sessions.holder(token).await?
            && let Verdict::Granted(grant) = self.sessions.verdict(token, workspace).await?
            && grant.may(Operation::ListConversations)
            && let Some(tenant) = tenant_of(&grant)
        {
            let holder = serde_json::to_string(&holder)
                .map_err(|error| Failure::reject("Socket.Holder", error))?;
            self.rooms.join_agents(tenant, connection, &holder).await?;
            metrics::count("AgentsConnected", 1);
            return Ok(OK);
        }
        metrics::count("ConnectionsRefused", 1);
        Ok(REFUSED)
    }
}
