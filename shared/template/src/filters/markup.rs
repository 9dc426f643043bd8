//! Filters that make HTML of text or text of HTML.

use std::borrow::Cow;

use super::Out;
use super::text::changed;
use crate::run::{Run, entity};
use crate::value::Value;

/// Text that is HTML in an HTML template.
fn markup<'a>(run: &Run<'a>, text: &'a str) -> Value<'a> {
    if run.is_html() {
        Value::Markup(text)
    } else {
        Value::Text(text)
    }
}

pub(super) fn newline_to_br<'a>(run: &mut Run<'a>, input: Value<'a>, _: &[Value<'a>]) -> Out<'a> {
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

pub(super) fn escape<'a>(run: &mut Run<'a>, input: Value<'a>, _: &[Value<'a>]) -> Out<'a> {
    let text = changed(run, input, |text| escaped(text, |_| false))?;
    Ok(markup(run, text))
}

pub(super) fn escape_once<'a>(run: &mut Run<'a>, input: Value<'a>, _: &[Value<'a>]) -> Out<'a> {
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

pub(super) fn strip_html<'a>(run: &mut Run<'a>, input: Value<'a>, _: &[Value<'a>]) -> Out<'a> {
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
