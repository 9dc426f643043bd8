//! Who wants to hear of an event, and the message they get.

use cloud::{Error, Key, Message, Query, QueueName, Resources, Table};
use kernel::{ContactId, TenantKey};
use serde::{Deserialize, Serialize};

use crate::keys;
use crate::model::Event;

/// Message on the queue of workflow triggers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum EventHappened {
    /// A timeline entry was written.
    #[serde(rename = "contact.event.v1")]
    V1 {
        /// To whom it happened.
        contact: ContactId,
        /// What happened.
        event: Event,
    },
}

impl Message for EventHappened {
    const QUEUE: QueueName = QueueName::new("workflow-trigger");
}

/// Which workflows start from which event. An event that nobody listens to costs no message.
#[derive(Clone, Debug)]
pub struct Listeners {
    directory: Table,
}

#[derive(Serialize, Deserialize)]
struct Row {
    workflow: String,
}

impl Listeners {
    /// Over the table Directory.
    pub fn over(resources: &Resources) -> Self {
        Self {
            directory: resources.table("Directory"),
        }
    }

    /// From now on `workflow` hears of the event.
    pub async fn listen(
        &self,
        tenant: TenantKey,
        event_name: &str,
        workflow: &str,
    ) -> Result<(), Error> {
        let key = Key::new(keys::listeners(tenant, event_name), workflow);
        let row = Row {
            workflow: workflow.to_owned(),
        };
        self.directory.put(&key, &row).await
    }

    /// `workflow` no longer hears of the event.
    pub async fn unlisten(
        &self,
        tenant: TenantKey,
        event_name: &str,
        workflow: &str,
    ) -> Result<(), Error> {
        let key = Key::new(keys::listeners(tenant, event_name), workflow);
        self.directory.delete(&key).await
    }

    /// The workflows that hear of the event; strongly consistent.
    pub async fn of(&self, tenant: TenantKey, event_name: &str) -> Result<Vec<String>, Error> {
        let query = Query::partition(keys::listeners(tenant, event_name));
        let rows: Vec<Row> = self.directory.query_all(query).await?;
        Ok(rows.into_iter().map(|row| row.workflow).collect())
    }

    /// Somebody hears of the event; strongly consistent.
    pub async fn any(&self, tenant: TenantKey, event_name: &str) -> Result<bool, Error> {
        let query = Query::partition(keys::listeners(tenant, event_name)).limit(1);
        let page = self.directory.query::<Row>(query).await?;
        Ok(!page.data.is_empty())
    }
}
