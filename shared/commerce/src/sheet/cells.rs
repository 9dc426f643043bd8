//! The numbers and times of cells of orders and products, as spreadsheets and shop systems write them. Pure.

use contacts::import::day;
use jiff::civil::Time;
use jiff::{SignedDuration, Timestamp, tz};
use kernel::commerce::Quantity;
use kernel::text::fold;

use crate::change::MOST_TOTAL;

/// Hours from UTC to the time of Vietnam, in which files write times without a zone.
const VIETNAM: i8 = 7;
/// Seconds of a day.
const DAY: f64 = 86_400.0;

/// An amount of whole dong: `285000`, `285.000 đ`, `1,250,000.00`. `None`: a fraction, a sign, or no amount.
pub fn amount(cell: &str) -> Option<i64> {
    let text = fold(cell).replace(['₫', ' '], "");
    let text = text.trim_end_matches("vnd").trim_end_matches('d');
    let whole = match (text.rfind('.'), text.rfind(',')) {
        (None, None) => text.to_owned(),
        (Some(dot), Some(comma)) => {
            let (point, thousands) = if dot > comma { ('.', ',') } else { (',', '.') };
            let (whole, fraction) = text.split_once(point)?;
            (is_zeros(fraction)).then(|| grouped(whole, thousands))??
        }
        (dot, _) => {
            let mark = if dot.is_some() { '.' } else { ',' };
            if let Some(whole) = grouped(text, mark) {
                whole
            } else {
                let (whole, fraction) = text.split_once(mark)?;
                is_zeros(fraction).then(|| whole.to_owned())?
            }
        }
    };
    if whole.is_empty() || !whole.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let amount: i64 = whole.parse().ok()?;
    (amount <= MOST_TOTAL).then_some(amount)
}

fn is_zeros(fraction: &str) -> bool {
    fraction.bytes().all(|byte| byte == b'0')
}

/// The digits of a number whose thousands a mark parts: `1.250.000`. `None`: the marks part other groups.
fn grouped(text: &str, mark: char) -> Option<String> {
    let mut groups = text.split(mark);
    let first = groups.next()?;
    let are_threes = groups.all(|group| group.len() == 3);
    ((1..=3).contains(&first.len()) && are_threes).then(|| text.replace(mark, ""))
}

/// A quantity: `2`, `0,5`, `1.25`. `None` also for `1.000`, which may be one or a thousand.
pub fn quantity(cell: &str) -> Option<Quantity> {
    let text = cell.trim().replace(',', ".");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let are_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !are_digits(whole) || !are_digits(fraction) || fraction.len() == 3 {
        return None;
    }
    Quantity::of(text.parse().ok()?)
}

/// A count of stock: whole, and below zero where a shop has sold more than it has.
pub fn count(cell: &str) -> Option<i64> {
    match cell.trim().strip_prefix('-') {
        Some(rest) => amount(rest).map(|count| -count),
        None => amount(cell),
    }
}

/// A time: with its zone, or a day and a time of Vietnam: `02/03/2026 09:30`, `2026-03-02`, `9:30 CH 02/03/2026`, a
/// spreadsheet's number of days.
pub fn time(cell: &str) -> Option<Timestamp> {
    let cell = cell.trim();
    if let Ok(at) = cell.parse::<Timestamp>() {
        return Some(at);
    }
    if let Some((days, fraction)) = cell.split_once('.')
        && days.len() == 5
        && let Ok(part) = format!("0.{fraction}").parse::<f64>()
    {
        let seconds = (part * DAY).round() as i64;
        let midnight = at(days, Time::midnight())?;
        return midnight
            .checked_add(SignedDuration::from_secs(seconds))
            .ok();
    }
    let words = cell.split([' ', 'T', '\u{a0}']);
    let (mut date, mut clock, mut half) = (None, None, None);
    for word in words.filter(|word| !word.is_empty()) {
        match word.to_lowercase().as_str() {
            "am" | "sa" => half = Some(false),
            "pm" | "ch" => half = Some(true),
            _ if word.contains(':') => clock = Some(word),
            _ if date.is_none() => date = Some(word),
            _ => return None,
        }
    }
    at(
        date?,
        clock.map_or(Some(Time::midnight()), |clock| of_day(clock, half))?,
    )
}

/// A time of a day. `half`: whether the hours of the second half of the day are counted from its middle.
fn of_day(clock: &str, half: Option<bool>) -> Option<Time> {
    let parts: Vec<&str> = clock.split(':').collect();
    let second = parts.get(2).map_or(Some(0), |text| {
        text.split('.').next().unwrap_or_default().parse().ok()
    })?;
    let (hour, minute): (i8, i8) = (parts.first()?.parse().ok()?, parts.get(1)?.parse().ok()?);
    let hour = match half {
        None => hour,
        Some(_) if !(1..=12).contains(&hour) => return None,
        Some(is_second) => hour % 12 + if is_second { 12 } else { 0 },
    };
    (parts.len() <= 3).then(|| Time::new(hour, minute, second, 0).ok())?
}

fn at(date: &str, time: Time) -> Option<Timestamp> {
    let civil = day(date)?.to_datetime(time);
    tz::offset(VIETNAM).to_timestamp(civil).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_whole_dong_or_refused() {
        for (cell, amount_of) in [
            ("285000", Some(285_000)),
            ("285.000", Some(285_000)),
            ("285,000 đ", Some(285_000)),
            ("1.250.000₫", Some(1_250_000)),
            ("1,250,000.00", Some(1_250_000)),
            ("1.250.000,00 VNĐ", Some(1_250_000)),
            ("350000.0000", Some(350_000)),
            ("0", Some(0)),
            ("12.5", None),
            ("1.25.000", None),
            ("-5000", None),
            ("2.85E+05", None),
            ("miễn phí", None),
            ("", None),
            ("9999999999999999999", None),
        ] {
            assert_eq!(amount(cell), amount_of, "{cell}");
        }
        assert_eq!(
            (count("-3"), count("1.200"), count("x")),
            (Some(-3), Some(1_200), None)
        );
    }

    #[test]
    fn a_quantity_that_may_be_two_numbers_is_refused() {
        let of = |number: f64| Quantity::of(number);
        for (cell, found) in [
            ("2", of(2.0)),
            ("0,5", of(0.5)),
            ("1.25", of(1.25)),
            ("2.0", of(2.0)),
            ("1.000", None),
            ("hai", None),
            ("-1", None),
        ] {
            assert_eq!(quantity(cell), found, "{cell}");
        }
    }

    #[test]
    fn times_are_those_of_vietnam() {
        for (cell, found) in [
            ("02/03/2026 09:30", Some("2026-03-02T02:30:00Z")),
            ("2/3/2026 9:30:15", Some("2026-03-02T02:30:15Z")),
            ("09:30 02/03/2026", Some("2026-03-02T02:30:00Z")),
            ("02/03/2026 9:30 CH", Some("2026-03-02T14:30:00Z")),
            ("02/03/2026 12:05 AM", Some("2026-03-01T17:05:00Z")),
            ("2026-03-02T09:30:00+07:00", Some("2026-03-02T02:30:00Z")),
            ("2026-03-02 09:30:00", Some("2026-03-02T02:30:00Z")),
            ("2026-03-02", Some("2026-03-01T17:00:00Z")),
            ("46083.5", Some("2026-03-02T05:00:00Z")),
            ("31/02/2026", None),
            ("02/03/2026 25:00", None),
            ("hôm nay", None),
        ] {
            let found = found.map(|text| text.parse::<Timestamp>().unwrap());
            assert_eq!(time(cell), found, "{cell}");
        }
    }
}
