//! Pieces of the console's pages. Every value that comes from outside is escaped here.

use std::fmt::Write as _;

/// A piece of HTML that is safe to put into a page.
#[derive(Debug, Clone, Default)]
pub struct Html(String);

impl Html {
    /// HTML written in this program.
    pub fn literal(text: &'static str) -> Self {
        Self(text.to_owned())
    }

    /// HTML made from this program's own files.
    pub fn trusted(html: String) -> Self {
        Self(html)
    }

    /// The HTML itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Text from anywhere.
    pub fn text(text: impl std::fmt::Display) -> Self {
        Self(escape(&text.to_string()))
    }

    /// Text in an element with a class (or none); both names are of this program.
    pub fn element(tag: &'static str, class: &'static str, inner: &Self) -> Self {
        if class.is_empty() {
            return Self(format!("<{tag}>{}</{tag}>", inner.0));
        }
        Self(format!("<{tag} class=\"{class}\">{}</{tag}>", inner.0))
    }

    /// A link.
    pub fn link(address: &str, text: impl std::fmt::Display) -> Self {
        let text = escape(&text.to_string());
        Self(format!("<a href=\"{}\">{text}</a>", escape(address)))
    }

    /// A button that posts to `address`.
    pub fn post_button(address: &str, text: &str) -> Self {
        let (address, text) = (escape(address), escape(text));
        Self(format!(
            "<form method=\"post\" action=\"{address}\"><button>{text}</button></form>"
        ))
    }

    /// A frame in which nothing runs; its links open outside of it.
    pub fn sandboxed_frame(address: &str, title: &str) -> Self {
        let (address, title) = (escape(address), escape(title));
        Self(format!(
            "<iframe sandbox=\"allow-popups allow-popups-to-escape-sandbox\" title=\"{title}\" \
             src=\"{address}\"></iframe>"
        ))
    }

    /// Appends.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.0.push_str(&other.0);
        self
    }

    /// A page of the console.
    pub fn page(self, title: &str) -> String {
        const STYLE: &str = include_str!("style.css");
        let title = escape(title);
        format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <title>{title} - Tanigo local</title><style>{STYLE}</style></head><body>\
             <header><strong>Tanigo local</strong><nav aria-label=\"Console\">\
             <a href=\"/_local/\">Dashboard</a><a href=\"/_local/outbox\">Outbox</a>\
             <a href=\"/_local/bill\">Bill</a><a href=\"/_local/credentials\">Credentials</a>\
             <a href=\"/docs\">API reference</a>\
             </nav></header><main><h1>{title}</h1>{}</main></body></html>\n",
            self.0
        )
    }
}

/// One column of a [`table`].
#[derive(Debug, Clone, Copy)]
pub enum Column {
    /// Text, to the left.
    Text(&'static str),
    /// Number, to the right.
    Number(&'static str),
}

/// A table with a heading row.
pub fn table(columns: &[Column], rows: &[Vec<Html>]) -> Html {
    let mut out = String::from("<div class=\"scroll\"><table><thead><tr>");
    let class = |column: &Column| match column {
        Column::Text(_) => "",
        Column::Number(_) => " class=\"n\"",
    };
    for column in columns {
        let (Column::Text(name) | Column::Number(name)) = column;
        // Writing to a string cannot fail.
        let _ = write!(out, "<th scope=\"col\"{}>{name}</th>", class(column));
    }
    out.push_str("</tr></thead><tbody>");
    for row in rows {
        out.push_str("<tr>");
        for (column, cell) in columns.iter().zip(row) {
            let _ = write!(out, "<td{}>{}</td>", class(column), cell.0);
        }
        out.push_str("</tr>");
    }
    if rows.is_empty() {
        let _ = write!(
            out,
            "<tr><td class=\"quiet\" colspan=\"{}\">None yet.</td></tr>",
            columns.len()
        );
    }
    out.push_str("</tbody></table></div>");
    Html(out)
}

/// Names and values.
pub fn definitions(pairs: &[(&str, Html)]) -> Html {
    let mut out = String::from("<dl>");
    for (name, value) in pairs {
        let _ = write!(out, "<dt>{}</dt><dd>{}</dd>", escape(name), value.0);
    }
    out.push_str("</dl>");
    Html(out)
}

/// Escapes text for an element or a quoted attribute.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_leave_their_place() {
        let evil = "\"><script>alert('x')</script>";
        let page = Html::text(evil)
            .and(&Html::link(evil, evil))
            .and(&table(&[Column::Text("A")], &[vec![Html::text(evil)]]))
            .page(evil);
        assert!(!page.contains("<script>"));
        assert!(page.contains("&lt;script&gt;"));
    }
}
