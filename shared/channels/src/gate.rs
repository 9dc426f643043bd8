//! The gate before every marketing message: the hours, the control group, and how often a person is written to. Consent is in
//! [`crate::consent`]. Pure; the counts are in [`crate::frequency`].

use jiff::civil::Time;
use jiff::tz::{TimeZone, offset};
use jiff::{SignedDuration, Timestamp, Zoned};
use kernel::{ContactId, TenantKey};

/// Most messages of a cap: a row keeps the times of as many.
pub const MAX_CAP: u32 = 20;
/// Hours of the day without marketing. They may pass midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quiet {
    /// Begin then.
    pub from: Time,
    /// End then.
    pub until: Time,
}

impl Quiet {
    /// The end of the quiet hours that hold at this time.
    fn end(self, now: &Zoned) -> Option<Timestamp> {
        let time = now.time();
        let (is_quiet, is_tomorrow) = if self.from <= self.until {
            ((self.from..self.until).contains(&time), false)
        } else {
            (time >= self.from || time < self.until, time >= self.from)
        };
        let day = if is_tomorrow {
            now.date().tomorrow().ok()?
        } else {
            now.date()
        };
        let end = day
            .to_datetime(self.until)
            .to_zoned(now.time_zone().clone());
        // A clock that is put back repeats an hour of the day: the wait ends at its first end.
        let end = end.ok().map(|end| end.timestamp());
        end.filter(|end| is_quiet && *end > now.timestamp())
    }
}

/// How many messages one person gets at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cap {
    /// Messages, at most [`MAX_CAP`].
    pub messages: u32,
    /// In this many days.
    pub days: u32,
}

impl Cap {
    /// The time in which the messages are counted.
    pub(crate) fn window(self) -> SignedDuration {
        SignedDuration::from_hours(24 * i64::from(self.days))
    }
}

/// The law for advertising by a channel, beside the settings of a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Law {
    /// No advertising in these hours of Vietnam.
    pub quiet: Quiet,
    /// Most messages to one address.
    pub cap: Cap,
    /// The name of the counts of an address.
    pub name: &'static str,
}

/// Decree 91/2020/NĐ-CP, articles 13 and 14: advertising text messages go out from 07:00 to 22:00, at most three in 24 hours to a
/// number.
pub const SMS_LAW: Law = Law {
    quiet: Quiet {
        from: Time::constant(22, 0, 0, 0),
        until: Time::constant(7, 0, 0, 0),
    },
    cap: Cap {
        messages: 3,
        days: 1,
    },
    name: "SMS-ADV",
};

/// The settings of a workspace for its marketing, of every channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gate {
    /// The time zone of the quiet hours.
    pub zone: TimeZone,
    /// No marketing in these hours.
    pub quiet: Option<Quiet>,
    /// Most marketing messages to a contact, by all channels together.
    pub cap: Option<Cap>,
    /// Contacts that get no marketing, in percent: the control group.
    pub holdout: u8,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            zone: vietnam(),
            quiet: None,
            cap: None,
            holdout: 0,
        }
    }
}

fn vietnam() -> TimeZone {
    TimeZone::fixed(offset(7))
}

impl Gate {
    /// When marketing may go out again, if it may not go out now.
    pub fn closed_until(&self, law: Option<Law>, now: Timestamp) -> Option<Timestamp> {
        let zones = [
            (self.quiet, &self.zone),
            (law.map(|law| law.quiet), &vietnam()),
        ];
        let mut open = now;
        // The end of the one may be within the other.
        for (quiet, zone) in zones.iter().cycle().take(4) {
            let end = quiet.and_then(|quiet| quiet.end(&open.to_zoned((*zone).clone())));
            open = end.unwrap_or(open);
        }
        (open > now).then_some(open)
    }

    /// Whether the contact is in the control group. The same contact is always in it, and in that of every higher percentage.
    pub fn holds_out(&self, tenant: TenantKey, contact: ContactId) -> bool {
        let name = kernel::hash::name(&["holdout", &tenant.to_string(), &contact.to_string()]);
        let bucket = u32::from_str_radix(&name[..8], 16).map_or(100, |number| number % 100);
        bucket < u32::from(self.holdout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn quiet(from: i8, until: i8) -> Quiet {
        Quiet {
            from: Time::constant(from, 0, 0, 0),
            until: Time::constant(until, 0, 0, 0),
        }
    }

    #[test]
    fn hours_end_at_their_end() {
        let gate = Gate {
            quiet: Some(quiet(21, 8)),
            ..Gate::default()
        };
        let until = |now: &str| gate.closed_until(None, at(now));
        for (now, end) in [
            ("2026-03-02T20:59:59+07:00", None),
            (
                "2026-03-02T21:00:00+07:00",
                Some("2026-03-03T08:00:00+07:00"),
            ),
            (
                "2026-03-03T00:30:00+07:00",
                Some("2026-03-03T08:00:00+07:00"),
            ),
            ("2026-03-03T08:00:00+07:00", None),
        ] {
            assert_eq!(until(now), end.map(at), "{now}");
        }
        let noon = Gate {
            quiet: Some(quiet(6, 18)),
            ..Gate::default()
        };
        // The law's hours end within those of the workspace.
        let end = noon.closed_until(Some(SMS_LAW), at("2026-03-02T23:00:00+07:00"));
        assert_eq!(end, Some(at("2026-03-03T18:00:00+07:00")));
        let law = Gate::default();
        let of = |now: &str| law.closed_until(Some(SMS_LAW), at(now));
        assert_eq!(of("2026-03-02T21:59:59+07:00"), None);
        let end = of("2026-03-02T22:00:00+07:00");
        assert_eq!(end, Some(at("2026-03-03T07:00:00+07:00")));
    }

    #[test]
    fn a_control_group_has_its_share_and_only_grows() {
        let clock = kernel::Clock::from_fn(|| Timestamp::from_second(1_772_438_400).unwrap());
        #[expect(clippy::disallowed_methods, reason = "a test's own tenant")]
        let tenant = TenantKey::authenticated("ws_0123456789a".parse().unwrap());
        let of = |holdout| Gate {
            holdout,
            ..Gate::default()
        };
        let mut held = [0; 3];
        for seed in 0..4_000 {
            let contact = ContactId::new(&clock, &kernel::Entropy::seeded(seed));
            let in_group = [0, 5, 10].map(|percent| of(percent).holds_out(tenant, contact));
            assert!(!in_group[1] || in_group[2]);
            for (count, is_in) in held.iter_mut().zip(in_group) {
                *count += i32::from(is_in);
            }
        }
        assert_eq!(held[0], 0);
        assert!(
            (120..280).contains(&held[1]) && (300..500).contains(&held[2]),
            "{held:?}"
        );
    }
}
