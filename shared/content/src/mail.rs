//! Mails: compiled once per campaign or workflow step, rendered once per recipient.
//!
//! Compiling does the slow work: it moves CSS into `style` attributes and never fetches a stylesheet. It makes
//! the plain text part if none is given, adds preview text and footer, and marks the links. Rendering renders
//! the template and passes once over the result. Each marked link becomes a signed, tracked address of its
//! final URL, if the author wrote the URL's host.
//!
//! [`SYSTEM`] names are reserved: their values come from the recipient's links and the footer, and a value in the data
//! has no effect.
//!
//! Compiling and rendering take bounded work for any input: the HTML is measured in its parser's own tree and its
//! stylesheets are counted before a tool walks them.

mod comments;
mod css;
mod html;
mod protect;
mod text;

use std::collections::BTreeSet;

use jiff::Zoned;
use serde_json::Value;

pub use self::css::MAX_STEPS as MAX_STYLE_STEPS;
use crate::links::LinkSet;
use crate::template::{RenderError, Scope, Template, TemplateError};
use crate::tree::TooLarge;

/// Longest subject that is sent, in characters.
const MAX_SUBJECT_CHARS: usize = 255;
/// Name under which templates find the recipient's unsubscribe address.
const UNSUBSCRIBE: &str = "unsubscribe_url";
/// Names under which templates find the lines of the footer.
const ADDRESS: &str = "postal_address";
const REMINDER: &str = "permission_reminder";

/// The names that no data can set.
pub const SYSTEM: [&str; 3] = [UNSUBSCRIBE, ADDRESS, REMINDER];

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
    /// The sender's lines, for the template and for the footer.
    pub footer: Footer,
    /// Whether each part must show the lines and an unsubscribe link. A part gets a footer with those that it does
    /// not show to this recipient.
    pub is_marketing: bool,
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
    /// The HTML could not be parsed, or its styles need too much work.
    #[error("the HTML cannot be processed: {0}")]
    Html(String),
    /// The HTML is too deep or too large.
    #[error("the HTML cannot be processed: {0}")]
    TooLarge(TooLarge),
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
    preview: Option<Template>,
    html: Option<Template>,
    hosts: BTreeSet<String>,
    text: Template,
    footer: Footer,
    /// The footer's lines in the form in which the HTML template prints them.
    printed: Footer,
    is_marketing: bool,
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
        let preview = content.preview_text.as_deref();
        let preview = preview.map(|preview| parse(Part::Preview, preview, Template::parse));
        let preview = preview.transpose()?;
        let html_source = content.html.as_deref().map(html::without_marks);
        let html = match &html_source {
            Some(source) => {
                // In the author's form first, so that errors have the author's line numbers.
                parse(Part::Html, source, Template::parse_html)?;
                let preview = content.preview_text.as_deref();
                let built = html::build(source, preview, options.tracking, &mut warnings)?;
                Some(parse(Part::Html, &built, Template::parse_html)?)
            }
            None => None,
        };
        let text = match (&content.text, &html_source) {
            (Some(text), _) => parse(Part::Text, text, Template::parse)?,
            (None, Some(source)) => text::from_html(source, &mut warnings)?,
            (None, None) => return Err(MailError::Empty),
        };
        Ok(CompiledMail {
            subject,
            preview,
            html,
            hosts: html_source.as_deref().map(html::hosts).unwrap_or_default(),
            text,
            printed: options.footer.printed()?,
            footer: options.footer.clone(),
            is_marketing: options.is_marketing,
            warnings,
        })
    }

    /// The warnings to the author.
    pub fn warnings(&self) -> &[MailWarning] {
        &self.warnings
    }

    /// The text that inboxes show beside the subject, for the recipient of `data`.
    pub fn render_preview_text(
        &self,
        data: &Value,
        now: &Zoned,
    ) -> Result<Option<String>, RenderError> {
        let scope = Scope {
            data,
            reserved: &[],
            now,
        };
        let preview = self.preview.as_ref();
        let text = preview.map(|preview| preview.render(&scope));
        Ok(text.transpose()?.map(|text| one_line(&text)))
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
            reserved: &[
                (UNSUBSCRIBE, &unsubscribe_url),
                (ADDRESS, &self.footer.postal_address),
                (REMINDER, &self.footer.permission_reminder),
            ],
            now,
        };
        let render = |template: &Template| template.render(&scope);
        let mut text = render(&self.text)?;
        if self.is_marketing {
            let lines = self
                .footer
                .missing(|part| text.contains(part(&self.footer)));
            let url = (!text.contains(&unsubscribe_url)).then_some(unsubscribe_url.as_str());
            text.push_str(&text::footer(&lines, url));
        }
        let html = match &self.html {
            Some(template) => {
                let html = render(template)?;
                let mut footer = String::new();
                if self.is_marketing {
                    let shows = |part: Line| comments::shows(&html, part(&self.printed));
                    let lines = self.footer.missing(shows);
                    let has_link = comments::shows(&html, &unsubscribe_url);
                    let url = (!has_link).then_some(unsubscribe_url.as_str());
                    footer = html::footer_block(&lines, url);
                }
                Some(html::with_links(&html, links, &self.hosts, &footer)?)
            }
            None => None,
        };
        Ok(BuiltMail {
            subject: one_line(&render(&self.subject)?),
            html,
            text,
        })
    }
}

/// A line of a footer.
type Line = fn(&Footer) -> &str;

impl Footer {
    /// The lines that a part does not show. The company goes with its address.
    fn missing(&self, shows: impl Fn(Line) -> bool) -> Vec<&str> {
        let reminder: Line = |footer| &footer.permission_reminder;
        let address: Line = |footer| &footer.postal_address;
        let mut lines = Vec::new();
        if !shows(reminder) {
            lines.push(reminder(self).trim());
        }
        if !shows(address) {
            lines.extend([self.company.trim(), address(self).trim()]);
        }
        lines.retain(|line| !line.is_empty());
        lines
    }

    /// The lines as an HTML template prints them.
    fn printed(&self) -> Result<Footer, MailError> {
        let template = parse(Part::Html, "{{ line }}", Template::parse_html)?;
        let print = |line: &str| {
            let printed = template.render(&Scope {
                data: &Value::Null,
                reserved: &[("line", line)],
                now: &Zoned::default(),
            });
            printed.map_err(|error| MailError::Html(error.to_string()))
        };
        Ok(Footer {
            company: String::new(),
            postal_address: print(&self.postal_address)?,
            permission_reminder: print(&self.permission_reminder)?,
        })
    }
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
