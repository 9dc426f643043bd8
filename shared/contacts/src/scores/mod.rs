//! Lead scores: rules that give a contact points for events, the history of the points, and thresholds.
//!
//! The rules of a workspace are one row, copied into the interest set that writers of events remember. So an event of a
//! workspace without rules costs nothing. [`Scores`] gives the points, once for each event and rule.

mod fade;
mod points;
mod rules;

pub use self::fade::{Decay, Fade, Fading, MAX_IDLE_DAYS};
pub use self::points::{History, Scored, Scores};
pub use self::rules::{
    DailyLimit, MAX_EVENT, MAX_ID, MAX_POINTS, MAX_PROPERTIES, MAX_RULES, MAX_SCORING_BYTES,
    MAX_TEXT, MAX_THRESHOLDS, Repeat, ScoreRule, Scoring, Threshold,
};

/// The score rose to a threshold.
pub const REACHED: &str = "contact.score_reached";
/// The score fell below a threshold.
pub const DROPPED: &str = "contact.score_dropped";
