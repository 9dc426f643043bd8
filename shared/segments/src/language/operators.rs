//! The operators of each type, and their operands. Pure.

use jiff::civil::Date;

use super::fields::Kind;
use super::read::{self, Reader};

/// Longest period of a relative date, in days: ten years.
pub(super) const MAX_DAYS: u16 = 3650;
/// Most times that a condition on events may ask for.
pub(super) const MAX_TIMES: u16 = 1000;

/// Operators of texts.
const TEXT: &[&str] = &[
    "is",
    "is_not",
    "contains",
    "not_contains",
    "starts_with",
    "ends_with",
    "in",
    "not_in",
    "is_set",
    "is_not_set",
];
/// Operators of choices.
const CHOICE: &[&str] = &["is", "is_not", "in", "not_in", "is_set", "is_not_set"];
/// Operators of numbers.
const NUMBER: &[&str] = &[
    "eq",
    "ne",
    "gt",
    "gte",
    "lt",
    "lte",
    "between",
    "is_set",
    "is_not_set",
];
/// Operators of days and instants.
const DATE: &[&str] = &[
    "on",
    "before",
    "after",
    "between",
    "in_last_n",
    "not_in_last_n",
    "in_next_n",
    "more_than_n_ago",
    "anniversary_today",
    "anniversary_in_n_days",
    "month_is",
    "is_set",
    "is_not_set",
];
/// Operators of truth values.
const BOOLEAN: &[&str] = &["is_true", "is_false", "is_set", "is_not_set"];
/// Operators of several words.
const MANY: &[&str] = &["has_any", "has_all", "has_none", "is_set", "is_not_set"];
/// Operators of events.
pub(super) const HAPPENED: &[&str] = &["did", "did_not", "at_least", "at_most", "exactly"];

impl Kind {
    /// The operators that fit the type.
    pub fn operators(self) -> &'static [&'static str] {
        match self {
            Self::Text => TEXT,
            Self::Choice(_) => CHOICE,
            Self::Number => NUMBER,
            Self::Date | Self::Instant => DATE,
            Self::Boolean => BOOLEAN,
            Self::Many => MANY,
        }
    }
}

/// The test of one value.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// The value is there, or not.
    IsSet(bool),
    /// A text.
    Text {
        /// The comparison.
        how: How,
        /// The texts; one is enough.
        values: Vec<String>,
        /// Whether the answer is turned round.
        not: bool,
    },
    /// A number.
    Number(Compare),
    /// A day or an instant.
    Date(DateTest),
    /// A truth value.
    Boolean(bool),
    /// Several words.
    Many {
        /// The comparison.
        how: Many,
        /// The words.
        values: Vec<String>,
    },
}

/// A comparison of texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the operators")]
pub enum How {
    Is,
    Contains,
    StartsWith,
    EndsWith,
    /// `*` stands for any text.
    Pattern,
}

/// A comparison with several words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the operators")]
pub enum Many {
    Any,
    All,
    None,
}

/// A comparison of numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(missing_docs, reason = "the names are those of the operators")]
pub enum Compare {
    Eq(f64),
    Ne(f64),
    Gt(f64),
    Gte(f64),
    Lt(f64),
    Lte(f64),
    /// Both ends belong to it.
    Between(f64, f64),
}

/// A unit of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the language")]
pub enum Unit {
    Hours,
    Days,
    Weeks,
}

/// A period of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The number of units.
    pub n: u16,
    /// The unit.
    pub unit: Unit,
}

impl Span {
    /// Length in seconds; a day has 24 hours.
    pub fn seconds(self) -> i64 {
        let unit = match self.unit {
            Unit::Hours => 3600,
            Unit::Days => 24 * 3600,
            Unit::Weeks => 7 * 24 * 3600,
        };
        i64::from(self.n) * unit
    }

    /// Length in whole days.
    pub fn days(self) -> i32 {
        (self.seconds() / (24 * 3600)) as i32
    }
}

/// A comparison of days or instants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the operators")]
pub enum DateTest {
    On(Date),
    Before(Date),
    After(Date),
    /// Both days belong to it.
    Between(Date, Date),
    InLast(Span),
    NotInLast(Span),
    InNext(Span),
    MoreThanAgo(Span),
    /// The anniversary is that many days from today.
    AnniversaryIn(u16),
    /// The month, 1 to 12; none: the current month.
    Month(Option<i8>),
}

/// How often an event must have happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the operators")]
pub enum Times {
    AtLeast(u16),
    AtMost(u16),
    Exactly(u16),
}

/// The days on which an event counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Within {
    /// Today and this many days before it, less one. None: all days that are kept.
    pub last_days: Option<u16>,
    /// The first day.
    pub from: Option<Date>,
    /// The last day.
    pub to: Option<Date>,
}

/// Reads `operator` and its operands for a value of this type.
pub(super) fn test(reader: &mut Reader<'_, '_>, kind: Kind) -> Option<Test> {
    let operator = reader.word("operator", kind.operators())?;
    match operator {
        "is_set" => return Some(Test::IsSet(true)),
        "is_not_set" => return Some(Test::IsSet(false)),
        _ => {}
    }
    match kind {
        Kind::Text | Kind::Choice(_) => texts(reader, kind, operator),
        Kind::Number => number(reader, operator).map(Test::Number),
        Kind::Date | Kind::Instant => date(reader, kind, operator).map(Test::Date),
        Kind::Boolean => Some(Test::Boolean(operator == "is_true")),
        Kind::Many => {
            let how = match operator {
                "has_any" => Many::Any,
                "has_all" => Many::All,
                _ => Many::None,
            };
            let values = reader.texts("values")?;
            Some(Test::Many { how, values })
        }
    }
}

fn texts(reader: &mut Reader<'_, '_>, kind: Kind, operator: &str) -> Option<Test> {
    let how = match operator {
        "contains" | "not_contains" => How::Contains,
        "starts_with" => How::StartsWith,
        "ends_with" => How::EndsWith,
        _ => How::Is,
    };
    let not = matches!(operator, "is_not" | "not_contains" | "not_in");
    let is_list = matches!(operator, "in" | "not_in");
    let options = match kind {
        Kind::Choice(options) => options,
        _ => &[],
    };
    let values = match (is_list, options.is_empty()) {
        (true, true) => reader.texts("values")?,
        (true, false) => {
            let most = reader.faults.bounds.values;
            reader.list("values", most, |value, place, faults| {
                read::word(value, options, place, faults).map(str::to_owned)
            })?
        }
        (false, true) => vec![reader.text("value")?.to_owned()],
        (false, false) => vec![reader.word("value", options)?.to_owned()],
    };
    Some(Test::Text { how, values, not })
}

fn number(reader: &mut Reader<'_, '_>, operator: &str) -> Option<Compare> {
    if operator == "between" {
        let (from, to) = (reader.number("from"), reader.number("to"));
        return match (from?, to?) {
            (from, to) if from <= to => Some(Compare::Between(from, to)),
            _ => {
                reader.fault("to", "must not be less than from");
                None
            }
        };
    }
    let value = reader.number("value")?;
    Some(match operator {
        "eq" => Compare::Eq(value),
        "ne" => Compare::Ne(value),
        "gt" => Compare::Gt(value),
        "gte" => Compare::Gte(value),
        "lt" => Compare::Lt(value),
        _ => Compare::Lte(value),
    })
}

fn date(reader: &mut Reader<'_, '_>, kind: Kind, operator: &str) -> Option<DateTest> {
    Some(match operator {
        "on" => DateTest::On(reader.date("value")?),
        "before" => DateTest::Before(reader.date("value")?),
        "after" => DateTest::After(reader.date("value")?),
        "between" => {
            let (from, to) = days(reader, true)?;
            DateTest::Between(from?, to?)
        }
        "in_last_n" => DateTest::InLast(span(reader, kind)?),
        "not_in_last_n" => DateTest::NotInLast(span(reader, kind)?),
        "in_next_n" => DateTest::InNext(span(reader, kind)?),
        "more_than_n_ago" => DateTest::MoreThanAgo(span(reader, kind)?),
        "anniversary_today" => DateTest::AnniversaryIn(0),
        "anniversary_in_n_days" => DateTest::AnniversaryIn(reader.whole("n", 1, 365)?),
        _ => DateTest::Month(month(reader)?),
    })
}

/// A month from 1 to 12, or the word `current`.
#[expect(
    clippy::option_option,
    reason = "the inner one is the month of the check"
)]
fn month(reader: &mut Reader<'_, '_>) -> Option<Option<i8>> {
    let value = reader.must("value")?;
    let number = value.as_i64().filter(|month| (1..=12).contains(month));
    match (value.as_str(), number) {
        (Some("current"), _) => Some(None),
        (_, Some(month)) => Some(Some(month as i8)),
        _ => {
            reader.fault("value", "must be a month from 1 to 12, or current");
            None
        }
    }
}

fn span(reader: &mut Reader<'_, '_>, kind: Kind) -> Option<Span> {
    let units: &[&str] = match kind {
        Kind::Instant => &["hours", "days", "weeks"],
        _ => &["days", "weeks"],
    };
    let unit = match reader.may("unit") {
        None => Unit::Days,
        Some(_) => match reader.word("unit", units)? {
            "hours" => Unit::Hours,
            "weeks" => Unit::Weeks,
            _ => Unit::Days,
        },
    };
    let most = match unit {
        Unit::Hours | Unit::Days => MAX_DAYS,
        Unit::Weeks => MAX_DAYS / 7,
    };
    let n = reader.whole("n", 1, most)?;
    Some(Span { n, unit })
}

/// The days `from` and `to`. The second result is none where a day is wrong or the days are in the wrong order.
fn days(reader: &mut Reader<'_, '_>, both: bool) -> Option<(Option<Date>, Option<Date>)> {
    let mut end = |key| {
        if both || reader.may(key).is_some() {
            reader.date(key).map(Some)
        } else {
            Some(None)
        }
    };
    let (from, to) = (end("from"), end("to"));
    let (from, to) = (from?, to?);
    if from.zip(to).is_some_and(|(from, to)| to < from) {
        reader.fault("to", "must not be before from");
        return None;
    }
    Some((from, to))
}

/// Reads how often an event happened: `operator`, and `times` where the operator needs a number.
pub(super) fn times(reader: &mut Reader<'_, '_>) -> Option<Times> {
    let operator = reader.word("operator", HAPPENED)?;
    Some(match operator {
        "did" => Times::AtLeast(1),
        "did_not" => Times::Exactly(0),
        "at_least" => Times::AtLeast(reader.whole("times", 1, MAX_TIMES)?),
        "at_most" => Times::AtMost(reader.whole("times", 0, MAX_TIMES)?),
        _ => Times::Exactly(reader.whole("times", 0, MAX_TIMES)?),
    })
}

/// Reads the optional `within`: `{"last_days": 30}` or `{"from": …, "to": …}`.
pub(super) fn within(reader: &mut Reader<'_, '_>) -> Option<Within> {
    let Some(value) = reader.may("within") else {
        return Some(Within::default());
    };
    let Some(map) = value.as_object().filter(|map| !map.is_empty()) else {
        reader.fault(
            "within",
            "must be an object with last_days, or with from and to",
        );
        return None;
    };
    let place = reader.place("within");
    let mut inner = Reader::new(map, place, reader.faults);
    let within = if inner.may("last_days").is_some() {
        let kept = crate::facts::KEPT_DAYS as u16;
        let last_days = inner.whole("last_days", 1, kept);
        last_days.map(|days| Within {
            last_days: Some(days),
            ..Within::default()
        })
    } else {
        days(&mut inner, false).map(|(from, to)| Within {
            last_days: None,
            from,
            to,
        })
    };
    inner.end();
    within
}
