//! Log output of the functions while a scenario runs: bytes, and the custom metrics in it.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::prelude::*;

/// The log of one scenario.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<(f64, BTreeSet<String>)>>);

impl Log {
    /// Captures the log of this thread until the guard is dropped.
    pub fn listen(&self) -> tracing::subscriber::DefaultGuard {
        let lines = tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_writer(self.clone());
        let filter = Targets::new()
            .with_default(LevelFilter::INFO)
            .with_target("metrics", LevelFilter::DEBUG);
        let subscriber = tracing_subscriber::registry().with(lines.with_filter(filter));
        tracing::subscriber::set_default(subscriber)
    }

    /// Bytes, and names of custom metrics with their function.
    pub fn take(&self) -> (f64, BTreeSet<String>) {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl io::Write for Log {
    /// One call holds one line. A line of metrics is written to the log unchanged, without this frame.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let framed: Value = serde_json::from_slice(line)?;
        let (bytes, series) = &mut *self.0.lock().unwrap();
        if framed["target"] != "metrics" {
            *bytes += line.len() as f64;
            return Ok(line.len());
        }
        let text = framed["message"].as_str().unwrap_or_default();
        *bytes += text.len() as f64;
        let counts: Value = serde_json::from_str(text)?;
        let metrics = counts["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array();
        for metric in metrics.into_iter().flatten() {
            series.insert(format!("{} {}", counts["Function"], metric["Name"]));
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
