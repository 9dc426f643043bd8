//! One tick: which buckets to look into, and what to do with what is there.

use std::collections::HashMap;
use std::time::Duration;

use cloud::queue::Outgoing;
use cloud::timers::{SHARDS, minute};
use cloud::{Queue, QueueName, SendOptions, Timer, Timers};
use futures::{StreamExt, stream};
use jiff::Timestamp;
use lambda::schedule::Tick;
use lambda::{Failure, metrics};

/// Buckets so far ahead are handed out with an SQS delay, so that a wait ends on the second although
/// the sweep comes once a minute.
const AHEAD: i64 = 2;
/// Every sweep looks back so far, whatever the checkpoint says: a timer may be written late into a
/// bucket that was swept already.
const BEHIND: i64 = 60;
/// Buckets at once: after an outage there are many, and each costs one round trip.
const AT_ONCE: usize = 32;
/// No bucket is begun with less time than this: a page of 500 is 50 requests to SQS.
const RESERVE: Duration = Duration::from_secs(8);

/// The tables and queues of a sweep.
pub struct Sweep {
    /// Timers of all tenants.
    pub timers: Timers,
    /// Where they may lead.
    pub queues: HashMap<QueueName, Queue>,
}

impl Sweep {
    /// Looks into every bucket since the last complete sweep, oldest first. What cannot be done in
    /// this tick keeps the checkpoint back and is done by the next one.
    pub async fn run(&self, tick: &Tick) -> Result<(), Failure> {
        let now = minute(self.timers.clock().now());
        let swept = self.timers.checkpoint().await?.unwrap_or(0);
        let minutes = self
            .timers
            .minutes(swept.min(now - BEHIND), now + AHEAD)
            .await?;
        let buckets = minutes
            .into_iter()
            .flat_map(|minute| (0..SHARDS).map(move |shard| (minute, shard)));
        let mut results = stream::iter(buckets)
            .map(|(minute, shard)| async move { (minute, self.bucket(minute, shard, tick).await) })
            .buffered(AT_ONCE);
        let (mut passed, mut first_failure) = (now, None);
        while let Some((minute, result)) = results.next().await {
            match result {
                Ok(Done::Wholly) => {}
                Ok(Done::Partly) => passed = passed.min(minute),
                Err(failure) => {
                    passed = passed.min(minute);
                    first_failure.get_or_insert(failure);
                }
            }
        }
        self.timers.pass(passed).await?;
        first_failure.map_or(Ok(()), Err)
    }

    async fn bucket(&self, minute: i64, shard: u32, tick: &Tick) -> Result<Done, Failure> {
        let (mut cursor, mut done) = (None, Done::Wholly);
        loop {
            if tick.ends_within(RESERVE) {
                return Ok(Done::Partly);
            }
            let page = self.timers.of_bucket(minute, shard, cursor).await?;
            if self.hand_out(page.data).await? == Done::Partly {
                done = Done::Partly;
            }
            if page.next.is_none() {
                return Ok(done);
            }
            cursor = page.next;
        }
    }

    /// Sends first, deletes after, and only what SQS took: a crash in between sends twice, never not
    /// at all.
    async fn hand_out(&self, timers: Vec<Timer>) -> Result<Done, Failure> {
        let mut by_queue: HashMap<QueueName, Vec<Timer>> = HashMap::new();
        for timer in timers {
            by_queue.entry(timer.effect.queue).or_default().push(timer);
        }
        let mut done = Done::Wholly;
        for (name, timers) in by_queue {
            let queue = self.queues.get(&name).ok_or_else(|| {
                Failure::reject("Timer.UnknownQueue", format!("a timer names {name:?}"))
            })?;
            let now = self.timers.clock().now();
            let messages: Vec<Outgoing> = timers.iter().map(|timer| message(timer, now)).collect();
            let refused = queue.send_texts(&messages).await?;
            if !refused.is_empty() {
                done = Done::Partly;
            }
            let taken = timers.into_iter().enumerate();
            let taken = taken.filter(|(position, _)| !refused.contains(position));
            let taken: Vec<Timer> = taken.map(|(_, timer)| timer).collect();
            self.timers.delete(&taken).await?;
            metrics::count("TimersSent", taken.len() as u64);
        }
        Ok(done)
    }
}

/// Whether everything of a bucket was sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Done {
    Wholly,
    Partly,
}

fn message(timer: &Timer, now: Timestamp) -> Outgoing {
    Outgoing {
        text: timer.effect.text.clone(),
        options: SendOptions {
            delay_seconds: delay_seconds(timer.due, now),
            group: Some(timer.effect.group.clone()),
            deduplication_id: None,
            trace: timer.effect.trace.clone(),
        },
    }
}

/// Rounded up: a wait is never cut short.
fn delay_seconds(due: Timestamp, now: Timestamp) -> u16 {
    let ahead = (due.as_millisecond() - now.as_millisecond()).max(0);
    u16::try_from((ahead + 999) / 1000).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_rounded_up() {
        let at = |ms| Timestamp::from_millisecond(ms).unwrap();
        assert_eq!(delay_seconds(at(5_001), at(4_000)), 2);
        assert_eq!(delay_seconds(at(5_000), at(4_000)), 1);
        assert_eq!(delay_seconds(at(1), at(4_000)), 0);
    }
}
