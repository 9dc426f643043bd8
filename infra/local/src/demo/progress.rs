//! The bar on the terminal: which of the stages runs, and how far it is.

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

/// The stages, in their order.
pub const STAGES: [&str; 5] = [
    "importing contacts",
    "posting forms",
    "sending the campaign",
    "reading mails",
    "holding a chat",
];

/// One line, also on a narrow terminal.
const TEMPLATE: &str = "{prefix} {msg:20} {wide_bar} {pos}/{len} {rate} {elapsed}";

/// A bar for one of [`STAGES`].
pub fn bar(length: u64, stage: &'static str) -> ProgressBar {
    let number = STAGES.iter().position(|one| *one == stage);
    let number = number.map_or(STAGES.len(), |n| n + 1);
    let rate = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        // Writing to the terminal's line cannot fail.
        let _ = write!(out, "{:.0}/s", state.per_sec());
    };
    let style = ProgressStyle::with_template(TEMPLATE);
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(length).with_message(stage);
    bar.set_style(style.with_key("rate", rate));
    bar.set_prefix(format!("[{number}/{}]", STAGES.len()));
    bar
}

/// Follows a count that rises in large steps. Between two steps it goes by the requests made meanwhile, of
/// which each counted thing has taken about the same number so far.
pub struct Steps {
    /// Requests before the first thing.
    start: u64,
    /// Count and requests when the count last rose.
    last: (u64, u64),
    shown: u64,
}

impl Steps {
    /// Requests of one thing before any is counted.
    const FIRST_GUESS: f64 = 20.0;

    pub fn new(requests: u64) -> Self {
        Self {
            start: requests,
            last: (0, requests),
            shown: 0,
        }
    }

    /// What to show: never less than before, never more than `most`.
    pub fn position(&mut self, counted: u64, requests: u64, most: u64) -> u64 {
        if counted > self.last.0 {
            self.last = (counted, requests);
        }
        let (known, at) = self.last;
        let each = match known {
            0 => Self::FIRST_GUESS,
            known => ((at - self.start) as f64 / known as f64).max(1.0),
        };
        let more = requests.saturating_sub(at) as f64 / each;
        self.shown = self.shown.max(known + more as u64).min(most);
        self.shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_moves_between_two_counts_and_never_back() {
        let mut steps = Steps::new(100);
        assert_eq!(steps.position(0, 100, 1_000), 0);
        assert_eq!(steps.position(0, 1_100, 1_000), 50);
        assert_eq!(steps.position(100, 1_100, 1_000), 100);
        assert_eq!(steps.position(100, 1_600, 1_000), 150);
        assert_eq!(steps.position(120, 1_600, 1_000), 150, "not back");
        assert_eq!(steps.position(120, 99_999, 1_000), 1_000, "not too far");
    }

    #[test]
    fn every_stage_has_a_number() {
        let bar = bar(10, STAGES[2]);
        assert_eq!(bar.prefix(), "[3/5]");
    }
}
