//! The judge of a custom field's value. Pure.
//!
//! It takes the JSON of an API and the texts of forms and files. The result has one shape for each type, whatever
//! the spelling. A text that can be read in two ways is refused.

use jiff::Timestamp;
use jiff::civil::Date;
use kernel::text::{fold, nfc};
use kernel::{EmailAddress, Money, Phone, clock};
use serde_json::{Number, Value};

use super::definition::{Definition, Kind, MAX_CHOICES, Pattern};

/// Longest address of the web, in characters.
const MAX_LINK: usize = 2_000;

/// A value that a field does not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldFault {
    /// The field's key.
    pub field: String,
    /// The rule, for the person who gave the value. It does not repeat the value.
    pub message: String,
}

/// The value as it is stored, or the reason why the field does not take it. The result is valid itself, and stays
/// the same when it is checked again.
pub fn check(field: &Definition, value: &Value) -> Result<Value, FieldFault> {
    let checked = match field.kind {
        Kind::Text | Kind::LongText => text(field, value),
        Kind::Number | Kind::Percent => number(field, value),
        Kind::Currency => money(field, value),
        Kind::Date => date(value),
        Kind::Datetime => datetime(value),
        Kind::Boolean => boolean(value),
        Kind::Choice => choice(field, value).map(Value::from),
        Kind::MultiChoice => choices(field, value),
        Kind::Link => link(value),
        Kind::Email => parsed::<EmailAddress>(value, "expected an email address"),
        Kind::Phone => parsed::<Phone>(value, "expected a Vietnamese mobile number"),
        Kind::Province => line(value, 100, "expected the name of a province"),
        Kind::File => Err("is given by an upload: POST /v1/contacts/{id}/files".into()),
    };
    checked.map_err(|message| FieldFault {
        field: field.key.clone(),
        message,
    })
}

type Checked = Result<Value, String>;

/// The words of a text or a number, without blanks at its ends.
fn words(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(nfc(text.trim())).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn text(field: &Definition, value: &Value) -> Checked {
    let text = words(value).ok_or("expected a text")?;
    let most = field.format.max_length.unwrap_or(field.longest());
    if text.chars().count() > most as usize {
        return Err(format!("has at most {most} characters"));
    }
    if field.kind == Kind::Text && text.contains(['\n', '\r']) {
        return Err("has one line only".into());
    }
    let (is_good, message): (fn(char) -> bool, _) = match field.format.pattern {
        None => return Ok(text.into()),
        Some(Pattern::Digits) => (|c| c.is_ascii_digit(), "has digits only"),
        Some(Pattern::Letters) => (is_letter, "has letters only"),
        Some(Pattern::LettersAndDigits) => (
            |c| is_letter(c) || c.is_ascii_digit(),
            "has letters and digits only",
        ),
    };
    if text.chars().all(is_good) {
        Ok(text.into())
    } else {
        Err(message.into())
    }
}

fn is_letter(c: char) -> bool {
    c.is_alphabetic() || c == ' '
}

fn line(value: &Value, most: usize, message: &str) -> Checked {
    let text = words(value).filter(|text| text.chars().count() <= most);
    Ok(text.ok_or(message)?.into())
}

fn number(field: &Definition, value: &Value) -> Checked {
    let number = match value {
        Value::Number(number) => number.clone(),
        Value::String(text) => written(text, field.kind)?,
        _ => return Err("expected a number".into()),
    };
    within(field, number)
}

/// A whole amount. Groups of three digits are thousands, since dong has no decimals: `350.000` is 350000.
fn money(field: &Definition, value: &Value) -> Checked {
    let message = "expected a whole amount in dong";
    let number = match value {
        Value::Number(number) => {
            let is_whole = number.as_f64().is_some_and(|amount| amount.fract() == 0.0);
            Some(number.clone()).filter(|_| is_whole)
        }
        Value::String(text) => amount(text),
        _ => None,
    };
    within(field, number.ok_or(message)?)
}

fn amount(text: &str) -> Option<Number> {
    let folded = fold(text);
    let ends = ["vnd", "dong", "₫", "d"];
    let cut = ends.iter().find_map(|end| folded.strip_suffix(end));
    let text = cut.unwrap_or(&folded).trim();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text),
    };
    let mut groups = digits.split(['.', ',', ' ']);
    let first = groups.next().unwrap_or_default();
    let rest: Vec<&str> = groups.collect();
    let is_grouped = rest.iter().all(|group| group.len() == 3);
    if !is_grouped || (!rest.is_empty() && first.len() > 3) {
        let money = text.parse::<Money>().ok();
        return money.map(|sum| sum.amount().into());
    }
    let whole = format!("{sign}{first}{}", rest.concat());
    whole.parse::<i64>().ok().map(Number::from)
}

/// A number as people write it: `7`, `-1.5`, `1,5`, and `20%` for a percentage. `1.200` and `1,200` may be a
/// thousand and two hundred or one and a fifth, so they are refused.
fn written(text: &str, kind: Kind) -> Result<Number, String> {
    let text = text.trim();
    let text = match kind {
        Kind::Percent => text.strip_suffix('%').unwrap_or(text).trim_end(),
        _ => text,
    };
    let plain = text.replacen(',', ".", 1);
    let after = plain.split_once('.').map(|(_, after)| after);
    if after.is_some_and(|after| after.len() == 3) {
        return Err("can be read as thousands or as decimals; write it without either".into());
    }
    let digits = plain.strip_prefix('-').unwrap_or(&plain);
    let is_plain = digits.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let parts = digits.split('.').all(|part| !part.is_empty());
    let number: Option<Number> = if is_plain && parts {
        let trimmed = digits.trim_start_matches('0');
        let whole = trimmed.is_empty() || trimmed.starts_with('.');
        let digits = format!("{}{trimmed}", if whole { "0" } else { "" });
        let sign = if plain.starts_with('-') { "-" } else { "" };
        serde_json::from_str(&format!("{sign}{digits}")).ok()
    } else {
        None
    };
    number.ok_or_else(|| "expected a number".into())
}

fn within(field: &Definition, number: Number) -> Checked {
    if !kernel::number::is_storable(&number) {
        return Err("expected a number from 1e-130 to 1e126, of either sign, or 0".into());
    }
    let format = field.format;
    let size = number.as_f64().unwrap_or_default();
    if let Some(min) = format.min.filter(|min| size < *min) {
        return Err(format!("must be at least {min}"));
    }
    if let Some(max) = format.max.filter(|max| size > *max) {
        return Err(format!("must be at most {max}"));
    }
    if let Some(most) = format.decimals
        && decimals(&number) > usize::from(most)
    {
        return Err(format!("has at most {most} decimal places"));
    }
    Ok(number.into())
}

/// Decimal places of the number; many, if it is written with an exponent below zero.
fn decimals(number: &Number) -> usize {
    let text = number.to_string();
    if text.contains("e-") {
        return usize::MAX;
    }
    let after = text.split_once('.').map(|(_, after)| after);
    after.map_or(0, |after| after.trim_end_matches('0').len())
}

/// A day: `2026-03-02`, or day, month and year as people write them in Vietnam.
fn date(value: &Value) -> Checked {
    let text = words(value).ok_or("expected a date as 2026-03-02")?;
    let forms = ["%Y-%m-%d", "%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y"];
    let read = |form: &&str| Date::strptime(*form, &text).ok();
    let date = forms.iter().find_map(read);
    let date = date.filter(|date| (1000..=9999).contains(&date.year()));
    Ok(date
        .ok_or("expected a date as 2026-03-02")?
        .to_string()
        .into())
}

fn datetime(value: &Value) -> Checked {
    let message = "expected a time as 2026-03-02T08:00:00Z";
    let time: Option<Timestamp> = value.as_str().and_then(|text| text.trim().parse().ok());
    let time = time.map(clock::sortable);
    // The stored form sorts as text only in years of four digits.
    let time = time.filter(|text| text.len() == 24);
    Ok(time.ok_or(message)?.into())
}

fn boolean(value: &Value) -> Checked {
    let word = match value {
        Value::Bool(_) => return Ok(value.clone()),
        _ => words(value).map(|text| fold(&text)).unwrap_or_default(),
    };
    match word.as_str() {
        "true" | "1" | "yes" | "y" | "x" | "on" | "co" | "dung" => Ok(true.into()),
        "false" | "0" | "no" | "n" | "off" | "khong" | "sai" => Ok(false.into()),
        _ => Err("expected true or false".into()),
    }
}

/// The key of the choice that has this key or label. An archived choice is no choice any more.
fn choice(field: &Definition, value: &Value) -> Result<String, String> {
    let text = words(value).ok_or("expected the key of an option")?;
    let folded = fold(&text);
    let offered = || field.options.iter().filter(|option| !option.archived);
    let by_key = offered().find(|option| option.key == text);
    let by_label = || offered().find(|option| fold(&option.label) == folded);
    let found = by_key.or_else(by_label);
    let found = found.map(|option| option.key.clone());
    found.ok_or_else(|| "is none of the options".into())
}

/// A list of choices, or one text with commas or semicolons between them; the result is in the options' order.
fn choices(field: &Definition, value: &Value) -> Checked {
    let parts: Vec<Value> = if let Value::Array(parts) = value {
        parts.clone()
    } else {
        let text = words(value).ok_or("expected a list of options")?;
        let parts = text.split([',', ';']).map(str::trim);
        let parts = parts.filter(|part| !part.is_empty());
        parts.map(Value::from).collect()
    };
    if parts.len() > MAX_CHOICES {
        return Err("holds at most 200 options".into());
    }
    let keys = parts.iter().map(|part| choice(field, part));
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    let chosen = field.options.iter().map(|option| &option.key);
    Ok(chosen.filter(|key| keys.contains(key)).cloned().collect())
}

fn link(value: &Value) -> Checked {
    let message = "expected an address as https://shop.example.vn";
    let text = value.as_str().map(str::trim).unwrap_or_default();
    let url = url::Url::parse(text).ok();
    let url = url.filter(|url| {
        let is_web = matches!(url.scheme(), "http" | "https");
        is_web && url.has_host() && url.username().is_empty() && url.password().is_none()
    });
    let url = url.map(String::from);
    let url = url.filter(|text| text.chars().count() <= MAX_LINK);
    Ok(url.ok_or(message)?.into())
}

fn parsed<T: std::str::FromStr + ToString>(value: &Value, message: &str) -> Checked {
    let parsed = words(value).and_then(|text| text.parse::<T>().ok());
    Ok(parsed.ok_or(message)?.to_string().into())
}
