//! An Official Account of a workspace: its names, its sealed tokens, its state and its limits. Pure.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Calls a minute that the smallest package with the API has.
pub const DEFAULT_RATE: u32 = 100;
/// Calls a minute that a synchronisation needs at least: it reserves a few calls at once.
pub(super) const MIN_RATE: u32 = 20;
/// Calls a minute of the largest package.
const MAX_RATE: u32 = 10_000;
/// How long before its end a token is renewed. A token lives 25 hours. If a renewal is lost, the old token serves for this time,
/// and a person can connect the account again before messages stop.
pub const EARLY: SignedDuration = SignedDuration::from_hours(5);

/// The problem of an account whose renewal was refused while its old token still works.
pub(super) const REFRESH_REFUSED: &str = "refresh_refused";

/// Whether the account can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ZaloOaStatus)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Messages can be sent.
    Active,
    /// Zalo refuses the tokens: an administrator of the account connects it again.
    Expired,
    /// The package of the account does not have the API.
    PackageRequired,
}

/// The settings of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ZaloOaSettings)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Calls a minute that the package allows; messages of templates do not count. An answer of Zalo that says *too many* halves
    /// it.
    #[schema(minimum = 20, maximum = 10_000, example = 100)]
    pub api_rate_per_minute: u32,
}

impl Settings {
    /// Everything that is wrong with them: JSON pointers and rules.
    pub fn flaws(&self) -> Vec<(&'static str, String)> {
        if (MIN_RATE..=MAX_RATE).contains(&self.api_rate_per_minute) {
            return Vec::new();
        }
        vec![("/api_rate_per_minute", "must be 20 to 10,000".to_owned())]
    }
}

/// The tokens of an account, in the clear.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// Goes with each call.
    pub access: String,
    /// Gets the next pair, once.
    pub refresh: String,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tokens(..)")
    }
}

/// The public facts of an account, as Zalo tells them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Its name.
    pub name: String,
    /// Its own words.
    #[serde(default)]
    pub description: Option<String>,
    /// URL of its picture.
    #[serde(default)]
    pub avatar: Option<String>,
    /// URL of its cover.
    #[serde(default)]
    pub cover: Option<String>,
    /// The name of its package.
    #[serde(default)]
    pub package: Option<String>,
}

/// An Official Account of a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Oa {
    /// Zalo's id.
    pub oa_id: String,
    /// Increases with each change of the tokens.
    pub version: u64,
    /// The facts that Zalo tells about it.
    pub facts: Facts,
    /// Hex of nonce and ciphertext of [`Tokens`].
    pub(super) sealed: String,
    /// When the access token ends.
    pub expires_at: Timestamp,
    /// When the tokens were last renewed.
    pub renewed_at: Timestamp,
    /// Whether it can be used.
    pub status: Status,
    /// The last fault: a code of Zalo, or `refresh_refused`.
    #[serde(default)]
    pub problem: Option<String>,
    /// Calls a minute.
    pub api_rate_per_minute: u32,
    /// Messages of a day, as Zalo last told.
    #[serde(default)]
    pub daily_quota: Option<u64>,
    /// Messages of the day that are left, as Zalo last told.
    #[serde(default)]
    pub remaining_quota: Option<u64>,
    /// Until when Zalo takes no message: by night, or when the day's messages are used up.
    #[serde(default)]
    pub quiet_until: Option<Timestamp>,
    /// When a person last gave consent.
    pub connected_at: Timestamp,
    /// When the templates were last read.
    #[serde(default)]
    pub synced_at: Option<Timestamp>,
}

impl Oa {
    /// Whether the token should be renewed now.
    pub fn is_stale(&self, now: Timestamp) -> bool {
        self.expires_at.duration_since(now) < EARLY
    }

    /// Whether the token is still taken.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.status != Status::Expired && now < self.expires_at
    }
}

/// Seconds until `until`, as long as a queue can delay a message.
pub fn wait(until: Timestamp, now: Timestamp) -> u16 {
    let seconds = until.duration_since(now).as_secs().max(1);
    u16::try_from(seconds)
        .unwrap_or(u16::MAX)
        .min(cloud::queue::MAX_DELAY_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_has_bounds_and_a_wait_fits_a_queue() {
        for (rate, flaws) in [(19, 1), (20, 0), (100, 0), (10_000, 0), (10_001, 1)] {
            let settings = Settings {
                api_rate_per_minute: rate,
            };
            assert_eq!(settings.flaws().len(), flaws, "{rate}");
        }
        let now = Timestamp::from_second(1_772_438_400).unwrap();
        assert_eq!(wait(now + SignedDuration::from_secs(60), now), 60);
        assert_eq!(wait(now + SignedDuration::from_hours(9), now), 900);
        assert_eq!(wait(now, now), 1);
    }
}
