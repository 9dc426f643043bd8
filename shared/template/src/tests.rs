//! The output of templates.

mod attacks;
mod filters;
mod html;
mod laws;
mod limits;
mod tags;

use jiff::Zoned;
use serde_json::{Value as Json, json};

use super::*;

/// The time of each render: a Sunday.
fn now() -> Zoned {
    "2026-11-22T09:30:00+07:00[+07:00]".parse().unwrap()
}

fn render(template: &Template, data: &Json) -> Result<String, RenderError> {
    let reserved = [("unsubscribe_url", "https://t.example.vn/u/x")];
    template.render(&Scope {
        data,
        reserved: &reserved,
        now: &now(),
    })
}

fn text(source: &str, data: &Json) -> String {
    let template = Template::parse(source).unwrap_or_else(|error| panic!("{source}: {error}"));
    render(&template, data).unwrap_or_else(|error| panic!("{source}: {error}"))
}

fn html(source: &str, data: &Json) -> String {
    render(&Template::parse_html(source).unwrap(), data).unwrap()
}

/// Each template prints its text.
fn prints(data: &Json, cases: &[(&str, &str)]) {
    for (source, expected) in cases {
        assert_eq!(text(source, data), *expected, "{source}");
    }
}

/// Line, column and message of a refused template.
fn refused(source: &str) -> (usize, usize, String) {
    match Template::parse(source) {
        Ok(_) => panic!("{source} is accepted"),
        Err(error) => (error.line, error.column, error.message),
    }
}

fn fails(source: &str, data: &Json) -> RenderError {
    match render(&Template::parse(source).unwrap(), data) {
        Ok(text) => panic!("{source} prints {} bytes", text.len()),
        Err(error) => error,
    }
}
