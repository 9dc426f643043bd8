//! Cuts a template into text, `{{ }}`, `{% %}`, raw and comment pieces. Renders nothing, and knows no other tag.

use crate::TemplateError;

/// The kind of a piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind<'s> {
    /// Text, printed unchanged.
    Text,
    /// `{{ inner }}`.
    Output(&'s str),
    /// `{% name rest %}`.
    Tag {
        /// The tag's name; empty if there is none.
        name: &'s str,
        /// The text after the name.
        rest: &'s str,
    },
    /// The inside of `{% raw %}...{% endraw %}`.
    Raw(&'s str),
    /// `{% comment %}...{% endcomment %}`, `{% doc %}...{% enddoc %}` or `{% # %}`.
    Comment,
}

/// A piece of a template.
#[derive(Debug, Clone, Copy)]
pub struct Piece<'s> {
    /// The kind.
    pub kind: Kind<'s>,
    /// The original piece, delimiters included.
    pub source: &'s str,
    /// `{{-` or `{%-`: blanks before are dropped.
    pub(crate) trim_before: bool,
    /// `-}}` or `-%}`: blanks after are dropped.
    pub(crate) trim_after: bool,
}

impl Piece<'_> {
    /// Whether the piece decides which other pieces are rendered, so that its order matters.
    pub fn is_control(&self) -> bool {
        matches!(self.kind, Kind::Tag { .. })
    }
}

/// Cuts `source` into pieces without gaps. The error is a tag, a quote or a block without its end.
pub fn scan(source: &str) -> Result<Vec<Piece<'_>>, TemplateError> {
    let mut pieces = Vec::new();
    let mut rest = source;
    while !rest.is_empty() {
        let piece = match find_open(rest) {
            Some(0) => markup(source, rest)?,
            text => Piece {
                kind: Kind::Text,
                source: &rest[..text.unwrap_or(rest.len())],
                trim_before: false,
                trim_after: false,
            },
        };
        rest = &rest[piece.source.len()..];
        pieces.push(piece);
    }
    Ok(pieces)
}

fn find_open(text: &str) -> Option<usize> {
    let is_open = |pair: &[u8]| pair[0] == b'{' && matches!(pair[1], b'{' | b'%');
    text.as_bytes().windows(2).position(is_open)
}

/// Reads the piece that starts with `rest`, up to the end of a raw block or comment.
fn markup<'s>(source: &'s str, rest: &'s str) -> Result<Piece<'s>, TemplateError> {
    let piece = tag(source, rest)?;
    match piece.kind {
        Kind::Tag { name: "raw", .. } => verbatim(source, rest, &piece, "endraw"),
        Kind::Tag {
            name: "doc",
            rest: said,
        } => {
            let doc = verbatim(source, rest, &piece, "enddoc")?;
            let inner = &doc.source[piece.source.len()..];
            if !said.is_empty() || inner.split("{%").skip(1).any(|tag| word(tag) == "doc") {
                return Err(TemplateError::at(
                    source,
                    rest,
                    "doc takes no text and no doc",
                ));
            }
            Ok(Piece {
                kind: Kind::Comment,
                ..doc
            })
        }
        Kind::Tag {
            name: "comment", ..
        } => comment(source, rest, &piece),
        _ => Ok(piece),
    }
}

/// Reads one `{{ }}` or `{% %}`.
fn tag<'s>(source: &'s str, rest: &'s str) -> Result<Piece<'s>, TemplateError> {
    let is_output = rest.starts_with("{{");
    let is_note = !is_output
        && rest[2..]
            .trim_start_matches('-')
            .trim_start()
            .starts_with('#');
    let end = if is_note {
        let end = rest.find("%}");
        end.ok_or_else(|| TemplateError::at(source, rest, UNCLOSED))?
    } else {
        tag_end(source, rest, if is_output { b"}}" } else { b"%}" })?
    };
    let mut inner = &rest[2..end];
    let trim_before = inner.starts_with('-');
    inner = inner.strip_prefix('-').unwrap_or(inner);
    let trim_after = inner.ends_with('-');
    inner = inner.strip_suffix('-').unwrap_or(inner).trim();
    let kind = if is_output {
        Kind::Output(inner)
    } else if is_note {
        let mut lines = inner.lines().map(str::trim).filter(|line| !line.is_empty());
        if let Some(line) = lines.find(|line| !line.starts_with('#')) {
            return Err(TemplateError::at(
                source,
                line,
                "each line of a # comment starts with #",
            ));
        }
        Kind::Comment
    } else {
        let name = word(inner);
        let from = inner.find(name).unwrap_or(0) + name.len();
        Kind::Tag {
            name,
            rest: inner[from..].trim(),
        }
    };
    Ok(Piece {
        kind,
        source: &rest[..end + 2],
        trim_before,
        trim_after,
    })
}

const UNCLOSED: &str = "a tag is opened but never closed";

/// Finds where the closing delimiter starts, outside of quotes.
fn tag_end(source: &str, rest: &str, close: &[u8]) -> Result<usize, TemplateError> {
    let bytes = rest.as_bytes();
    let mut at = 2;
    while at < bytes.len() {
        match bytes[at] {
            quote @ (b'"' | b'\'') => {
                let length = bytes[at + 1..].iter().position(|byte| *byte == quote);
                let length = length.ok_or_else(|| {
                    let is_closed = bytes[at..].windows(2).any(|pair| pair == close);
                    let what = if is_closed {
                        "a quote is opened but never closed"
                    } else {
                        UNCLOSED
                    };
                    TemplateError::at(source, if is_closed { &rest[at..] } else { rest }, what)
                })?;
                at += length + 2;
            }
            _ if bytes[at..].starts_with(close) => return Ok(at),
            _ => at += 1,
        }
    }
    Err(TemplateError::at(source, rest, UNCLOSED))
}

/// The first word of the inside of a tag.
fn word(inner: &str) -> &str {
    let inner = inner.trim_start_matches('-').trim_start();
    let end = inner.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    &inner[..end.unwrap_or(inner.len())]
}

/// The end tags named `end` in `text`: start, length, and their `-`.
fn find_end<'s>(text: &'s str, end: &str) -> Option<(usize, &'s str)> {
    text.match_indices("{%").find_map(|(at, _)| {
        let inner = text[at + 2..]
            .trim_start_matches('-')
            .trim_start()
            .strip_prefix(end)?;
        let inner = inner.trim_start();
        let tail = inner
            .strip_prefix('-')
            .unwrap_or(inner)
            .strip_prefix("%}")?;
        Some((at, &text[at..text.len() - tail.len()]))
    })
}

/// The block from `open` to its end tag, uninterpreted.
fn verbatim<'s>(
    source: &'s str,
    rest: &'s str,
    open: &Piece<'s>,
    end: &str,
) -> Result<Piece<'s>, TemplateError> {
    let body = &rest[open.source.len()..];
    let (at, close) = find_end(body, end)
        .ok_or_else(|| TemplateError::at(source, rest, format!("{{% {end} %}} is missing")))?;
    let inner = trim(&body[..at], open.trim_after, close.starts_with("{%-"));
    Ok(Piece {
        kind: Kind::Raw(inner),
        source: &rest[..open.source.len() + at + close.len()],
        trim_before: open.trim_before,
        trim_after: close.ends_with("-%}"),
    })
}

/// The comment from `open` to its end tag. Comments and raw blocks inside it have their own end tags.
fn comment<'s>(
    source: &'s str,
    rest: &'s str,
    open: &Piece<'s>,
) -> Result<Piece<'s>, TemplateError> {
    let (mut at, mut depth, mut has_raw) = (open.source.len(), 1, true);
    loop {
        let tag = rest[at..].find("{%").and_then(|start| {
            let tag = &rest[at + start..];
            Some(&tag[..tag[2..].find("%}")? + 4])
        });
        let Some(tag) = tag else {
            return Err(TemplateError::at(
                source,
                rest,
                "{% endcomment %} is missing",
            ));
        };
        at = crate::offset(rest, tag) + tag.len();
        match word(&tag[2..tag.len() - 2]) {
            "comment" => depth += 1,
            "endcomment" => depth -= 1,
            // After a search without a result there is no further end.
            "raw" if has_raw => match find_end(&rest[at..], "endraw") {
                Some((start, close)) => at += start + close.len(),
                None => has_raw = false,
            },
            _ => {}
        }
        if depth == 0 {
            return Ok(Piece {
                kind: Kind::Comment,
                source: &rest[..at],
                trim_before: open.trim_before,
                trim_after: tag.ends_with("-%}"),
            });
        }
    }
}

/// Drops the blanks at the start or the end of `text`.
pub(crate) fn trim(text: &str, at_start: bool, at_end: bool) -> &str {
    let blank = |c: char| c.is_ascii_whitespace() || c == '\u{b}';
    let text = if at_start {
        text.trim_start_matches(blank)
    } else {
        text
    };
    if at_end {
        text.trim_end_matches(blank)
    } else {
        text
    }
}
