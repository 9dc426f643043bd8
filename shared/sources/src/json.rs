//! Lenient reading of JSON: shops send numbers as texts, ids as numbers, and times without an offset.

use std::collections::BTreeMap;
use std::str::FromStr;

use http::HeaderMap;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use kernel::Money;
use serde_json::Value;

use crate::signature;
use crate::submission::ParseError;

/// Vietnam's time, without the zone file that Lambda's image may lack. The offset has been the same since 1975.
pub const VIETNAM: Offset = Offset::constant(7);

/// The headers of these names, and the body's text. A byte that is no UTF-8 becomes U+FFFD: the request was signed, so it is
/// kept for its owner.
pub fn take(
    headers: &HeaderMap,
    names: &[&str],
    body: &[u8],
) -> (BTreeMap<String, String>, String) {
    let kept = names.iter().filter_map(|name| {
        let text = signature::header(headers, name);
        (!text.is_empty()).then(|| ((*name).to_owned(), text.to_owned()))
    });
    let text = String::from_utf8_lossy(body);
    let text = text.trim_start_matches('\u{feff}');
    (kept.collect(), text.to_owned())
}

/// The object of a body.
pub fn object(body: &str) -> Result<Value, ParseError> {
    // Serde's own message may quote the body.
    let value: Value = serde_json::from_str(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        ParseError::Syntax(format!("not JSON at line {line} column {column}"))
    })?;
    if value.is_object() {
        Ok(value)
    } else {
        Err(ParseError::Syntax("expected a JSON object".into()))
    }
}

/// The value at a path such as `default_address.phone`.
pub fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.')
        .try_fold(value, |value, name| value.get(name))
}

/// The text of a value; numbers and truth values as texts. Empty texts are none.
pub fn text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => kernel::text::nfc(text.trim()),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

/// The text at a path.
pub fn text_at(value: &Value, path: &str) -> Option<String> {
    text(at(value, path)?)
}

/// The first text of these paths that is a `T`.
pub fn first<T: FromStr>(value: &Value, paths: &[&str]) -> Option<T> {
    let texts = paths.iter().filter_map(|path| text_at(value, path));
    texts.into_iter().find_map(|text| text.parse().ok())
}

/// The objects of the list at a path.
pub fn list<'a>(value: &'a Value, path: &str) -> &'a [Value] {
    let list = at(value, path).and_then(Value::as_array);
    list.map_or(&[], Vec::as_slice)
}

/// The time at a path: RFC 3339, seconds since the epoch, or a local time of Vietnam.
pub fn time(value: &Value, path: &str) -> Option<Timestamp> {
    match at(value, path)? {
        Value::Number(seconds) => Timestamp::from_second(seconds.as_i64()?).ok(),
        other => time_of(&text(other)?),
    }
}

/// The time of a text.
pub fn time_of(text: &str) -> Option<Timestamp> {
    if let Ok(time) = text.parse() {
        return Some(time);
    }
    let local: DateTime = text.parse().ok()?;
    VIETNAM.to_timestamp(local).ok()
}

/// The amount at a path, in whole dong; a fraction is rounded.
pub fn money(value: &Value, path: &str) -> Option<Money> {
    let text = text_at(value, path)?;
    if let Ok(money) = text.parse() {
        return Some(money);
    }
    let (whole, fraction) = text.split_once('.')?;
    let whole: i64 = whole.parse().ok()?;
    let is_digits = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let up = i64::from(is_digits && fraction.as_bytes()[0] >= b'5');
    let amount = if text.starts_with('-') {
        whole.checked_sub(up)
    } else {
        whole.checked_add(up)
    };
    is_digits.then_some(Money::vnd(amount?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn odd_numbers_times_and_texts_are_read() {
        let value = json!({ "id": 9_007_199_254_740_993_u64, "price": "285000.0000", "fee": 3333.5, "low": "-0.4",
            "at": "2026-03-02T08:15:30.0000000+07:00", "local": "2026-03-02T08:15:30", "unix": 1_772_414_130,
            "none": " ", "a": { "b": true } });
        assert_eq!(text_at(&value, "id").as_deref(), Some("9007199254740993"));
        assert_eq!(money(&value, "price"), Some(Money::vnd(285_000)));
        assert_eq!(money(&value, "fee"), Some(Money::vnd(3_334)));
        assert_eq!(money(&value, "low"), Some(Money::vnd(0)));
        assert_eq!(money(&value, "a"), None);
        let at = time(&value, "at").unwrap();
        assert_eq!(at.to_string(), "2026-03-02T01:15:30Z");
        assert_eq!(
            (time(&value, "local"), time(&value, "unix")),
            (Some(at), Some(at))
        );
        assert_eq!(text_at(&value, "none"), None);
        assert_eq!(text_at(&value, "a.b").as_deref(), Some("true"));
    }
}
