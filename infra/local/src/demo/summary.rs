//! What the demo found: a table of figures, and identities that must hold.

use std::fmt::Write as _;

/// Collected lines, printed at the end.
#[derive(Default)]
pub struct Summary {
    rows: Vec<(String, String)>,
    broken: Vec<String>,
}

impl Summary {
    /// Starts a group of figures.
    pub fn section(&mut self, title: &str) {
        self.rows.push((title.to_owned(), String::new()));
    }

    /// Adds a figure.
    pub fn figure(&mut self, name: &str, value: impl std::fmt::Display) {
        self.rows.push((format!("  {name}"), value.to_string()));
    }

    /// Two counts that must be equal; a difference makes the demo fail.
    pub fn identity(&mut self, name: &str, left: u64, right: u64) {
        let verdict = if left == right { "holds" } else { "BROKEN" };
        self.rows
            .push((format!("  {name}"), format!("{left} = {right}  {verdict}")));
        if left != right {
            self.broken.push(format!("{name}: {left} is not {right}"));
        }
    }

    /// The table as text.
    pub fn table(&self) -> String {
        let width = self
            .rows
            .iter()
            .map(|(name, _)| name.chars().count())
            .max()
            .unwrap_or(0);
        let mut text = String::new();
        for (name, value) in &self.rows {
            let pad = width - name.chars().count();
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name}{}  {value}", " ".repeat(pad));
        }
        text
    }

    /// What does not hold.
    pub fn broken(&self) -> &[String] {
        &self.broken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_identity_is_shown_and_remembered() {
        let mut summary = Summary::default();
        summary.section("campaign");
        summary.identity("sent + skipped = audience", 9, 10);
        summary.identity("duplicates", 0, 0);
        assert_eq!(summary.broken(), ["sent + skipped = audience: 9 is not 10"]);
        assert!(summary.table().contains("9 = 10  BROKEN"));
    }
}
