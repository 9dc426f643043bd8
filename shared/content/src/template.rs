//! Liquid templates that cannot harm their host.
//!
//! A template reads only its given data: no environment, file, network or clock, and no other template. Its size,
//! nesting, work and output are bounded. A template that exceeds a bound ends in an error, not in a slow or crashed
//! process. A value that is missing in the data is empty.
//!
//! The allowed tags and filters are listed in docs/templates.md, from [`tags`] and [`FILTERS`].
//!
//! In an HTML template each printed value is escaped when it is printed. So filters and comparisons see the
//! contact's original text. The exception is a variable that only `capture` fills: it was escaped during the
//! capture. Escaping suits HTML text and quoted attributes.

mod chain;
mod data;
mod globals;
mod names;
mod rewrite;
mod scan;
mod segments;
mod truncate;

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;

use liquid::model::{_ValueView as ValueView, State};

use segments::{Field, Segment};

pub use chain::FILTERS;
pub(crate) use data::{Meter, Node};
pub(crate) use rewrite::Mode;
pub(crate) use scan::{Kind, scan};

/// Longest template, in bytes.
pub const MAX_SOURCE_BYTES: usize = 256 * 1024;
/// Longest result, in bytes.
pub const MAX_OUTPUT_BYTES: usize = 2 * 1024 * 1024;

/// The tags that a template may use, without the `end…` of each block; sorted.
pub fn tags() -> BTreeSet<&'static str> {
    let groups = [
        rewrite::BLOCKS,
        rewrite::INNER,
        rewrite::TAGS,
        &["comment", "raw"],
    ];
    groups.concat().into_iter().collect()
}

static PARSER: LazyLock<Option<liquid::Parser>> = LazyLock::new(|| {
    let stdlib = liquid::ParserBuilder::with_stdlib();
    stdlib.filter(truncate::Truncate).build().ok()
});

/// Why a template was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct TemplateError {
    /// Line of the template, from 1.
    pub line: usize,
    /// The flaw, for the template's author.
    pub message: String,
}

impl TemplateError {
    pub(crate) fn new(line: usize, message: impl Into<String>) -> TemplateError {
        let message = message.into();
        TemplateError { line, message }
    }
}

/// Why a template could not be rendered with some data. Holds none of the data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// Loops or values need more work than a render may do.
    #[error("the template does too much work")]
    TooMuchWork,
    /// A variable exceeded 256 KiB.
    #[error("a variable of the template grows too large")]
    ValueTooLarge,
    /// The result exceeds [`MAX_OUTPUT_BYTES`].
    #[error("the rendered text is too long")]
    OutputTooLarge,
    /// The data is nested more than 32 deep.
    #[error("the data is nested too deep")]
    DataTooDeep,
    /// A filter or tag refused its input.
    #[error("the template failed: {0}")]
    Failed(String),
}

/// A compiled template. `Send + Sync`; compile once, render often.
pub struct Template {
    body: Vec<Compiled>,
    mode: Mode,
    captured: BTreeSet<String>,
    variables: BTreeSet<String>,
    size_hint: usize,
}

/// A part of a template, ready to be printed.
enum Compiled {
    Fixed(String),
    Field(Field),
    Liquid(liquid::Template),
}

impl Template {
    /// Compiles a plain text template: values are printed as they are.
    pub fn parse(source: &str) -> Result<Template, TemplateError> {
        Self::with_mode(source, Mode::Text)
    }

    /// Compiles an HTML template: values are escaped when printed.
    pub fn parse_html(source: &str) -> Result<Template, TemplateError> {
        Self::with_mode(source, Mode::Html)
    }

    pub(crate) fn with_mode(source: &str, mode: Mode) -> Result<Template, TemplateError> {
        if source.len() > MAX_SOURCE_BYTES {
            return Err(TemplateError::new(1, "the template is over 256 KiB"));
        }
        let pieces = scan(source)?;
        let rewritten = rewrite::rewrite(&pieces, mode)?;
        let body = match segments::segments(&pieces, mode)? {
            Some(segments) => compile_segments(segments).ok(),
            None => None,
        };
        Ok(Template {
            body: match body {
                Some(body) => body,
                // Also if a segment failed: only the whole template has the right line numbers.
                None => vec![Compiled::Liquid(compile(&rewritten.source)?)],
            },
            mode,
            captured: rewritten.captured,
            variables: rewritten.variables,
            size_hint: source.len() + source.len() / 4,
        })
    }

    /// The data that this template reads, in the template's spelling: `contact.first_name`, `orders`. Sorted.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.variables.iter().map(String::as_str)
    }

    /// Renders with `data`, a JSON object.
    pub fn render(&self, data: &serde_json::Value) -> Result<String, RenderError> {
        let meter = Meter::new();
        self.render_node(&Node::new(data, &meter)?, &[], &meter)
    }

    /// Renders with prepared data; `system` names override the data's.
    pub(crate) fn render_node<'a>(
        &'a self,
        data: &'a Node<'a>,
        system: &'a [(&'static str, Node<'a>)],
        meter: &Meter,
    ) -> Result<String, RenderError> {
        let mut output = Bounded {
            bytes: Vec::with_capacity(self.size_hint.min(MAX_OUTPUT_BYTES)),
            is_full: false,
        };
        // Some of Liquid's filters panic on extreme numbers; that must not end the process.
        let result = catch_unwind(AssertUnwindSafe(|| self.print(data, system, &mut output)));
        match result {
            Ok(Ok(())) if output.bytes.len() > MAX_OUTPUT_BYTES => Err(RenderError::OutputTooLarge),
            Ok(Ok(())) => String::from_utf8(output.bytes)
                .map_err(|_| RenderError::Failed("the output is not UTF-8".to_owned())),
            Ok(Err(error)) => Err(if output.is_full {
                RenderError::OutputTooLarge
            } else {
                meter
                    .verdict()
                    .unwrap_or_else(|| RenderError::Failed(without_data(&error)))
            }),
            Err(_) => Err(RenderError::Failed(
                "a filter broke on its input".to_owned(),
            )),
        }
    }

    fn print<'a>(
        &'a self,
        data: &'a Node<'a>,
        system: &'a [(&'static str, Node<'a>)],
        output: &mut Bounded,
    ) -> Result<(), liquid::Error> {
        let globals = globals::Globals::new(data, system, &self.captured);
        for part in &self.body {
            match part {
                Compiled::Fixed(text) => output.bytes.extend_from_slice(text.as_bytes()),
                Compiled::Field(field) => {
                    let node = globals.at_path(&field.path);
                    match &field.default {
                        Some(default)
                            if node.is_none_or(|node| node.query_state(State::DefaultValue)) =>
                        {
                            data::print_text(default, &mut output.bytes, self.mode);
                        }
                        _ => {
                            if let Some(node) = node {
                                node.print(&mut output.bytes, self.mode);
                            }
                        }
                    }
                }
                Compiled::Liquid(template) => template.render_to(output, &globals)?,
            }
            if output.bytes.len() > MAX_OUTPUT_BYTES {
                break;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template")
            .field("variables", &self.variables)
            .finish_non_exhaustive()
    }
}

fn compile_segments(segments: Vec<Segment>) -> Result<Vec<Compiled>, TemplateError> {
    segments
        .into_iter()
        .map(|segment| {
            Ok(match segment {
                Segment::Fixed(text) => Compiled::Fixed(text),
                Segment::Field(field) => Compiled::Field(field),
                Segment::Liquid(source) => Compiled::Liquid(compile(&source)?),
            })
        })
        .collect()
}

fn compile(source: &str) -> Result<liquid::Template, TemplateError> {
    let parser = PARSER
        .as_ref()
        .ok_or_else(|| TemplateError::new(1, "the template parser is not available"))?;
    match catch_unwind(AssertUnwindSafe(|| parser.parse(source))) {
        Ok(Ok(template)) => Ok(template),
        Ok(Err(error)) => Err(parse_error(&error.to_string())),
        Err(_) => Err(TemplateError::new(1, "the template cannot be parsed")),
    }
}

/// Extracts line and reason from Liquid's report, which quotes the rewritten source.
fn parse_error(report: &str) -> TemplateError {
    let line = report
        .split_once("--> ")
        .and_then(|(_, place)| place.split(':').next()?.trim().parse().ok())
        .unwrap_or(1);
    let reason = report
        .lines()
        .rev()
        .find_map(|line| line.trim_start().strip_prefix("= "))
        .or_else(|| report.lines().next()?.strip_prefix("liquid: "))
        .map(str::trim)
        .filter(|reason| !reason.is_empty())
        .unwrap_or("the template cannot be parsed");
    TemplateError::new(line, reason)
}

/// The reason without the values that Liquid quotes: they are personal data.
fn without_data(error: &liquid::Error) -> String {
    let report = error.to_string();
    let first = report.lines().next().unwrap_or_default();
    let reason = first.strip_prefix("liquid: ").unwrap_or(first);
    reason
        .split('`')
        .next()
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// Collects the output up to its limit.
struct Bounded {
    bytes: Vec<u8>,
    is_full: bool,
}

impl io::Write for Bounded {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + buffer.len() > MAX_OUTPUT_BYTES {
            self.is_full = true;
            return Err(io::Error::other("the output is full"));
        }
        self.bytes.extend_from_slice(buffer);
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
