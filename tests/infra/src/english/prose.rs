//! The sentences of a file: those of comments, or of a document.

/// Where a file keeps its prose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prose {
    /// Comments from `//` on.
    Slashes,
    /// Comments from `#` on.
    Hashes,
    /// All of it but code.
    Markdown,
}

impl Prose {
    /// By the name of the file; `None` where it holds no prose.
    pub fn of(name: &str) -> Option<Self> {
        let (_, extension) = name.rsplit_once('.').unwrap_or_default();
        match extension {
            "rs" => Some(Self::Slashes),
            "md" => Some(Self::Markdown),
            "yaml" | "toml" | "sh" | "py" => Some(Self::Hashes),
            _ => (name == ".ci/run").then_some(Self::Hashes),
        }
    }

    /// The prose of a line, if it has any.
    fn line(self, line: &str) -> Option<&str> {
        let line = line.trim();
        let text = match self {
            Self::Slashes => line.strip_prefix("//")?.trim_start_matches(['/', '!']),
            Self::Hashes => line.strip_prefix('#')?.trim_start_matches('#'),
            Self::Markdown => line,
        };
        Some(text.trim())
    }
}

/// Every sentence with the line on which its paragraph begins. Code is one word.
pub fn sentences(prose: Prose, text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut paragraph = (0, String::new());
    let (mut in_code, mut is_written) = (false, false);
    for (n, line) in text.lines().enumerate() {
        let line = prose.line(line).unwrap_or_default();
        // Tables that a test writes from the code.
        if let Some(mark) = line.strip_prefix("<!-- ") {
            is_written = !mark.starts_with("/table");
        }
        let line = if is_written { "" } else { line };
        if line.starts_with("```") {
            in_code = !in_code;
        }
        let ends = line.is_empty() || in_code || line.starts_with("```");
        if ends || starts_an_item(line) {
            split(&paragraph, &mut found);
            paragraph = (n + 1, String::new());
        }
        if ends {
            continue;
        }
        if line.starts_with('|') {
            for cell in line.split('|') {
                split(&(n + 1, cell.trim().to_owned()), &mut found);
            }
            continue;
        }
        if paragraph.1.is_empty() {
            paragraph.0 = n + 1;
        }
        paragraph.1 += item_text(line);
        paragraph.1.push(' ');
    }
    split(&paragraph, &mut found);
    found
}

fn starts_an_item(line: &str) -> bool {
    line.starts_with(['|', '#']) || item_text(line).len() < line.len()
}

/// The line without the mark of a list item or a heading.
fn item_text(line: &str) -> &str {
    for mark in ["- ", "* ", "# ", "## ", "### "] {
        if let Some(text) = line.strip_prefix(mark) {
            return text;
        }
    }
    match line.split_once(". ") {
        Some((number, text)) if number.bytes().all(|byte| byte.is_ascii_digit()) => text,
        _ => line,
    }
}

/// Splits a paragraph at the ends of its sentences.
fn split((line, paragraph): &(usize, String), found: &mut Vec<(usize, String)>) {
    let text = without_code(paragraph);
    let mut sentence = Vec::new();
    for word in text.split_whitespace() {
        sentence.push(word);
        let bare = word.trim_end_matches([')', '"', '*', '_']);
        if bare.ends_with(['.', ';', ':', '!', '?', '…']) && !ABBREVIATIONS.contains(&bare) {
            found.push((*line, sentence.join(" ")));
            sentence.clear();
        }
    }
    if !sentence.is_empty() {
        found.push((*line, sentence.join(" ")));
    }
}

const ABBREVIATIONS: &[&str] = &["e.g.", "i.e.", "No."];

/// The text with each piece of code as one word, and each link as its words.
fn without_code(text: &str) -> String {
    let mut plain = String::new();
    for (n, part) in text.split('`').enumerate() {
        plain += if n % 2 == 0 { part } else { "CODE" };
    }
    let mut result = String::new();
    let mut rest = plain.as_str();
    while let Some((before, after)) = rest.split_once("](") {
        result += before;
        rest = after.split_once(')').map_or("", |(_, after)| after);
    }
    result + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(prose: Prose, text: &str) -> Vec<String> {
        sentences(prose, text)
            .into_iter()
            .map(|(_, sentence)| sentence)
            .collect()
    }

    #[test]
    fn comments_are_read_in_paragraphs() {
        let text = "/// One\n/// two. Three.\nfn f() {} // not read\n//! Four `a b`.\n";
        assert_eq!(
            of(Prose::Slashes, text),
            ["One two.", "Three.", "Four CODE."]
        );
    }

    #[test]
    fn documents_are_read_without_their_code() {
        let text = "# Title\n\n- [One](a.md) is.\n- Two\n\n```\ncode\n```\n| a | b |\n";
        assert_eq!(
            of(Prose::Markdown, text),
            ["Title", "[One is.", "Two", "a", "b"]
        );
    }
}
