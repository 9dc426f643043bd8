//! The plain text part, made from the HTML if the author gave none.

use std::cell::RefCell;
use std::rc::Rc;

use html2text::render::TextDecorator;
use lol_html::html_content::ContentType;
use lol_html::{RewriteStrSettings, element, rewrite_str, text};

use super::protect::{Between, Protected};
use super::{MailError, MailWarning};
use crate::template::Template;
use crate::tree::measure;

/// Lines are not wrapped: mail clients do that, and a wrapped URL is broken.
const WIDTH: usize = 4_000;

/// Makes the text template of a mail that has HTML only.
pub(super) fn from_html(
    source: &str,
    warnings: &mut Vec<MailWarning>,
) -> Result<Template, MailError> {
    let protected = Protected::new(source, Between::Words)?;
    let failed = |error: String| MailError::Html(error);
    let html = without_layout(&protected.html)?;
    // Rows whose end tags are left out are nested here, since a block closes no other block.
    let text = if measure(&html).is_ok() {
        html2text::config::with_decorator(Plain::default())
            .allow_width_overflow()
            .raw_mode(true)
            .string_from_read(html.as_bytes(), WIDTH)
            .map_err(|error| failed(error.to_string()))?
    } else {
        warnings.push(MailWarning::TextSimplified);
        words(&html)?
    };
    let text = tidy(&text);
    if let Ok(template) = Template::parse(&protected.restore(&text, true)) {
        return Ok(template);
    }
    warnings.push(MailWarning::TextSimplified);
    Template::parse(&protected.restore(&text, false)).map_err(|error| failed(error.to_string()))
}

/// The text between tags, each block on its line; builds no tree.
fn words(html: &str) -> Result<String, MailError> {
    let mut words = String::new();
    let settings = RewriteStrSettings {
        element_content_handlers: vec![text!("*", |text| {
            words.push_str(text.as_str());
            if text.last_in_text_node() {
                words.push('\n');
            }
            Ok(())
        })],
        strict: false,
        ..RewriteStrSettings::new()
    };
    rewrite_str(html, settings).map_err(|error| MailError::Html(error.to_string()))?;
    Ok(words)
}

/// Footer of the text part: its lines, and the link if the text has none.
pub(super) fn footer(lines: &[&str], unsubscribe_url: Option<&str>) -> String {
    let mut text = String::new();
    if lines.is_empty() && unsubscribe_url.is_none() {
        return text;
    }
    text.push_str("\n\n--\n");
    for line in lines {
        text.extend(line.chars().filter(|c| *c == '\n' || !c.is_control()));
        text.push('\n');
    }
    if let Some(url) = unsubscribe_url {
        text.extend(["Hủy đăng ký nhận email: ", url, "\n"]);
    }
    text
}

/// Turns tables into blocks. Otherwise a parser would move loops out of a table, away from its rows.
fn without_layout(html: &str) -> Result<String, MailError> {
    let settings = RewriteStrSettings {
        element_content_handlers: vec![
            element!("style, script, title, head > meta, head > link", |el| {
                el.remove();
                Ok(())
            }),
            element!("table, thead, tbody, tfoot, tr, caption", |el| {
                el.set_tag_name("div")?;
                Ok(())
            }),
            element!("td, th", |el| {
                el.set_tag_name("span")?;
                el.after(" ", ContentType::Text);
                Ok(())
            }),
            element!("hr", |el| {
                el.replace("<p>---</p>", ContentType::Html);
                Ok(())
            }),
        ],
        strict: false,
        ..RewriteStrSettings::new()
    };
    rewrite_str(html, settings).map_err(|error| MailError::Html(error.to_string()))
}

/// Drops blanks at line ends and more than one empty line in a row.
fn tidy(text: &str) -> String {
    let mut tidied = String::with_capacity(text.len());
    let mut empty = 0;
    for line in text.trim().lines() {
        let line = line.trim_end();
        empty = if line.is_empty() { empty + 1 } else { 0 };
        if empty < 2 {
            tidied.push_str(line);
            tidied.push('\n');
        }
    }
    tidied
}

/// Writes a link as its text followed by its address; all other elements become plain text.
#[derive(Debug, Clone, Default)]
struct Plain {
    links: Rc<RefCell<Vec<String>>>,
}

impl TextDecorator for Plain {
    type Annotation = ();

    fn decorate_link_start(&mut self, url: &str) -> (String, ()) {
        self.links.borrow_mut().push(url.to_owned());
        (String::new(), ())
    }

    fn decorate_link_end(&mut self) -> String {
        match self.links.borrow_mut().pop() {
            Some(url) if !url.is_empty() && !url.starts_with('#') => format!(" ({url})"),
            _ => String::new(),
        }
    }

    fn decorate_em_start(&self) -> (String, ()) {
        (String::new(), ())
    }

    fn decorate_em_end(&self) -> String {
        String::new()
    }

    fn decorate_strong_start(&self) -> (String, ()) {
        (String::new(), ())
    }

    fn decorate_strong_end(&self) -> String {
        String::new()
    }

    fn decorate_strikeout_start(&self) -> (String, ()) {
        (String::new(), ())
    }

    fn decorate_strikeout_end(&self) -> String {
        String::new()
    }

    fn decorate_code_start(&self) -> (String, ()) {
        (String::new(), ())
    }

    fn decorate_code_end(&self) -> String {
        String::new()
    }

    fn decorate_preformat_first(&self) {}

    fn decorate_preformat_cont(&self) {}

    fn decorate_image(&mut self, _src: &str, title: &str) -> (String, ()) {
        (title.to_owned(), ())
    }

    fn header_prefix(&self, _level: usize) -> String {
        String::new()
    }

    fn quote_prefix(&self) -> String {
        "> ".to_owned()
    }

    fn unordered_item_prefix(&self) -> String {
        "- ".to_owned()
    }

    fn ordered_item_prefix(&self, i: i64) -> String {
        format!("{i}. ")
    }

    fn make_subblock_decorator(&self) -> Plain {
        self.clone()
    }

    fn decorate_superscript_start(&self) -> (String, ()) {
        (String::new(), ())
    }

    fn decorate_superscript_end(&self) -> String {
        String::new()
    }
}
