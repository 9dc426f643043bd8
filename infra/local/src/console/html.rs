//! Pieces of the console's pages. Every value that comes from outside is escaped here.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::Offset;
use kernel::text::html as escape;

/// Time zone of the shops.
const VIETNAM: Offset = Offset::constant(7);

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

    /// Text from any source, escaped.
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

    /// A moment: as the clock of a shop in Vietnam shows it, and in UTC beside it.
    pub fn time(at: Timestamp) -> Self {
        let here = at.to_zoned(VIETNAM.to_time_zone());
        let (here, utc) = (
            here.strftime("%Y-%m-%d %H:%M:%S %:z"),
            at.strftime("%H:%M:%S UTC"),
        );
        Self(format!(
            "<span class=\"t\">{here}</span> <span class=\"t quiet\">{utc}</span>"
        ))
    }

    /// A button that posts to `address`.
    pub fn post_button(address: &str, text: &str) -> Self {
        let (address, text) = (escape(address), escape(text));
        Self(format!(
            "<form method=\"post\" action=\"{address}\"><button>{text}</button></form>"
        ))
    }

    /// A frame in which no script runs; its links open outside of the frame.
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
             <a href=\"/_local/bill\">Bill</a><a href=\"/_local/partitions\">Partitions</a>\
             <a href=\"/_local/credentials\">Log-in and keys</a><a href=\"/docs\">API reference</a>\
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

impl Column {
    fn name(self) -> &'static str {
        let (Self::Text(name) | Self::Number(name)) = self;
        name
    }
}

/// A count or an amount, with a comma between thousands.
pub fn grouped(number: f64, decimals: usize) -> String {
    let text = format!("{number:.decimals$}");
    let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
    let (sign, digits) = whole
        .strip_prefix('-')
        .map_or(("", whole), |digits| ("-", digits));
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .filter_map(|group| std::str::from_utf8(group).ok())
        .collect();
    let dot = if rest.is_empty() { "" } else { "." };
    format!("{sign}{}{dot}{rest}", groups.join(","))
}

/// A span of seconds in its largest units: `3 d 4 h`, `36 h`, `5 min`.
pub fn span(seconds: i64) -> String {
    let (days, hours) = (seconds / 86_400, seconds / 3_600);
    match seconds {
        ..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{hours} h"),
        _ if hours % 24 == 0 => format!("{days} d"),
        _ => format!("{days} d {} h", hours % 24),
    }
}

/// A table with a heading row.
pub fn table(columns: &[Column], rows: &[Vec<Html>]) -> Html {
    let mut out = String::from("<div class=\"scroll\"><table><thead><tr>");
    let class = |column: &Column| match column {
        Column::Text(_) => "",
        Column::Number(_) => " class=\"n\"",
    };
    for column in columns {
        let name = column.name();
        // Writing to a string cannot fail.
        let _ = write!(out, "<th scope=\"col\"{}>{name}</th>", class(column));
    }
    out.push_str("</tr></thead><tbody>");
    for row in rows {
        out.push_str("<tr>");
        for (column, cell) in columns.iter().zip(row) {
            // A narrow screen shows each cell on a line of its own, with the column's name before it.
            let (class, name) = (class(column), column.name());
            let _ = write!(out, "<td{class} data-name=\"{name}\">{}</td>", cell.0);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_for_people() {
        assert_eq!(grouped(27_198.0, 0), "27,198");
        assert_eq!(grouped(-1_216_219.5, 2), "-1,216,219.50");
        assert_eq!(grouped(12.0, 0), "12");
        assert_eq!(
            [0, 90, 129_600, 259_200, 270_000].map(span),
            ["0 s", "1 min", "36 h", "3 d", "3 d 3 h"]
        );
        let at = "2026-03-02T20:00:00Z".parse().unwrap();
        let html = Html::time(at).page("");
        assert!(html.contains("2026-03-03 03:00:00 +07:00"), "{html}");
        assert!(html.contains("20:00:00 UTC"), "{html}");
    }

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
