//! Configuration and clients, made once at start.

use std::collections::BTreeMap;
use std::sync::Arc;

use cloud::{Aws, Blobs, Mailer, Message, Queue, QueueName, QueueOf, Sockets, Table};
use kernel::{Clock, Entropy};

/// Environment variables, from the template.
#[derive(Debug, Clone, Default)]
pub struct Vars(BTreeMap<String, String>);

/// Variables that a function needs and does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Names without a value; all of them at once.
    #[error("environment variables are missing: {}", .0.join(", "))]
    Missing(Vec<String>),
    /// A value that does not parse.
    #[error("environment variable {name} is not {expected}")]
    Invalid {
        /// The variable.
        name: String,
        /// What it should hold.
        expected: &'static str,
    },
}

impl Vars {
    /// From the process's environment.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the environment"
    )]
    pub fn from_environment() -> Self {
        Self(std::env::vars().collect())
    }

    /// From a map.
    pub fn from_map(vars: BTreeMap<String, String>) -> Self {
        Self(vars)
    }

    fn get(&self, name: &str) -> Result<&str, ConfigError> {
        let value = self
            .0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty());
        value.ok_or_else(|| ConfigError::Missing(vec![name.to_owned()]))
    }
}

/// Everything a function is built from.
#[derive(Clone)]
pub struct Setup {
    vars: Vars,
    aws: Aws,
    emit: Arc<dyn Fn(&str) + Send + Sync>,
}

impl Setup {
    /// From parts. Metrics lines go to `tracing`, where the local stack's log has them.
    pub fn new(vars: Vars, aws: Aws) -> Self {
        Self {
            vars,
            aws,
            emit: Arc::new(|line| tracing::debug!(target: "metrics", "{line}")),
        }
    }

    /// From the Lambda environment; metrics lines go to standard output, where CloudWatch reads them.
    #[expect(
        clippy::print_stdout,
        reason = "the embedded metric format is read from the log stream"
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

    /// Fails with every missing name unless all of `names` have a value.
    pub fn require(&self, names: &[&str]) -> Result<(), ConfigError> {
        let missing: Vec<String> = names
            .iter()
            .filter(|name| self.vars.get(name).is_err())
            .map(|&name| name.to_owned())
            .collect();
        if missing.is_empty() {
            Ok(())
        } else {
            Err(ConfigError::Missing(missing))
        }
    }

    /// A variable's text.
    pub fn text(&self, name: &str) -> Result<&str, ConfigError> {
        self.vars.get(name)
    }

    /// A variable's positive number.
    pub fn number(&self, name: &str) -> Result<f64, ConfigError> {
        let number = self
            .text(name)?
            .parse::<f64>()
            .ok()
            .filter(|n| n.is_finite() && *n > 0.0);
        let invalid = || ConfigError::Invalid {
            name: name.to_owned(),
            expected: "a positive number",
        };
        number.ok_or_else(invalid)
    }

    /// The table whose name the variable holds.
    pub fn table(&self, variable: &str) -> Result<Table, ConfigError> {
        Ok(Table::new(&self.aws, self.text(variable)?))
    }

    /// The queue whose URL the variable holds.
    pub fn queue(&self, variable: &str) -> Result<Queue, ConfigError> {
        Ok(Queue::new(&self.aws, self.text(variable)?))
    }

    /// The queue of one type of message.
    pub fn queue_of<M: Message>(&self) -> Result<QueueOf<M>, ConfigError> {
        let url = self.text(&M::QUEUE.url_variable())?;
        Ok(QueueOf::new(&self.aws, url))
    }

    /// Every queue whose URL a variable `…_QUEUE_URL` holds, by its name.
    pub fn queues(&self) -> BTreeMap<QueueName, Queue> {
        let vars = self.vars.0.iter();
        let queues = vars.filter_map(|(variable, url)| {
            let name = QueueName::of_url_variable(variable)?;
            Some((name, Queue::new(&self.aws, url)))
        });
        queues.collect()
    }

    /// The bucket whose name the variable holds.
    pub fn bucket(&self, variable: &str) -> Result<Blobs, ConfigError> {
        Ok(Blobs::new(&self.aws, self.text(variable)?))
    }

    /// The mail client over the configuration set that the variable names.
    pub fn mailer(&self, variable: &str) -> Result<Mailer, ConfigError> {
        Ok(Mailer::new(&self.aws, self.text(variable)?))
    }

    /// The WebSocket client over the endpoint that the variable holds.
    pub fn sockets(&self, variable: &str) -> Result<Sockets, ConfigError> {
        Ok(Sockets::new(&self.aws, self.text(variable)?))
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        self.aws.clock()
    }

    /// The source of randomness.
    pub fn entropy(&self) -> &Entropy {
        self.aws.entropy()
    }

    pub(crate) fn emitter(&self) -> Arc<dyn Fn(&str) + Send + Sync> {
        self.emit.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup(vars: &[(&str, &str)]) -> Setup {
        let vars = vars
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
    fn every_missing_name_is_reported_at_once() {
        let error = setup(&[("A", "1"), ("B", "")])
            .require(&["A", "B", "C"])
            .unwrap_err();
        assert_eq!(error.to_string(), "environment variables are missing: B, C");
    }

    #[test]
    fn a_number_must_be_positive() {
        assert!(setup(&[("RATE", "14")]).number("RATE").is_ok());
        for bad in ["0", "-1", "NaN", "x"] {
            assert!(setup(&[("RATE", bad)]).number("RATE").is_err(), "{bad}");
        }
    }
}
