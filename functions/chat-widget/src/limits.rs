//! How much a visitor and an address may write and read of one inbox. Every key carries the workspace and the
//! inbox, so visitors of one shop cannot use up the limits of another.
//!
//! Units: a session costs one write unit, a message two. A read costs a tenth of one for the visitor and a tenth
//! for the address: each process writes every tenth read, so a rare reader costs nothing.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use accounts::{Door, InboxDoor};
use chat::token::Session;
use cloud::window::Sampled;
use cloud::{Error, Resources, Usage, Window};
use lambda::http::{Code, Problem};
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
/// Bits of an IPv6 address that a provider gives to one customer.
const PREFIX: u32 = 64;

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
    pub async fn post_from(&self, door: &Door<InboxDoor>, address: &str) -> Result<(), Problem> {
        let scope = format!(
            "{}#CHAT#{}#{}",
            door.tenant,
            door.settings.id,
            network(address)
        );
        let usage = self.posts.count(&scope, PERIOD, 1).await;
        within(usage, ADDRESS_POSTS)
    }

    /// Counts a page or a read from an address.
    pub async fn read_from(&self, door: &Door<InboxDoor>, address: &str) -> Result<(), Problem> {
        let network = network(address);
        let scope = format!("{}#CHATREAD#{}#{network}", door.tenant, door.settings.id);
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

/// The addresses of one customer of an internet provider: an IPv4 address, or the first half of an IPv6 address.
fn network(address: &str) -> String {
    match address.parse() {
        Ok(IpAddr::V6(address)) => {
            let mask = u128::MAX << (u128::BITS - PREFIX);
            Ipv6Addr::from_bits(address.to_bits() & mask).to_string()
        }
        _ => address.to_owned(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customer_of_a_provider_is_one_address() {
        assert_eq!(network("203.0.113.7"), "203.0.113.7");
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network("2001:db8:1:2:ffff::1"), "2001:db8:1:2::");
        assert_ne!(network("2001:db8:1:3::1"), "2001:db8:1:2::");
    }
}
