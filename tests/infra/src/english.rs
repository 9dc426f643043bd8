//! Plain English in comments, documents and messages: short sentences, the field's own words, a named subject.
//!
//! The rule is written out in docs/adding.md, *How we write*. This file holds the part that a machine can check.

mod prose;

use std::fs;
use std::path::Path;

use crate::assert_none;
use crate::template::project;
use prose::{Prose, sentences};

/// Words that are old, or house metaphors, and the plain word to use.
const WORDS: &[(&str, &str)] = &[
    ("lest", "so that … not"),
    ("whoever", "the person who, everybody who"),
    ("anew", "again"),
    ("in vain", "without effect"),
    ("so lately", "recently"),
    ("deaf", "unsubscribed"),
    ("ears", "subscribers"),
    ("hung up", "closed"),
    ("hang up", "close"),
    ("hangs up", "closes"),
    ("mend", "fix, repair"),
    ("mends", "fixes, repairs"),
    ("mended", "fixed, repaired"),
    ("mending", "fixing, repairing"),
    ("park", "dead-letter"),
    ("parks", "dead-letters"),
    ("parked", "dead-lettered"),
    ("parking", "dead-lettering"),
    ("put aside", "dead-lettered"),
    ("puts aside", "dead-letters"),
    ("hand out", "dispatch"),
    ("hands out", "dispatches"),
    ("handed out", "dispatched"),
    ("come alive", "reopen"),
    ("comes alive", "reopens"),
    ("comes again", "is redelivered"),
    ("come again", "are redelivered"),
    ("of its own accord", "by itself"),
];

/// A sentence that begins so has no named subject, unless it is a question.
const OPENINGS: &[&str] = &["Who", "Whoever", "What"];

/// Most words of a sentence. A piece of code counts as one word.
const MOST_WORDS: usize = 25;

/// Folders and files that hold no prose of ours.
const SKIPPED: &[&str] = &[
    ".git",
    ".local",
    "target",
    "node_modules",
    "vendor",
    "tests/data",
    "tests/infra/src/english.rs",
    "docs/openapi.json",
    "LICENSE",
];

fn flaws(sentence: &str) -> Vec<String> {
    let mut found = Vec::new();
    let words: Vec<&str> = sentence.split_whitespace().collect();
    let bare = words.iter().map(|word| {
        let is_edge = |c: char| !c.is_alphanumeric();
        word.trim_matches(is_edge).to_lowercase()
    });
    let bare = format!(" {} ", bare.collect::<Vec<_>>().join(" "));
    for (word, plain) in WORDS {
        if bare.contains(&format!(" {word} ")) {
            found.push(format!("\"{word}\": say {plain}"));
        }
    }
    let opens = words.first().is_some_and(|first| OPENINGS.contains(first));
    if opens && !sentence.ends_with('?') {
        found.push(format!("begins with {}: name the subject", words[0]));
    }
    if words.len() > MOST_WORDS {
        found.push(format!("{} words", words.len()));
    }
    found
}

fn read(root: &Path, folder: &Path, violations: &mut Vec<String>) {
    let mut entries: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        let name = path.strip_prefix(root).unwrap().to_str().unwrap();
        let last = path.file_name().unwrap().to_str().unwrap();
        if SKIPPED.contains(&name) || SKIPPED.contains(&last) {
            continue;
        }
        if path.is_dir() {
            read(root, &path, violations);
            continue;
        }
        let Some(prose) = Prose::of(name) else {
            continue;
        };
        let text = fs::read_to_string(&path).unwrap();
        for (line, sentence) in sentences(prose, &text) {
            for flaw in flaws(&sentence) {
                violations.push(format!("{name}:{line}: {flaw}: {sentence}"));
            }
        }
    }
}

#[test]
fn sentences_are_short_and_plain() {
    let mut violations = Vec::new();
    let root = project();
    read(&root, &root, &mut violations);
    assert_none("plain English", &violations);
}

#[test]
fn a_flaw_is_found() {
    assert!(flaws("The relay sends each effect.").is_empty());
    assert!(flaws("What is a claim?").is_empty());
    assert_eq!(flaws("Who follows reads again.").len(), 1);
    assert_eq!(flaws("It is parked, lest it blocks the others.").len(), 2);
    assert_eq!(flaws(&"word ".repeat(26)).len(), 1);
    assert!(flaws(&"word ".repeat(25)).is_empty());
}
