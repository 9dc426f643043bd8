//! How much a visitor and an address may write. Counted by all instances together; reading costs little
//! and is left to the gateway's throttle.

use std::time::Duration;

use chat::token::Session;
use cloud::{Resources, Window};
use lambda::http::{Code, Problem};
use lambda::metrics;

/// Messages of one visitor in a minute: more than anybody types.
pub const VISITOR_MESSAGES: u32 = 30;
/// Sessions and messages from one address in a minute. A school or a mobile network may share one.
pub const ADDRESS_POSTS: u32 = 240;
const PERIOD: Duration = Duration::from_mins(1);

/// The counters.
#[derive(Clone)]
pub struct Limits {
    window: Window,
}

impl Limits {
    /// Over the table Limits.
    pub fn over(resources: &Resources) -> Self {
        Self {
            window: Window::over(resources),
        }
    }

    /// Counts a session or message from an address.
    pub async fn address(&self, address: &str) -> Result<(), Problem> {
        self.count(&format!("CHAT#{address}"), ADDRESS_POSTS).await
    }

    /// Counts a visitor's message.
    pub async fn visitor(&self, session: &Session) -> Result<(), Problem> {
        let Session {
            tenant,
            inbox,
            visitor,
        } = session;
        let scope = format!("{tenant}#CHAT#{inbox}#{visitor}");
        self.count(&scope, VISITOR_MESSAGES).await
    }

    async fn count(&self, scope: &str, most: u32) -> Result<(), Problem> {
        let usage = match self.window.count(scope, PERIOD, 1).await {
            Ok(usage) => usage,
            // A limit must not take the chat down with its table.
            Err(error) => {
                tracing::warn!(%error, "a post passes uncounted");
                metrics::incident("RequestsUncounted", 1);
                return Ok(());
            }
        };
        if usage.used <= most {
            return Ok(());
        }
        metrics::incident("RequestsOverLimit", 1);
        let seconds = u32::try_from(usage.resets_in.as_secs().max(1)).unwrap_or(u32::MAX);
        let detail = format!("more than {most} in a minute");
        Err(Problem::new(Code::RateLimited, detail).retry_after(seconds))
    }
}
