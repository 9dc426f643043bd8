//! Requests that carry an idempotency key: who runs one, and what was answered (docs/adr/0013).
//!
//! A row is claimed by a conditional put before the work, and holds the answer after it. A claim has a
//! lease: if the holder dies, the next request with the same key takes over.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::item::Key;
use crate::{Created, Error, Resources, Table, Update};

/// Answers are repeated for a day.
const KEEP: i64 = 24 * 3600;

/// The rows of all requests.
#[derive(Clone, Debug)]
pub struct Idempotency {
    table: Table,
}

/// An answer as it was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers that belong to the answer.
    pub headers: BTreeMap<String, String>,
    /// The body; `None` was not kept, because it holds a secret or is too long.
    pub body: Option<String>,
}

/// The right to run a request.
#[derive(Debug, Clone)]
pub struct Claim {
    key: Key,
    nonce: String,
}

/// The state of a request.
#[derive(Debug)]
pub enum Seen {
    /// No request ran, or the one that ran has died: the caller runs it.
    Mine(Claim),
    /// Somebody runs it now.
    Running,
    /// It was answered.
    Answered(Answer),
    /// The key was used for another request.
    Other,
}

#[derive(Serialize, Deserialize)]
struct Row {
    request: String,
    claim: String,
    lease_until: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    answer: Option<Answer>,
    ttl: i64,
}

impl Idempotency {
    /// Over the table Dedupe.
    pub fn over(resources: &Resources) -> Self {
        let table = resources.table("Dedupe");
        Self { table }
    }

    /// Claims the request that `id` names; `request` is the hash of its content. `lease` must be longer
    /// than the work can take.
    pub async fn claim(&self, id: &str, request: &str, lease: Duration) -> Result<Seen, Error> {
        let now = self.table.clock().now();
        let key = Key::new(id, "IDEMPOTENCY");
        let row = Row {
            request: request.to_owned(),
            claim: self.table.entropy().nonce(),
            lease_until: now.as_millisecond() + lease.as_millis() as i64,
            answer: None,
            ttl: now.as_second() + KEEP,
        };
        let found = match self.table.create(&key, &row).await? {
            Created::New => {
                let nonce = row.claim;
                return Ok(Seen::Mine(Claim { key, nonce }));
            }
            Created::Existing(found) => found,
        };
        // DynamoDB deletes late: what is past its time to live is as good as gone.
        let is_over = found.ttl <= now.as_second();
        if is_over {
            return self.take_over(key, row, &found).await;
        }
        if found.request != request {
            return Ok(Seen::Other);
        }
        if let Some(answer) = found.answer {
            return Ok(Seen::Answered(answer));
        }
        if found.lease_until > now.as_millisecond() {
            return Ok(Seen::Running);
        }
        self.take_over(key, row, &found).await
    }

    /// Makes the row ours, unless it was answered or taken over since it was read.
    async fn take_over(&self, key: Key, row: Row, found: &Row) -> Result<Seen, Error> {
        let update = Update::new()
            .set("request", &row.request)
            .set("claim", &row.claim)
            .set("lease_until", row.lease_until)
            .set("ttl", row.ttl)
            .when_equals("claim", &found.claim);
        let update = match &found.answer {
            // The answer of a row that is over.
            Some(_) => update.remove("answer"),
            None => update.when_absent("answer"),
        };
        let taken = self.table.update(&key, update).await?.applied();
        let nonce = row.claim;
        Ok(if taken {
            Seen::Mine(Claim { key, nonce })
        } else {
            Seen::Running
        })
    }

    /// Keeps the answer, unless another took the request over.
    pub async fn answer(&self, claim: &Claim, answer: &Answer) -> Result<(), Error> {
        let update = Update::new()
            .set("answer", answer)
            .when_equals("claim", &claim.nonce);
        self.table.update(&claim.key, update).await?;
        Ok(())
    }

    /// Gives the request back: it had no effect, so the next one with the key may run at once.
    pub async fn release(&self, claim: &Claim) -> Result<(), Error> {
        let update = Update::new()
            .set("lease_until", 0)
            .when_equals("claim", &claim.nonce);
        self.table.update(&claim.key, update).await?;
        Ok(())
    }
}
