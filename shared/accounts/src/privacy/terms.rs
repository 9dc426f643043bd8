//! The legal terms of requests about personal data, and Vietnamese working days. Pure.
//!
//! The terms are those of Decree 356/2025, article 5 (docs/compliance-vn.md). The table of holidays has only days that are sure, so an
//! unsure day counts as a working day. A term then ends too early, never too late.

use jiff::civil::{Date, Weekday, date};
use jiff::tz::{TimeZone, offset};
use jiff::{Timestamp, ToSpan};

use super::Kind;

/// Working days to acknowledge a request.
const ACKNOWLEDGE: u16 = 2;

/// How sure a day off is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certainty {
    /// Fixed by the Labour Code, article 112, or by a published decision.
    Fixed,
    /// The lunar date is computed; the order of days off is not published yet.
    Computed,
}

use Certainty::{Computed, Fixed};

/// Days off of 2026 and 2027 that are not Saturdays or Sundays.
pub const HOLIDAYS: [(Date, &str, Certainty); 20] = [
    (date(2026, 1, 1), "Tết Dương lịch", Fixed),
    (date(2026, 2, 16), "Tết Nguyên đán", Fixed),
    (date(2026, 2, 17), "Tết Nguyên đán", Fixed),
    (date(2026, 2, 18), "Tết Nguyên đán", Fixed),
    (date(2026, 2, 19), "Tết Nguyên đán", Fixed),
    (date(2026, 2, 20), "Tết Nguyên đán", Fixed),
    (
        date(2026, 4, 27),
        "Giỗ Tổ Hùng Vương, in lieu of Sunday",
        Fixed,
    ),
    (date(2026, 4, 30), "Ngày Chiến thắng", Fixed),
    (date(2026, 5, 1), "Quốc tế Lao động", Fixed),
    (date(2026, 9, 1), "Quốc khánh", Fixed),
    (date(2026, 9, 2), "Quốc khánh", Fixed),
    (date(2027, 1, 1), "Tết Dương lịch", Fixed),
    // The first day of the year is Saturday, 6 February. These days are off in each order of days.
    (date(2027, 2, 5), "Tết Nguyên đán", Computed),
    (date(2027, 2, 8), "Tết Nguyên đán", Computed),
    (date(2027, 2, 9), "Tết Nguyên đán", Computed),
    (date(2027, 2, 10), "Tết Nguyên đán", Computed),
    (date(2027, 4, 16), "Giỗ Tổ Hùng Vương", Computed),
    (date(2027, 4, 30), "Ngày Chiến thắng", Fixed),
    (
        date(2027, 5, 3),
        "Quốc tế Lao động, in lieu of Saturday",
        Fixed,
    ),
    (date(2027, 9, 2), "Quốc khánh", Fixed),
];

/// The date in Viet Nam, which has one time zone.
pub fn day(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::fixed(offset(7))).date()
}

/// Whether offices work on the day.
pub fn is_working(day: Date) -> bool {
    let is_weekend = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
    !is_weekend && HOLIDAYS.iter().all(|(holiday, ..)| *holiday != day)
}

/// The last day of a term of `days` working days. The day of receipt does not count.
pub fn working_days_after(received: Date, days: u16) -> Date {
    let (mut day, mut left) = (received, days);
    while left > 0 {
        // The calendar ends in the year 9999.
        let Ok(next) = day.tomorrow() else { break };
        day = next;
        left -= u16::from(is_working(day));
    }
    day
}

/// The last day to acknowledge a request.
pub fn acknowledge_by(received: Date) -> Date {
    working_days_after(received, ACKNOWLEDGE)
}

/// Days to fulfil a request, longer where processors or third parties take part.
pub fn days(kind: Kind, has_third_parties: bool) -> u16 {
    let (alone, with_others) = match kind {
        Kind::Withdraw | Kind::Restrict | Kind::Object => (15, 20),
        Kind::Access | Kind::Copy | Kind::Correct => (10, 15),
        Kind::Erase => (20, 30),
        // Its term counts hours: `breach::notify_by`.
        Kind::Breach => (3, 3),
    };
    if has_third_parties {
        with_others
    } else {
        alone
    }
}

/// Days of the one extension.
pub fn extension(kind: Kind) -> u16 {
    match kind {
        Kind::Withdraw | Kind::Restrict | Kind::Object => 15,
        Kind::Access | Kind::Copy | Kind::Correct => 10,
        Kind::Erase => 20,
        Kind::Breach => 0,
    }
}

/// The last days of a term: in working days, and in calendar days. The decree says "days" only, so the second is the
/// stricter reading.
pub fn fulfil_by(received: Date, days: u16) -> (Date, Date) {
    let calendar = received.saturating_add(i64::from(days).days());
    (working_days_after(received, days), calendar)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_table_is_dated_and_has_no_weekend() {
        let days: BTreeSet<_> = HOLIDAYS.iter().map(|one| one.0).collect();
        assert_eq!(days.len(), HOLIDAYS.len());
        for (day, name, _) in HOLIDAYS {
            assert!(
                !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday),
                "{day} {name}"
            );
        }
        // The table ends here: later years count weekends only.
        assert_eq!(days.last().map(|day| day.year()), Some(2027));
    }

    #[test]
    fn terms_end_as_the_decree_says() {
        // Received on the last working day before Tết.
        let before_tet = date(2026, 2, 13);
        assert_eq!(acknowledge_by(before_tet), date(2026, 2, 24));
        assert_eq!(acknowledge_by(date(2026, 3, 2)), date(2026, 3, 4));
        // Received on a Saturday.
        assert_eq!(acknowledge_by(date(2026, 3, 7)), date(2026, 3, 10));
        for (kind, alone, with_others, longer) in [
            (Kind::Access, 10, 15, 10),
            (Kind::Copy, 10, 15, 10),
            (Kind::Correct, 10, 15, 10),
            (Kind::Erase, 20, 30, 20),
            (Kind::Withdraw, 15, 20, 15),
            (Kind::Restrict, 15, 20, 15),
            (Kind::Object, 15, 20, 15),
        ] {
            assert_eq!((days(kind, false), days(kind, true)), (alone, with_others));
            assert_eq!(extension(kind), longer);
        }
        let erased = fulfil_by(date(2026, 3, 2), 20);
        assert_eq!(erased, (date(2026, 3, 30), date(2026, 3, 22)));
        // Midnight in Viet Nam is 17:00 in UTC.
        assert_eq!(
            day("2026-03-02T16:59:59Z".parse().unwrap()),
            date(2026, 3, 2)
        );
        assert_eq!(
            day("2026-03-02T17:00:00Z".parse().unwrap()),
            date(2026, 3, 3)
        );
        assert_eq!(working_days_after(Date::MAX, 3), Date::MAX);
    }

    proptest! {
        #[test]
        fn a_term_ends_on_a_working_day_and_has_its_days(offset in 0i64..1_000, days in 1u16..60) {
            let received = date(2025, 12, 1).saturating_add(offset.days());
            let end = working_days_after(received, days);
            prop_assert!(is_working(end));
            let mut between = received.series(1.day()).skip(1).take_while(|day| *day <= end);
            prop_assert_eq!(between.by_ref().filter(|day| is_working(*day)).count(), usize::from(days));
            // A day more ends later, and so does a later receipt.
            prop_assert!(working_days_after(received, days + 1) > end);
            prop_assert!(working_days_after(received.saturating_add(1.day()), days) >= end);
            // Calendar days never end later.
            let (working, calendar) = fulfil_by(received, days);
            prop_assert!(calendar <= working);
        }
    }
}
