//! The compiled test of one value. Pure, and without allocation once a thread has its buffer.

use std::cell::RefCell;

use jiff::Timestamp;
use kernel::UserId;
use serde_json::Value;

use super::days::{Answer, DateTest, Day, Moment};
use crate::language::{self, Compare, How, Many};

/// The value that is tested.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Of<'a> {
    /// There is none.
    Nothing,
    /// A text.
    Text(&'a str),
    /// An id, compared as its text.
    Id(UserId),
    /// A number.
    Number(f64),
    /// An instant.
    Instant(Timestamp),
    /// A custom field, or a field of an event's data.
    Json(&'a Value),
}

/// A compiled test.
#[derive(Debug, Clone)]
pub(crate) enum Test {
    IsSet(bool),
    /// The texts are folded and sorted.
    Text {
        how: How,
        values: Vec<String>,
        not: bool,
    },
    Number(Compare),
    Date(DateTest),
    Boolean(bool),
    /// The words are folded and sorted.
    Many {
        how: Many,
        values: Vec<String>,
    },
}

thread_local! {
    /// The folded text that is compared.
    static FOLDED: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Calls with the folded text.
pub(super) fn with_folded<T>(text: &str, then: impl FnOnce(&str) -> T) -> T {
    FOLDED.with_borrow_mut(|buffer| {
        buffer.clear();
        kernel::text::fold_into(text, buffer);
        then(buffer)
    })
}

/// Calls with the form in which a tag is compared.
pub(super) fn with_tag_key(tag: &str, then: &mut dyn FnMut(&str)) {
    if tag.is_ascii() {
        // Without diacritics both forms are the same.
        with_folded(tag, then);
    } else {
        then(&kernel::text::alike(tag));
    }
}

/// The form in which tags are compared: case does not matter, diacritics do.
pub(crate) fn tag_key(tag: &str) -> String {
    kernel::text::alike(tag)
}

/// The form in which texts are compared.
pub(crate) fn folded(text: &str) -> String {
    kernel::text::fold(text)
}

fn sorted(values: &[String]) -> Vec<String> {
    let mut values: Vec<String> = values.iter().map(|value| folded(value)).collect();
    values.sort();
    values.dedup();
    values
}

impl Test {
    /// Compiles a test whose dates need no time zone: a filter of an event.
    pub(crate) fn of(test: &language::Test) -> Self {
        Self::compile(test, &jiff::tz::TimeZone::UTC)
    }

    /// Compiles a test.
    pub(super) fn compile(test: &language::Test, zone: &jiff::tz::TimeZone) -> Self {
        match test {
            language::Test::IsSet(is) => Self::IsSet(*is),
            language::Test::Text { how, values, not } => Self::Text {
                how: *how,
                values: sorted(values),
                not: *not,
            },
            language::Test::Number(compare) => Self::Number(*compare),
            language::Test::Date(date) => Self::Date(DateTest::compile(*date, zone)),
            language::Test::Boolean(is) => Self::Boolean(*is),
            language::Test::Many { how, values } => Self::Many {
                how: *how,
                values: sorted(values),
            },
        }
    }

    /// The answer for a value.
    pub(super) fn check(&self, of: Of<'_>, moment: &Moment<'_>) -> Answer {
        match self {
            Self::Date(test) => match day_or_instant(of, moment) {
                Some(When::Day(day)) => test.of_day(day, moment),
                Some(When::Instant(at)) => test.of_instant(at, moment),
                None => Answer::fixed(test.holds_unset()),
            },
            Self::Number(compare) => Answer::fixed(number(of).map_or_else(
                || matches!(compare, Compare::Ne(_)),
                |number| holds(*compare, number),
            )),
            _ => Answer::fixed(self.holds(of)),
        }
    }

    /// The answer for a field of an event's data.
    pub(crate) fn holds_json(&self, value: Option<&Value>) -> bool {
        let of = value.map_or(Of::Nothing, Of::Json);
        match self {
            Self::Number(compare) => number(of).map_or_else(
                || matches!(compare, Compare::Ne(_)),
                |number| holds(*compare, number),
            ),
            _ => self.holds(of),
        }
    }

    fn holds(&self, of: Of<'_>) -> bool {
        match self {
            Self::IsSet(is) => *is == is_set(of),
            Self::Text { how, values, not } => {
                any_text(of, &mut |text| {
                    with_folded(text, |text| compare(*how, values, text))
                }) != *not
            }
            Self::Boolean(is) => boolean(of) == Some(*is),
            Self::Many { how, values } => many(*how, values, with_fold, &mut |each| {
                any_text(of, &mut |text| {
                    each(text);
                    false
                });
            }),
            Self::Number(_) | Self::Date(_) => false,
        }
    }
}

/// Whether there is a value. An empty text or list is none.
fn is_set(of: Of<'_>) -> bool {
    match of {
        Of::Nothing | Of::Json(Value::Null) => false,
        Of::Text(text) => !text.trim().is_empty(),
        Of::Json(Value::String(text)) => !text.trim().is_empty(),
        Of::Json(Value::Array(values)) => !values.is_empty(),
        Of::Id(_) | Of::Number(_) | Of::Instant(_) | Of::Json(_) => true,
    }
}

/// Whether the check holds for one of the texts of a value. A number or a truth value is compared as its text.
fn any_text(of: Of<'_>, check: &mut dyn FnMut(&str) -> bool) -> bool {
    match of {
        Of::Text(text) => !text.trim().is_empty() && check(text),
        Of::Json(Value::String(text)) => !text.trim().is_empty() && check(text),
        Of::Id(id) => check(&id.to_string()),
        Of::Json(Value::Bool(is)) => check(if *is { "true" } else { "false" }),
        Of::Json(Value::Number(number)) => check(&number.to_string()),
        Of::Json(Value::Array(values)) => values.iter().any(|value| {
            let is_one = !matches!(value, Value::Array(_) | Value::Object(_));
            is_one && any_text(Of::Json(value), check)
        }),
        _ => false,
    }
}

pub(super) fn compare(how: How, values: &[String], text: &str) -> bool {
    match how {
        How::Is => values
            .binary_search_by(|value| value.as_str().cmp(text))
            .is_ok(),
        How::Contains => values.iter().any(|value| text.contains(value.as_str())),
        How::StartsWith => values.iter().any(|value| text.starts_with(value.as_str())),
        How::EndsWith => values.iter().any(|value| text.ends_with(value.as_str())),
        How::Pattern => values.iter().any(|value| fits(value, text)),
    }
}

/// Whether the text fits the pattern, in which `*` stands for any text. The earliest place of each part is enough, so the
/// time is bounded by the product of the lengths.
fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

fn with_fold(text: &str, then: &mut dyn FnMut(&str)) {
    with_folded(text, then);
}

/// Compares several words. `visit` calls with each word of the contact, `key` with its compared form.
#[expect(
    clippy::type_complexity,
    reason = "a name for a visitor of words would hide its lifetimes"
)]
pub(super) fn many(
    how: Many,
    values: &[String],
    key: fn(&str, &mut dyn FnMut(&str)),
    visit: &mut dyn FnMut(&mut dyn FnMut(&str)),
) -> bool {
    // A condition has at most 100 values: a bit for each.
    let mut found = 0u128;
    visit(&mut |word| {
        key(word, &mut |word| {
            if let Ok(at) = values.binary_search_by(|value| value.as_str().cmp(word)) {
                found |= 1 << (at & 127);
            }
        });
    });
    match how {
        Many::Any => found != 0,
        Many::None => found == 0,
        Many::All => found.count_ones() as usize == values.len().min(128),
    }
}

fn number(of: Of<'_>) -> Option<f64> {
    let number = match of {
        Of::Number(number) => Some(number),
        Of::Json(Value::Number(number)) => number.as_f64(),
        Of::Json(Value::String(text)) => text.trim().parse().ok(),
        Of::Text(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|number| number.is_finite())
}

#[expect(clippy::float_cmp, reason = "equal is equal: both numbers were typed")]
fn holds(compare: Compare, number: f64) -> bool {
    match compare {
        Compare::Eq(to) => number == to,
        Compare::Ne(to) => number != to,
        Compare::Gt(to) => number > to,
        Compare::Gte(to) => number >= to,
        Compare::Lt(to) => number < to,
        Compare::Lte(to) => number <= to,
        Compare::Between(from, to) => (from..=to).contains(&number),
    }
}

/// The words that an import reads as true and false too.
fn boolean(of: Of<'_>) -> Option<bool> {
    let text = match of {
        Of::Json(Value::Bool(is)) => return Some(*is),
        Of::Json(Value::Number(number)) => return number.as_f64().map(|number| number != 0.0),
        Of::Json(Value::String(text)) => text.as_str(),
        Of::Text(text) => text,
        _ => return None,
    };
    with_folded(text, |text| match text {
        "1" | "true" | "yes" | "co" => Some(true),
        "0" | "false" | "no" | "khong" => Some(false),
        _ => None,
    })
}

enum When {
    Day(Day),
    /// Milliseconds.
    Instant(i64),
}

/// A day such as `2026-03-02`, `--03-02` or `02/03/2026`, or an instant.
fn day_or_instant(of: Of<'_>, _moment: &Moment<'_>) -> Option<When> {
    let text = match of {
        Of::Instant(at) => return Some(When::Instant(at.as_millisecond())),
        Of::Text(text) => text,
        Of::Json(Value::String(text)) => text,
        _ => return None,
    };
    let text = text.trim();
    if let Some(day) = Day::parse(text) {
        return Some(When::Day(day));
    }
    let at: Timestamp = text.parse().ok()?;
    Some(When::Instant(at.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text, is) in [
            ("/tet/*", "/tet/ao-dai", true),
            ("/tet/*", "/tet", false),
            ("*/tet/*", "https://shop.vn/tet/a", true),
            ("https://*.vn/*/xem", "https://a.shop.vn/b/c/xem", true),
            ("https://*.vn/*/xem", "https://shop.vn/xem", false),
            ("*", "", true),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("/gio-hang", "/gio-hang", true),
            ("/gio-hang", "/gio-hang/2", false),
        ] {
            assert_eq!(fits(pattern, text), is, "{pattern} {text}");
        }
    }
}
