//! A limit on the nesting depth of HTML, checked before any parser sees it.
//!
//! HTML parsers take time quadratic in the depth, and walkers of their trees recurse. The estimate here is never
//! below the true depth of counted elements; it parses nothing.

use std::collections::HashMap;

const MAX_DEPTH: usize = 256;
const MAX_NAME: usize = 32;

/// Elements without content, or that cannot nest without a counted element between.
const UNCOUNTED: &[&str] = &[
    "area", "base", "body", "br", "col", "dd", "dt", "embed", "head", "hr", "html", "img", "input",
    "li", "link", "meta", "option", "p", "param", "source", "tbody", "td", "tfoot", "th", "thead",
    "tr", "wbr",
];

/// Whether `html` may nest its elements too deep for parsers.
pub(crate) fn is_too_deep(html: &str) -> bool {
    let mut open: HashMap<String, usize> = HashMap::new();
    let mut depth = 0usize;
    for part in html.split('<').skip(1) {
        let (is_close, rest) = match part.strip_prefix('/') {
            Some(rest) => (true, rest),
            None => (false, part),
        };
        let name: String = rest
            .chars()
            .take(MAX_NAME)
            .take_while(|c| !c.is_whitespace() && !matches!(c, '/' | '>'))
            .map(|c| c.to_ascii_lowercase())
            .collect();
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic());
        if !is_name || UNCOUNTED.contains(&name.as_str()) {
            continue;
        }
        let count = open.entry(name).or_default();
        if !is_close {
            *count += 1;
            depth += 1;
        } else if *count > 0 {
            *count -= 1;
            depth -= 1;
        }
        if depth > MAX_DEPTH {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_counted_by_name() {
        let mail = "<table><tr><td><p>a<br><img src=x><b>c</b></table>".repeat(2_000);
        assert!(!is_too_deep(&mail));
        assert!(is_too_deep(&"<div>".repeat(300)));
        assert!(is_too_deep(&"<DIV></x>".repeat(300)));
        assert!(is_too_deep(&"<b><p>".repeat(300)));
        assert!(!is_too_deep(&"a < b <3 < ".repeat(300)));
    }
}
