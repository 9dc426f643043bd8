//! Results of the demo: a table of figures, sums that must be correct, and goals.

use std::fmt::Write as _;

/// Collected lines, printed at the end.
#[derive(Default)]
pub struct Summary {
    rows: Vec<Row>,
    broken: Vec<String>,
    over: Vec<String>,
}

struct Row {
    name: String,
    value: String,
    goal: String,
    mark: &'static str,
}

/// Expected value of a figure.
#[derive(Debug, Clone, Copy)]
pub enum Goal {
    /// No more than this.
    AtMost(f64),
    /// No less than this. A goal of speed: it is for a release build.
    AtLeast(f64),
}

impl Goal {
    fn text(self) -> String {
        match self {
            Self::AtMost(limit) => format!("at most {limit}"),
            Self::AtLeast(limit) => format!("at least {limit}"),
        }
    }

    /// Compares the figure as it is shown, so that 4.004 shown as 4.00 does not miss 4.
    fn mark(self, shown: f64) -> &'static str {
        match self {
            Self::AtMost(limit) if shown > limit => "OVER",
            Self::AtLeast(_) if cfg!(debug_assertions) => "(release build)",
            Self::AtLeast(limit) if shown < limit => "UNDER",
            _ => "ok",
        }
    }
}

impl Summary {
    /// Starts a group of figures.
    pub fn section(&mut self, title: &str) {
        self.row(title.to_owned(), String::new(), String::new(), "");
    }

    /// Adds a figure.
    pub fn figure(&mut self, name: &str, value: impl std::fmt::Display) {
        self.row(format!("  {name}"), value.to_string(), String::new(), "");
    }

    /// Adds a figure with its goal. A missed goal is shown, and does not make the demo fail.
    pub fn goal(&mut self, name: &str, value: f64, decimals: usize, goal: Goal) {
        let value = format!("{value:.decimals$}");
        let mark = goal.mark(value.parse().unwrap_or_default());
        if matches!(mark, "OVER" | "UNDER") {
            self.over.push(format!("{name}: {value}, {}", goal.text()));
        }
        self.row(format!("  {name}"), value, goal.text(), mark);
    }

    /// Two counts that must be equal; a difference makes the demo fail.
    pub fn identity(&mut self, name: &str, left: u64, right: u64) {
        let mark = if left == right { "ok" } else { "BROKEN" };
        let value = format!("{left} = {right}");
        self.row(format!("  {name}"), value, "equal".to_owned(), mark);
        if left != right {
            self.broken.push(format!("{name}: {left} is not {right}"));
        }
    }

    fn row(&mut self, name: String, value: String, goal: String, mark: &'static str) {
        self.rows.push(Row {
            name,
            value,
            goal,
            mark,
        });
    }

    /// The table as text, with the verdict below.
    pub fn table(&self) -> String {
        let width = |of: fn(&Row) -> &str| {
            let widths = self.rows.iter().map(|row| of(row).chars().count());
            widths.max().unwrap_or(0)
        };
        let (names, values) = (width(|row| &row.name), width(|row| &row.value));
        let goals = width(|row| &row.goal);
        let mut text = String::new();
        for row in &self.rows {
            let Row {
                name,
                value,
                goal,
                mark,
            } = row;
            let line = format!("{name:names$}  {value:values$}  {goal:goals$}  {mark}");
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{}", line.trim_end());
        }
        let sums = if self.broken.is_empty() {
            "Every sum is correct."
        } else {
            "A sum is wrong."
        };
        let goals = match self.over.as_slice() {
            [] => "No goal is missed.".to_owned(),
            missed => format!("Missed: {}.", missed.join("; ")),
        };
        let _ = writeln!(text, "\n{sums} {goals}");
        text
    }

    /// Sums and goals that failed.
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
        assert!(summary.table().contains("9 = 10  equal  BROKEN"));
    }

    #[test]
    fn a_figure_over_its_goal_is_marked_and_said() {
        let mut summary = Summary::default();
        summary.goal("write units a recipient", 4.012, 2, Goal::AtMost(4.0));
        summary.goal("requests a form", 1.2499, 2, Goal::AtMost(1.25));
        assert!(summary.broken().is_empty());
        let table = summary.table();
        assert!(table.contains("4.01  at most 4     OVER"), "{table}");
        assert!(table.contains("1.25  at most 1.25  ok"), "{table}");
        assert!(
            table.contains("Missed: write units a recipient: 4.01, at most 4."),
            "{table}"
        );
    }
}
