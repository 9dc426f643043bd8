//! A batch of changes: their effects by queue, and the first change that was not wholly sent.

use std::collections::{BTreeSet, HashMap, HashSet};

use cloud::outbox::pending_of_image;
use cloud::queue::Outgoing;
use cloud::{Effect, Error, Queue, QueueName, SendOptions};
use futures::future::join_all;
use lambda::stream::Change;
use lambda::{Failure, metrics};

/// An effect, and the position of the change it stands in.
type Placed = (usize, Effect);
type Failed = (usize, Failure);

struct Target {
    queue: Queue,
    is_fifo: bool,
}

/// The queues that effects lead to.
#[derive(Default)]
pub struct Relay {
    targets: HashMap<QueueName, Target>,
}

impl Relay {
    /// Adds a queue.
    pub fn add(&mut self, name: QueueName, queue: Queue, is_fifo: bool) {
        self.targets.insert(name, Target { queue, is_fifo });
    }

    /// Sends everything that is pending in these changes. A change that cannot be read stops the
    /// batch there, with all before it sent; Lambda halves the batch until it stands alone and then
    /// puts it aside.
    pub async fn send(&self, changes: &[Change]) -> Result<(), Failed> {
        let mut by_queue: HashMap<QueueName, Vec<Placed>> = HashMap::new();
        let mut unreadable = None;
        for (position, change) in changes.iter().enumerate() {
            match self.effects(change) {
                Ok(effects) => {
                    for effect in effects {
                        by_queue
                            .entry(effect.queue)
                            .or_default()
                            .push((position, effect));
                    }
                }
                Err(failure) => {
                    unreadable = Some((position, failure));
                    break;
                }
            }
        }
        let sends = by_queue.into_iter().filter_map(|(name, effects)| {
            let target = self.targets.get(&name)?;
            Some(async move { target.send(effects).await })
        });
        let results = join_all(sends).await.into_iter().filter_map(Result::err);
        let first = results
            .chain(unreadable)
            .min_by_key(|(position, _)| *position);
        first.map_or(Ok(()), Err)
    }

    fn effects(&self, change: &Change) -> Result<Vec<Effect>, Failure> {
        let Some(image) = &change.dynamodb.new_image else {
            return Ok(Vec::new());
        };
        let effects = pending_of_image(image)?;
        for effect in &effects {
            if !self.targets.contains_key(&effect.queue) {
                let reason = format!("an effect names {:?}", effect.queue);
                return Err(Failure::reject("Effect.UnknownQueue", reason));
            }
        }
        Ok(effects)
    }
}

impl Target {
    async fn send(&self, effects: Vec<Placed>) -> Result<(), Failed> {
        if !self.is_fifo {
            let (refused, _) = self.send_some(&effects).await?;
            return refused.map_or(Ok(()), Err);
        }
        let mut rest = effects;
        let (mut blocked, mut first) = (HashSet::new(), None::<Failed>);
        while !rest.is_empty() {
            let (turn, later) = next_turn(rest);
            let (refused, groups) = self.send_some(&turn).await?;
            blocked.extend(groups);
            first = first
                .into_iter()
                .chain(refused)
                .min_by_key(|(position, _)| *position);
            rest = later;
            rest.retain(|(_, effect)| !blocked.contains(&effect.group));
        }
        first.map_or(Ok(()), Err)
    }

    /// Sends these; gives the first one that SQS did not take, and the groups of all such. Where the
    /// answer itself is lost, the first position of all: whatever was taken comes again.
    async fn send_some(
        &self,
        effects: &[Placed],
    ) -> Result<(Option<Failed>, BTreeSet<String>), Failed> {
        let messages: Vec<Outgoing> = effects
            .iter()
            .map(|(_, effect)| outgoing(effect, self.is_fifo))
            .collect();
        let first_position = effects.first().map_or(0, |(position, _)| *position);
        let lost = |error: Error| (first_position, Failure::from(error));
        let refused = self.queue.send_texts(&messages).await.map_err(lost)?;
        metrics::count("EffectsSent", (effects.len() - refused.len()) as u64);
        let refused: Vec<&Placed> = refused.iter().filter_map(|&i| effects.get(i)).collect();
        let first = refused.iter().map(|(position, _)| *position).min();
        let groups = refused
            .iter()
            .map(|(_, effect)| effect.group.clone())
            .collect();
        let failure = |position| {
            let detail = format!("SQS did not take {} messages", refused.len());
            (position, Failure::retry("Queue.Refused", detail))
        };
        Ok((first.map(failure), groups))
    }
}

/// The first effect of each group, and what is left. One that is refused must hold back those after
/// it, or the group would lose its order, and within one request SQS may refuse any.
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
            // Standard queues refuse it.
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
            queue: QueueName::ChatOut,
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
