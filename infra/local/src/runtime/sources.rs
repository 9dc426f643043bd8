//! The event sources that a template declares, as the pollers take them.

use anyhow::Result;

use super::triggers::schedule::Schedule;
use super::triggers::{sqs, stream};
use crate::template::model::{self, Trigger};

/// How long a stream keeps its records, seconds.
const DAY: u32 = 24 * 3600;

/// The event sources of a template.
pub struct Sources {
    /// Queues.
    pub queues: Vec<sqs::Source>,
    /// Streams.
    pub streams: Vec<stream::Source>,
    /// Schedules.
    pub schedules: Vec<Schedule>,
}

impl Sources {
    /// Reads the triggers of every function; an unsupported trigger is an error that names it.
    pub fn of(template: &model::Stack) -> Result<Self> {
        let (mut queues, mut streams, mut schedules) = (Vec::new(), Vec::new(), Vec::new());
        for function in &template.functions {
            let name = &function.logical_id;
            for trigger in &function.triggers {
                match trigger {
                    Trigger::Sqs {
                        queue,
                        batch_size,
                        window,
                        maximum_concurrency,
                        report_failures,
                    } => queues.push(sqs::Source {
                        function: name.clone(),
                        queue: queue.clone(),
                        batch_size: *batch_size as usize,
                        window: *window,
                        concurrency: *maximum_concurrency,
                        reports: *report_failures,
                    }),
                    Trigger::Stream {
                        table,
                        batch_size,
                        filters,
                        retries,
                        longest_age,
                        bisect,
                        lanes,
                        report_failures,
                        on_failure,
                    } => streams.push(stream::Source {
                        function: name.clone(),
                        table: table.clone(),
                        batch_size: *batch_size as usize,
                        filters: stream::Source::filters(name, filters)?,
                        retries: *retries,
                        longest_age: longest_age.unwrap_or(DAY).min(DAY),
                        bisect: *bisect,
                        lanes: *lanes,
                        reports: *report_failures,
                        on_failure: on_failure.clone(),
                    }),
                    Trigger::Schedule { expression, input } => {
                        schedules.push(Schedule::read(name, expression, input.as_deref())?);
                    }
                    Trigger::Http { .. } | Trigger::WebSocket { .. } => {}
                }
            }
        }
        Ok(Self {
            queues,
            streams,
            schedules,
        })
    }
}
