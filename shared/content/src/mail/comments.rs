//! Where HTML is a comment, so that a link there is no link. Reads comments only; builds no tree.

use std::ops::Range;

/// The comments of `html`, in order, each with its `<!--` and `-->`. An unclosed comment reaches to the end.
pub(super) fn comments(html: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(start) = html[from..].find("<!--").map(|at| from + at) {
        let body = start + 4;
        let rest = &html[body..];
        // The HTML standard closes `<!-->`, `<!--->` and `--!>` too.
        let end = if rest.starts_with('>') {
            body + 1
        } else if rest.starts_with("->") {
            body + 2
        } else {
            let mut ends = rest.match_indices('>').map(|(at, _)| at);
            let is_end = |at: &usize| rest[..*at].ends_with("--") || rest[..*at].ends_with("--!");
            ends.find(is_end).map_or(html.len(), |end| body + end + 1)
        };
        found.push(start..end);
        from = end;
    }
    found
}

/// Whether `html` has `text` outside its comments.
pub(super) fn shows(html: &str, text: &str) -> bool {
    let mut from = 0;
    let comments = comments(html);
    let until = comments
        .iter()
        .map(|comment| comment.start)
        .chain([html.len()]);
    let after = comments
        .iter()
        .map(|comment| comment.end)
        .chain([html.len()]);
    for (until, after) in until.zip(after) {
        if html[from..until].contains(text) {
            return true;
        }
        from = after;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_where_the_standard_has_them() {
        for (html, hidden) in [
            ("a<!-- b -->c", vec!["<!-- b -->"]),
            ("<!-->a<!--->b-->", vec!["<!-->", "<!--->"]),
            ("<!--a--!>b<!--c", vec!["<!--a--!>", "<!--c"]),
            (
                "<!--[if mso]>a<![endif]-->b",
                vec!["<!--[if mso]>a<![endif]-->"],
            ),
            ("<!- a -->", vec![]),
        ] {
            let found: Vec<_> = comments(html).into_iter().map(|at| &html[at]).collect();
            assert_eq!(found, hidden, "{html}");
        }
        assert!(shows("a<!-- b -->c", "c") && shows("a", "a"));
        assert!(!shows("a<!-- b -->c", "b") && !shows("a<!-- b", "b"));
    }
}
