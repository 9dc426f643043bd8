//! The claim on one mail of an account: which worker may call the mail service, and for how long.
//!
//! A claim has an outcome once the service took the mail, or gave no answer and may have taken it. A claim whose worker
//! stored no outcome is over after its lease: the worker crashed, or no store took its word. Then one more worker
//! tries, up to [`MOST_TRIES`] (docs/adr/0012).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::LEASE;

/// Workers that may call the mail service for one mail. A refusal that was stored does not count.
const MOST_TRIES: u32 = 3;

/// The newest claim of a row's mails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailClaim {
    /// Number of the mail.
    mail: u32,
    /// Workers that claimed it and stored no refusal.
    tries: u32,
    /// No other worker may claim it before.
    held_until: Timestamp,
    /// The service took the mail, or may have taken it.
    is_settled: bool,
}

/// The answer to a worker that wants to send a mail.
#[derive(Debug, PartialEq, Eq)]
pub enum Claimed<T> {
    /// The worker may send it.
    Mine(T),
    /// Another worker may be sending it; its lease ends within a minute.
    Busy,
    /// It was sent, given up, or is not wanted any more.
    Over,
}

impl<T> Claimed<T> {
    /// The content of a claim that is this worker's.
    pub fn mine(self) -> Option<T> {
        match self {
            Self::Mine(what) => Some(what),
            Self::Busy | Self::Over => None,
        }
    }
}

impl MailClaim {
    /// The claim of the first worker that wants to send mail number `mail`.
    pub(crate) fn first(mail: u32, now: Timestamp) -> Self {
        Self {
            mail,
            tries: 1,
            held_until: now + LEASE,
            is_settled: false,
        }
    }

    /// The claim of a worker that wants to send mail number `mail`. The caller stores it on the condition that `held` is still
    /// in the row.
    pub(crate) fn next(held: Option<&Self>, mail: u32, now: Timestamp) -> Claimed<Self> {
        let held = held.filter(|held| held.mail >= mail);
        let first = Self::first(mail, now);
        match held {
            None => Claimed::Mine(first),
            Some(held) if held.mail > mail || held.is_settled => Claimed::Over,
            Some(held) if held.held_until > now => Claimed::Busy,
            Some(held) if held.tries >= MOST_TRIES => Claimed::Over,
            Some(held) => Claimed::Mine(Self {
                tries: held.tries + 1,
                ..first
            }),
        }
    }

    /// Whether an earlier worker may have sent the mail, so that its token stays valid.
    pub(crate) fn is_repeated(&self) -> bool {
        self.tries > 1
    }

    /// Whether no worker holds it or has sent it.
    pub(crate) fn is_free(&self) -> bool {
        self.tries == 0
    }

    /// After a refusal: nothing was sent, so the next worker may send at once.
    pub(crate) fn released(&self, now: Timestamp) -> Self {
        Self {
            tries: self.tries.saturating_sub(1),
            held_until: now,
            ..self.clone()
        }
    }

    /// After the service took the mail, or may have taken it. The number of tries does not matter any more.
    pub(crate) fn settled(&self) -> Self {
        Self {
            tries: 1,
            is_settled: true,
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_claim_without_an_outcome_is_taken_over_after_its_lease() {
        let first = MailClaim::next(None, 1, second(0)).mine().unwrap();
        assert!(!first.is_repeated());
        let next = |held: &MailClaim, mail, at| MailClaim::next(Some(held), mail, second(at));
        assert_eq!(next(&first, 1, 59), Claimed::Busy);
        let again = next(&first, 1, 60).mine().unwrap();
        assert!(again.is_repeated());
        let last = next(&again, 1, 120).mine().unwrap();
        assert_eq!(next(&last, 1, 179), Claimed::Busy);
        assert_eq!(next(&last, 1, 180), Claimed::Over, "three tries at most");
        // A newer mail was asked for.
        let newer = next(&last, 2, 121).mine().unwrap();
        assert!(!newer.is_repeated());
        assert_eq!(next(&newer, 1, 999), Claimed::Over);
    }

    #[test]
    fn an_outcome_decides_at_once() {
        let mut claim = MailClaim::next(None, 1, second(0)).mine().unwrap();
        assert_eq!(
            MailClaim::next(Some(&claim.settled()), 1, second(999)),
            Claimed::Over
        );
        // Refusals never use up the tries.
        for at in 0..10 {
            let released = claim.released(second(at));
            assert!(released.is_free());
            let next = MailClaim::next(Some(&released), 1, second(at));
            claim = next.mine().unwrap();
            assert!(!claim.is_repeated());
        }
    }
}
