//! `/docs`: the API's reference as a page, and the guides to the public interfaces beside it.
//!
//! The page is Swagger UI over `/v1/openapi.json`; its files are vendored (infra/local/vendor). A guide is a
//! file of docs/ as HTML. The security policies keep every request on this origin.

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, HeaderValue};
use http::{Response, StatusCode};
use pulldown_cmark::{Event, Options, Parser, Tag};

use super::html::Html;
use super::{answer, page, policy, text};

const PAGE: &str = include_str!("reference/page.html");

/// A file of docs/ by its name: shown at `/docs/{name}`.
struct Guide {
    name: &'static str,
    text: &'static str,
}

macro_rules! guides {
    ($($name:literal)*) => {
        &[$(Guide { name: $name, text: include_str!(concat!("../../../../docs/", $name, ".md")) }),*]
    };
}

/// In the order of their links.
const GUIDES: &[Guide] = guides![
    "widget" "websocket" "forms" "signup-forms" "contacts" "fields" "import" "export" "consent" "segments" "scoring"
    "sources" "tracking" "orders" "products" "triggers" "webhooks" "templates" "campaigns" "reports" "sms" "zalo"
    "push" "access"
];

impl Guide {
    /// Its heading, and what follows.
    fn parts(&self) -> (&'static str, &'static str) {
        let (first, rest) = self.text.split_once('\n').unwrap_or((self.text, ""));
        (first.trim_start_matches("# "), rest)
    }
}

/// The page, a file of it, or a guide; `path` is what follows `/docs`.
pub fn show(path: &str) -> Response<Bytes> {
    const SCRIPT: &str = "text/javascript; charset=utf-8";
    const STYLE: &str = "text/css; charset=utf-8";
    match path.trim_matches('/') {
        "" => reference(),
        "page.js" => answer(StatusCode::OK, SCRIPT, include_str!("reference/page.js")),
        "page.css" => answer(StatusCode::OK, STYLE, include_str!("reference/page.css")),
        "swagger-ui-bundle.js" => packed(
            SCRIPT,
            include_bytes!("../../vendor/swagger-ui/swagger-ui-bundle.js.gz"),
        ),
        "swagger-ui.css" => packed(
            STYLE,
            include_bytes!("../../vendor/swagger-ui/swagger-ui.css.gz"),
        ),
        name => match GUIDES.iter().find(|guide| guide.name == name) {
            Some(guide) => {
                let (title, text) = guide.parts();
                page(Html::trusted(html(text)), title)
            }
            None => text(StatusCode::NOT_FOUND, "There is no such page.\n"),
        },
    }
}

/// Links to the guides.
pub fn links() -> Html {
    GUIDES.iter().fold(Html::default(), |links, guide| {
        let link = Html::link(&format!("/docs/{}", guide.name), guide.parts().0);
        links.and(&link).and(&Html::text(" "))
    })
}

fn reference() -> Response<Bytes> {
    let page = PAGE.replace("GUIDES", links().as_str());
    let mut response = answer(StatusCode::OK, "text/html; charset=utf-8", page);
    // Swagger UI sets styles on elements and draws its icons from `data:`.
    policy(
        &mut response,
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    response
}

/// A file that is kept compressed; every browser unpacks it.
fn packed(kind: &'static str, bytes: &'static [u8]) -> Response<Bytes> {
    let mut response = answer(StatusCode::OK, kind, bytes);
    let headers = response.headers_mut();
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    response
}

/// Markdown as HTML. A link to another guide or to the document leads to its page on this stack.
fn html(markdown: &str) -> String {
    let events = Parser::new_ext(markdown, Options::ENABLE_TABLES).map(|event| match event {
        Event::Start(Tag::Link {
            link_type,
            dest_url,
            title,
            id,
        }) => {
            let dest_url = shown_at(&dest_url).map_or(dest_url, Into::into);
            Event::Start(Tag::Link {
                link_type,
                dest_url,
                title,
                id,
            })
        }
        other => other,
    });
    let mut html = String::new();
    pulldown_cmark::html::push_html(&mut html, events);
    html
}

fn shown_at(link: &str) -> Option<String> {
    if link == "openapi.json" {
        return Some("/docs".to_owned());
    }
    let (file, heading) = match link.split_once('#') {
        Some((file, heading)) => (file, format!("#{heading}")),
        None => (link, String::new()),
    };
    let name = file.strip_suffix(".md")?;
    let guide = GUIDES.iter().find(|guide| guide.name == name)?;
    Some(format!("/docs/{}{heading}", guide.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Addresses in the page and its own script: `href`, `src` and others.
    fn addresses(text: &str) -> Vec<&str> {
        let quoted = text.split(['"', '\'', '`']).skip(1).step_by(2);
        quoted.filter(|text| text.contains('/')).collect()
    }

    fn body(path: &str) -> String {
        let response = show(path);
        assert_eq!(response.status(), 200, "{path}");
        String::from_utf8(response.body().to_vec()).unwrap()
    }

    #[test]
    fn the_page_takes_everything_from_this_origin() {
        let mut seen = 0;
        for text in [body(""), body("page.js"), body("page.css")] {
            for address in addresses(&text) {
                assert!(
                    address.starts_with('/') && !address.starts_with("//"),
                    "{address}"
                );
                seen += 1;
                if let Some(file) = address.strip_prefix("/docs") {
                    assert_eq!(show(file).status(), 200, "{address}");
                }
            }
            assert!(!text.contains("url(") && !text.contains("@import"));
        }
        assert!(seen >= 7);
        let response = show("");
        let policy = response.headers()["content-security-policy"]
            .to_str()
            .unwrap();
        let sources = policy
            .split(';')
            .flat_map(|rule| rule.split_whitespace().skip(1));
        for source in sources {
            let own = ["'none'", "'self'", "'unsafe-inline'", "data:"].contains(&source);
            assert!(own, "{source}");
        }
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"));
        assert!(policy.contains("connect-src 'self'"));
    }

    #[test]
    fn the_packed_files_are_sent_as_gzip() {
        for file in ["swagger-ui-bundle.js", "swagger-ui.css"] {
            let response = show(file);
            assert_eq!(response.headers()["content-encoding"], "gzip");
            assert_eq!(response.body()[..2], [0x1f, 0x8b], "{file}");
        }
        assert_eq!(show("swagger-ui.js").status(), 404);
    }

    #[test]
    fn a_guide_is_a_page_and_its_links_lead_to_pages() {
        for guide in GUIDES {
            assert!(guide.text.starts_with("# "), "{}", guide.name);
            let page = body(guide.name);
            assert!(page.contains(&format!("<h1>{}</h1>", guide.parts().0)));
            assert_eq!(page.matches("<h1>").count(), 1, "{}", guide.name);
            let to_file = page.contains(".md\"") || page.contains(".md#");
            assert!(!to_file, "{} links to a file", guide.name);
            assert!(body("").contains(&format!("/docs/{}", guide.name)));
        }
        assert!(html("| a |\n|---|\n| b |\n").contains("<td>b</td>"));
        assert!(html("[x](access.md)").contains("href=\"/docs/access\""));
        assert!(html("[x](products.md#carts)").contains("href=\"/docs/products#carts\""));
    }
}
