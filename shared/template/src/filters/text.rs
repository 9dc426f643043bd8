//! Filters of texts.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use super::argument;
use crate::run::{Res, Run, STEP, entity};
use crate::value::Value;
use crate::{Reason, date as dates};

/// Applies `change` to the input's text.
fn changed<'a>(
    run: &mut Run<'a>,
    input: Value<'a>,
    change: impl FnOnce(&'a str) -> Cow<'a, str>,
) -> Res<&'a str> {
    let text = run.text(input)?;
    run.pay(text.len())?;
    match change(text) {
        Cow::Borrowed(text) => Ok(text),
        Cow::Owned(text) => run.keep(&text),
    }
}

/// A change after which text that is HTML is still HTML.
fn stripped<'a>(
    run: &mut Run<'a>,
    input: Value<'a>,
    change: impl FnOnce(&'a str) -> Cow<'a, str>,
) -> Res<Value<'a>> {
    let text = changed(run, input, change)?;
    Ok(if matches!(input, Value::Markup(_)) {
        Value::Markup(text)
    } else {
        Value::Text(text)
    })
}

/// Text that is HTML in an HTML template.
fn markup<'a>(run: &Run<'a>, text: &'a str) -> Value<'a> {
    if run.is_html() {
        Value::Markup(text)
    } else {
        Value::Text(text)
    }
}

fn is_blank(c: char) -> bool {
    c.is_ascii_whitespace() || matches!(c, '\0' | '\u{b}')
}

pub(super) fn append<'a>(
    run: &mut Run<'a>,
    input: Value<'a>,
    arguments: &[Value<'a>],
) -> Res<Value<'a>> {
    let (start, end) = (run.text(input)?, run.text(argument(arguments, 0))?);
    run.pay(start.len() + end.len())?;
    Ok(Value::Text(run.keep(&[start, end].concat())?))
}

pub(super) fn prepend<'a>(
    run: &mut Run<'a>,
    input: Value<'a>,
    arguments: &[Value<'a>],
) -> Res<Value<'a>> {
    append(run, argument(arguments, 0), &[input])
}

fn decode<'a>(run: &mut Run<'a>, input: Value<'a>, engine: &GeneralPurpose) -> Res<Value<'a>> {
    let text = run.text(input)?;
    run.pay(text.len())?;
    let bytes = engine
        .decode(text)
        .map_err(|_| Reason::Failed("the text is not base64"))?;
    Ok(Value::Text(run.keep(&String::from_utf8_lossy(&bytes))?))
}

fn encode<'a>(run: &mut Run<'a>, input: Value<'a>, engine: &GeneralPurpose) -> Res<Value<'a>> {
    Ok(Value::Text(changed(run, input, |text| {
        engine.encode(text).into()
    })?))
}

pub(super) fn base64_decode<'a>(
    run: &mut Run<'a>,
    input: Value<'a>,
    _: &[Value<'a>],
) -> Res<Value<'a>> {
    decode(run, input, &STANDARD)
}

pub(super) fn base64_encode<'a>(
    run: &mut Run<'a>,
    input: Value<'a>,
    _: &[Value<'a>],
) -> Res<Value<'a>> {
    encode(run, input, &STANDARD)
}

pub(super) fn base64_url_safe_decode<'a>(
    run: &mut Run<'a>,
    input: Value<'a>,
    _: &[Value<'a>],
) -> Res<Value<'a>> {
    decode(run, input, &URL_SAFE)
}

pub(super) fn base64_url_safe_encode<'a>(
    run: &mut Run<'a>,
    input: Value<'a>,
    _: &[Value<'a>],
) -> Res<Value<'a>> {
    encode(run, input, &URL_SAFE)
}

pub(super) fn capitalize<'a>(
    run: &mut Run<'a>,
    input: Value<'a>,
    _: &[Value<'a>],
) -> Res<Value<'a>> {
    let text = changed(run, input, |text| {
        let mut chars = text.chars();
        let first = chars.next().into_iter().flat_map(char::to_uppercase);
        first.chain(chars.as_str().to_lowercase().chars()).collect()
    })?;
    Ok(Value::Text(text))
}

pub(super) fn upcase<'a>(run: &mut Run<'a>, input: Value<'a>, _: &[Value<'a>]) -> Res<Value<'a>> {
    Ok(Value::Text(changed(run, input, |text| {
        text.to_uppercase().into()
    })?))
}

pub(super) fn downcase<'a>(run: &mut Run<'a>, input: Value<'a>, _: &[Value<'a>]) -> Res<Value<'a>> {
    Ok(Value::Text(changed(run, input, |text| {
        text.to_lowercase().into()
    })?))
}

pub(super) fn strip<'a>(run: &mut Run<'a>, input: Value<'a>, _: &[Value<'a>]) -> Res<Value<'a>> {
    stripped(run, input, |text| text.trim_matches(is_blank).into())
}

pub(super) fn lstrip<'a>(run: &mut Run<'a>, input: Value<'a>, _: &[Value<'a>]) -> Res<Value<'a>> {
    stripped(run, input, |text| text.trim_start_matches(is_blank).into())
}

pub(super) fn rstrip<'a>(run: &mut Run<'a>, input: Value<'a>, _: &[Value<'a>]) -> Res<Value<'a>> {
    stripped(run, input, |text| text.trim_end_matches(is_blank).into())
}

pub(super) fn strip_newlines<'a>(
    run: &mut Run<'a>,
    input: Value<'a>,
    _: &[Value<'a>],
) -> Res<Value<'a>> {
    stripped(run, input, |text| {
        text.replace("\r\n", "").replace('\n', "").into()
    })
}

pub(super) fn newline_to_br<'a>(
    run: &mut Run<'a>,
    input: Value<'a>,
    _: &[Value<'a>],
) -> Res<Value<'a>> {
    let is_plain = run.is_html() && !matches!(input, Value::Markup(_));
    let safe = if is_plain {
        escape(run, input, &[])?
    } else {
        input
    };
    let text = changed(run, safe, |text| {
        text.replace("\r\n", "\n").replace('\n', "<br />\n").into()
    })?;
    Ok(markup(run, text))
}

pub(super) fn escape<'a>(run: &mut Run<'a>, input: Value<'a>, _: &[Value<'a>]) -> Res<Value<'a>> {
    let text = changed(run, input, |text| escaped(text, |_| false))?;
    Ok(markup(run, text))
}

pub(super) fn escape_once<'a>(
    run: &mut Run<'a>,
    input: Value<'a>,
    _: &[Value<'a>],
) -> Res<Value<'a>> {
    let text = changed(run, input, |text| escaped(text, is_entity))?;
    Ok(markup(run, text))
}

/// Escapes each byte that HTML must not hold, but those at which `is_kept` accepts the rest.
fn escaped(text: &str, is_kept: fn(&str) -> bool) -> Cow<'_, str> {
    if text.bytes().all(|byte| entity(byte).is_none()) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() + text.len() / 4);
    let mut copied = 0;
    for (at, byte) in text.bytes().enumerate() {
        if let Some(entity) = entity(byte).filter(|_| !is_kept(&text[at..])) {
            out.push_str(&text[copied..at]);
            out.push_str(entity);
            copied = at + 1;
        }
    }
    out.push_str(&text[copied..]);
    out.into()
}

/// Whether `text` starts with an entity: `&amp;`, `&#39;`.
fn is_entity(text: &str) -> bool {
    // The longest name of HTML has 31 letters.
    let name = text
        .strip_prefix('&')
        .and_then(|rest| rest.get(..rest.floor_char_boundary(40)));
    let Some((name, _)) = name.and_then(|name| name.split_once(';')) else {
        return false;
    };
    let (digits, is_part): (&str, fn(&u8) -> bool) = match name.strip_prefix('#') {
        Some(digits) => (digits, u8::is_ascii_digit),
        None => (name, u8::is_ascii_alphabetic),
    };
    !digits.is_empty() && digits.as_bytes().iter().all(is_part)
}

pub(super) fn strip_html<'a>(
    run: &mut Run<'a>,
    input: Value<'a>,
    _: &[Value<'a>],
) -> Res<Value<'a>> {
    Ok(Value::Text(changed(run, input, |text| {
        without_tags(text).into()
    })?))
}

/// Drops scripts, styles, comments and tags. Each search without a result is the last of its kind, so the time is
/// linear.
fn without_tags(text: &str) -> String {
    const BLOCKS: [(&str, &str); 4] = [
        ("<script", "</script>"),
        ("<style", "</style>"),
        ("<!--", "-->"),
        ("<", ">"),
    ];
    let mut is_open = [true; 4];
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(start) = rest.find('<') {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let end = BLOCKS
            .iter()
            .zip(&mut is_open)
            .find_map(|((open, close), is_open)| {
                if !*is_open || !rest.starts_with(open) {
                    return None;
                }
                let end = rest.find(close).map(|end| end + close.len());
                *is_open = end.is_some();
                end
            });
        let end = end.unwrap_or(1);
        if end == 1 {
            out.push('<');
        }
        rest = &rest[end..];
    }
    out + rest
}

/// Replaces each match; an empty pattern matches between all characters.
pub(super) fn replace<'a>(
    run: &mut Run<'a>,
    input: Value<'a>,
    arguments: &[Value<'a>],
) -> Res<Value<'a>> {
    let (text, from, to) = replacement(run, input, arguments)?;
    let matches = text.matches(from).count();
    if matches == 0 {
        return Ok(Value::Text(text));
    }
    run.pay(matches.saturating_mul(to.len() + 1))?;
    Ok(Value::Text(run.keep(&text.replace(from, to))?))
}

pub(super) fn replace_first<'a>(
    run: &mut Run<'a>,
    input: Value<'a>,
    arguments: &[Value<'a>],
) -> Res<Value<'a>> {
    let (text, from, to) = replacement(run, input, arguments)?;
    replace_at(run, text, text.find(from), from, to)
}

pub(super) fn replace_last<'a>(
    run: &mut Run<'a>,
    input: Value<'a>,
    arguments: &[Value<'a>],
) -> Res<Value<'a>> {
    let (text, from, to) = replacement(run, input, arguments)?;
    replace_at(run, text, text.rfind(from), from, to)
}

fn replacement<'a>(
    run: &mut Run<'a>,
    input: Value<'a>,
    arguments: &[Value<'a>],
) -> Res<(&'a str, &'a str, &'a str)> {
    let text = run.text(input)?;
    let (from, to) = (
        run.text(argument(arguments, 0))?,
        run.text(argument(arguments, 1))?,
    );
    run.pay(text.len() + from.len() + to.len())?;
    Ok((text, from, to))
}

fn replace_at<'a>(
    run: &mut Run<'a>,
    text: &'a str,
    at: Option<usize>,
    from: &str,
    to: &str,
) -> Res<Value<'a>> {
    let Some(at) = at else {
        return Ok(Value::Text(text));
    };
    Ok(Value::Text(run.keep(
        &[&text[..at], to, &text[at + from.len()..]].concat(),
    )?))
}

pub(super) fn split<'a>(
    run: &mut Run<'a>,
    input: Value<'a>,
    arguments: &[Value<'a>],
) -> Res<Value<'a>> {
    let (text, separator) = (run.text(input)?, run.text(argument(arguments, 0))?);
    run.pay(text.len() + separator.len())?;
    let count = match separator {
        "" => text.chars().count(),
        _ => text.matches(separator).count() + 1,
    };
    run.pay(count.saturating_mul(STEP))?;
    let mut parts: Vec<Value<'a>> = match separator {
        "" => text
            .char_indices()
            .map(|(at, c)| Value::Text(&text[at..at + c.len_utf8()]))
            .collect(),
        " " => text.split_ascii_whitespace().map(Value::Text).collect(),
        _ => text.split(separator).map(Value::Text).collect(),
    };
    while parts.last().is_some_and(|part| part.is_empty()) {
        parts.pop();
    }
    Ok(Value::List(run.arena.alloc_slice_copy(&parts)))
}

/// The length of a `truncate`, from 0.
fn length<'a>(run: &mut Run<'a>, arguments: &[Value<'a>], usual: usize) -> Res<usize> {
    match arguments.first() {
        None => Ok(usual),
        Some(length) => {
            let length = run.int(*length)?;
            Ok(usize::try_from(length).unwrap_or(0))
        }
    }
}

fn ellipsis<'a>(run: &mut Run<'a>, arguments: &[Value<'a>]) -> Res<&'a str> {
    match arguments.get(1) {
        None => Ok("..."),
        Some(ellipsis) => run.text(*ellipsis),
    }
}

pub(super) fn truncate<'a>(
    run: &mut Run<'a>,
    input: Value<'a>,
    arguments: &[Value<'a>],
) -> Res<Value<'a>> {
    let (text, most, end) = (
        run.text(input)?,
        length(run, arguments, 50)?,
        ellipsis(run, arguments)?,
    );
    run.pay(text.len() + end.len())?;
    if text.chars().nth(most).is_none() {
        return Ok(Value::Text(text));
    }
    let kept = most.saturating_sub(end.chars().count());
    let cut = text
        .char_indices()
        .nth(kept)
        .map_or(text.len(), |(at, _)| at);
    Ok(Value::Text(run.keep(&[&text[..cut], end].concat())?))
}

pub(super) fn truncatewords<'a>(
    run: &mut Run<'a>,
    input: Value<'a>,
    arguments: &[Value<'a>],
) -> Res<Value<'a>> {
    let (text, most, end) = (
        run.text(input)?,
        length(run, arguments, 15)?.max(1),
        ellipsis(run, arguments)?,
    );
    run.pay(text.len() + end.len())?;
    let mut words = text.split_ascii_whitespace();
    let kept: Vec<&str> = words.by_ref().take(most).collect();
    if words.next().is_none() {
        return Ok(Value::Text(text));
    }
    Ok(Value::Text(run.keep(&(kept.join(" ") + end))?))
}

pub(super) fn url_encode<'a>(
    run: &mut Run<'a>,
    input: Value<'a>,
    _: &[Value<'a>],
) -> Res<Value<'a>> {
    let text = changed(run, input, |text| {
        form_urlencoded::byte_serialize(text.as_bytes()).collect()
    })?;
    Ok(Value::Text(text))
}

pub(super) fn url_decode<'a>(
    run: &mut Run<'a>,
    input: Value<'a>,
    _: &[Value<'a>],
) -> Res<Value<'a>> {
    let text = changed(run, input, |text| {
        let spaced = text.replace('+', " ");
        percent_encoding::percent_decode_str(&spaced)
            .decode_utf8_lossy()
            .into_owned()
            .into()
    })?;
    Ok(Value::Text(text))
}

/// Price of reading a date in one of its forms.
const READ_DATE: usize = 1_024;

/// Formats a date; a value that is no date stays as it is.
pub(super) fn date<'a>(
    run: &mut Run<'a>,
    input: Value<'a>,
    arguments: &[Value<'a>],
) -> Res<Value<'a>> {
    let format = run.text(argument(arguments, 0))?;
    run.pay(READ_DATE)?;
    let date = match input {
        Value::Int(seconds) => dates::seconds(seconds),
        Value::Float(seconds) => dates::seconds(seconds as i64),
        Value::Text(text) | Value::Markup(text) => dates::read(text, run.scope.now),
        _ => None,
    };
    let Some(date) = date.filter(|_| !format.is_empty()) else {
        return Ok(input);
    };
    // A directive of two bytes prints up to 99, or the name of a zone.
    run.pay(format.len().saturating_mul(64))?;
    let text = dates::write(&date, format).map_err(Reason::Failed)?;
    Ok(Value::Text(run.keep(&text)?))
}
