//! The `date` filter. Reads no clock: `now` is the time of the render.

use jiff::civil::{Date, DateTime};
use jiff::fmt::strtime::{self, BrokenDownTime, Config};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// Forms of a date besides ISO 8601, in the order in which they are tried.
const FORMS: &[&str] = &[
    "%Y-%m-%d %H:%M:%S %z",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%d/%m/%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%d/%m/%Y",
    "%B %d, %Y",
    "%b %d, %Y",
    "%d %B %Y",
    "%d %b %Y",
];
/// Longest text that is read as a date.
const LONGEST: usize = 64;

/// Reads a date: seconds since 1970, a timestamp, a date with or without a time, `now` or `today`. A text without an
/// offset is in UTC.
pub(crate) fn read(text: &str, now: &Zoned) -> Option<Zoned> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("now") || text.eq_ignore_ascii_case("today") {
        return Some(now.clone());
    }
    if text.len() > LONGEST {
        return None;
    }
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return seconds(text.parse().ok()?);
    }
    if let Ok(pieces) = jiff::fmt::temporal::DateTimeParser::new().parse_pieces(text) {
        let datetime = DateTime::from_parts(pieces.date(), pieces.time().unwrap_or_default());
        let zone = match pieces.to_numeric_offset() {
            Some(offset) => TimeZone::fixed(offset),
            None => TimeZone::UTC,
        };
        return datetime.to_zoned(zone).ok();
    }
    FORMS.iter().find_map(|form| {
        let parsed = strtime::parse(form, text).ok()?;
        let zone = parsed.offset().map_or(TimeZone::UTC, TimeZone::fixed);
        datetime(&parsed)?.to_zoned(zone).ok()
    })
}

fn datetime(parsed: &BrokenDownTime) -> Option<DateTime> {
    let date: Date = parsed.to_date().ok()?;
    Some(DateTime::from_parts(
        date,
        parsed.to_time().unwrap_or_default(),
    ))
}

/// The time so many seconds after 1970, in UTC.
pub(crate) fn seconds(count: i64) -> Option<Zoned> {
    Some(Timestamp::from_second(count).ok()?.to_zoned(TimeZone::UTC))
}

/// Writes a date. An unknown directive is printed as it is. The error is a width of more than two digits.
pub(crate) fn write(date: &Zoned, format: &str) -> Result<String, &'static str> {
    let is_wide = |run: &[u8]| run.iter().all(u8::is_ascii_digit);
    if format
        .split('%')
        .skip(1)
        .any(|rest| rest.as_bytes().get(..3).is_some_and(is_wide))
    {
        return Err("a width of a date has at most 2 digits");
    }
    let format = format.replace("%L", "%3f");
    let mut out = String::new();
    let config = Config::new().lenient(true);
    let written = BrokenDownTime::from(date).format_with_config(&config, &format, &mut out);
    written
        .map(|()| out)
        .map_err(|_| "the format of the date cannot be read")
}
