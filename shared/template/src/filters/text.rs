//! Filters of texts.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use super::{Out, argument};
use crate::run::{Res, Run, STEP};
use crate::value::Value;
use crate::{Reason, date as dates};

/// Applies `change` to the input's text.
pub(super) fn changed<'a>(
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
) -> Out<'a> {
    let text = changed(run, input, change)?;
    Ok(if matches!(input, Value::Markup(_)) {
        Value::Markup(text)
    } else {
        Value::Text(text)
    })
}

fn is_blank(c: char) -> bool {
    c.is_ascii_whitespace() || matches!(c, '\0' | '\u{b}')
}

pub(super) fn append<'a>(run: &mut Run<'a>, input: Value<'a>, args: &[Value<'a>]) -> Out<'a> {
    let (start, end) = (run.text(input)?, run.text(argument(args, 0))?);
    run.pay(start.len() + end.len())?;
    Ok(Value::Text(run.keep(&[start, end].concat())?))
}

pub(super) fn prepend<'a>(run: &mut Run<'a>, input: Value<'a>, args: &[Value<'a>]) -> Out<'a> {
    append(run, argument(args, 0), &[input])
}

fn decode<'a>(run: &mut Run<'a>, input: Value<'a>, engine: &GeneralPurpose) -> Out<'a> {
    let text = run.text(input)?;
    run.pay(text.len())?;
    let bytes = engine
        .decode(text)
        .map_err(|_| Reason::Failed("the text is not base64"))?;
    Ok(Value::Text(run.keep(&String::from_utf8_lossy(&bytes))?))
}

fn encode<'a>(run: &mut Run<'a>, input: Value<'a>, engine: &GeneralPurpose) -> Out<'a> {
    Ok(Value::Text(changed(run, input, |text| {
        engine.encode(text).into()
    })?))
}

pub(super) fn base64_decode<'a>(run: &mut Run<'a>, input: Value<'a>, _: &[Value<'a>]) -> Out<'a> {
    decode(run, input, &STANDARD)
}

pub(super) fn base64_encode<'a>(run: &mut Run<'a>, input: Value<'a>, _: &[Value<'a>]) -> Out<'a> {
    encode(run, input, &STANDARD)
}

pub(super) fn base64_url_safe_decode<'a>(
    run: &mut Run<'a>,
    input: Value<'a>,
    _: &[Value<'a>],
) -> Out<'a> {
    decode(run, input, &URL_SAFE)
}

pub(super) fn base64_url_safe_encode<'a>(
    run: &mut Run<'a>,
    input: Value<'a>,
    _: &[Value<'a>],
) -> Out<'a> {
    encode(run, input, &URL_SAFE)
}

pub(super) fn capitalize<'a>(run: &mut Run<'a>, input: Value<'a>, _: &[Value<'a>]) -> Out<'a> {
    let text = changed(run, input, |text| {
        let mut chars = text.chars();
        let first = chars.next().into_iter().flat_map(char::to_uppercase);
        first.chain(chars.as_str().to_lowercase().chars()).collect()
    })?;
    Ok(Value::Text(text))
}

pub(super) fn upcase<'a>(run: &mut Run<'a>, input: Value<'a>, _: &[Value<'a>]) -> Out<'a> {
    Ok(Value::Text(changed(run, input, |text| {
        text.to_uppercase().into()
    })?))
}

pub(super) fn downcase<'a>(run: &mut Run<'a>, input: Value<'a>, _: &[Value<'a>]) -> Out<'a> {
    Ok(Value::Text(changed(run, input, |text| {
        text.to_lowercase().into()
    })?))
}

pub(super) fn strip<'a>(run: &mut Run<'a>, input: Value<'a>, _: &[Value<'a>]) -> Out<'a> {
    stripped(run, input, |text| text.trim_matches(is_blank).into())
}

pub(super) fn lstrip<'a>(run: &mut Run<'a>, input: Value<'a>, _: &[Value<'a>]) -> Out<'a> {
    stripped(run, input, |text| text.trim_start_matches(is_blank).into())
}

pub(super) fn rstrip<'a>(run: &mut Run<'a>, input: Value<'a>, _: &[Value<'a>]) -> Out<'a> {
    stripped(run, input, |text| text.trim_end_matches(is_blank).into())
}

pub(super) fn strip_newlines<'a>(run: &mut Run<'a>, input: Value<'a>, _: &[Value<'a>]) -> Out<'a> {
    stripped(run, input, |text| {
        text.replace("\r\n", "").replace('\n', "").into()
    })
}

/// Replaces each match; an empty pattern matches between all characters.
pub(super) fn replace<'a>(run: &mut Run<'a>, input: Value<'a>, args: &[Value<'a>]) -> Out<'a> {
    let (text, from, to) = replacement(run, input, args)?;
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
    args: &[Value<'a>],
) -> Out<'a> {
    let (text, from, to) = replacement(run, input, args)?;
    replace_at(run, text, text.find(from), from, to)
}

pub(super) fn replace_last<'a>(run: &mut Run<'a>, input: Value<'a>, args: &[Value<'a>]) -> Out<'a> {
    let (text, from, to) = replacement(run, input, args)?;
    replace_at(run, text, text.rfind(from), from, to)
}

fn replacement<'a>(
    run: &mut Run<'a>,
    input: Value<'a>,
    args: &[Value<'a>],
) -> Res<(&'a str, &'a str, &'a str)> {
    let text = run.text(input)?;
    let (from, to) = (run.text(argument(args, 0))?, run.text(argument(args, 1))?);
    run.pay(text.len() + from.len() + to.len())?;
    Ok((text, from, to))
}

fn replace_at<'a>(
    run: &mut Run<'a>,
    text: &'a str,
    at: Option<usize>,
    from: &str,
    to: &str,
) -> Out<'a> {
    let Some(at) = at else {
        return Ok(Value::Text(text));
    };
    Ok(Value::Text(run.keep(
        &[&text[..at], to, &text[at + from.len()..]].concat(),
    )?))
}

pub(super) fn split<'a>(run: &mut Run<'a>, input: Value<'a>, args: &[Value<'a>]) -> Out<'a> {
    let (text, separator) = (run.text(input)?, run.text(argument(args, 0))?);
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
fn length<'a>(run: &mut Run<'a>, args: &[Value<'a>], usual: usize) -> Res<usize> {
    match args.first() {
        None => Ok(usual),
        Some(length) => {
            let length = run.int(*length)?;
            Ok(usize::try_from(length).unwrap_or(0))
        }
    }
}

fn ellipsis<'a>(run: &mut Run<'a>, args: &[Value<'a>]) -> Res<&'a str> {
    match args.get(1) {
        None => Ok("..."),
        Some(ellipsis) => run.text(*ellipsis),
    }
}

pub(super) fn truncate<'a>(run: &mut Run<'a>, input: Value<'a>, args: &[Value<'a>]) -> Out<'a> {
    let (text, most, end) = (
        run.text(input)?,
        length(run, args, 50)?,
        ellipsis(run, args)?,
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
    args: &[Value<'a>],
) -> Out<'a> {
    let (text, most, end) = (
        run.text(input)?,
        length(run, args, 15)?.max(1),
        ellipsis(run, args)?,
    );
    run.pay(text.len() + end.len())?;
    let mut words = text.split_ascii_whitespace();
    let kept: Vec<&str> = words.by_ref().take(most).collect();
    if words.next().is_none() {
        return Ok(Value::Text(text));
    }
    Ok(Value::Text(run.keep(&(kept.join(" ") + end))?))
}

pub(super) fn url_encode<'a>(run: &mut Run<'a>, input: Value<'a>, _: &[Value<'a>]) -> Out<'a> {
    let text = changed(run, input, |text| {
        form_urlencoded::byte_serialize(text.as_bytes()).collect()
    })?;
    Ok(Value::Text(text))
}

pub(super) fn url_decode<'a>(run: &mut Run<'a>, input: Value<'a>, _: &[Value<'a>]) -> Out<'a> {
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
pub(super) fn date<'a>(run: &mut Run<'a>, input: Value<'a>, args: &[Value<'a>]) -> Out<'a> {
    let format = run.text(argument(args, 0))?;
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
