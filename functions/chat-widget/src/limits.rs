//! How much a visitor and an address may write and read of one inbox. Every key carries the workspace and the
//! inbox, so visitors of one shop cannot use up the limits of another.
//!
//! Units: a session costs one write unit, a message two. A read costs a tenth of one for the visitor and a tenth
//! for the address: each process writes every tenth read, so a rare reader costs nothing.

use std::time::Duration;

use chat::Door;
use chat::token::Session;
use cloud::window::Sampled;
use cloud::{Error, Resources, Usage, Window};
use lambda::http::{ClientIp, Code, Problem};
use lambda::metrics;

/// Messages of one visitor in a minute: more than anybody types.
pub const VISITOR_MESSAGES: u32 = 30;
/// Reads of one visitor in a minute. The page reads once a minute, and once for each message that is announced.
const VISITOR_READS: u32 = 120;
/// Sessions and messages from one address in a minute. A school or a mobile network may share one.
pub const ADDRESS_POSTS: u32 = 240;
/// Other requests from one address in a minute.
const ADDRESS_READS: u32 = 1_200;
const PERIOD: Duration = Duration::from_mins(1);
/// Reads that a process counts with one write.
const EVERY: u32 = 10;

/// The counters.
#[derive(Clone)]
pub struct Limits {
    posts: Window,
    reads: Sampled,
}

impl Limits {
    /// Over the table Limits.
    pub fn over(resources: &Resources) -> Self {
        let window = Window::over(resources);
        Self {
            reads: window.sampled(EVERY),
            posts: window,
        }
    }

    /// Counts a session or message from an address.
    pub async fn post_from(&self, door: &Door, address: &ClientIp) -> Result<(), Problem> {
        let scope = format!(
            "{}#CHAT#{}#{}",
            door.tenant,
            door.inbox.id,
            address.network()
        );
        let usage = self.posts.count(&scope, PERIOD, 1).await;
        within(usage, ADDRESS_POSTS)
    }

    /// Counts a page or a read from an address.
    pub async fn read_from(&self, door: &Door, address: &ClientIp) -> Result<(), Problem> {
        let network = address.network();
        let scope = format!("{}#CHATREAD#{}#{network}", door.tenant, door.inbox.id);
        within(self.reads.count(&scope, PERIOD).await, ADDRESS_READS)
    }

    /// Counts a visitor's message.
    pub async fn message(&self, session: &Session) -> Result<(), Problem> {
        let scope = format!(
            "{}#CHAT#{}#{}",
            session.tenant, session.inbox, session.visitor
        );
        let usage = self.posts.count(&scope, PERIOD, 1).await;
        within(usage, VISITOR_MESSAGES)
    }

    /// Counts a visitor's read.
    pub async fn read(&self, session: &Session) -> Result<(), Problem> {
        let Session {
            tenant,
            inbox,
            visitor,
        } = session;
        let scope = format!("{tenant}#CHATREAD#{inbox}#{visitor}");
        within(self.reads.count(&scope, PERIOD).await, VISITOR_READS)
    }
}

fn within(usage: Result<Usage, Error>, most: u32) -> Result<(), Problem> {
    let usage = match usage {
        Ok(usage) => usage,
        // A limit must not take the chat down with its table.
        Err(error) => {
            tracing::warn!(%error, "a request passes uncounted");
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
