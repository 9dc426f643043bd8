//! The guides in docs/: their tables equal the lists in the code, and their examples work.

mod examples;
mod tables;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::Value;

const PAGES: [&str; 12] = [
    "websocket",
    "widget",
    "forms",
    "signup-forms",
    "sources",
    "triggers",
    "templates",
    "import",
    "export",
    "tracking",
    "products",
    "webhooks",
];
const END: &str = "<!-- /table -->";

fn path(page: &str) -> PathBuf {
    let docs = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    docs.join(page).with_extension("md")
}

fn text(page: &str) -> String {
    std::fs::read_to_string(path(page)).unwrap()
}

/// The fenced blocks of a page: the words after the fence (`json frame`), and the text.
fn blocks(page: &str) -> Vec<(String, String)> {
    let text = text(page);
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(kind) = line.strip_prefix("```") {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push((kind.to_owned(), block.join("\n")));
        }
    }
    blocks
}

/// The only block of this kind.
fn block(page: &str, kind: &str) -> String {
    let mut found = blocks(page).into_iter().filter(|(name, _)| name == kind);
    let (_, block) = found.next().unwrap_or_else(|| panic!("{page}: no {kind}"));
    assert!(found.next().is_none(), "{page}: two of {kind}");
    block
}

fn json(page: &str, kind: &str) -> Value {
    serde_json::from_str(&block(page, &format!("json {kind}"))).unwrap()
}

/// The page with these tables between its marks, and the names of the marks.
fn filled(page: &str, text: &str) -> (String, BTreeSet<String>) {
    let (mut out, mut names) = (String::new(), BTreeSet::new());
    let mut parts = text.split("<!-- table: ");
    out.push_str(parts.next().unwrap());
    for part in parts {
        let (name, rest) = part.split_once(" -->").unwrap();
        let (_, after) = rest
            .split_once(END)
            .unwrap_or_else(|| panic!("{page}: {name} has no end"));
        let table = tables::of(page, name);
        // Writing to a string cannot fail.
        let _ = write!(out, "<!-- table: {name} -->\n{table}{END}{after}");
        assert!(names.insert(name.to_owned()), "{page}: two of {name}");
    }
    (out, names)
}

#[test]
fn the_tables_are_what_the_code_says() {
    let mut count = 0;
    for page in PAGES {
        let stored = text(page);
        let (wanted, names) = filled(page, &stored);
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path(page), &wanted).unwrap();
        }
        assert!(
            text(page) == wanted,
            "docs/{page}.md is behind the code; run the tests with UPDATE_DOCS=1"
        );
        count += names.len();
    }
    assert!(count >= 15, "{count} tables");
}

#[test]
fn every_page_is_linked_and_its_json_parses() {
    let readme = std::fs::read_to_string(path("../README")).unwrap();
    for page in PAGES {
        assert!(readme.contains(&format!("(docs/{page}.md)")), "{page}");
        for (kind, block) in blocks(page) {
            if kind.starts_with("json") {
                let parsed = serde_json::from_str::<Value>(&block);
                assert!(parsed.is_ok(), "{page}: {kind}: {block}");
            }
        }
    }
}
