//! Fills in patterns and finds comments. This module knows the layout of YAML, not its meaning.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::template::project;

/// Longest line of a list that is written in one line.
const WIDTH: usize = 110;

/// A file of `infra/template`, filled in.
///
/// A line `# >>> name` is replaced by the lines of that value, at its own indentation; without lines it is
/// removed. `<name>` inside a line is replaced by the value.
pub fn fill(file: &str, values: &[(&str, &str)]) -> String {
    let pattern = read(&format!("infra/template/{file}"));
    let value = |name: &str| values.iter().find(|(own, _)| *own == name);
    let mut out = String::new();
    for line in pattern.lines() {
        let start = line.trim_start();
        let Some(name) = start.strip_prefix("# >>> ") else {
            let mut line = line.to_owned();
            for (name, value) in values {
                line = line.replace(&format!("<{name}>"), value);
            }
            out += &line;
            out.push('\n');
            continue;
        };
        let (_, lines) = value(name).unwrap_or_else(|| panic!("{file}: nothing fills in {name}"));
        out += &indent(line.len() - start.len(), lines);
        // No second empty line after a block that is not there.
        if lines.is_empty() && out.ends_with("\n\n") {
            out.pop();
        }
    }
    out
}

/// The lines moved to the right; empty lines stay empty.
pub fn indent(by: usize, lines: &str) -> String {
    let mut out = String::new();
    for line in lines.lines() {
        if !line.is_empty() {
            let _ = write!(out, "{:by$}{line}", "");
        }
        out.push('\n');
    }
    out
}

/// `key: [a, b]`, or one line for each item below the key if the list is longer than a line at this indentation.
pub fn list(key: &str, items: &[String], indentation: usize) -> String {
    let line = format!("{key}: [{}]\n", items.join(", "));
    if indentation + line.len() <= WIDTH {
        return line;
    }
    let mut out = format!("{key}:\n  [");
    let mut length = 0;
    for (at, item) in items.iter().enumerate() {
        if at > 0 && indentation + length + item.len() + 6 > WIDTH {
            out += ",\n   ";
            length = 0;
        } else if at > 0 {
            out += ", ";
        }
        out += item;
        length += item.len() + 2;
    }
    out + "]\n"
}

/// `due-timer` and `DueTimer` as `DUE_TIMER`.
pub fn upper(name: &str) -> String {
    let mut out = String::new();
    for (at, letter) in name.char_indices() {
        if letter == '-' {
            out.push('_');
        } else {
            if letter.is_uppercase() && at > 0 {
                out.push('_');
            }
            out.extend(letter.to_uppercase());
        }
    }
    out
}

/// The comment above each key of the first two levels, by the key or by `outer.inner`; an item of a list is its
/// own key. The comment at the head of the file, with an empty line below it, has the empty text as its key.
pub fn comments(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let (mut outer, mut comment) = (String::new(), String::new());
    for line in text.lines() {
        let start = line.trim_start();
        if start.starts_with('#') {
            comment += start;
            comment.push('\n');
            continue;
        }
        let above = std::mem::take(&mut comment);
        let depth = line.len() - start.len();
        if start.is_empty() {
            found.entry(String::new()).or_insert(above);
            continue;
        }
        let key = start.strip_prefix("- ").or_else(|| start.split(':').next());
        let key = key.unwrap_or_default();
        let key = match depth {
            0 => {
                key.clone_into(&mut outer);
                key.to_owned()
            }
            2 => format!("{outer}.{key}"),
            _ => continue,
        };
        found.insert(key, above);
    }
    found
}

/// The entries below a key of the first level, each with the text below or after it.
pub fn entries(text: &str, section: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let (mut inside, mut key) = (false, String::new());
    for line in text.lines() {
        if !line.starts_with(' ') && !line.is_empty() {
            inside = line == format!("{section}:");
        } else if !inside {
        } else if let Some(rest) = line.strip_prefix("    ") {
            let entry: &mut String = found.entry(key.clone()).or_default();
            *entry += rest;
            entry.push('\n');
        } else if let Some((name, rest)) = line.trim_start().split_once(':') {
            name.clone_into(&mut key);
            let rest = rest.trim_start();
            let rest = if rest.is_empty() {
                String::new()
            } else {
                format!("{rest}\n")
            };
            found.insert(key.clone(), rest);
        }
    }
    found
}

/// A file of the project.
pub fn read(file: &str) -> String {
    std::fs::read_to_string(project().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}
