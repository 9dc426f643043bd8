//! Joins the messages of a contact, and evaluates the contact once.

use contacts::ContactChanged;
use contacts::scores::Scores;
use kernel::{ContactId, TenantKey};
use lambda::sqs::Record;
use lambda::{Failure, metrics};
use segments::{Keeper, Work};

/// A message of the batch.
pub struct Change {
    tenant: TenantKey,
    message: ContactChanged,
    /// Whether SQS has delivered the message before.
    again: bool,
}

/// Reads a message.
pub fn read(record: &Record) -> Result<Change, Failure> {
    let (tenant, message) = record.open()?;
    let again = record.receive_count > 1;
    Ok(Change {
        tenant,
        message,
        again,
    })
}

/// The contact of a message.
pub fn of(change: &Change) -> (String, ContactId) {
    (change.tenant.to_string(), change.message.contact())
}

/// Gives the points of these messages, and evaluates their contact.
pub async fn settle(keeper: &Keeper, scores: &Scores, changes: Vec<Change>) -> Result<(), Failure> {
    let Some(first) = changes.first() else {
        return Ok(());
    };
    let (tenant, contact) = (first.tenant, first.message.contact());
    let mut work = Work::default();
    for change in changes {
        if let ContactChanged::Event { event, .. } = &change.message {
            scores.count(tenant, contact, event).await?;
        }
        work.add(change.message, change.again);
    }
    let settled = keeper.settle(tenant, contact, &work).await?;
    metrics::count("SegmentsChecked", settled.checks);
    metrics::count("SegmentsMoved", settled.moved);
    Ok(())
}
