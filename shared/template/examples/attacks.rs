//! Renders templates that ask for much work, and prints the five slowest: milliseconds with parsing, result, template.

#[path = "../src/tests/attacks.rs"]
mod list;

use std::io::Write as _;
use std::time::Instant;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use template::{MAX_SOURCE_BYTES, Scope, Template};

fn main() -> std::io::Result<()> {
    let data = list::hostile_data();
    let now = Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
    let scope = Scope {
        data: &data,
        reserved: &[],
        now: &now,
    };
    let mut sources = list::attacks(template::filters());
    for part in [
        "{{ long.size }}",
        "{% if a %}{% endif %}",
        "{%}{{",
        "{% raw %}",
        "{{ a | default: b }}",
    ] {
        sources.push(part.repeat(MAX_SOURCE_BYTES / part.len()));
    }
    let mut rows = Vec::new();
    for source in sources {
        let start = Instant::now();
        let result = Template::parse(&source).map(|template| template.render(&scope));
        let took = start.elapsed().as_secs_f64() * 1e3;
        let result = match result {
            Ok(Ok(text)) => format!("{} bytes", text.len()),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        rows.push((took, result, source.chars().take(120).collect::<String>()));
    }
    rows.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (took, result, source) in rows.iter().take(5) {
        writeln!(std::io::stdout(), "{took:.1} ms | {result} | {source}")?;
    }
    Ok(())
}
