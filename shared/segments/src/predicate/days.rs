//! Days of a time zone, and the tests of days and instants with the instant at which their answer changes. Pure.
//!
//! An instant flips to the millisecond. A day begins for a contact at local midnight and up to 30 minutes after it, by
//! [`delay`]: so the segments of a workspace do not all change at one instant.

use std::cell::OnceCell;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};
use kernel::ContactId;

use crate::language::{self, Span};

const DAY: i64 = 24 * 3600;
/// The days of all contacts begin within this many seconds after local midnight.
pub const SPREAD: u64 = 1800;

/// An answer, and the first instant in milliseconds at which the answer may be another. None: it never changes by
/// time alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) holds: bool,
    pub(super) until: Option<i64>,
}

impl Answer {
    /// An answer that time does not change.
    pub(super) fn fixed(holds: bool) -> Self {
        Self { holds, until: None }
    }

    fn until(holds: bool, until: Option<i64>) -> Self {
        Self { holds, until }
    }

    fn not(self) -> Self {
        Self::until(!self.holds, self.until)
    }
}

/// How many seconds after local midnight the contact's day begins.
pub fn delay(contact: ContactId) -> i64 {
    // The finaliser of splitmix64: the ids of contacts made one after another are far apart.
    let mut bits = contact.number().wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((bits ^ (bits >> 31)) % SPREAD) as i64
}

/// Days since 1970-01-01 of the local date.
pub fn day_of(at: Timestamp, zone: &TimeZone) -> i32 {
    let local = at.as_second() + i64::from(zone.to_offset(at).seconds());
    local.div_euclid(DAY) as i32
}

/// Days since 1970-01-01.
pub(super) fn number(date: Date) -> i32 {
    let midnight = Offset::UTC.to_timestamp(date.at(0, 0, 0, 0));
    midnight.map_or(0, |at| at.as_second().div_euclid(DAY) as i32)
}

/// The date of a day's number.
fn date(day: i32) -> Option<Date> {
    let midnight = Timestamp::from_second(i64::from(day) * DAY).ok()?;
    Some(Offset::UTC.to_datetime(midnight).date())
}

/// The first instant of a local day, in milliseconds.
fn start(day: i32, zone: &TimeZone) -> Option<i64> {
    let zoned = date(day)?.to_zoned(zone.clone()).ok()?;
    let start = zoned.start_of_day().ok()?;
    Some(start.timestamp().as_millisecond())
}

/// The instant of a check, for one contact.
pub(super) struct Moment<'a> {
    /// Milliseconds.
    pub(super) now: i64,
    zone: &'a TimeZone,
    contact: ContactId,
    today: OnceCell<i32>,
}

impl<'a> Moment<'a> {
    pub(super) fn new(now: Timestamp, zone: &'a TimeZone, contact: ContactId) -> Self {
        Self {
            now: now.as_millisecond(),
            zone,
            contact,
            today: OnceCell::new(),
        }
    }

    /// The contact's day.
    pub(super) fn today(&self) -> i32 {
        *self.today.get_or_init(|| {
            let at = self.now - delay(self.contact) * 1000;
            Timestamp::from_millisecond(at).map_or(0, |at| day_of(at, self.zone))
        })
    }

    /// When a day begins for the contact, in milliseconds.
    pub(super) fn start(&self, day: i32) -> Option<i64> {
        Some(start(day, self.zone)? + delay(self.contact) * 1000)
    }
}

/// A day of a value; a birthday may have no year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Day {
    year: Option<i16>,
    month: i8,
    day: i8,
}

impl Day {
    /// Reads `2026-03-02`, `--03-02` or `02/03/2026`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix("--") {
            let (month, day) = rest.split_once('-')?;
            // 2000 has a 29 February.
            let date = Date::new(2000, month.parse().ok()?, day.parse().ok()?).ok()?;
            return Some(Self::of(date, None));
        }
        let date = if text.contains('/') {
            let mut parts = text.split('/');
            let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
            if parts.next().is_some() || year.len() != 4 {
                return None;
            }
            Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()?
        } else if text.len() == 10 {
            text.parse().ok()?
        } else {
            return None;
        };
        Some(Self::of(date, Some(date.year())))
    }

    fn of(date: Date, year: Option<i16>) -> Self {
        Self {
            year,
            month: date.month(),
            day: date.day(),
        }
    }

    fn number(self) -> Option<i32> {
        let date = Date::new(self.year?, self.month, self.day).ok()?;
        Some(number(date))
    }

    /// The anniversary in a year. 29 February is 28 February in a year that has none.
    fn anniversary(self, year: i16) -> Option<i32> {
        let date = Date::new(year, self.month, self.day).or_else(|_| Date::new(year, 2, 28));
        date.ok().map(number)
    }
}

/// A compiled test of a day or an instant.
#[derive(Debug, Clone, Copy)]
pub(crate) enum DateTest {
    /// Both ends belong to it, as days and as milliseconds from the first to before the second.
    Between {
        days: (i32, i32),
        instants: (i64, i64),
    },
    InLast(Span),
    NotInLast(Span),
    InNext(Span),
    MoreThanAgo(Span),
    AnniversaryIn(i32),
    Month(Option<i8>),
}

impl DateTest {
    pub(super) fn compile(test: language::DateTest, zone: &TimeZone) -> Self {
        let between = |from: Option<i32>, to: Option<i32>| Self::Between {
            days: (from.unwrap_or(i32::MIN), to.unwrap_or(i32::MAX)),
            instants: (
                from.and_then(|day| start(day, zone)).unwrap_or(i64::MIN),
                to.and_then(|day| start(day + 1, zone)).unwrap_or(i64::MAX),
            ),
        };
        match test {
            language::DateTest::On(day) => between(Some(number(day)), Some(number(day))),
            language::DateTest::Before(day) => between(None, Some(number(day) - 1)),
            language::DateTest::After(day) => between(Some(number(day) + 1), None),
            language::DateTest::Between(from, to) => between(Some(number(from)), Some(number(to))),
            language::DateTest::InLast(span) => Self::InLast(span),
            language::DateTest::NotInLast(span) => Self::NotInLast(span),
            language::DateTest::InNext(span) => Self::InNext(span),
            language::DateTest::MoreThanAgo(span) => Self::MoreThanAgo(span),
            language::DateTest::AnniversaryIn(n) => Self::AnniversaryIn(i32::from(n)),
            language::DateTest::Month(month) => Self::Month(month),
        }
    }

    /// The answer for a contact without the value: only `not_in_last_n` holds.
    pub(super) fn holds_unset(self) -> bool {
        matches!(self, Self::NotInLast(_))
    }

    /// The answer for an instant, in milliseconds.
    pub(super) fn of_instant(self, at: i64, moment: &Moment<'_>) -> Answer {
        let now = moment.now;
        match self {
            Self::Between { instants, .. } => Answer::fixed((instants.0..instants.1).contains(&at)),
            Self::InLast(span) => {
                let end = at.saturating_add(span.seconds() * 1000);
                within(at, end, now)
            }
            Self::NotInLast(span) => Self::InLast(span).of_instant(at, moment).not(),
            Self::InNext(span) => within(at.saturating_sub(span.seconds() * 1000), at, now),
            Self::MoreThanAgo(span) => {
                let from = at.saturating_add(span.seconds() * 1000);
                within(from, i64::MAX, now)
            }
            Self::AnniversaryIn(_) | Self::Month(_) => {
                let local = Timestamp::from_millisecond(at).map(|at| day_of(at, moment.zone));
                match local.ok().and_then(date) {
                    Some(date) => self.yearly(Day::of(date, None), moment),
                    None => Answer::fixed(false),
                }
            }
        }
    }

    /// The answer for a day.
    pub(super) fn of_day(self, day: Day, moment: &Moment<'_>) -> Answer {
        if let Self::AnniversaryIn(_) | Self::Month(_) = self {
            return self.yearly(day, moment);
        }
        let Some(own) = day.number() else {
            return Answer::fixed(self.holds_unset());
        };
        let flipping = |from: i32, to: i32| {
            let answer = within(i64::from(from), i64::from(to), i64::from(moment.today()));
            let until = answer.until.and_then(|day| moment.start(day as i32));
            Answer::until(answer.holds, until)
        };
        match self {
            Self::Between { days, .. } => Answer::fixed((days.0..=days.1).contains(&own)),
            Self::InLast(span) => flipping(own, own + span.days()),
            Self::NotInLast(span) => flipping(own, own + span.days()).not(),
            Self::InNext(span) => flipping(own - span.days(), own),
            Self::MoreThanAgo(span) => {
                let from = own + span.days();
                if moment.today() >= from {
                    Answer::fixed(true)
                } else {
                    Answer::until(false, moment.start(from))
                }
            }
            Self::AnniversaryIn(_) | Self::Month(_) => Answer::fixed(false),
        }
    }

    /// The answer of a test that repeats each year.
    fn yearly(self, day: Day, moment: &Moment<'_>) -> Answer {
        let today = moment.today();
        match self {
            Self::AnniversaryIn(n) => {
                let aim = today + n;
                let Some(year) = date(aim).map(Date::year) else {
                    return Answer::fixed(false);
                };
                if day.anniversary(year) == Some(aim) {
                    return Answer::until(true, moment.start(today + 1));
                }
                let mut years = [year, year.saturating_add(1)].into_iter();
                let next = years.find_map(|year| day.anniversary(year).filter(|day| *day > aim));
                Answer::until(false, next.and_then(|next| moment.start(next - n)))
            }
            Self::Month(Some(month)) => Answer::fixed(day.month == month),
            _ => {
                let Some(now) = date(today) else {
                    return Answer::fixed(false);
                };
                let is_now = now.month() == day.month;
                let next = if is_now {
                    now.month() % 12 + 1
                } else {
                    day.month
                };
                let year = now.year() + i16::from(next <= now.month());
                let first = Date::new(year, next, 1).ok().map(number);
                Answer::until(is_now, first.and_then(|first| moment.start(first)))
            }
        }
    }
}

/// Whether `now` is from `from` to before `to`, and when that changes.
fn within(from: i64, to: i64, now: i64) -> Answer {
    if now < from {
        Answer::until(false, Some(from))
    } else if now < to {
        Answer::until(true, (to < i64::MAX).then_some(to))
    } else {
        Answer::fixed(false)
    }
}
