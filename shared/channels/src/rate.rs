//! The account's send rate, in two lanes: marketing, of campaigns and workflows alike, and
//! transactional mail. A mail that a reader waits for is never behind advertising of any
//! amount; and since a campaign has few slots booked at a time, a workflow's mail is soon between
//! them.
//!
//! Nothing is sent without a slot. A slot that is far away is carried by the message, which is put
//! back with a delay: waiting costs neither paid time nor one of the message's few receives.

use std::time::Duration;

use cloud::limiter::Slot;
use cloud::{Error, Limiter, Resources};
use jiff::{SignedDuration, Timestamp};

use crate::send::Class;

/// Shares of the granted rate. The rest is a margin: SES counts by its own clock.
const MARKETING: f64 = 0.7;
const TRANSACTIONAL: f64 = 0.25;
/// Most sends that are booked at once.
const BATCH: usize = 50;
/// A nearer slot is slept for.
const PATIENCE: SignedDuration = SignedDuration::from_secs(2);
/// A reserved slot is good for this long.
const SLOT_LIFE: SignedDuration = SignedDuration::from_mins(5);

/// The rate that all senders share; cheap to clone.
#[derive(Clone, Debug)]
pub struct SendRate {
    limiter: Limiter,
    rate: f64,
}

/// Whether something may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Now.
    Now,
    /// Not now: put the message back.
    Later {
        /// For so many seconds.
        delay: u16,
        /// With this slot, if it has one.
        slot: Option<Timestamp>,
    },
}

impl SendRate {
    /// Over the table Limits; `rate` is the number of mails a second that the account was granted.
    pub fn over(resources: &Resources, rate: f64) -> Self {
        let limiter = Limiter::over(resources);
        Self { limiter, rate }
    }

    /// How many to book at once: no more than a second's worth, so that workers take turns.
    pub fn batch(&self) -> usize {
        (self.rate as usize).clamp(1, BATCH)
    }

    /// Waits until `n` mails of the class may go, or says when to come back. `carried` is the slot
    /// that the message was put back with.
    pub async fn turn(
        &self,
        class: Class,
        n: usize,
        carried: Option<Timestamp>,
    ) -> Result<Turn, Error> {
        let (lane, share) = match class {
            Class::Marketing => ("ses#marketing", MARKETING),
            Class::Transactional => ("ses#transactional", TRANSACTIONAL),
        };
        let now = self.limiter.now();
        let carried = carried.filter(|at| now.duration_since(*at) < SLOT_LIFE);
        let at = match carried {
            Some(at) => at,
            None => match self
                .limiter
                .reserve(lane, n as u32, self.rate * share)
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
        // A slot in the past gives no duration: it may go at once.
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

/// Whole seconds, rounded up, within what a queue can delay.
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
