//! Reads a batch of changes and sends the effects that their images ask for, by queue. Finds the first change
//! that was not completely sent, and dead-letters effects that can never be sent.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use cloud::outbox::{Rule, effects_of};
use cloud::queue::{Outgoing, json_text};
use cloud::{Effect, Queue, QueueName, SendOptions};
use futures::future::join_all;
use lambda::stream::Change;
use lambda::{Failure, metrics};
use serde::Serialize;
use serde_json::Value;

/// An effect, and the position of the change that asks for it.
type Placed = (usize, Effect);
type Failed = (usize, Failure);

/// An item or an effect that can never be sent.
struct Never<'c> {
    position: usize,
    what: What<'c>,
    reason: String,
}

#[derive(Serialize)]
#[serde(untagged)]
enum What<'c> {
    Image(&'c Option<Value>),
    Effect(Box<Effect>),
}

/// The kinds of effects that the relay knows, and the queues that they go to.
pub struct Relay {
    /// Rules of all tables.
    pub rules: Vec<Rule>,
    /// Queues of effects.
    pub queues: BTreeMap<QueueName, Queue>,
    /// Dead-letter queue of effects that can never be sent.
    pub dead: Queue,
}

impl Relay {
    /// Sends everything that is pending in these changes. An effect that can never be sent is dead-lettered with
    /// its reason, so that it blocks no other effect. Every other effect is tried until the record is too old.
    /// All records after a failed one are redelivered with it.
    pub async fn send(&self, changes: &[Change]) -> Result<(), Failed> {
        let mut by_queue: BTreeMap<QueueName, Vec<Placed>> = BTreeMap::new();
        let mut never = Vec::new();
        for (position, change) in changes.iter().enumerate() {
            match self.effects(change) {
                Ok(effects) => {
                    for effect in effects {
                        let same_queue = by_queue.entry(effect.queue.clone()).or_default();
                        same_queue.push((position, effect));
                    }
                }
                Err(reason) => never.push(Never {
                    position,
                    what: What::Image(&change.dynamodb.new_image),
                    reason,
                }),
            }
        }
        let sends = by_queue.into_iter().filter_map(|(name, effects)| {
            let queue = self.queues.get(&name)?;
            Some(send(queue, effects))
        });
        let mut first = None;
        for unsent in join_all(sends).await {
            first = earlier(first, unsent.failed);
            let refused = unsent.never.into_iter();
            never.extend(refused.map(|((position, effect), reason)| Never {
                position,
                what: What::Effect(Box::new(effect)),
                reason: format!("Effect.Refused: {reason}"),
            }));
        }
        self.park_before(first, never).await
    }

    /// Dead-letters the refused effects before the first change that will be retried. The later ones are
    /// redelivered with that change, and would be dead-lettered at every try.
    async fn park_before(
        &self,
        mut first: Option<Failed>,
        mut never: Vec<Never<'_>>,
    ) -> Result<(), Failed> {
        never.sort_by_key(|one| one.position);
        for one in never {
            if first.as_ref().is_some_and(|(at, _)| *at <= one.position) {
                break;
            }
            let parked = self.park(&one.what, &one.reason).await;
            first = parked.err().map(|error| (one.position, error)).or(first);
        }
        first.map_or(Ok(()), Err)
    }

    /// The change's effects, or why this build cannot send them.
    fn effects(&self, change: &Change) -> Result<Vec<Effect>, String> {
        let Some(image) = &change.dynamodb.new_image else {
            return Ok(Vec::new());
        };
        let effects = effects_of(&self.rules, image).map_err(|flaw| flaw.to_string())?;
        for effect in &effects {
            if !self.queues.contains_key(&effect.queue) {
                return Err(format!("Effect.UnknownQueue: {}", effect.queue));
            }
        }
        Ok(effects)
    }

    /// Dead-letters an item's image or an effect.
    async fn park(&self, what: &impl Serialize, reason: &str) -> Result<(), Failure> {
        let message = Outgoing {
            text: json_text(what)?,
            options: SendOptions::default(),
        };
        self.dead.send_rejected(message, reason).await?;
        metrics::incident("RecordsRejected", 1);
        tracing::error!(reason, "an effect was put aside");
        Ok(())
    }
}

/// The effects of a queue that were not sent.
#[derive(Default)]
struct Unsent {
    /// The first one that is to be tried again.
    failed: Option<Failed>,
    /// The effects that SQS will never take, each with its reason.
    never: Vec<(Placed, String)>,
}

fn earlier(one: Option<Failed>, other: Option<Failed>) -> Option<Failed> {
    one.into_iter()
        .chain(other)
        .min_by_key(|(position, _)| *position)
}

/// Sends a queue's effects; on a FIFO queue in the order of each group.
async fn send(queue: &Queue, effects: Vec<Placed>) -> Unsent {
    if !queue.is_fifo() {
        return send_some(queue, effects).await.0;
    }
    let mut rest = effects;
    let (mut blocked, mut all) = (HashSet::new(), Unsent::default());
    while !rest.is_empty() {
        let (turn, later) = next_turn(rest);
        let (unsent, groups) = send_some(queue, turn).await;
        blocked.extend(groups);
        all.failed = earlier(all.failed, unsent.failed);
        all.never.extend(unsent.never);
        rest = later;
        rest.retain(|(_, effect)| !blocked.contains(&effect.group));
    }
    all
}

/// Sends these in any order. Returns the effects that SQS did not take, and the groups of effects to try again.
/// If an answer is lost, all effects are tried again: messages that SQS took are then sent twice.
async fn send_some(queue: &Queue, effects: Vec<Placed>) -> (Unsent, BTreeSet<String>) {
    let message = |(_, effect): &Placed| outgoing(effect, queue.is_fifo());
    let messages: Vec<Outgoing> = effects.iter().map(message).collect();
    let unsent = match queue.send_texts(&messages).await {
        Ok(unsent) => unsent,
        Err(error) => {
            let first = effects.first().map_or(0, |(position, _)| *position);
            let failed = Some((first, Failure::from(error)));
            let groups = effects.into_iter().map(|(_, effect)| effect.group);
            let never = Vec::new();
            return (Unsent { failed, never }, groups.collect());
        }
    };
    metrics::count("EffectsSent", (effects.len() - unsent.len()) as u64);
    let (mut result, mut groups) = (Unsent::default(), BTreeSet::new());
    for one in unsent {
        let Some(placed) = effects.get(one.position) else {
            continue;
        };
        if let Some(reason) = one.never {
            result.never.push((placed.clone(), reason));
        } else {
            let failure = Failure::retry("Queue.Refused", "SQS did not take a message");
            result.failed = earlier(result.failed, Some((placed.0, failure)));
            groups.insert(placed.1.group.clone());
        }
    }
    (result, groups)
}

/// The first effect of each group, and the remaining effects. A refused effect must hold back the later effects
/// of its group, which would otherwise lose its order. SQS may refuse any message of a request.
fn next_turn(effects: Vec<Placed>) -> (Vec<Placed>, Vec<Placed>) {
    let mut seen = HashSet::new();
    effects
        .into_iter()
        .partition(|(_, effect)| seen.insert(effect.group.clone()))
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
        let effects = effects.iter().enumerate();
        let effects = effects
            .map(|(i, (group, id))| (i, effect(group, id)))
            .collect();
        let (turn, rest) = next_turn(effects);
        let ids = |placed: &[Placed]| placed.iter().map(|(i, _)| *i).collect::<Vec<_>>();
        assert_eq!((ids(&turn), ids(&rest)), (vec![0, 2], vec![1, 3]));
    }

    #[test]
    fn only_fifo_queues_get_a_deduplication_id() {
        let effect = effect("a", "1");
        assert_eq!(
            outgoing(&effect, true).options.deduplication_id.as_deref(),
            Some("1")
        );
        assert_eq!(outgoing(&effect, false).options.deduplication_id, None);
    }
}
