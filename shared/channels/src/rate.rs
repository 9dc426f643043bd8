//! The send rate of a provider's account, in two lanes: marketing (of campaigns and workflows) and transactional
//! messages. So a message that a reader waits for is never delayed by marketing. A campaign reserves only a few slots at
//! a time, so a workflow's message soon gets a slot between them.
//!
//! Nothing is sent without a slot. A message with a distant slot carries the slot and is returned to the queue with
//! a delay. So waiting costs no compute time and none of the message's few receives.

use std::time::Duration;

use cloud::limiter::Slot;
use cloud::{Error, Limiter, Resources};
use jiff::{SignedDuration, Timestamp};
use kernel::TenantKey;

use crate::channel::SendChannel;
use crate::send::Class;

/// Shares of the granted rate. The rest is a margin: SES counts by its own clock.
const MARKETING: f64 = 0.7;
const TRANSACTIONAL: f64 = 0.25;
/// Most sends that one reservation holds.
const BATCH: usize = 50;
/// A worker sleeps until a slot that is nearer than this.
const PATIENCE: SignedDuration = SignedDuration::from_secs(2);
/// A reserved slot is valid for this long after its time. After a stall of the senders many messages have old slots,
/// and all of them at once would exceed the rate.
const SLOT_LIFE: SignedDuration = SignedDuration::from_secs(10);

/// The rate that all senders share; cheap to clone.
#[derive(Clone, Debug)]
pub struct SendRate {
    limiter: Limiter,
    account: fn(TenantKey) -> String,
    rate: f64,
}

/// Whether something may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Now.
    Now,
    /// Not now: return the message to the queue.
    Later {
        /// Delay in seconds.
        delay: u16,
        /// The reserved slot, if there is one.
        slot: Option<Timestamp>,
    },
}

impl SendRate {
    /// Of a channel, over the table Limits; `rate` is the account's granted number of messages a second.
    pub fn of<C: SendChannel>(resources: &Resources, rate: f64) -> Self {
        Self {
            limiter: Limiter::over(resources),
            account: C::account,
            rate,
        }
    }

    /// How many to reserve at once: at most a second's worth, so that workers take turns.
    pub fn batch(&self) -> usize {
        (self.rate as usize).clamp(1, BATCH)
    }

    /// Waits until `n` messages of the class may be sent, or returns when to try again. `carried` is the slot that the
    /// returned message carries.
    pub async fn turn(
        &self,
        tenant: TenantKey,
        class: Class,
        n: usize,
        carried: Option<Timestamp>,
    ) -> Result<Turn, Error> {
        let (lane, share) = match class {
            Class::Marketing => ("marketing", MARKETING),
            Class::Transactional => ("transactional", TRANSACTIONAL),
        };
        let now = self.limiter.now();
        let carried = carried.filter(|at| now.duration_since(*at) < SLOT_LIFE);
        let at = match carried {
            Some(at) => at,
            None => match self
                .limiter
                .reserve(
                    &format!("{}#{lane}", (self.account)(tenant)),
                    n as u32,
                    self.rate * share,
                )
                .await?
            {
                Slot::At(at) => at,
                Slot::Full(wait) => {
                    let delay = seconds(wait);
                    return Ok(Turn::Later { delay, slot: None });
                }
            },
        };
        let wait = at.duration_since(now);
        // A slot in the past gives no duration: the message may be sent at once.
        let length = Duration::try_from(wait).unwrap_or_default();
        if wait > PATIENCE {
            let (delay, slot) = (seconds(length), Some(at));
            return Ok(Turn::Later { delay, slot });
        }
        if !length.is_zero() {
            tokio::time::sleep(length).await;
        }
        Ok(Turn::Now)
    }
}

/// Whole seconds, rounded up, at most a queue's longest delay.
fn seconds(wait: Duration) -> u16 {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    u16::try_from(seconds)
        .unwrap_or(cloud::queue::MAX_DELAY_SECONDS)
        .clamp(1, cloud::queue::MAX_DELAY_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_round_up_and_stay_within_a_queue_s_limit() {
        assert_eq!(seconds(Duration::from_millis(2_001)), 3);
        assert_eq!(seconds(Duration::ZERO), 1);
        assert_eq!(seconds(Duration::from_hours(24)), 900);
    }
}
