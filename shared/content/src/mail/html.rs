//! The HTML part: styles, preview text, footer, pixel, and marks around links.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use css_inline::CSSInliner;
use lol_html::{RewriteStrSettings, element, rewrite_str};
use url::Url;

use super::protect::{Between, Protected};
use super::{Footer, MailError, MailWarning, Tracking};
use crate::links::LinkSet;
use crate::nesting::is_too_deep;
use crate::template::{Kind, scan};

/// Marks in the rendered HTML. Neither sources nor data can hold them.
const LINK_START: char = '\u{1}';
const LINK_END: char = '\u{2}';
const PIXEL: char = '\u{3}';

/// Roots of data that outsiders provide.
const OUTSIDE: [&str; 2] = ["contact", "trigger"];
/// Blank characters after the preview text, so that clients do not add text of the body.
const PREVIEW_PADDING: usize = 90;

/// Removes from an author's HTML the parts that only we may write.
pub(super) fn without_marks(html: &str) -> String {
    html.replace([LINK_START, LINK_END, PIXEL], "")
}

/// Makes the template for all recipients.
pub(super) fn build(
    source: &str,
    preview: Option<&str>,
    footer: Option<&Footer>,
    tracking: Tracking,
    warnings: &mut Vec<MailWarning>,
) -> Result<String, MailError> {
    if is_too_deep(source) {
        return Err(MailError::Html("elements are nested too deep".to_owned()));
    }
    let protected = Protected::new(source, Between::Comments)?;
    let html = inline_styles(&protected).unwrap_or_else(|| {
        warnings.push(MailWarning::StylesNotInlined);
        protected.html.clone()
    });
    let html = if tracking.click {
        mark_links(&html, &protected)?
    } else {
        html
    };
    let head = preview.map(preview_block).unwrap_or_default();
    let mut tail = footer.map(footer_block).unwrap_or_default();
    if tracking.open {
        let _ = write!(
            tail,
            "<img src=\"{PIXEL}\" width=\"1\" height=\"1\" alt=\"\" style=\"display:block;border:0\">"
        );
    }
    Ok(protected.restore(&into_body(&html, &head, &tail), true))
}

/// Moves stylesheets into `style` attributes; `None` if that would move template tags.
fn inline_styles(protected: &Protected) -> Option<String> {
    let inliner = CSSInliner::options()
        .load_remote_stylesheets(false)
        .keep_at_rules(true)
        .build();
    let html = inliner.inline(&protected.html).ok()?;
    protected.keeps_control(&html).then_some(html)
}

fn mark_links(html: &str, protected: &Protected) -> Result<String, MailError> {
    let settings = RewriteStrSettings {
        element_content_handlers: vec![element!("a[href], area[href]", |link| {
            if let Some(href) = link.get_attribute("href")
                && is_tracked(&href, protected)
            {
                link.set_attribute("href", &format!("{LINK_START}{href}{LINK_END}"))?;
            }
            Ok(())
        })],
        strict: false,
        ..RewriteStrSettings::new()
    };
    rewrite_str(html, settings).map_err(|error| MailError::Html(error.to_string()))
}

/// Whether a link leads, or may lead, to a web page, and we may sign it.
///
/// A host from the contact's own fields or from a form is not signed. Otherwise the person who filled in the form
/// could get a link on our domain to any page. If the template gives such a field another name, [`hosts`] keeps it
/// unsigned.
fn is_tracked(href: &str, protected: &Protected) -> bool {
    let href = href.trim();
    let mut pieces = protected.found(href).peekable();
    let scheme = href.get(..8).unwrap_or_default().to_ascii_lowercase();
    let host_start = match (
        scheme.starts_with("http://"),
        scheme.starts_with("https://"),
    ) {
        (true, _) => 7,
        (_, true) => 8,
        // All from data: decided when its value is known.
        _ if pieces.peek().is_some_and(|(at, _)| *at == 0) => 0,
        _ => return false,
    };
    let host_end = href[host_start..]
        .find(['/', '?', '#'])
        .map_or(href.len(), |i| host_start + i);
    pieces.all(|(at, source)| {
        !source.contains(super::UNSUBSCRIBE)
            && (at >= host_end || !OUTSIDE.iter().any(|root| source.contains(root)))
    })
}

/// The hosts of the addresses that the author wrote, anywhere in the mail. Only these are signed. A rendered link
/// with another host got it from data, and anybody can provide data.
pub(super) fn hosts(source: &str) -> BTreeSet<String> {
    let lower = source.to_ascii_lowercase();
    let starts = ["http://", "https://"].into_iter().flat_map(|scheme| {
        lower
            .match_indices(scheme)
            .map(move |(at, _)| at + scheme.len())
    });
    let is_part = |c: char| c.is_alphanumeric() || "-._:@[]".contains(c);
    let written = starts.filter_map(|start| {
        let rest = &source[start..];
        let (authority, rest) = rest.split_at(rest.find(|c| !is_part(c)).unwrap_or(rest.len()));
        // A host name that a template tag continues does not count.
        (!rest.starts_with('{'))
            .then(|| host(&format!("http://{authority}")))
            .flatten()
    });
    written.collect()
}

fn host(url: &str) -> Option<String> {
    Url::parse(url.trim()).ok()?.host_str().map(str::to_owned)
}

/// Writes `head` and `tail` just inside the body, or around the whole text if there is no body.
fn into_body(html: &str, head: &str, tail: &str) -> String {
    let lower = html.to_ascii_lowercase();
    let start = lower
        .find("<body")
        .and_then(|at| Some(at + tag_end(&lower[at..])? + 1))
        .unwrap_or(0);
    let end = lower
        .rfind("</body")
        .or_else(|| lower.rfind("</html"))
        .filter(|end| *end >= start)
        .unwrap_or(html.len());
    [&html[..start], head, &html[start..end], tail, &html[end..]].concat()
}

/// Where the tag at the start of `html` closes; quotes are respected.
fn tag_end(html: &str) -> Option<usize> {
    let mut quote = None;
    html.char_indices().find_map(|(at, c)| match (quote, c) {
        (None, '>') => Some(at),
        (None, '"' | '\'') => {
            quote = Some(c);
            None
        }
        (Some(open), _) if open == c => {
            quote = None;
            None
        }
        _ => None,
    })
}

fn preview_block(preview: &str) -> String {
    let mut block = String::from(
        "<div style=\"display:none;font-size:1px;line-height:1px;max-height:0;max-width:0;\
         opacity:0;overflow:hidden;mso-hide:all\">",
    );
    // The author's text is plain; its merge fields escape themselves.
    for piece in scan(preview).unwrap_or_default() {
        match piece.kind {
            Kind::Text => block.push_str(&escape(&without_marks(piece.source))),
            _ => block.push_str(piece.source),
        }
    }
    block.push_str(&"&#847;&zwnj;&nbsp;".repeat(PREVIEW_PADDING));
    block.push_str("</div>");
    block
}

fn footer_block(footer: &Footer) -> String {
    let mut block = String::from(
        "<div style=\"margin:24px auto 0;padding:16px;max-width:600px;font-family:Arial,sans-serif;\
         font-size:12px;line-height:18px;color:#666666;text-align:center\">",
    );
    for line in footer.lines() {
        let _ = write!(block, "<p style=\"margin:0 0 8px\">{}</p>", escape(line));
    }
    block.push_str(
        "<p style=\"margin:0\"><a href=\"{{ unsubscribe_url }}\" style=\"color:#666666\">\
         Hủy đăng ký nhận email</a></p></div>",
    );
    block
}

/// Escapes plain text for HTML and for the surrounding template.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '{' => escaped.push_str("&#123;"),
            '\n' => escaped.push_str("<br>"),
            c if c.is_control() => {}
            c => escaped.push(c),
        }
    }
    escaped
}

/// Replaces the marks of a rendered mail by the recipient's links. A link to a host outside `hosts` gets its
/// original address.
pub(super) fn with_links(html: String, links: &LinkSet<'_>, hosts: &BTreeSet<String>) -> String {
    let next_mark = |text: &str| text.bytes().position(|byte| (1..=3).contains(&byte));
    if next_mark(&html).is_none() {
        return html;
    }
    let mut out = String::with_capacity(html.len() + html.len() / 4);
    let mut rest = html.as_str();
    while let Some(at) = next_mark(rest) {
        out.push_str(&rest[..at]);
        let mark = &rest[at..];
        // All marks are one byte long.
        rest = &mark[1..];
        if mark.starts_with(PIXEL) {
            out.push_str(&links.open_url());
        } else if mark.starts_with(LINK_START)
            && let Some(end) = rest.find(LINK_END)
        {
            let href = &rest[..end];
            let target = unescape(href);
            let is_ours = host(&target).is_some_and(|host| hosts.contains(&host));
            match links.click_url(&target).filter(|_| is_ours) {
                Some(url) => out.push_str(&url),
                None => out.push_str(href),
            }
            rest = &rest[end + 1..];
        }
    }
    out.push_str(rest);
    out
}

/// Reads an attribute's value: the entities that serialisers and authors use in URLs.
fn unescape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let entity = rest.split_once(';').map(|(entity, _)| &entity[1..]);
        let (c, length) = entity
            .and_then(|name| Some((character(name)?, name.len() + 2)))
            .unwrap_or(('&', 1));
        out.push(c);
        rest = &rest[length..];
    }
    out.push_str(rest);
    out
}

fn character(entity: &str) -> Option<char> {
    match entity {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some('\u{a0}'),
        _ => {
            let number = entity.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

impl Footer {
    /// The non-empty lines of the footer.
    pub(super) fn lines(&self) -> impl Iterator<Item = &str> {
        [
            &self.permission_reminder,
            &self.company,
            &self.postal_address,
        ]
        .into_iter()
        .map(|line| line.trim())
        .filter(|line| !line.is_empty())
    }
}
