//! Mails: compiled once per campaign or workflow step, rendered once per recipient.
//!
//! Compiling does the slow work: it moves CSS into `style` attributes and never fetches a stylesheet. It makes
//! the plain text part if none is given, adds preview text and footer, and marks the links. Rendering renders
//! the template and passes once over the result. Each marked link becomes a signed, tracked address of its
//! final URL, if the author wrote the URL's host.
//!
//! `unsubscribe_url` is reserved: it is set from the recipient's links, and a value in the data has no effect.

mod html;
mod protect;
mod text;

use std::collections::BTreeSet;

use jiff::Zoned;
use serde_json::Value;

use crate::links::LinkSet;
use crate::template::{RenderError, Scope, Template, TemplateError};

/// Longest subject that is sent, in characters.
const MAX_SUBJECT_CHARS: usize = 255;
/// Name under which templates find the recipient's unsubscribe address.
const UNSUBSCRIBE: &str = "unsubscribe_url";

/// The author's text. All parts are templates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MailContent {
    /// Subject line.
    pub subject: String,
    /// Text that mail clients show after the subject.
    pub preview_text: Option<String>,
    /// HTML body.
    pub html: Option<String>,
    /// Plain text body; made from the HTML when absent.
    pub text: Option<String>,
}

/// The additions to the author's content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MailOptions {
    /// Footer of a marketing mail; added to each part that has no `{{ unsubscribe_url }}`.
    pub footer: Option<Footer>,
    /// The tracking.
    pub tracking: Tracking,
}

/// The standard footer; plain text, not templates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Footer {
    /// Company or brand.
    pub company: String,
    /// Its postal address.
    pub postal_address: String,
    /// How the receiver got onto the list.
    pub permission_reminder: String,
}

/// The tracking in the HTML part. Plain text is never changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tracking {
    /// Replace `http` links by tracked links, if the author wrote their host.
    pub click: bool,
    /// Add an invisible image at the end of the HTML.
    pub open: bool,
}

/// A part of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Subject line.
    Subject,
    /// Preview text.
    Preview,
    /// HTML body.
    Html,
    /// Plain text body.
    Text,
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Part::Subject => "subject",
            Part::Preview => "preview text",
            Part::Html => "HTML",
            Part::Text => "text",
        })
    }
}

/// Why a mail cannot be sent in this form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// Neither HTML nor text.
    #[error("the mail has neither an HTML nor a text part")]
    Empty,
    /// A part is not a valid template.
    #[error("{part}, {error}")]
    Template {
        /// The part with the flaw.
        part: Part,
        /// The flaw; its line counts in the part as the author wrote it.
        error: TemplateError,
    },
    /// The HTML could not be parsed.
    #[error("the HTML cannot be processed: {0}")]
    Html(String),
}

/// A warning to the author; the mail can still be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailWarning {
    /// Stylesheets were not moved, because they or the markup around them cannot be parsed safely (such as `{% if
    /// %}` inside `<style>`).
    StylesNotInlined,
    /// No text part could be made that keeps the conditions and loops of the HTML.
    TextSimplified,
}

/// A mail for one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltMail {
    /// One line, 255 characters at most.
    pub subject: String,
    /// HTML part.
    pub html: Option<String>,
    /// Plain text part.
    pub text: String,
}

/// A mail that is ready to be rendered. `Send + Sync`.
#[derive(Debug)]
pub struct CompiledMail {
    subject: Template,
    html: Option<Template>,
    hosts: BTreeSet<String>,
    text: Template,
    text_footer: Option<String>,
    warnings: Vec<MailWarning>,
}

impl CompiledMail {
    /// Compiles `content`.
    pub fn compile(
        content: &MailContent,
        options: &MailOptions,
    ) -> Result<CompiledMail, MailError> {
        let mut warnings = Vec::new();
        let subject = parse(Part::Subject, &content.subject, Template::parse)?;
        if let Some(preview) = &content.preview_text {
            parse(Part::Preview, preview, Template::parse)?;
        }
        let html_source = content.html.as_deref().map(html::without_marks);
        let html = match &html_source {
            Some(source) => {
                // In the author's form first, so that errors have the author's line numbers.
                let written = parse(Part::Html, source, Template::parse_html)?;
                let footer = options.footer.as_ref().filter(|_| !unsubscribes(&written));
                let built = html::build(
                    source,
                    content.preview_text.as_deref(),
                    footer,
                    options.tracking,
                    &mut warnings,
                )?;
                Some(parse(Part::Html, &built, Template::parse_html)?)
            }
            None => None,
        };
        let text = match (&content.text, &html_source) {
            (Some(text), _) => parse(Part::Text, text, Template::parse)?,
            (None, Some(source)) => text::from_html(source, &mut warnings)?,
            (None, None) => return Err(MailError::Empty),
        };
        let footer = options.footer.as_ref().filter(|_| !unsubscribes(&text));
        Ok(CompiledMail {
            subject,
            html,
            hosts: html_source.as_deref().map(html::hosts).unwrap_or_default(),
            text_footer: footer.map(text::footer),
            text,
            warnings,
        })
    }

    /// The warnings to the author.
    pub fn warnings(&self) -> &[MailWarning] {
        &self.warnings
    }

    /// Renders the mail for the recipient of `data` and `links`. `now` is the time of `"now" | date`.
    pub fn render(
        &self,
        data: &Value,
        links: &LinkSet<'_>,
        now: &Zoned,
    ) -> Result<BuiltMail, RenderError> {
        let unsubscribe_url = links.unsubscribe_url();
        let scope = Scope {
            data,
            reserved: &[(UNSUBSCRIBE, &unsubscribe_url)],
            now,
        };
        let render = |template: &Template| template.render(&scope);
        let mut text = render(&self.text)?;
        if let Some(footer) = &self.text_footer {
            text.push_str(footer);
            text.push_str(&unsubscribe_url);
            text.push('\n');
        }
        Ok(BuiltMail {
            subject: one_line(&render(&self.subject)?),
            html: match &self.html {
                Some(template) => Some(html::with_links(render(template)?, links, &self.hosts)),
                None => None,
            },
            text,
        })
    }
}

fn unsubscribes(template: &Template) -> bool {
    let mut variables = template.variables().iter();
    variables.any(|variable| variable.path == [UNSUBSCRIBE])
}

fn parse(
    part: Part,
    source: &str,
    parse: fn(&str) -> Result<Template, TemplateError>,
) -> Result<Template, MailError> {
    parse(source).map_err(|error| MailError::Template { part, error })
}

/// A subject without line breaks or other control characters, cut at its limit.
fn one_line(subject: &str) -> String {
    let is_break = |c: char| c.is_whitespace() || c.is_control();
    let mut line = String::with_capacity(subject.len());
    for word in subject.split(is_break).filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    match line.char_indices().nth(MAX_SUBJECT_CHARS) {
        Some((end, _)) => line[..end].trim_end().to_owned(),
        None => line,
    }
}

#[cfg(test)]
mod tests;
