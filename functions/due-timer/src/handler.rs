//! One tick: selects the buckets to read, and sends their timers.

use std::collections::BTreeMap;
use std::time::Duration;

use cloud::queue::Outgoing;
use cloud::timers::{Found, SHARDS, minute};
use cloud::{Error, Key, Queue, QueueName, SendOptions, Timer, Timers};
use futures::{StreamExt, stream};
use jiff::Timestamp;
use lambda::schedule::Tick;
use lambda::{Failure, metrics};

/// Timers this many minutes ahead are dispatched with an SQS delay. So a wait ends on the second, although the
/// sweep runs once a minute.
const AHEAD: i64 = 2;
/// Every sweep looks back at least this many minutes before the checkpoint. No timer is scheduled for a past
/// minute, and no function that writes one runs this long, so every late row is found.
const BEHIND: i64 = 3;
/// Buckets that are read concurrently: after an outage there are many, and each costs one round trip.
const AT_ONCE: usize = 32;
/// No bucket is started with less time left than this: a page of 500 is 50 requests to SQS.
const RESERVE: Duration = Duration::from_secs(8);

/// The tables and queues of a sweep.
pub struct Sweep {
    /// Timers of all tenants.
    pub timers: Timers,
    /// The queues that timers may name.
    pub queues: BTreeMap<QueueName, Queue>,
    /// The dead-letter queue for rows that can never be sent.
    pub dead: Queue,
}

impl Sweep {
    /// Reads every bucket since the last complete sweep, oldest first. Unfinished buckets hold the checkpoint
    /// back, and the next tick reads them.
    pub async fn run(&self, tick: &Tick) -> Result<(), Failure> {
        let now = minute(self.timers.clock().now());
        let swept = self.timers.checkpoint().await?;
        // The very first sweep looks for every stored timer.
        let first = swept.map_or(self.timers.oldest(), |swept| swept.min(now) - BEHIND);
        let minutes = self.timers.minutes(first, now + AHEAD).await?;
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
            if self.dispatch_next(page.data).await? == Done::Partly {
                done = Done::Partly;
            }
            if page.next.is_none() {
                return Ok(done);
            }
            cursor = page.next;
        }
    }

    /// Sends first, then deletes only the rows that SQS took: a crash in between sends twice and loses nothing. A
    /// row that can never be sent is dead-lettered, so that it blocks no other row.
    async fn dispatch_next(&self, rows: Vec<Found>) -> Result<Done, Failure> {
        let mut by_queue: BTreeMap<QueueName, Vec<(Found, Outgoing)>> = BTreeMap::new();
        let now = self.timers.clock().now();
        let mut done = Done::Wholly;
        for row in rows {
            let sendable = match &row.timer {
                Ok(timer) if self.queues.contains_key(&timer.effect.queue) => {
                    Ok((timer.effect.queue.clone(), message(timer, now)))
                }
                Ok(timer) => Err(format!("Timer.UnknownQueue: {}", timer.effect.queue)),
                Err(flaw) => Err(format!("Timer.Unreadable: {flaw}")),
            };
            match sendable {
                Ok((name, message)) => by_queue.entry(name).or_default().push((row, message)),
                Err(reason) => done = done.and(self.put_aside(&row, &reason).await),
            }
        }
        for (name, timers) in by_queue {
            let Some(queue) = self.queues.get(&name) else {
                continue;
            };
            let (rows, messages): (Vec<Found>, Vec<Outgoing>) = timers.into_iter().unzip();
            let unsent = queue.send_texts(&messages).await?;
            for unsent in &unsent {
                let one = match (&unsent.never, rows.get(unsent.position)) {
                    (Some(never), Some(row)) => {
                        self.put_aside(row, &format!("Timer.Refused: {never}"))
                            .await
                    }
                    _ => Done::Partly,
                };
                done = done.and(one);
            }
            let is_sent = |position: &usize| unsent.iter().all(|one| one.position != *position);
            let sent = (0..rows.len()).filter(is_sent);
            let sent: Vec<Key> = sent.map(|position| rows[position].key.clone()).collect();
            self.timers.delete(&sent).await?;
            metrics::count("TimersSent", sent.len() as u64);
        }
        Ok(done)
    }

    /// Dead-letters the row with its reason, then deletes the row. The next tick retries a failure.
    async fn put_aside(&self, row: &Found, reason: &str) -> Done {
        match self.park(row, reason).await {
            Ok(()) => {
                metrics::incident("TimersRejected", 1);
                tracing::error!(sk = row.key.sk, reason, "a timer was put aside");
                Done::Wholly
            }
            Err(error) => {
                tracing::error!(%error, reason, "a timer could not be put aside");
                Done::Partly
            }
        }
    }

    async fn park(&self, row: &Found, reason: &str) -> Result<(), Error> {
        let message = Outgoing {
            text: row.text()?,
            options: SendOptions::default(),
        };
        self.dead.send_rejected(message, reason).await?;
        self.timers.delete(std::slice::from_ref(&row.key)).await
    }
}

/// Whether everything of a bucket was sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Done {
    Wholly,
    Partly,
}

impl Done {
    fn and(self, other: Self) -> Self {
        if self == Self::Wholly { other } else { self }
    }
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
