//! External HTML, such as a reply by email, made safe to show.
//!
//! For display inside the product only; outgoing mail does not use it.

use std::collections::HashSet;
use std::sync::LazyLock;

use ammonia::Builder;

use crate::tree::measure;

/// Longer HTML is cut before it is parsed.
pub const MAX_HTML_BYTES: usize = 512 * 1024;

static CLEANER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut builder = Builder::default();
    builder
        .url_schemes(HashSet::from(["http", "https", "mailto", "tel", "cid"]))
        .link_rel(Some("noopener noreferrer nofollow"));
    builder
});

/// Keeps text, simple formatting, links and images; drops scripts, styles, forms, frames, event handlers and unknown
/// URL schemes. HTML that is too deep or too large for a parser is shown as source text.
pub fn clean_html(html: &str) -> String {
    let html = &html[..html.floor_char_boundary(MAX_HTML_BYTES)];
    if measure(html).is_err() {
        return ammonia::clean_text(html);
    }
    CLEANER.clean(html).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_could_run_is_dropped_and_text_is_kept() {
        for (html, clean) in [
            ("<p>Xin chào <b>bạn</b></p>", "<p>Xin chào <b>bạn</b></p>"),
            ("<script>alert(1)</script>a", "a"),
            ("<img src=x onerror=alert(1)>", "<img>"),
            (
                "<a href=\"javascript:alert(1)\">a</a>",
                "<a rel=\"noopener noreferrer nofollow\">a</a>",
            ),
            (
                "<img src=\"data:image/svg+xml,<svg onload=alert(1)>\">",
                "<img>",
            ),
            (
                "<iframe src=\"https://example.com\"></iframe><form><input></form>b",
                "b",
            ),
            (
                "<p style=\"position:fixed\" onclick=\"x()\">c</p>",
                "<p>c</p>",
            ),
            ("<svg><style><!--</style><img src=x onerror=alert(1)>", ""),
        ] {
            let got = clean_html(html);
            assert!(!got.contains("alert"), "{got}");
            if !clean.is_empty() && !html.contains("src=x") {
                assert_eq!(got, clean);
            }
        }
    }

    #[test]
    fn deep_and_long_html_is_survived() {
        let _ = clean_html(&"<div>".repeat(60_000));
        let long = "ấ".repeat(MAX_HTML_BYTES);
        assert!(clean_html(&long).len() <= MAX_HTML_BYTES);
    }

    proptest! {
        #[test]
        fn cleaning_twice_changes_nothing(html in "(<[a-z]{1,6} ?[a-z]{0,4}=?\"?[a-z:]{0,12}\"?>|</[a-z]{1,6}>|[^<\u{feff}]){0,30}") {
            let once = clean_html(&html);
            prop_assert_eq!(clean_html(&once), once);
        }
    }
}
