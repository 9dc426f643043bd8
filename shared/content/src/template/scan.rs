//! Cuts a template into text, `{{ }}`, `{% %}`, raw and comment pieces.
//!
//! The scanner is stricter than Liquid on purpose. Inside a tag it accepts only characters that can form a Liquid
//! token, and it refuses `{{` and `{%` inside quotes. So it sees and bounds each place where Liquid's own parser
//! could start a tag. It renders nothing.

use super::TemplateError;

/// Longest tag, in bytes.
const MAX_TAG_BYTES: usize = 4096;
/// Most tags in a template.
const MAX_TAGS: usize = 5_000;
/// Most `[` in one tag: Liquid's parser recurses on each.
const MAX_BRACKETS: usize = 8;
/// Most digits in a row: Liquid's parser panics on an integer above 64 bits.
const MAX_DIGITS: usize = 15;

/// The kind of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind<'a> {
    /// Text, printed unchanged.
    Text,
    /// `{{ inner }}`.
    Output(&'a str),
    /// `{% name rest %}`.
    Tag { name: &'a str, rest: &'a str },
    /// The inside of `{% raw %}...{% endraw %}`.
    Raw(&'a str),
    /// `{% comment %}...{% endcomment %}`.
    Comment,
}

/// A piece of a template.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Piece<'a> {
    pub kind: Kind<'a>,
    /// The original piece, delimiters included.
    pub source: &'a str,
    /// The line it starts on, from 1.
    pub line: usize,
    /// `{{-` or `{%-`: blanks before are dropped.
    pub trim_before: bool,
    /// `-}}` or `-%}`: blanks after are dropped.
    pub trim_after: bool,
}

impl Piece<'_> {
    /// Whether the piece decides which other pieces are rendered, so that its order matters.
    pub fn is_control(&self) -> bool {
        matches!(self.kind, Kind::Tag { .. })
    }
}

/// Cuts `source` into pieces without gaps.
pub(crate) fn scan(source: &str) -> Result<Vec<Piece<'_>>, TemplateError> {
    let mut pieces = Vec::new();
    let mut at = 0;
    let mut line = 1;
    let mut tags = 0;
    while at < source.len() {
        let rest = &source[at..];
        let piece = match find_open(rest) {
            Some(0) => {
                tags += 1;
                let tag = tag_piece(rest, line)?;
                match tag.kind {
                    Kind::Tag { name: "raw", .. } => verbatim(rest, tag, "endraw")?,
                    Kind::Tag {
                        name: "comment", ..
                    } => verbatim(rest, tag, "endcomment")?,
                    _ => tag,
                }
            }
            text => Piece {
                kind: Kind::Text,
                source: &rest[..text.unwrap_or(rest.len())],
                line,
                trim_before: false,
                trim_after: false,
            },
        };
        if tags > MAX_TAGS {
            return Err(TemplateError::new(line, "too many tags (5,000 at most)"));
        }
        at += piece.source.len();
        line += count_lines(piece.source);
        pieces.push(piece);
    }
    Ok(pieces)
}

/// Number of line feeds in `text`.
pub(crate) fn count_lines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

fn find_open(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    (0..bytes.len().saturating_sub(1))
        .find(|&i| bytes[i] == b'{' && matches!(bytes[i + 1], b'{' | b'%'))
}

/// Reads the tag at the start of `text`.
fn tag_piece(text: &str, line: usize) -> Result<Piece<'_>, TemplateError> {
    let is_output = text.starts_with("{{");
    let end = tag_end(text, is_output, line)?;
    let source = &text[..end + 2];
    let mut inner = &text[2..end];
    let trim_before = inner.starts_with('-');
    if trim_before {
        inner = &inner[1..];
    }
    let trim_after = inner.ends_with('-');
    if trim_after {
        inner = &inner[..inner.len() - 1];
    }
    let inner = inner.trim();
    let kind = if is_output {
        if inner.is_empty() {
            return Err(TemplateError::new(line, "{{ }} names nothing to print"));
        }
        Kind::Output(inner)
    } else {
        let cut = inner
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .unwrap_or(inner.len());
        Kind::Tag {
            name: &inner[..cut],
            rest: inner[cut..].trim(),
        }
    };
    Ok(Piece {
        kind,
        source,
        line,
        trim_before,
        trim_after,
    })
}

/// Finds where the closing delimiter starts, and checks each character before it.
fn tag_end(text: &str, is_output: bool, line: usize) -> Result<usize, TemplateError> {
    let bytes = text.as_bytes();
    let close: &[u8] = if is_output { b"}}" } else { b"%}" };
    let (mut at, mut brackets, mut digits) = (2, 0, 0);
    while at < bytes.len() {
        if at > MAX_TAG_BYTES {
            return Err(TemplateError::new(line, "a tag is longer than 4,096 bytes"));
        }
        if bytes[at..].starts_with(close) {
            return Ok(at);
        }
        digits = if bytes[at].is_ascii_digit() {
            digits + 1
        } else {
            0
        };
        if digits > MAX_DIGITS {
            return Err(TemplateError::new(line, "a number has over 15 digits"));
        }
        match bytes[at] {
            quote @ (b'"' | b'\'') => at = string_end(text, at, quote, line)?,
            b'[' => {
                brackets += 1;
                if brackets > MAX_BRACKETS {
                    return Err(TemplateError::new(line, "more than 8 '[' in one tag"));
                }
            }
            b' ' | b'\t' | b'\r' | b'\n' => {}
            byte if byte.is_ascii_alphanumeric() || b"_-.]|:,()=!<>+".contains(&byte) => {}
            _ => {
                let shown = text[at..].chars().next().unwrap_or('?');
                return Err(TemplateError::new(
                    line + count_lines(&text[..at]),
                    format!("unexpected character {shown:?} in a tag"),
                ));
            }
        }
        at += 1;
    }
    Err(TemplateError::new(line, "a tag is opened but never closed"))
}

/// The index of the quote that closes the string starting at `at`.
fn string_end(text: &str, at: usize, quote: u8, line: usize) -> Result<usize, TemplateError> {
    let body = &text[at + 1..];
    let length = body
        .bytes()
        .position(|byte| byte == quote)
        .ok_or_else(|| TemplateError::new(line, "a quoted text in a tag is never closed"))?;
    if find_open(&body[..length]).is_some() {
        return Err(TemplateError::new(
            line,
            "a quoted text in a tag holds {{ or {%",
        ));
    }
    Ok(at + 1 + length)
}

/// A raw or comment block: everything up to its end tag, uninterpreted.
fn verbatim<'a>(text: &'a str, open: Piece<'a>, end: &str) -> Result<Piece<'a>, TemplateError> {
    let start = open.source.len();
    let mut from = start;
    while let Some(found) = text[from..].find("{%") {
        let at = from + found;
        if let Ok(close) = tag_piece(&text[at..], open.line)
            && matches!(close.kind, Kind::Tag { name, rest: "" } if name == end)
        {
            let mut inner = &text[start..at];
            if open.trim_after {
                inner = inner.trim_start_matches([' ', '\r', '\n']);
            }
            if close.trim_before {
                inner = inner.trim_end_matches([' ', '\r', '\n']);
            }
            return Ok(Piece {
                kind: if end == "endraw" {
                    Kind::Raw(inner)
                } else {
                    Kind::Comment
                },
                source: &text[..at + close.source.len()],
                line: open.line,
                trim_before: open.trim_before,
                trim_after: close.trim_after,
            });
        }
        from = at + 2;
    }
    Err(TemplateError::new(
        open.line,
        format!("{{% {end} %}} is missing"),
    ))
}
