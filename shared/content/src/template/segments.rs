//! Cuts a template without state into parts that Liquid must run and parts that are printed directly.
//!
//! Most of a mail is fixed text and plain merge fields. They are printed directly, without Liquid's look-ups and
//! copies. Their output must equal Liquid's: a property test compares the two.

use super::TemplateError;
use super::chain;
use super::rewrite::{self, Mode};
use super::scan::{Kind, Piece};

/// A part of a template, in order.
#[derive(Debug)]
pub(super) enum Segment {
    /// Printed unchanged.
    Fixed(String),
    /// A value of the data.
    Field(Field),
    /// Source to be compiled by Liquid.
    Liquid(String),
}

/// `{{ path }}` or `{{ path | default: "text" }}`.
#[derive(Debug)]
pub(super) struct Field {
    pub path: Vec<String>,
    pub default: Option<String>,
}

const STATEFUL: &[&str] = &[
    "assign",
    "capture",
    "cycle",
    "increment",
    "decrement",
    "break",
    "continue",
];
/// Steps that are more than a field of an object.
const COMPUTED: &[&str] = &["size", "first", "last"];

/// The segments of a template; `None` if a tag may affect a later one.
pub(super) fn segments(
    pieces: &[Piece<'_>],
    mode: Mode,
) -> Result<Option<Vec<Segment>>, TemplateError> {
    let is_stateful = |piece: &Piece<'_>| matches!(piece.kind, Kind::Tag { name, .. } if STATEFUL.contains(&name));
    if pieces.iter().any(is_stateful) {
        return Ok(None);
    }
    let mut segments = Vec::new();
    let mut at = 0;
    while at < pieces.len() {
        let piece = &pieces[at];
        let end = match piece.kind {
            Kind::Tag { .. } => block_end(pieces, at),
            _ => at + 1,
        };
        match piece.kind {
            Kind::Text => push_fixed(&mut segments, trimmed(pieces, at)),
            Kind::Raw(inner) => push_fixed(&mut segments, inner),
            Kind::Comment => {}
            Kind::Output(inner) => segments.push(match field(inner) {
                Some(field) => Segment::Field(field),
                None => Segment::Liquid(rewrite::rewrite(&pieces[at..end], mode)?.source),
            }),
            Kind::Tag { .. } => {
                segments.push(Segment::Liquid(
                    rewrite::rewrite(&pieces[at..end], mode)?.source,
                ));
            }
        }
        at = end;
    }
    Ok(Some(segments))
}

fn push_fixed(segments: &mut Vec<Segment>, text: &str) {
    match segments.last_mut() {
        Some(Segment::Fixed(last)) => last.push_str(text),
        _ => segments.push(Segment::Fixed(text.to_owned())),
    }
}

/// The text at `at` without the blanks that its neighbours drop.
fn trimmed<'s>(pieces: &[Piece<'s>], at: usize) -> &'s str {
    let before = at.checked_sub(1).is_some_and(|i| pieces[i].trim_after);
    let after = pieces.get(at + 1).is_some_and(|next| next.trim_before);
    rewrite::trim(pieces[at].source, before, after)
}

/// The index after the block that opens at `at`.
fn block_end(pieces: &[Piece<'_>], at: usize) -> usize {
    let mut depth = 0usize;
    for (i, piece) in pieces.iter().enumerate().skip(at) {
        if let Kind::Tag { name, .. } = piece.kind {
            if rewrite::BLOCKS.contains(&name) {
                depth += 1;
            } else if name.starts_with("end") {
                depth = depth.saturating_sub(1);
            }
        }
        if depth == 0 {
            return i + 1;
        }
    }
    pieces.len()
}

/// Reads a plain merge field.
fn field(inner: &str) -> Option<Field> {
    let chain = chain::chain(inner, 0).ok()?;
    let [path] = chain.paths.as_slice() else {
        return None;
    };
    let is_plain = !chain.literal && path.start == 0 && inner[..path.end] == path.dotted;
    let rest = inner[path.end..].trim();
    let default = if rest.is_empty() {
        None
    } else {
        Some(quoted(
            rest.strip_prefix('|')?
                .trim_start()
                .strip_prefix("default")?,
        )?)
    };
    let path: Vec<String> = path.dotted.split('.').map(str::to_owned).collect();
    let is_known =
        path[0] != "forloop" && !path.iter().any(|step| COMPUTED.contains(&step.as_str()));
    (is_plain && is_known).then_some(Field { path, default })
}

/// The text in `: "text"`, if there is nothing else.
fn quoted(argument: &str) -> Option<String> {
    let text = argument.trim_start().strip_prefix(':')?.trim();
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let inner = text[1..].strip_suffix(quote)?;
    (!inner.contains(quote)).then(|| inner.to_owned())
}
