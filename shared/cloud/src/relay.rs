//! Sends the effects of items and acknowledges them (docs/adr/0024).
//!
//! An effect that SQS does not take now stays named in its item. On a FIFO queue the effect holds back the later
//! effects of its own group. An effect that can never be sent is dead-lettered with its text. No failure stops the
//! effects of another queue, tenant or group: so this file returns counts and no error of a single effect.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use futures::future::join_all;
use futures::{StreamExt, stream};
use serde::Serialize;
use serde_json::Value;

use crate::item::Item;
use crate::outbox::{Effect, Rule, asked_of, made_of};
use crate::queue::{Outgoing, SendOptions, json_text};
use crate::unsent::{Place, UnsentPage};
use crate::{Error, Queue, QueueName, Table};

/// Acknowledgements that are written concurrently.
const AT_ONCE: usize = 32;
/// Tries of an effect that SQS did not take from a request. The client itself repeats a request that failed.
const TRIES: u32 = 2;

/// The kinds of effects that the relay knows, and the queues that they go to.
#[derive(Debug, Clone)]
pub struct Relay {
    /// Rules of all tables.
    pub rules: Vec<Rule>,
    /// Queues of effects.
    pub queues: BTreeMap<QueueName, Queue>,
    /// Dead-letter queue of effects that can never be sent.
    pub dead: Queue,
}

/// Numbers of effects.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Relayed {
    /// Sent.
    pub sent: u64,
    /// Dead-lettered, because they can never be sent.
    pub rejected: u64,
    /// Left in their items.
    pub left: u64,
}

impl Relayed {
    fn add(&mut self, other: Self) {
        self.sent += other.sent;
        self.rejected += other.rejected;
        self.left += other.left;
    }
}

/// An effect, with the position of its item and the name of its rule.
#[derive(Debug, Clone)]
struct Placed {
    position: usize,
    name: &'static str,
    effect: Effect,
}

#[derive(Serialize)]
#[serde(untagged)]
enum What<'c> {
    Image(&'c Value),
    Effect(&'c Effect),
}

/// The effects that were not sent.
#[derive(Default)]
struct Unsent {
    /// To be tried again.
    left: Vec<Placed>,
    /// Never taken by SQS, each with the reason.
    never: Vec<(Placed, String)>,
}

impl Relay {
    /// Sends the effects of images from a table's stream, in their order. An effect for a FIFO queue waits behind
    /// the unsent effects of its name in its partition: in our FIFO queues the group follows from the partition.
    pub async fn send(&self, table: Option<&Table>, images: &[Value]) -> Relayed {
        let mut waiting = HashSet::new();
        if let Some(table) = table {
            let places = images.iter().filter_map(Place::of);
            let batch: HashSet<String> = places.map(|place| place.outbox).collect();
            for (position, image) in images.iter().enumerate() {
                for placed in self.made(position, image).unwrap_or_default() {
                    if self.must_wait(table, image, &placed, &batch).await {
                        waiting.insert(placed.effect.group);
                    }
                }
            }
        }
        self.send_behind(table, images, &mut waiting).await
    }

    /// Sends what an index holds from before `before`, until `is_over`. Of each partition the earliest comes first.
    pub async fn sweep(
        &self,
        table: &Table,
        before: &str,
        is_over: impl Fn() -> bool,
        mut seen: impl FnMut(&Value),
    ) -> Result<Relayed, Error> {
        let (mut total, mut waiting) = (Relayed::default(), HashSet::new());
        let mut start: Option<Item> = None;
        while !is_over() {
            let UnsentPage { images, next } = table.unsent_before(before, start).await?;
            images.iter().for_each(&mut seen);
            total.add(self.send_behind(Some(table), &images, &mut waiting).await);
            if next.is_none() {
                break;
            }
            start = next;
        }
        Ok(total)
    }

    /// Sends the effects of the images, except those of the waiting groups, and acknowledges them. Groups whose
    /// effects stay are added to the waiting ones.
    async fn send_behind(
        &self,
        table: Option<&Table>,
        images: &[Value],
        waiting: &mut HashSet<String>,
    ) -> Relayed {
        let mut by_queue: BTreeMap<QueueName, Vec<Placed>> = BTreeMap::new();
        let mut left: Vec<BTreeSet<&str>> = vec![BTreeSet::new(); images.len()];
        let (mut counts, mut unmade) = (Relayed::default(), Vec::new());
        for (position, image) in images.iter().enumerate() {
            match self.made(position, image) {
                Ok(made) => {
                    counts.sent += made.len() as u64;
                    for placed in made {
                        let queue = placed.effect.queue.clone();
                        by_queue.entry(queue).or_default().push(placed);
                    }
                }
                Err(reason) => unmade.push((position, reason)),
            }
        }
        let before = &*waiting;
        let sends = by_queue.into_iter().filter_map(|(name, effects)| {
            let queue = self.queues.get(&name)?;
            Some(send(queue, effects, before))
        });
        let mut all = Unsent::default();
        for unsent in join_all(sends).await {
            all.left.extend(unsent.left);
            all.never.extend(unsent.never);
        }
        counts.sent -= (all.left.len() + all.never.len()) as u64;
        for (placed, reason) in all.never {
            let reason = format!("Effect.Refused: {reason}");
            if self.park(&What::Effect(&placed.effect), &reason).await {
                counts.rejected += 1;
            } else {
                all.left.push(placed);
            }
        }
        for placed in all.left {
            counts.left += 1;
            left[placed.position].insert(placed.name);
            waiting.insert(placed.effect.group);
        }
        let mut kept = HashSet::new();
        for (position, reason) in unmade {
            if self.park(&What::Image(&images[position]), &reason).await {
                counts.rejected += 1;
            } else {
                counts.left += 1;
                kept.insert(position);
            }
        }
        if let Some(table) = table {
            let done = images.iter().zip(&left).enumerate();
            // An image that this build cannot read and could not dead-letter stays as it is.
            let done = done.filter(|(position, _)| !kept.contains(position));
            let done = done.map(|(_, (image, left))| settle(table, image, left));
            let done: Vec<_> = done.collect();
            stream::iter(done)
                .buffer_unordered(AT_ONCE)
                .collect::<()>()
                .await;
        }
        counts
    }

    /// The effects of an image, or the reason why this build cannot send them.
    fn made(&self, position: usize, image: &Value) -> Result<Vec<Placed>, String> {
        let made = made_of(&self.rules, image).map_err(|flaw| flaw.to_string())?;
        for (_, effect) in &made {
            if !self.queues.contains_key(&effect.queue) {
                return Err(format!("Effect.UnknownQueue: {}", effect.queue));
            }
        }
        let placed = |(name, effect)| Placed {
            position,
            name,
            effect,
        };
        Ok(made.into_iter().map(placed).collect())
    }

    async fn must_wait(
        &self,
        table: &Table,
        image: &Value,
        placed: &Placed,
        batch: &HashSet<String>,
    ) -> bool {
        let queue = self.queues.get(&placed.effect.queue);
        let Some(place) = Place::of(image).filter(|_| queue.is_some_and(Queue::is_fifo)) else {
            return false;
        };
        match table.waits_behind(&place, placed.name, batch).await {
            Ok(waits) => waits,
            Err(error) => {
                tracing::warn!(%error, "the order of a group is not known, its effect waits");
                true
            }
        }
    }

    /// Dead-letters an item's image or an effect.
    async fn park(&self, what: &What<'_>, reason: &str) -> bool {
        let sent = async {
            let message = Outgoing {
                text: json_text(what)?,
                options: SendOptions::default(),
            };
            self.dead.send_rejected(message, reason).await
        };
        match sent.await {
            Ok(()) => tracing::error!(reason, "an effect was dead-lettered"),
            Err(error) => {
                tracing::error!(%error, reason, "an effect could not be dead-lettered");
                return false;
            }
        }
        true
    }
}

/// Acknowledges the effects of an image, or leaves these names. A failure is no loss: the sweep sends again.
async fn settle(table: &Table, image: &Value, left: &BTreeSet<&str>) {
    let Some(place) = Place::of(image) else {
        return;
    };
    let result = match asked_of(image) {
        Ok(asked) if !left.is_empty() => table.leave(&place, asked.only(left)).await,
        _ => table.acknowledge(&place).await,
    };
    if let Err(error) = result {
        tracing::warn!(%error, "effects could not be acknowledged, they are sent again");
    }
}

/// Sends a queue's effects; on a FIFO queue in the order of each group, and none of a waiting group.
async fn send(queue: &Queue, effects: Vec<Placed>, waiting: &HashSet<String>) -> Unsent {
    if !queue.is_fifo() {
        return send_some(queue, effects).await;
    }
    let is_free = |placed: &Placed| !waiting.contains(&placed.effect.group);
    let (mut rest, left) = effects.into_iter().partition(is_free);
    let mut all = Unsent {
        left,
        ..Unsent::default()
    };
    let mut blocked = HashSet::new();
    while !rest.is_empty() {
        let (turn, later) = next_turn(rest);
        let unsent = send_some(queue, turn).await;
        blocked.extend(unsent.left.iter().map(|placed| placed.effect.group.clone()));
        all.left.extend(unsent.left);
        all.never.extend(unsent.never);
        let held: Vec<Placed>;
        (held, rest) = later
            .into_iter()
            .partition(|placed| blocked.contains(&placed.effect.group));
        all.left.extend(held);
    }
    all
}

/// Sends these in any order. If an answer is lost, all effects stay: messages that SQS took are then sent twice.
async fn send_some(queue: &Queue, effects: Vec<Placed>) -> Unsent {
    let (mut rest, mut result) = (effects, Unsent::default());
    for _ in 0..TRIES {
        let message = |placed: &Placed| outgoing(&placed.effect, queue.is_fifo());
        let messages: Vec<Outgoing> = rest.iter().map(message).collect();
        let unsent = match queue.send_texts(&messages).await {
            Ok(unsent) => unsent,
            Err(error) => {
                tracing::warn!(%error, effects = rest.len(), "effects stay in their items");
                break;
            }
        };
        let mut again = Vec::new();
        for one in unsent {
            let placed = rest[one.position].clone();
            match one.never {
                Some(reason) => result.never.push((placed, reason)),
                None => again.push(placed),
            }
        }
        rest = again;
        if rest.is_empty() {
            break;
        }
    }
    result.left = rest;
    result
}

/// The first effect of each group, and the remaining effects. A refused effect must hold back the later effects
/// of its group, which would otherwise lose its order. SQS may refuse any message of a request.
fn next_turn(effects: Vec<Placed>) -> (Vec<Placed>, Vec<Placed>) {
    let mut seen = HashSet::new();
    effects
        .into_iter()
        .partition(|placed| seen.insert(placed.effect.group.clone()))
}

fn outgoing(effect: &Effect, is_fifo: bool) -> Outgoing {
    Outgoing {
        text: effect.text.clone(),
        options: SendOptions {
            delay_seconds: 0,
            group: Some(effect.group.clone()),
            // Standard queues refuse this attribute.
            deduplication_id: is_fifo.then(|| effect.id.clone()),
            trace: effect.trace.clone(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effect(group: &str, id: &str) -> Effect {
        Effect {
            queue: QueueName::new("chat-out"),
            text: "{}".into(),
            group: group.into(),
            id: id.into(),
            trace: None,
        }
    }

    #[test]
    fn a_turn_holds_one_effect_of_each_group() {
        let effects = [("a", "1"), ("a", "2"), ("b", "3"), ("a", "4")];
        let placed = |(position, (group, id)): (usize, &(&str, &str))| Placed {
            position,
            name: "test",
            effect: effect(group, id),
        };
        let (turn, rest) = next_turn(effects.iter().enumerate().map(placed).collect());
        let ids = |placed: &[Placed]| placed.iter().map(|one| one.position).collect::<Vec<_>>();
        assert_eq!((ids(&turn), ids(&rest)), (vec![0, 2], vec![1, 3]));
    }

    #[test]
    fn only_fifo_queues_get_a_deduplication_id() {
        let effect = effect("a", "1");
        let id = |is_fifo| outgoing(&effect, is_fifo).options.deduplication_id;
        assert_eq!(id(true).as_deref(), Some("1"));
        assert_eq!(id(false), None);
    }
}
