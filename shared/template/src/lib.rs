//! A language for mails: Liquid as shops know it, in which every step pays.
//!
//! A template reads only its given data and the given time: no environment, file, network or clock, and no other
//! template. Its size and nesting are bounded when it is parsed. Steps, moved bytes and output are bounded when it is
//! rendered. A template that exceeds a bound ends in an error that names the place. A value that is missing in the
//! data is nil. The crate knows nothing of mails, contacts or HTML but the escaping of a printed value.
//!
//! In an HTML template each printed value is escaped when it is printed. So filters and comparisons see the original
//! text. `capture`, `escape`, `escape_once` and `newline_to_br` give text that is HTML already and is printed as it
//! is. Escaping suits HTML text and quoted attributes.

mod date;
mod filters;
mod lex;
mod number;
mod parse;
mod run;
mod scan;
mod tree;
mod value;

use std::fmt;

use bumpalo::Bump;
use jiff::Zoned;
use serde_json::Value as Json;

use tree::Block;

pub use filters::names as filters;
pub use parse::TAGS;
pub use scan::{Kind, Piece, scan};

/// Longest template, in bytes.
pub const MAX_SOURCE_BYTES: usize = 256 * 1024;
/// Longest result, in bytes.
pub const MAX_OUTPUT_BYTES: usize = 2 * 1024 * 1024;
/// Deepest nesting of blocks, of brackets and of the data.
pub const MAX_DEPTH: usize = 32;

/// Why a template was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct TemplateError {
    /// Line of the template, from 1.
    pub line: usize,
    /// Character in the line, from 1.
    pub column: usize,
    /// The flaw, for the template's author.
    pub message: String,
}

impl TemplateError {
    /// A flaw at `part`, which is a slice of `source`.
    fn at(source: &str, part: &str, message: impl Into<String>) -> TemplateError {
        let (line, column) = place(source, offset(source, part));
        TemplateError {
            line,
            column,
            message: message.into(),
        }
    }
}

/// Why a template could not be rendered with some data. Holds none of the data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {reason}")]
pub struct RenderError {
    /// Line of the template, from 1.
    pub line: usize,
    /// Character in the line, from 1.
    pub column: usize,
    /// The cause.
    pub reason: Reason,
}

/// The cause of a [`RenderError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Steps and moved bytes exceed the work of a render.
    #[error("the template does too much work")]
    TooMuchWork,
    /// The result exceeds [`MAX_OUTPUT_BYTES`].
    #[error("the rendered text is too long")]
    OutputTooLarge,
    /// The data is nested more than [`MAX_DEPTH`] deep.
    #[error("the data is nested too deep")]
    DataTooDeep,
    /// A filter or tag refused its input.
    #[error("{0}")]
    Failed(&'static str),
}

impl Reason {
    /// Whether less or smaller data would be rendered.
    pub fn is_limit(self) -> bool {
        matches!(self, Reason::TooMuchWork | Reason::OutputTooLarge)
    }
}

/// The treatment of printed values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Unchanged.
    Text,
    /// Escaped for HTML text and quoted attributes.
    Html,
}

/// All that a render reads.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// A JSON object.
    pub data: &'a Json,
    /// Texts under names that override the data's.
    pub reserved: &'a [(&'a str, &'a str)],
    /// The time and time zone of `"now" | date`. The same time gives the same result.
    pub now: &'a Zoned,
}

/// A piece of data that a template reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// The root and the known names after it: `contact`, `first_name`.
    pub path: Vec<String>,
    /// Line of the template, from 1.
    pub line: usize,
    /// Character in the line, from 1.
    pub column: usize,
}

/// A compiled template. `Send + Sync`; compile once, render often.
pub struct Template {
    source: Box<str>,
    body: Block,
    mode: Mode,
    names: Vec<Box<str>>,
    variables: Vec<Variable>,
}

impl Template {
    /// Compiles a plain text template: values are printed as they are.
    pub fn parse(source: &str) -> Result<Template, TemplateError> {
        parse::template(source, Mode::Text)
    }

    /// Compiles an HTML template: values are escaped when printed.
    pub fn parse_html(source: &str) -> Result<Template, TemplateError> {
        parse::template(source, Mode::Html)
    }

    /// The data that this template reads, in the order of the template. Names that the template defines are left out.
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// Renders the template.
    pub fn render(&self, scope: &Scope<'_>) -> Result<String, RenderError> {
        let arena = Bump::new();
        run::render(self, scope, &arena, run::FUEL).map_err(|(at, reason)| {
            let (line, column) = place(&self.source, at);
            RenderError {
                line,
                column,
                reason,
            }
        })
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Template");
        shown
            .field("variables", &self.variables)
            .finish_non_exhaustive()
    }
}

/// Where `part`, a slice of `source`, starts in it.
fn offset(source: &str, part: &str) -> usize {
    let at = (part.as_ptr() as usize).wrapping_sub(source.as_ptr() as usize);
    at.min(source.len())
}

/// Line and column, in characters from 1, of a byte.
fn place(source: &str, at: usize) -> (usize, usize) {
    let before = &source[..source.floor_char_boundary(at)];
    let line = before.rfind('\n').map_or(0, |feed| feed + 1);
    let lines = before.bytes().filter(|byte| *byte == b'\n').count();
    (lines + 1, before[line..].chars().count() + 1)
}

#[cfg(test)]
mod tests;
