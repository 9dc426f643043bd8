//! Records what became of a send, and reads the outcome of an earlier try. It calls no provider.

use cloud::Error;
use jiff::Timestamp;
use kernel::TenantKey;
use serde_json::Value;

use super::{Delivery, SendMachine, repeats};
use crate::channel::{Answer, SendChannel};
use crate::consent::SkipReason;
use crate::ledger::{Fact, LEASE, LedgerKey, Row, Ticket, is_in_flight};
use crate::send::Class;
use crate::told::{FAILED, SENT, tell_if_heard};

/// Calls for one message that the provider may answer with *later*.
const MOST_LATER: u32 = 10;
/// The failure of a message whose provider asked for a pause at each of these calls.
const PROVIDER_BUSY: &str = "provider_busy";

impl<C: SendChannel> SendMachine<C> {
    /// Records the provider's answer to the one call of a claim.
    pub(crate) async fn record(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        ticket: &Ticket,
        class: Class,
        answer: Answer,
    ) -> Result<Delivery, Error> {
        match answer {
            Answer::Accepted { id } => {
                let sent = self.ledger.mark_sent(tenant, key, ticket, &id).await?;
                let Some(at) = sent else {
                    return Ok(Delivery::Unknown);
                };
                self.tell_sent(tenant, key, at).await?;
                Ok(Delivery::Sent)
            }
            Answer::Refused { code } => self.fail(tenant, key, ticket, &code).await,
            Answer::Throttled => {
                self.ledger.release(tenant, key, ticket).await?;
                Ok(Delivery::Throttled)
            }
            // A provider that always asks for a pause must not hold the others of the campaign.
            Answer::Later(_) if ticket.later + 1 >= MOST_LATER => {
                self.fail(tenant, key, ticket, PROVIDER_BUSY).await
            }
            Answer::Later(seconds) => {
                self.ledger.postpone(tenant, key, ticket).await?;
                Ok(Delivery::Later(seconds))
            }
            Answer::Stopped { code } => {
                self.ledger.release(tenant, key, ticket).await?;
                Ok(Delivery::Stopped(code))
            }
            Answer::NoAnswer => {
                let row = self
                    .ledger
                    .mark_unknown(tenant, key, ticket.claim())
                    .await?;
                Ok(match self.settle(tenant, key, &row, class).await? {
                    Delivery::Unknown => Delivery::NoAnswer,
                    other => other,
                })
            }
        }
    }

    /// Records that the message is refused for good.
    pub(crate) async fn fail(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        ticket: &Ticket,
        reason: &str,
    ) -> Result<Delivery, Error> {
        let at = self.ledger.now();
        let failed = self.ledger.mark_failed(tenant, key, ticket, (reason, at));
        if failed.await? {
            self.tell_failed(tenant, key, at, reason).await?;
        }
        Ok(Delivery::Failed(reason.to_owned()))
    }

    /// Tells those that wait for it that the message was sent. A repetition tells the same event.
    async fn tell_sent(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        at: Timestamp,
    ) -> Result<(), Error> {
        let data = Value::Object(serde_json::Map::new());
        Box::pin(tell_if_heard(&self.timeline, tenant, key, (SENT, at), data)).await
    }

    async fn tell_failed(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        at: Timestamp,
        reason: &str,
    ) -> Result<(), Error> {
        let data = serde_json::json!({ "reason": reason });
        Box::pin(tell_if_heard(
            &self.timeline,
            tenant,
            key,
            (FAILED, at),
            data,
        ))
        .await
    }

    /// A transactional message may be sent a second time after the lease if the first try has no known outcome.
    pub(super) fn may_repeat(&self, key: &LedgerKey, row: &Row, class: Class) -> bool {
        let now = self.ledger.now();
        let waited = row
            .unknown_at
            .is_none_or(|at| now.duration_since(at).unsigned_abs() >= LEASE);
        repeats(key, class)
            && row.attempt < 2
            && !row.is_accepted()
            && row.failed_at.is_none()
            && !is_in_flight(row, now)
            && waited
    }

    /// The outcome of an existing row. An expired claim becomes `unknown` here.
    pub(super) async fn settle(
        &self,
        tenant: TenantKey,
        key: &LedgerKey,
        row: &Row,
        class: Class,
    ) -> Result<Delivery, Error> {
        let given_up = row.unknown_at.is_some();
        if row.is_accepted() {
            // A marketing row that was given up was counted as unknown. The event that proved it accepted has
            // corrected the count.
            let counted_unknown = given_up && !repeats(key, class);
            if counted_unknown {
                return Ok(Delivery::Unknown);
            }
            // The run that sent it may have ended before it told so.
            if let Some(at) = row.facts.at(Fact::Accepted) {
                self.tell_sent(tenant, key, at).await?;
            }
            return Ok(Delivery::SentBefore);
        }
        if row.is_duplicate() {
            return Ok(Delivery::Skipped(SkipReason::DuplicateAddress));
        }
        if let Some(at) = row.failed_at {
            let reason = row.reason.clone().unwrap_or_default();
            self.tell_failed(tenant, key, at, &reason).await?;
            return Ok(Delivery::Failed(reason));
        }
        if given_up {
            let again = repeats(key, class) && row.attempt < 2;
            return Ok(if again {
                Delivery::InFlight
            } else {
                Delivery::Unknown
            });
        }
        if row.released || is_in_flight(row, self.ledger.now()) {
            return Ok(Delivery::InFlight);
        }
        let row = self.ledger.mark_unknown(tenant, key, &row.claim).await?;
        Ok(if row.unknown_at.is_some() {
            Delivery::Unknown
        } else if row.is_accepted() {
            Delivery::SentBefore
        } else {
            // Another worker claimed or failed it in the meantime. The next try reads the outcome.
            Delivery::InFlight
        })
    }
}
