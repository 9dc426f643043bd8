//! The queues of a consumer: failed records go back to the one, and given-up ones to the other.
//!
//! This file decides neither when a record is given up nor how long it waits ([`crate::retry`]).

use std::collections::HashMap;
use std::time::Duration;

use aws_lambda_events::sqs::{BatchItemFailure, SqsBatchResponse};
use cloud::Queue;
use cloud::queue::{Outgoing, SendOptions};
use kernel::Entropy;
use serde_json::{Value, json};

use super::Record;
use crate::Setup;
use crate::function::Call;
use crate::retry::wait_seconds;

/// Longest time for the change of visibility at the end of an invocation.
const LONGEST_CHANGE: Duration = Duration::from_secs(3);

/// The queues of a consumer.
#[derive(Clone)]
pub(super) struct Queues {
    own: Queue,
    dead: Queue,
    entropy: Entropy,
}

impl Queues {
    pub(super) fn of(setup: &Setup) -> Self {
        Self {
            own: setup.resources().own_queue(),
            dead: setup.resources().dead_letter_queue(),
            entropy: setup.entropy().clone(),
        }
    }

    /// Gives the failed records back to the queue, each after its wait, and answers with their ids. Records of one
    /// FIFO group wait together. Without the change, a record waits for the visibility time-out of its queue.
    pub(super) async fn give_back(&self, call: &Call, failed: &[&Record]) -> Value {
        let mut groups = HashMap::new();
        let mut waits = Vec::with_capacity(failed.len());
        for record in failed {
            let wait = || wait_seconds(record.receive_count, &self.entropy);
            let wait = match &record.group {
                Some(group) if self.own.is_fifo() => *groups.entry(group).or_insert_with(wait),
                _ => wait(),
            };
            waits.push((record.receipt.clone(), wait));
        }
        if !waits.is_empty() {
            let change = self.own.change_visibility(&waits);
            match tokio::time::timeout(call.remaining().min(LONGEST_CHANGE), change).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::warn!(%error, "failed records keep their visibility"),
                Err(_) => tracing::warn!("no time to change the visibility of failed records"),
            }
        }
        answer(failed)
    }

    /// Sends the message to the dead-letter queue with its reason. The text is unchanged, so that a repaired build
    /// can read it after a redrive.
    pub(super) async fn park(
        &self,
        record: &Record,
        name: &str,
        reason: &str,
    ) -> Result<(), cloud::Error> {
        let options = SendOptions {
            group: Some(
                record
                    .group
                    .clone()
                    .unwrap_or_else(|| "rejected".to_owned()),
            ),
            // A FIFO dead-letter queue requires one; the message id makes the rejection idempotent.
            deduplication_id: Some(record.message_id.clone()),
            trace: record.trace.clone(),
            ..SendOptions::default()
        };
        let outgoing = Outgoing {
            text: record.body.clone(),
            options,
        };
        self.dead
            .send_rejected(outgoing, &format!("{name}: {reason}"))
            .await
    }
}

fn answer(failed: &[&Record]) -> Value {
    let mut response = SqsBatchResponse::default();
    response.batch_item_failures = failed
        .iter()
        .map(|record| {
            let mut failure = BatchItemFailure::default();
            failure.item_identifier.clone_from(&record.message_id);
            failure
        })
        .collect();
    serde_json::to_value(response).unwrap_or_else(|_| json!({ "batchItemFailures": [] }))
}
