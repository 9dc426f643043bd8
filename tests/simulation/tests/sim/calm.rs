//! After the faults: delivers, ticks and lets time pass until nothing moves.

use crate::sim::Sim;

/// Rounds until the world is at rest; more is a loop.
const ROUNDS: u32 = 2_000;
/// Quiet minutes before the world counts as at rest: a sweeper looks again after some minutes.
const QUIET: u32 = 4;
const MINUTE_MS: u64 = 60_000;
/// The message of a check that plans the next one.
const DAILY: &str = "sync.check.v1";

impl Sim {
    /// Runs until nothing moves.
    pub async fn calm(&self) {
        self.rest(QUIET).await;
    }

    /// Runs until nothing has moved for this many minutes. Schedules fire when a timer is due, in quiet minutes, and once
    /// before the end.
    pub async fn rest(&self, minutes: u32) {
        let (mut quiet, mut has_fired, mut fire_at) = (0, false, 0);
        for _ in 0..ROUNDS {
            if self.drain().await {
                (quiet, has_fired) = (0, false);
                continue;
            }
            let now = self.now_ms();
            if now >= fire_at {
                self.tick().await;
                (has_fired, fire_at) = (true, i64::MAX);
                continue;
            }
            let timer = self.next_timer_ms().await;
            fire_at = timer.map_or(fire_at, |at| at.min(fire_at));
            let message = self.next_message_ms();
            let next = message.map_or(fire_at, |at| at.min(fire_at));
            if next < i64::MAX {
                quiet = 0;
                let wait = u64::try_from(next - now).unwrap_or(0).max(1);
                self.sleep_ms(wait).await;
            } else if !has_fired {
                fire_at = 0;
            } else if quiet < minutes {
                (quiet, fire_at) = (quiet + 1, 0);
                self.sleep_ms(MINUTE_MS).await;
            } else {
                return;
            }
        }
        self.broken("rest", "the world does not come to rest");
    }

    /// Delivers everything that can be delivered now.
    async fn drain(&self) -> bool {
        let mut moved = false;
        for _ in 0..ROUNDS {
            let mut now = false;
            for mapping in self.enabled_mappings() {
                while self.relay(&mapping).await {
                    now = true;
                }
            }
            for source in self.sources() {
                while self.deliver(&source).await {
                    now = true;
                }
            }
            self.observe_streams();
            if !now {
                return moved;
            }
            moved = true;
        }
        self.broken("rest", "messages go round for ever");
        moved
    }

    /// When the next delayed message is due.
    fn next_message_ms(&self) -> Option<i64> {
        let sqs = self.world.aws.sqs();
        let queues = self.sources().into_iter();
        let times = queues.filter_map(|source| sqs.next_visible_at(&source.queue));
        times.min()
    }

    /// When the next timer is due.
    async fn next_timer_ms(&self) -> Option<i64> {
        let now = self.now_ms();
        let timers = self.world.dump("Timers").await.into_iter();
        let times = timers
            // A source's daily check would never let the world rest.
            .filter(|row| !row["effect"]["text"].to_string().contains(DAILY))
            .filter_map(|row| {
                let due: jiff::Timestamp = row["due"].as_str()?.parse().ok()?;
                // The sweep reads the minute only after it has begun.
                Some(due.as_millisecond().max(now + 10_000))
            });
        times.min()
    }
}
