//! The only source of the current time.

use std::sync::Arc;

use jiff::Timestamp;

/// Gives the time; cheap to clone. Tests and the local stack pass a clock that they move.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The machine's clock.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the wall clock"
    )]
    pub fn system() -> Self {
        Self::from_fn(Timestamp::now)
    }

    /// A clock that returns `now`.
    pub fn from_fn(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The current instant, in whole milliseconds: the precision of all stored times and of the API.
    pub fn now(&self) -> Timestamp {
        let now = (self.0)();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }

    /// Milliseconds since the Unix epoch.
    pub fn now_ms(&self) -> i64 {
        self.now().as_millisecond()
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}

/// RFC 3339 in UTC with exactly three decimals, so that text order is time order. Sort keys use it.
pub fn sortable(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// Serialises a time, or null, with exactly three decimals: every time in an API answer looks the same. For
/// `#[serde(serialize_with = "kernel::clock::millis")]`.
pub fn millis<T, S>(at: &T, serializer: S) -> Result<S::Ok, S::Error>
where
    T: Copy + Into<Option<Timestamp>>,
    S: serde::Serializer,
{
    match (*at).into() {
        Some(at) => serializer.collect_str(&format_args!("{at:.3}")),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sortable_text_has_fixed_width() {
        let whole = Timestamp::from_millisecond(1_772_438_400_000).unwrap();
        let later = Timestamp::from_millisecond(1_772_438_400_001).unwrap();
        assert_eq!(sortable(whole), "2026-03-02T08:00:00.000Z");
        assert!(sortable(whole) < sortable(later));
    }
}
