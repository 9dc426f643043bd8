//! Configuration and clients, made once at start.

use std::sync::Arc;

use cloud::{Aws, Resources, Vars};
use kernel::{Clock, Entropy};

/// Shortest secret. A shorter one can be guessed.
const MIN_SECRET: usize = 16;

/// Everything a function is built from.
#[derive(Clone)]
pub struct Setup {
    resources: Resources,
    emit: Arc<dyn Fn(&str) + Send + Sync>,
}

impl Setup {
    /// From parts. Metrics lines go to `tracing`, and so to the local stack's log.
    pub fn new(vars: Vars, aws: Aws) -> Self {
        Self {
            resources: Resources::new(aws, vars),
            emit: Arc::new(|line| tracing::debug!(target: "metrics", "{line}")),
        }
    }

    /// From the Lambda environment; metrics lines go to standard output, and so to the log group.
    #[expect(
        clippy::print_stdout,
        reason = "what a function prints goes to its log group"
    )]
    pub async fn from_environment() -> Self {
        let aws = Aws::from_environment().await;
        Self::new(Vars::from_environment(), aws).emit_to(|line| println!("{line}"))
    }

    /// Metrics lines go here instead.
    #[must_use]
    pub fn emit_to(self, emit: impl Fn(&str) + Send + Sync + 'static) -> Self {
        let emit = Arc::new(emit);
        Self { emit, ..self }
    }

    /// The stage's tables, queues and buckets.
    pub fn resources(&self) -> &Resources {
        &self.resources
    }

    /// A variable's text. Without a value it is empty, and the function is not built.
    pub fn text(&self, name: &str) -> &str {
        self.resources.text(name)
    }

    /// A variable's positive number. Without one it is 1, and the function is not built.
    pub fn number(&self, name: &str) -> f64 {
        let number = self.text(name).parse::<f64>().ok();
        let number = number.filter(|n| n.is_finite() && *n > 0.0);
        number.unwrap_or_else(|| {
            self.resources.refuse(name, "a positive number");
            1.0
        })
    }

    /// A variable's secret. With fewer than 16 bytes the function is not built.
    pub fn secret(&self, name: &str) -> &str {
        let secret = self.text(name);
        if secret.len() < MIN_SECRET {
            self.resources.refuse(name, "a secret of at least 16 bytes");
        }
        secret
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        self.resources.clock()
    }

    /// The source of randomness.
    pub fn entropy(&self) -> &Entropy {
        self.resources.entropy()
    }

    pub(crate) fn emitter(&self) -> Arc<dyn Fn(&str) + Send + Sync> {
        self.emit.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn setup(vars: &[(&str, &str)]) -> Setup {
        let vars: BTreeMap<_, _> = vars
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let aws = Aws::new(
            aws_types::SdkConfig::builder().build(),
            Clock::system(),
            Entropy::seeded(1),
        );
        Setup::new(Vars::from_map(vars), aws)
    }

    #[test]
    fn a_number_must_be_positive() {
        let good = setup(&[("RATE", "14")]);
        assert!(good.number("RATE") > 13.0);
        assert_eq!(good.resources().check(), Ok(()));
        for bad in ["0", "-1", "NaN", "x"] {
            let bad = setup(&[("RATE", bad)]);
            bad.number("RATE");
            let error = bad.resources().check().unwrap_err();
            assert_eq!(error.invalid["RATE"], "a positive number");
        }
    }

    #[test]
    fn a_short_secret_is_refused() {
        let setup = setup(&[("GOOD", "0123456789abcdef"), ("SHORT", "0123456789abcde")]);
        assert_eq!(setup.secret("GOOD"), "0123456789abcdef");
        assert_eq!(setup.resources().check(), Ok(()));
        setup.secret("SHORT");
        let error = setup.resources().check().unwrap_err();
        assert_eq!(error.invalid["SHORT"], "a secret of at least 16 bytes");
    }
}
