//! The engine: it computes the next step of a contact. Pure: no I/O, no clock, no randomness. So the same state
//! and cause always give the same transition.
//!
//! Exactly one message moves a state on: the one with its token. The token changes with every state. So a message
//! that is repeated, late or from a state that was never stored does nothing. A wait need not be cancelled.

use channels::{Class, Content};
use jiff::{SignedDuration, Timestamp};

use crate::enrollment::{Enrollment, OwnSend, Passed, Standing, token};
use crate::model::{Definition, Node};

/// Steps in one run. A message continues a longer path, so that a run stays short.
pub const MAX_RUN: usize = 50;

/// The cause of a run of the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause<'a> {
    /// The message with this token arrived: a start, a continuation or the end of a wait.
    Wake {
        /// The token of the message.
        token: &'a str,
    },
    /// The workflow ended while the contact was in it, and the contact's message arrived.
    Stop {
        /// The token of the message.
        token: &'a str,
        /// The reason.
        reason: &'a str,
    },
}

/// An effect of a step. Each is safe to repeat: tags merge, messages have a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send a message.
    Send(OwnSend),
    /// Add tags to the contact.
    AddTags(Vec<String>),
}

/// The next state, and the effects on the way to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Transition {
    /// The next state, with no effects pending yet.
    pub next: Enrollment,
    /// The effects, in order.
    pub actions: Vec<Action>,
    /// When to send the next state's token; at once if the run was cut short.
    pub wake: Option<Wake>,
}

/// How the next state is triggered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// By a message at once.
    Now,
    /// By a timer.
    At(Timestamp),
}

/// Moves a contact on until it waits, ends, or has taken [`MAX_RUN`] steps. `None`: the message does not belong to
/// this state, and there is nothing to do.
pub fn step(
    definition: &Definition,
    enrollment: &Enrollment,
    cause: Cause<'_>,
    now: Timestamp,
) -> Option<Transition> {
    let (Cause::Wake { token } | Cause::Stop { token, .. }) = cause;
    if enrollment.status.is_over() || token != enrollment.token {
        return None;
    }
    let mut run = Run::new(enrollment, now);
    if let Cause::Stop { reason, .. } = cause {
        run.end(Standing::Exited, Some(reason));
    } else {
        run.go(definition);
    }
    Some(Transition {
        next: run.next,
        actions: run.actions,
        wake: run.wake,
    })
}

struct Run {
    next: Enrollment,
    actions: Vec<Action>,
    wake: Option<Wake>,
    now: Timestamp,
}

impl Run {
    fn new(enrollment: &Enrollment, now: Timestamp) -> Self {
        let mut next = enrollment.clone();
        next.version += 1;
        next.sends = enrollment.not_relayed();
        next.pending = cloud::Pending::default();
        next.wake_at = None;
        next.status = Standing::Active;
        Self {
            next,
            actions: Vec::new(),
            wake: None,
            now,
        }
    }

    fn go(&mut self, definition: &Definition) {
        for _ in 0..MAX_RUN {
            let Some(id) = self.next.at.take() else {
                return self.end(Standing::Completed, None);
            };
            let Some(node) = definition.graph.nodes.get(&id) else {
                return self.end(Standing::Failed, Some("step_missing"));
            };
            self.next.path.push(Passed {
                node: id.clone(),
                at: self.now,
            });
            self.next.at = node.next().map(str::to_owned);
            match node {
                Node::WaitDuration { seconds, .. } => return self.wait(*seconds),
                Node::Exit => return self.end(Standing::Exited, Some("exit_step")),
                Node::AddTag { tags, .. } => self.actions.push(Action::AddTags(tags.clone())),
                Node::SendEmail {
                    mail,
                    class,
                    reason,
                    ..
                } => {
                    let mail = mail.clone();
                    self.actions.push(Action::Send(OwnSend {
                        node: id,
                        content: Content::Email { mail },
                        class: *class,
                        reason: *reason,
                        at: self.now,
                    }));
                }
                Node::SendPush {
                    note,
                    class,
                    reason,
                    ..
                } => {
                    let note = note.clone();
                    self.actions.push(Action::Send(OwnSend {
                        node: id,
                        content: Content::Push { note },
                        class: *class,
                        reason: *reason,
                        at: self.now,
                    }));
                }
                Node::SendSms {
                    brandname_id,
                    content,
                    reason,
                    ..
                } => {
                    let (brandname_id, text) = (*brandname_id, content.clone());
                    self.actions.push(Action::Send(OwnSend {
                        node: id,
                        content: Content::Sms { brandname_id, text },
                        class: Class::Transactional,
                        reason: Some(*reason),
                        at: self.now,
                    }));
                }
            }
        }
        if self.next.at.is_none() {
            return self.end(Standing::Completed, None);
        }
        self.next.token = token(&self.next.id, self.next.version, "go");
        self.wake = Some(Wake::Now);
    }

    /// The due time is part of the token. A run that crashed before it stored its state leaves a timer of another
    /// instant. That timer must not end this wait early.
    fn wait(&mut self, seconds: u32) {
        let due = self
            .now
            .saturating_add(SignedDuration::from_secs(seconds.into()));
        let due = due.unwrap_or(Timestamp::MAX);
        let what = kernel::clock::sortable(due);
        self.next.token = token(&self.next.id, self.next.version, &what);
        self.next.status = Standing::Waiting;
        self.next.wake_at = Some(due);
        self.wake = Some(Wake::At(due));
    }

    fn end(&mut self, standing: Standing, reason: Option<&str>) {
        self.next.status = standing;
        self.next.at = None;
        self.next.reason = reason.map(str::to_owned);
        self.next.ended_at = Some(self.now);
        self.next.token = token(&self.next.id, self.next.version, "end");
    }
}

#[cfg(test)]
mod tests;
