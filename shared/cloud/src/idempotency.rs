//! Requests with an idempotency key: the claim to run one, and the stored answer (docs/adr/0013).
//!
//! A row is claimed by a conditional put before the work, and holds the answer after it. A claim has a lease: if the
//! holder crashes, the next request with the same key takes over.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use kernel::Origin;
use serde::{Deserialize, Serialize};

use crate::item::Key;
use crate::{Created, Error, Resources, Table, Update};

/// Stored answers are returned for a day.
const KEEP: i64 = 24 * 3600;

/// The rows of all requests.
#[derive(Clone, Debug)]
pub struct Idempotency {
    table: Table,
}

/// A stored answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers of the answer.
    pub headers: BTreeMap<String, String>,
    /// The body. `None` if it was not stored, because it holds a secret or is too long.
    pub body: Option<String>,
}

/// The right to run a request.
#[derive(Debug, Clone)]
pub struct Claim {
    key: Key,
    nonce: String,
    begun: Timestamp,
}

impl Claim {
    /// The origin of what the request creates: the same for each run of the request.
    pub fn origin(&self) -> Origin {
        Origin::named(self.begun, self.key.pk.clone())
    }
}

/// The state of a request.
#[derive(Debug)]
pub enum Seen {
    /// No request ran, or the one that ran has crashed: the caller runs it.
    Mine(Claim),
    /// Another caller runs it now.
    Running,
    /// It has a stored answer.
    Answered(Answer),
    /// The key was used for another request.
    Other,
}

#[derive(Serialize, Deserialize)]
struct Row {
    request: String,
    claim: String,
    lease_until: i64,
    /// When the request arrived first.
    begun: Timestamp,
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

    /// Claims the request that `id` names; `request` is the hash of its content. `lease` must be longer than the
    /// work can take.
    pub async fn claim(&self, id: &str, request: &str, lease: Duration) -> Result<Seen, Error> {
        let now = self.table.clock().now();
        let key = Key::new(id, "IDEMPOTENCY");
        let row = Row {
            request: request.to_owned(),
            claim: self.table.entropy().nonce(),
            lease_until: now.as_millisecond() + lease.as_millis() as i64,
            begun: now,
            answer: None,
            ttl: now.as_second() + KEEP,
        };
        let found = match self.table.create(&key, &row).await? {
            Created::New => {
                let (nonce, begun) = (row.claim, row.begun);
                return Ok(Seen::Mine(Claim { key, nonce, begun }));
            }
            Created::Existing(found) => found,
        };
        // DynamoDB deletes late: an expired row counts as deleted.
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
        let row = Row {
            begun: found.begun,
            ..row
        };
        self.take_over(key, row, &found).await
    }

    /// The origin of a request without a key: no other request has it.
    pub fn fresh(&self) -> Origin {
        Origin::fresh(self.table.clock(), self.table.entropy())
    }

    /// Claims the row, unless it was answered or taken over since it was read.
    async fn take_over(&self, key: Key, row: Row, found: &Row) -> Result<Seen, Error> {
        let update = Update::new()
            .set("request", &row.request)
            .set("claim", &row.claim)
            .set("lease_until", row.lease_until)
            .set("begun", row.begun)
            .set("ttl", row.ttl)
            .when_equals("claim", &found.claim);
        let update = match &found.answer {
            // Removes the answer of an expired row.
            Some(_) => update.remove("answer"),
            None => update.when_absent("answer"),
        };
        let taken = self.table.update(&key, update).await?.applied();
        let (nonce, begun) = (row.claim, row.begun);
        Ok(if taken {
            Seen::Mine(Claim { key, nonce, begun })
        } else {
            Seen::Running
        })
    }

    /// Stores the answer, unless another caller took the request over.
    pub async fn answer(&self, claim: &Claim, answer: &Answer) -> Result<(), Error> {
        let update = Update::new()
            .set("answer", answer)
            .when_equals("claim", &claim.nonce);
        self.table.update(&claim.key, update).await?;
        Ok(())
    }

    /// Ends the lease of a request without a stored answer: the next request with the key may run at once. It runs
    /// from the same origin, so it writes what this run may have written.
    pub async fn release(&self, claim: &Claim) -> Result<(), Error> {
        let update = Update::new()
            .set("lease_until", 0)
            .when_equals("claim", &claim.nonce);
        self.table.update(&claim.key, update).await?;
        Ok(())
    }
}
