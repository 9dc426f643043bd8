//! The bar on the terminal: which of the stages runs, and how far it is.

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

/// The stages, in their order.
pub const STAGES: [&str; 7] = [
    "importing contacts",
    "posting forms",
    "taking orders",
    "sending the campaign",
    "reading mails",
    "testing two subjects",
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

/// Follows a count that rises in large steps. Between two steps, the position is estimated from the requests since
/// the last step. The estimate uses the requests for each counted thing in the step before.
pub struct Steps {
    /// Count and requests when the count last rose.
    last: (u64, u64),
    /// Requests of one thing.
    each: f64,
    shown: u64,
}

impl Steps {
    /// Requests of one thing before the first step; too many, so that the bar does not run ahead.
    const FIRST_GUESS: f64 = 30.0;
    /// A smaller rise does not show the speed of the work: it may come from rows that were left out.
    const STEP: u64 = 100;

    pub fn new(requests: u64) -> Self {
        Self {
            last: (0, requests),
            each: Self::FIRST_GUESS,
            shown: 0,
        }
    }

    /// Position to show: never less than before, never more than `most`.
    pub fn position(&mut self, counted: u64, requests: u64, most: u64) -> u64 {
        let (known, at) = self.last;
        if counted > known {
            let (rise, made) = (counted - known, requests.saturating_sub(at));
            if rise >= Self::STEP && made >= rise {
                self.each = made as f64 / rise as f64;
            }
            self.last = (counted, requests);
        }
        let (known, at) = self.last;
        let more = requests.saturating_sub(at) as f64 / self.each;
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
        assert_eq!(steps.position(0, 100, 5_000), 0);
        assert_eq!(
            steps.position(150, 160, 5_000),
            150,
            "rows that were left out"
        );
        assert_eq!(steps.position(150, 1_660, 5_000), 200);
        assert_eq!(steps.position(1_150, 10_160, 5_000), 1_150);
        assert_eq!(steps.position(1_150, 11_160, 5_000), 1_250);
        assert_eq!(steps.position(1_200, 11_160, 5_000), 1_250, "not back");
        assert_eq!(steps.position(1_200, 999_999, 5_000), 5_000, "not too far");
    }

    #[test]
    fn every_stage_has_a_number() {
        let bar = bar(10, STAGES[2]);
        assert_eq!(bar.prefix(), "[3/7]");
    }
}
