//! A group of messages in one call: all rows are claimed, then the provider is called once, then all are settled.
//!
//! The provider names no message in its answer, so the answer is that of each message. Without an answer all of them are unknown,
//! and none is sent again.

use cloud::Error;
use contacts::Contact;
use futures::{FutureExt, StreamExt, stream};
use kernel::TenantKey;
use serde_json::Value;

use crate::channel::{Answer, Recipient, SendChannel};
use crate::gate::Gate;
use crate::ledger::{LedgerKey, Ticket};
use crate::machine::{Admitted, Delivery, SendMachine};

/// Calls to the ledger at once.
const AT_ONCE: usize = 25;

/// A contact of a group.
#[derive(Debug, Clone)]
pub struct Member<'a> {
    /// The name of its send.
    pub key: LedgerKey,
    /// The contact, if it exists.
    pub contact: Option<&'a Contact>,
}

/// What became of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grouped {
    /// It has this outcome.
    Settled(Delivery),
    /// It may be sent to, and the group is too small for a call. Nothing was sent, and its row is free.
    Waits,
}

/// A member that was admitted.
struct Claimed<M> {
    place: usize,
    ticket: Ticket,
    message: M,
}

impl<C: SendChannel> SendMachine<C> {
    /// Sends to the members by one call, unless fewer than `least` of them may be sent to. The outcomes are in the order of the
    /// members. An error means that the store gave no answer; the next try continues from the rows.
    pub async fn deliver_group(
        &self,
        tenant: TenantKey,
        members: &[Member<'_>],
        ready: &C::Prepared,
        gate: &Gate,
        least: usize,
    ) -> Result<Vec<Grouped>, Error> {
        let (mut outcomes, claimed, failure) = self.admit_all(tenant, members, ready, gate).await;
        let is_call = failure.is_none() && claimed.len() >= least;
        let (tickets, messages): (Vec<_>, Vec<_>) = claimed
            .into_iter()
            .map(|one| ((one.place, one.ticket), one.message))
            .unzip();
        let answer = if !is_call || messages.is_empty() {
            // Nothing was sent: the rows are freed.
            drop(messages);
            Answer::Throttled
        } else {
            self.channel.call_group(messages).boxed().await
        };
        let class = C::terms(ready).class;
        let records: Vec<_> = tickets
            .iter()
            .map(|(place, ticket)| {
                let (key, answer) = (&members[*place].key, answer.clone());
                let record = async move {
                    let recorded = self.record(tenant, key, ticket, class, answer);
                    (*place, recorded.await)
                };
                record.boxed()
            })
            .collect();
        // Each record is tried, also if another fails: the provider was called.
        let records: Vec<_> = stream::iter(records)
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        if let Some(error) = failure {
            return Err(error);
        }
        for (place, delivery) in records {
            let delivery = delivery?;
            outcomes[place] = if is_call {
                Grouped::Settled(delivery)
            } else {
                Grouped::Waits
            };
        }
        Ok(outcomes)
    }

    /// Claims the rows of all members that may be sent to. The error is the first of a member; the others were tried.
    async fn admit_all(
        &self,
        tenant: TenantKey,
        members: &[Member<'_>],
        ready: &C::Prepared,
        gate: &Gate,
    ) -> (Vec<Grouped>, Vec<Claimed<C::Composed>>, Option<Error>) {
        let claims: Vec<_> = members
            .iter()
            .map(|member| self.claim_one(tenant, member, ready, gate).boxed())
            .collect();
        let results: Vec<_> = stream::iter(claims).buffered(AT_ONCE).collect().await;
        let (mut outcomes, mut claimed, mut failure) = (Vec::new(), Vec::new(), None);
        for (place, result) in results.into_iter().enumerate() {
            outcomes.push(Grouped::Waits);
            match result {
                Ok(Ok((ticket, message))) => claimed.push(Claimed {
                    place,
                    ticket,
                    message,
                }),
                Ok(Err(delivery)) => outcomes[place] = Grouped::Settled(delivery),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        (outcomes, claimed, failure)
    }

    async fn claim_one(
        &self,
        tenant: TenantKey,
        member: &Member<'_>,
        ready: &C::Prepared,
        gate: &Gate,
    ) -> Result<Result<(Ticket, C::Composed), Delivery>, Error> {
        let (key, contact) = (&member.key, member.contact);
        let admitted = self.admit(tenant, key, (C::terms(ready), None), contact, gate);
        let Admitted { ticket, devices } = match admitted.await? {
            Ok(admitted) => admitted,
            Err(delivery) => return Ok(Err(delivery)),
        };
        let fields = self.fields.recent(tenant).await?;
        let recipient = contact.map(|contact| Recipient {
            tenant,
            key,
            contact,
            devices: &devices,
            fields: &fields,
            data: &Value::Null,
            now: self.ledger.now(),
        });
        let composed = match recipient {
            Some(recipient) => self.channel.compose(&recipient, ready),
            None => Err("gone".to_owned()),
        };
        match composed {
            Ok(message) => Ok(Ok((ticket, message))),
            Err(reason) => Ok(Err(self.fail(tenant, key, &ticket, &reason).await?)),
        }
    }
}
