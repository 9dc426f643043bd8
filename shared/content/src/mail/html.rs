//! The HTML part: styles, preview text, footer, pixel, and marks around links.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use css_inline::CSSInliner;
use lol_html::{RewriteStrSettings, element, rewrite_str};
use url::Url;

use super::comments::comments;
use super::protect::{Between, Protected};
use super::{MailError, MailWarning, Tracking, css};
use crate::links::LinkSet;
use crate::template::{Kind, MAX_OUTPUT_BYTES, Reason, RenderError, scan};
use crate::tree::measure;

/// Marks in the rendered HTML. Neither sources nor data can hold them.
const LINK_START: char = '\u{1}';
const LINK_END: char = '\u{2}';
const PIXEL: char = '\u{3}';
/// Place of the footer, of which each recipient gets the lines that the mail does not show.
const FOOTER: char = '\u{4}';

/// Roots of data that outsiders provide.
const OUTSIDE: [&str; 2] = ["contact", "trigger"];
/// Longest authority of a URL that is looked at: a host of 253 bytes, a user and a port.
const MAX_AUTHORITY: usize = 512;
/// Blank characters after the preview text, so that clients do not add text of the body.
const PREVIEW_PADDING: usize = 90;

/// Removes from an author's HTML the parts that only we may write.
pub(super) fn without_marks(html: &str) -> String {
    html.replace([LINK_START, LINK_END, PIXEL, FOOTER], "")
}

/// Makes the template for all recipients. `source` has the size that [`measure`] allows, and so has every text that
/// the tools below get.
pub(super) fn build(
    source: &str,
    preview: Option<&str>,
    tracking: Tracking,
    warnings: &mut Vec<MailWarning>,
) -> Result<String, MailError> {
    let protected = Protected::new(source, Between::Comments)?;
    let size = measure(&protected.html).map_err(MailError::TooLarge)?;
    // A rule under a condition is for some recipients only, so none of its sheet is moved.
    let html = if protected.has_control(&size.css) {
        None
    } else {
        css::check(&size)?;
        inline_styles(&protected)
    };
    let html = html.unwrap_or_else(|| {
        warnings.push(MailWarning::StylesNotInlined);
        protected.html.clone()
    });
    let html = if tracking.click {
        mark_links(&html, &protected)?
    } else {
        html
    };
    let head = preview.map(preview_block).unwrap_or_default();
    let mut tail = FOOTER.to_string();
    if tracking.open {
        let _ = write!(
            tail,
            "<img src=\"{PIXEL}\" width=\"1\" height=\"1\" alt=\"\" style=\"display:block;border:0\">"
        );
    }
    Ok(protected.restore(&into_body(&html, &head, &tail, &protected), true))
}

/// Moves stylesheets into `style` attributes; `None` if that would move template tags. Rules that no attribute can
/// hold, such as `a:hover`, stay in their stylesheet.
fn inline_styles(protected: &Protected) -> Option<String> {
    let inliner = CSSInliner::options()
        .load_remote_stylesheets(false)
        .keep_at_rules(true)
        .remove_inlined_selectors(true)
        .build();
    let html = inliner.inline(&protected.html).ok()?;
    let html = with_doctype(html, &protected.html);
    protected.keeps_control(&html).then_some(html)
}

/// The serialiser writes each doctype as `<!DOCTYPE html>`; mail clients choose their mode by the author's own.
fn with_doctype(html: String, source: &str) -> String {
    const PLAIN: &str = "<!DOCTYPE html>";
    let written = source.trim_start();
    let is_doctype = written
        .get(..9)
        .is_some_and(|start| start.eq_ignore_ascii_case("<!doctype"));
    match (html.strip_prefix(PLAIN), written.find('>')) {
        (Some(rest), Some(end)) if is_doctype => [&written[..=end], rest].concat(),
        _ => html,
    }
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
        // A host name that a template tag continues does not count. A longer name is no host (RFC 1035).
        (!rest.starts_with('{') && authority.len() <= MAX_AUTHORITY)
            .then(|| host(&format!("http://{authority}")))
            .flatten()
    });
    written.collect()
}

fn host(url: &str) -> Option<String> {
    Url::parse(url.trim()).ok()?.host_str().map(str::to_owned)
}

/// Writes `head` and `tail` just inside the body, or around the whole text if there is no body. A body in a comment
/// is none, and neither block is written into a comment.
fn into_body(html: &str, head: &str, tail: &str, protected: &Protected) -> String {
    let lower = html.to_ascii_lowercase();
    let comments = comments(&lower);
    let is_shown = |at: &usize| {
        let before = comments.partition_point(|comment| comment.start <= *at);
        before == 0 || comments[before - 1].end <= *at
    };
    let first = |tag: &str| lower.match_indices(tag).map(|(at, _)| at).find(is_shown);
    let last = |tag: &str| lower.rmatch_indices(tag).map(|(at, _)| at).find(is_shown);
    let start = first("<body")
        .and_then(|at| Some(at + tag_end(&lower[at..])? + 1))
        .unwrap_or(0);
    let unclosed = comments.last().filter(|comment| comment.end == html.len());
    let end = last("</body")
        .or_else(|| last("</html"))
        // An end of the body under a condition or in a loop is not there once for each recipient.
        .filter(|end| !protected.has_control(&html[*end..]))
        .or(unclosed
            .filter(|comment| !html[comment.start..].ends_with("-->"))
            .map(|comment| comment.start))
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

/// The footer in HTML: its lines, and the link if the mail has none.
pub(super) fn footer_block(lines: &[&str], unsubscribe_url: Option<&str>) -> String {
    if lines.is_empty() && unsubscribe_url.is_none() {
        return String::new();
    }
    let mut block = String::from(
        "<div style=\"margin:24px auto 0;padding:16px;max-width:600px;font-family:Arial,sans-serif;\
         font-size:12px;line-height:18px;color:#666666;text-align:center\">",
    );
    for line in lines {
        let _ = write!(block, "<p style=\"margin:0 0 8px\">{}</p>", escape(line));
    }
    if let Some(url) = unsubscribe_url {
        let _ = write!(
            block,
            "<p style=\"margin:0\"><a href=\"{}\" style=\"color:#666666\">Hủy đăng ký nhận email</a></p>",
            escape(url)
        );
    }
    block.push_str("</div>");
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

/// Replaces the marks of a rendered mail by the recipient's links and `footer`. A link to a host outside `hosts`
/// gets its original address. Tracked links are longer than their targets, so the result has a limit of its own.
pub(super) fn with_links(
    html: &str,
    links: &LinkSet<'_>,
    hosts: &BTreeSet<String>,
    footer: &str,
) -> Result<String, RenderError> {
    let next_mark = |text: &str| text.bytes().position(|byte| (1..=4).contains(&byte));
    let mut out = String::with_capacity(html.len() + html.len() / 4);
    let (mut rest, mut has_pixel) = (html, false);
    while let Some(at) = next_mark(rest) {
        out.push_str(&rest[..at]);
        let mark = &rest[at..];
        // All marks are one byte long.
        rest = &mark[1..];
        if mark.starts_with(PIXEL) {
            // The shop's template may repeat the end of its mail. The image without an address loads nothing.
            if !std::mem::replace(&mut has_pixel, true) {
                out.push_str(&links.open_url());
            }
        } else if mark.starts_with(FOOTER) {
            out.push_str(footer);
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
        if out.len() > MAX_OUTPUT_BYTES {
            return Err(RenderError {
                line: 1,
                column: 1,
                reason: Reason::OutputTooLarge,
            });
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// Reads an attribute's value as a browser does: numbered entities, and those with a name and a semicolon.
fn unescape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest
            .bytes()
            .take(LONGEST_ENTITY)
            .position(|byte| byte == b';');
        let entity = end.and_then(|end| Some((characters(&rest[1..=end])?, end + 1)));
        if let Some((characters, length)) = entity {
            out.extend(characters);
            rest = &rest[length..];
        } else {
            out.push('&');
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    out
}

/// Bytes of the longest named entity, `&CounterClockwiseContourIntegral;`.
const LONGEST_ENTITY: usize = 33;

/// The characters of an entity such as `amp;`, by the table of the HTML standard.
fn characters(entity: &str) -> Option<impl Iterator<Item = char>> {
    let (first, second) = match entity.strip_prefix('#') {
        None => *html5ever::data::NAMED_ENTITIES.get(entity)?,
        Some(number) => {
            let number = number.strip_suffix(';')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            (code, 0)
        }
    };
    let first = char::from_u32(first).filter(|first| *first != '\0')?;
    let second = char::from_u32(second).filter(|second| *second != '\0');
    Some(std::iter::once(first).chain(second))
}
