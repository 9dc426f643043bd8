//! Types of messages and the names of their queues.
//!
//! This file names no queue of the product: each context crate names the queue of its own messages.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use kernel::{TenantKey, WorkspaceId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::queue::{Outgoing, Queue, SendOptions, json_text};
use crate::{Aws, Error};

/// Suffix of the environment variable of a queue's URL.
const URL_SUFFIX: &str = "_QUEUE_URL";

/// Name of a queue in lower case with hyphens, as in `infra/messaging.yaml`: `workflow-step` is the
/// resource `WorkflowStep`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct QueueName(Cow<'static, str>);

impl QueueName {
    /// The queue of this name.
    pub const fn new(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// The name's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Environment variable that holds the queue's URL: `WORKFLOW_STEP_QUEUE_URL`.
    pub fn url_variable(&self) -> String {
        self.0.to_uppercase().replace('-', "_") + URL_SUFFIX
    }

    /// The queue whose URL this variable holds; `None` for any other variable.
    pub fn of_url_variable(variable: &str) -> Option<Self> {
        let name = variable.strip_suffix(URL_SUFFIX)?;
        let name = name.to_lowercase().replace('_', "-");
        Some(Self(Cow::Owned(name)))
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A type of message. It names its queue, so no caller combines a body with a wrong queue.
pub trait Message: Serialize + DeserializeOwned {
    /// The queue that carries messages of this type.
    const QUEUE: QueueName;
}

/// The wire format of our own messages: the tenant beside the body. Only our functions may send to our queues (queue
/// policies and IAM), so the tenant inside can be trusted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Envelope<T> {
    tenant: WorkspaceId,
    /// The message itself: a tagged, versioned enum.
    pub body: T,
}

impl<T> Envelope<T> {
    /// Wraps a message for its tenant.
    pub fn new(tenant: TenantKey, body: T) -> Self {
        Self {
            tenant: tenant.workspace(),
            body,
        }
    }

    /// The tenant for whom the message was sent.
    #[expect(
        clippy::disallowed_methods,
        reason = "door: only our functions can send to our queues"
    )]
    pub fn tenant(&self) -> TenantKey {
        TenantKey::authenticated(self.tenant)
    }
}

impl<T: DeserializeOwned> Envelope<T> {
    /// Reads a message's text.
    pub fn open(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}

/// A message's text.
pub fn encode<T: Serialize>(envelope: &Envelope<T>) -> Result<String, Error> {
    json_text(envelope)
}

/// The queue of one type of message; cheap to clone.
#[derive(Clone, Debug)]
pub struct QueueOf<M> {
    queue: Queue,
    of: PhantomData<fn(M)>,
}

impl<M: Message> QueueOf<M> {
    /// The queue at this URL.
    pub(crate) fn new(aws: &Aws, url: &str) -> Self {
        Self {
            queue: Queue::new(aws, url),
            of: PhantomData,
        }
    }

    /// Sends one message for a tenant. The tenant is the message group, so a standard queue is shared fairly between
    /// tenants (SQS fair queues).
    pub async fn send(
        &self,
        tenant: TenantKey,
        body: &M,
        mut options: SendOptions,
    ) -> Result<(), Error> {
        options.group.get_or_insert_with(|| tenant.to_string());
        options.trace = options.trace.or_else(crate::trace::current);
        let text = encode(&Envelope::new(tenant, body))?;
        self.queue.send_text(Outgoing { text, options }).await
    }

    /// Sends many messages for a tenant, ten a request. An error means that some may be unsent: the caller sends all again.
    pub async fn send_all(&self, tenant: TenantKey, bodies: &[M]) -> Result<(), Error> {
        let trace = crate::trace::current();
        let outgoing = bodies.iter().map(|body| {
            let text = encode(&Envelope::new(tenant, body))?;
            let options = SendOptions {
                group: Some(tenant.to_string()),
                trace: trace.clone(),
                ..SendOptions::default()
            };
            Ok(Outgoing { text, options })
        });
        let outgoing = outgoing.collect::<Result<Vec<_>, Error>>()?;
        let unsent = self.queue.send_texts(&outgoing).await?;
        match unsent.into_iter().next() {
            None => Ok(()),
            Some(first) => match first.never {
                Some(reason) => Err(Error::Shape(reason)),
                None => Err(Error::Conflict),
            },
        }
    }

    /// Sends one message without a tenant and without an envelope. SQS shares the queue fairly between groups.
    pub async fn send_bare(&self, group: String, body: &M) -> Result<(), Error> {
        let options = SendOptions {
            group: Some(group),
            trace: crate::trace::current(),
            ..SendOptions::default()
        };
        let text = json_text(body)?;
        self.queue.send_text(Outgoing { text, options }).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_its_variable_follow_from_each_other() {
        let name = QueueName::new("workflow-step");
        assert_eq!(name.url_variable(), "WORKFLOW_STEP_QUEUE_URL");
        assert_eq!(
            QueueName::of_url_variable("WORKFLOW_STEP_QUEUE_URL"),
            Some(name.clone())
        );
        assert_eq!(QueueName::of_url_variable("DLQ_URL"), None);
        assert_eq!(serde_json::to_string(&name).unwrap(), "\"workflow-step\"");
    }

    #[test]
    fn an_envelope_carries_its_tenant_beside_the_body() {
        let text = r#"{"tenant":"ws_00000000001","body":7}"#;
        let envelope = Envelope::<u32>::open(text).unwrap();
        assert_eq!(envelope.body, 7);
        assert_eq!(envelope.tenant().to_string(), "ws_00000000001");
        assert_eq!(encode(&envelope).unwrap(), text);
        assert!(Envelope::<u32>::open("{}").is_err());
        let name = QueueName::new("workflow-step");
        assert_eq!(
            (name.as_str(), name.to_string()),
            ("workflow-step", "workflow-step".to_owned())
        );
    }
}
