//! Deliveries of queues: any visible message, in any order, twice, in batches of several; in FIFO queues in the order
//! of each group. A batch may wait for a while between its receive and its invocation.

use std::collections::BTreeSet;

use serde_json::Value;
use tanigo_local::aws::Received;
use tanigo_local::template::model::Trigger;

use crate::invoke::Ended;
use crate::plan::Plan;
use crate::sim::{Sim, marks};

/// Batches that were delivered once and may be redelivered.
const HELD: usize = 8;
/// An older message may fail for reasons of its own age, milliseconds.
const OLD_MS: i64 = 240_000;
/// A message that was delivered is redelivered within this time, milliseconds.
const AGAIN_MS: i64 = 3_600_000;

/// A batch that will be delivered again, though its messages may be deleted.
pub struct Held {
    handler: String,
    queue: String,
    messages: Vec<Received>,
    since_ms: i64,
}

/// A queue and the function that it triggers.
#[derive(Clone)]
pub struct Source {
    /// Physical name.
    pub queue: String,
    /// The function.
    pub handler: String,
    /// Largest batch.
    pub batch: usize,
    /// FIFO queue.
    pub fifo: bool,
}

impl Sim {
    /// Every queue with a function.
    pub fn sources(&self) -> Vec<Source> {
        let model = &self.world.model;
        let mut found = Vec::new();
        for function in &model.functions {
            for trigger in &function.triggers {
                if let Trigger::Sqs {
                    queue, batch_size, ..
                } = trigger
                {
                    let spec = model.queues.iter().find(|spec| spec.name == *queue);
                    found.push(Source {
                        queue: queue.clone(),
                        handler: function.handler.clone(),
                        batch: *batch_size as usize,
                        fifo: spec.is_some_and(|spec| spec.fifo),
                    });
                }
            }
        }
        found
    }

    /// Delivers some visible messages of a random queue that has any.
    pub async fn deliver_some(&self) -> bool {
        let sqs = self.world.aws.sqs();
        let mut ready = self.sources();
        ready.retain(|source| sqs.depth(&source.queue).visible > 0);
        if ready.is_empty() {
            return false;
        }
        let source = ready.swap_remove(self.below(ready.len()));
        self.deliver(&source).await
    }

    /// Delivers one receive of this queue, possibly in several batches, out of order and twice.
    pub async fn deliver(&self, source: &Source) -> bool {
        let most = if source.fifo {
            source.batch.min(10)
        } else {
            source.batch.min(30)
        };
        let most = if self.faulty.get() {
            1 + self.below(most)
        } else {
            most
        };
        let mut messages = self.world.aws.sqs().receive(&source.queue, most, None);
        if messages.is_empty() {
            return false;
        }
        if !source.fifo && self.faulty.get() {
            self.rng.borrow_mut().shuffle(&mut messages);
            if messages.len() > 1 && self.percent(25) {
                let rest = messages.split_off(1 + self.below(messages.len() - 1));
                futures::join!(
                    self.deliver_batch(source, messages),
                    self.deliver_batch(source, rest)
                );
                return true;
            }
        }
        self.deliver_batch(source, messages).await;
        true
    }

    async fn deliver_batch(&self, source: &Source, messages: Vec<Received>) {
        let event = self.world.aws.sqs().lambda_event(&source.queue, &messages);
        let count = messages.len();
        let bodies: String = messages.iter().map(|m| m.body.as_str()).collect();
        let marks = marks(&bodies);
        self.note(format!("deliver {} x{count}{marks}", source.queue));
        let ended = self.invoke_batch(source, &messages, event.clone()).await;
        if self.faulty.get() && self.percent(12) {
            self.note(format!("deliver {} x{count} again", source.queue));
            self.invoke_batch(source, &messages, event).await;
        }
        self.acknowledge(&source.queue, &messages, &ended);
        if !source.fifo && self.faulty.get() && self.percent(10) {
            let mut held = self.held.borrow_mut();
            held.truncate(HELD - 1);
            held.push(Held {
                handler: source.handler.clone(),
                queue: source.queue.clone(),
                messages,
                since_ms: self.now_ms(),
            });
        }
    }

    async fn invoke_batch(&self, source: &Source, messages: &[Received], event: Value) -> Ended {
        let plan = self.plan();
        let is_plain = plan.faults.is_empty();
        let mut before = self.outages.only_tenants();
        if let Some(tenants) = &mut before {
            tenants.extend(plan.tenant.clone());
        }
        let (ended, calls) = self.invoke_with(&source.handler, event, plan).await;
        if is_plain && before == Some(Vec::new()) {
            self.check_calls(source, messages.len() as u64, calls);
        }
        if is_plain && let (Some(tenants), Ended::Answer(answer)) = (before, &ended) {
            self.check_bystanders(source, messages, &tenants, answer);
        }
        ended
    }

    /// A record of a tenant that no fault concerns must not fail with the others.
    fn check_bystanders(
        &self,
        source: &Source,
        messages: &[Received],
        tenants: &[String],
        answer: &Value,
    ) {
        let failed = failures(answer);
        let concerned = |message: &Received| tenants.iter().any(|t| message.body.contains(t));
        if !messages.iter().any(concerned) {
            return;
        }
        let old = |message: &&Received| {
            let sent = message.attributes["SentTimestamp"].parse().unwrap_or(0);
            self.now_ms() - sent > OLD_MS
        };
        let failed = messages
            .iter()
            .filter(|m| failed.contains(&m.message_id) && !old(m));
        for message in failed {
            if message.body.contains("ws_") && !concerned(message) {
                let text = format!(
                    "{} failed a record of another tenant than those throttled: {}",
                    source.handler, message.body
                );
                let check = if source.fifo {
                    "bystander: FIFO"
                } else {
                    "bystander"
                };
                self.broken(check, text);
            }
        }
    }

    /// Deletes the messages that the answer does not report as failed.
    fn acknowledge(&self, queue: &str, messages: &[Received], ended: &Ended) {
        let Ended::Answer(answer) = ended else { return };
        let failed = failures(answer);
        let done = messages.iter().filter(|m| !failed.contains(&m.message_id));
        let done: Vec<&str> = done.map(|m| m.receipt_handle.as_str()).collect();
        self.world.aws.sqs().delete_all(queue, &done);
    }

    /// Delivers a batch of the last hour again.
    pub async fn deliver_again(&self) {
        let now = self.now_ms();
        let held = {
            let mut all = self.held.borrow_mut();
            all.retain(|held| now - held.since_ms < AGAIN_MS);
            if all.is_empty() {
                return;
            }
            let n = self.rng.borrow_mut().usize(0..all.len());
            all.swap_remove(n)
        };
        let event = self
            .world
            .aws
            .sqs()
            .lambda_event(&held.queue, &held.messages);
        self.note(format!("deliver {} late and again", held.queue));
        self.invoke(&held.handler, event).await;
    }

    /// Delivers a message to a function that is killed at a late call; false: nothing was killed. The message comes back
    /// after its visibility time-out.
    pub async fn deliver_killed(&self, handler: &str) -> bool {
        let sources = self.sources();
        let source = sources.iter().find(|source| source.handler == handler);
        let source = source.expect("a function with a queue");
        let messages = self.world.aws.sqs().receive(&source.queue, 1, None);
        if messages.is_empty() {
            return false;
        }
        let event = self.world.aws.sqs().lambda_event(&source.queue, &messages);
        self.note(format!("deliver {} to a process that dies", source.queue));
        let plan = Plan::late_kill(&mut self.rng.borrow_mut());
        let (ended, _) = self.invoke_with(handler, event, plan).await;
        self.acknowledge(&source.queue, &messages, &ended);
        ended == Ended::Killed
    }

    /// Relays effects and delivers to these functions for a while, with faults: a job of many messages gets on within the
    /// steps of a seed.
    pub async fn hurry(&self, handlers: &[&str], rounds: usize) {
        for _ in 0..rounds {
            for mapping in self.running_mappings() {
                self.relay(&mapping).await;
            }
            for source in self.sources() {
                if handlers.contains(&source.handler.as_str()) {
                    self.deliver(&source).await;
                }
            }
            self.observe_streams();
            self.sleep_ms(1 + self.below(2_000) as u64).await;
        }
    }

    /// Puts a message that no build can read on a random queue.
    pub fn inject_poison(&self) {
        let mut sources = self.sources();
        // Nobody but the relay writes to a FIFO queue.
        sources.retain(|source| !source.fifo);
        let source = &sources[self.below(sources.len())];
        let body = format!("poison-{}", self.poison.borrow().len());
        let sqs = self.world.aws.sqs();
        let sent = sqs.send(&source.queue, body.clone(), None);
        sent.expect("queue of the template");
        self.note(format!("poison on {}", source.queue));
        self.poison.borrow_mut().push(body);
    }

    /// Names of the dead-letter queues, each with the queue that it serves, if it serves one.
    pub fn dead_letter_queues(&self) -> Vec<(String, Option<String>)> {
        let queues = &self.world.model.queues;
        let dead = queues.iter().filter(|queue| queue.redrive.is_none());
        dead.map(|dead| {
            let serves = |q: &&tanigo_local::template::model::Queue| {
                q.redrive.as_ref().is_some_and(|(to, _)| *to == dead.name)
            };
            let source = queues.iter().find(serves);
            (dead.name.clone(), source.map(|queue| queue.name.clone()))
        })
        .collect()
    }

    /// Moves the dead letters of a random queue back.
    pub fn redrive_some(&self) {
        let mut dead = self.dead_letter_queues();
        dead.retain(|(name, _)| self.world.aws.sqs().depth(name).visible > 0);
        if dead.is_empty() {
            return;
        }
        let (name, source) = dead.swap_remove(self.below(dead.len()));
        if let Some(source) = source {
            let moved = self.world.aws.sqs().redrive(&name, &source);
            self.note(format!("redrive {} of {name}", moved.unwrap_or_default()));
        }
    }

    /// The dead-letter queues hold only what was injected. Then they are redriven.
    pub async fn check_dead_letters(&self) {
        let mut seen = BTreeSet::new();
        for (name, source) in self.dead_letter_queues() {
            let letters = self.world.aws.sqs().receive(&name, 1000, Some(0));
            for letter in &letters {
                if self.poison.borrow().contains(&letter.body) {
                    seen.insert(letter.body.clone());
                    continue;
                }
                // Lambda describes discarded stream records. Their effects are checked where they should be.
                if letter.body.contains("DDBStreamBatchInfo") {
                    continue;
                }
                let reason = letter.message_attributes.get("reason");
                let reason = reason.and_then(|reason| reason.string_value.clone());
                let reason = reason.unwrap_or_else(|| "no reason".into());
                let name_of_check = if reason.starts_with("Store.Refused") {
                    "dead letter: refused"
                } else if source.is_none() {
                    "dead letter: relay"
                } else {
                    "dead letter"
                };
                let text = format!("{name}: {reason}: {}", letter.body);
                self.broken(name_of_check, text);
            }
        }
        for poison in self
            .poison
            .borrow()
            .iter()
            .filter(|one| !seen.contains(*one))
        {
            self.broken("poison", format!("{poison} is in no dead-letter queue"));
        }
        self.poison.borrow_mut().clear();
        let mut moved = 0;
        for (name, source) in self.dead_letter_queues() {
            if let Some(source) = source {
                moved += self
                    .world
                    .aws
                    .sqs()
                    .redrive(&name, &source)
                    .unwrap_or_default();
            }
        }
        if moved > 0 {
            self.note(format!("redrive all {moved}"));
            self.rest(0).await;
        }
    }
}

fn failures(answer: &Value) -> BTreeSet<String> {
    let failed = answer["batchItemFailures"].as_array().into_iter().flatten();
    let id = |failure: &Value| Some(failure["itemIdentifier"].as_str()?.to_owned());
    failed.filter_map(id).collect()
}
