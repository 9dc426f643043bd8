//! Saves workflows and changes their states.

use cloud::recent::LEAD;
use cloud::{Error, Timers};
use contacts::fields::{self, FieldUser};
use jiff::{SignedDuration, Timestamp};
use kernel::page::Page;
use kernel::{Cursor, Limit, TenantKey, WorkflowId};

use crate::Workflows;
use crate::activity::Activity;
use crate::draft::{Draft, DraftNode, Flaw};
use crate::holding;
use crate::model::{Definition, Graph, Node, Status, Workflow};

/// Longest time from the start of a change to its write. If the write takes longer, the change is written again with
/// a later border of the activity. The rest of [`LEAD`] is for the caches of other processes.
const STORED_WITHIN: SignedDuration = SignedDuration::from_secs(3);

/// A user's command for a workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Take contacts in and move them.
    Activate,
    /// Enroll nobody; enrolled contacts stop at their step.
    Pause,
    /// End it for ever.
    Archive,
}

impl Change {
    /// The state after it.
    fn target(self) -> Status {
        match self {
            Self::Activate => Status::Active,
            Self::Pause => Status::Paused,
            Self::Archive => Status::Archived,
        }
    }

    /// The states are draft, then active and paused alternately, then archived.
    fn is_legal_from(self, status: Status) -> bool {
        match self {
            Self::Activate => matches!(status, Status::Draft | Status::Paused),
            Self::Pause => status == Status::Active,
            Self::Archive => status != Status::Archived,
        }
    }
}

/// Why a workflow was not saved or changed.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The draft has flaws.
    #[error("the workflow is not valid")]
    Flawed(Vec<Flaw>),
    /// There is no such workflow.
    #[error("no such workflow")]
    Unknown,
    /// The change is not allowed in this state.
    #[error("a workflow in state {0} cannot do that")]
    Illegal(Status),
    /// The workspace's interest set is full.
    #[error("the workflows of this workspace listen to too many events; archive one first")]
    Crowded,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] Error),
}

impl Workflows {
    /// Saves a draft; `None` if another workflow has the id. A repetition finds the workflow of the first run, in its
    /// present state. Its mails are stored in the mail store, named by their content, so
    /// that definitions stay small. `identity` is the domain or address that mails are sent from.
    pub async fn create(
        &self,
        tenant: TenantKey,
        id: WorkflowId,
        at: Timestamp,
        draft: &Draft,
        identity: &str,
    ) -> Result<Option<Workflow>, Refusal> {
        let flaws = draft.check(identity);
        if !flaws.is_empty() {
            return Err(Refusal::Flawed(flaws));
        }
        let definition = Definition {
            trigger: draft.trigger.clone(),
            entry: draft.entry,
            graph: self.store_graph(tenant, draft).await?,
        };
        let workflow = Workflow {
            id,
            name: draft.name.trim().to_owned(),
            status: Status::Draft,
            definition: 1,
            trigger: draft.trigger.clone(),
            entry: draft.entry,
            created_at: at,
            activity: Activity::default(),
            version: 1,
        };
        let used = fields::mentioned(&serde_json::to_string(draft).map_err(Error::from)?);
        if !used.is_empty() {
            let user = FieldUser {
                kind: "workflow".to_owned(),
                id: id.to_string(),
                name: workflow.name.clone(),
            };
            self.field_uses.declare(tenant, &user, &used).await?;
        }
        let created = self.workflows.create(tenant, &workflow, &definition);
        Ok(created.await?)
    }

    async fn store_graph(&self, tenant: TenantKey, draft: &Draft) -> Result<Graph, Error> {
        let mut nodes = indexmap::IndexMap::new();
        for (id, node) in &draft.graph.nodes {
            let next = node.next().map(str::to_owned);
            let node = match node {
                &DraftNode::WaitDuration {
                    minutes,
                    hours,
                    days,
                    weeks,
                    ..
                } => {
                    let seconds = DraftNode::wait_seconds(minutes, hours, days, weeks);
                    let seconds = u32::try_from(seconds)
                        .map_err(|_| Error::Shape("a wait is not valid".into()))?;
                    Node::WaitDuration { seconds, next }
                }
                DraftNode::SendEmail(mail) => Node::SendEmail {
                    subject: mail.subject.clone(),
                    mail: self.mails.put(tenant, &mail.stored()).await?,
                    class: mail.class,
                    reason: mail.reason,
                    next,
                },
                DraftNode::SendSms(sms) => Node::SendSms {
                    brandname_id: sms.brandname_id,
                    content: sms.content.clone(),
                    reason: sms.reason,
                    next,
                },
                DraftNode::SendPush(push) => Node::SendPush {
                    note: push.note(),
                    class: push.class,
                    reason: push.reason,
                    next,
                },
                DraftNode::AddTag { tags, .. } => Node::AddTag {
                    tags: tags.clone(),
                    next,
                },
                DraftNode::Exit => Node::Exit,
            };
            nodes.insert(id.clone(), node);
        }
        let start = draft.graph.start.clone();
        Ok(Graph { start, nodes })
    }

    /// One workflow.
    pub async fn get(&self, tenant: TenantKey, id: WorkflowId) -> Result<Option<Workflow>, Error> {
        self.workflows.get(tenant, id).await
    }

    /// The version of its definition for new contacts.
    pub async fn definition(
        &self,
        tenant: TenantKey,
        workflow: &Workflow,
    ) -> Result<Option<Definition>, Error> {
        let version = workflow.definition;
        self.workflows
            .definition(tenant, workflow.id, version)
            .await
    }

    /// Workflows, newest first.
    pub async fn list(
        &self,
        tenant: TenantKey,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Page<Workflow>, Error> {
        self.workflows.page(tenant, limit, cursor).await
    }

    /// Moves a workflow to another state. A request for the current state is no error, so a client may repeat a
    /// request whose answer it lost. Contacts that the pause has held are released by a timer, which is written
    /// first.
    pub async fn change(
        &self,
        timers: &Timers,
        tenant: TenantKey,
        id: WorkflowId,
        change: Change,
    ) -> Result<Workflow, Refusal> {
        let workflow = self.workflows.get(tenant, id).await?;
        let mut workflow = workflow.ok_or(Refusal::Unknown)?;
        let (event, name) = (workflow.trigger.event().to_owned(), id.to_string());
        if workflow.status != change.target() {
            if !change.is_legal_from(workflow.status) {
                return Err(Refusal::Illegal(workflow.status));
            }
            // Subscribe first: an active workflow must miss no event.
            if change == Change::Activate {
                let filter = workflow.trigger.filter();
                if !self
                    .listeners
                    .listen(tenant, &event, &name, &filter)
                    .await?
                {
                    return Err(Refusal::Crowded);
                }
            }
            if workflow.status == Status::Paused {
                holding::release_later(timers, tenant, id, workflow.version).await?;
            }
            self.store(tenant, &mut workflow, change).await?;
        }
        if change == Change::Archive {
            // Do not unsubscribe on pause: a concurrent resume would then miss events. Unsubscribe also if it is
            // archived already: the request may repeat one that stopped halfway.
            self.listeners.unlisten(tenant, &event, &name).await?;
            self.field_uses.forget(tenant, &name).await?;
        }
        Ok(workflow)
    }

    /// Stores the new state. At the new border of the activity no process caches the old state any more, so every
    /// delivery of an event finds the same answer.
    async fn store(
        &self,
        tenant: TenantKey,
        workflow: &mut Workflow,
        change: Change,
    ) -> Result<(), Error> {
        workflow.status = change.target();
        let before = workflow.activity.clone();
        loop {
            let begun = self.clock().now();
            let border = begun + LEAD;
            workflow.activity = match change {
                Change::Activate => before.clone().begun(border),
                Change::Pause | Change::Archive => before.clone().ended(border),
            };
            workflow.version += 1;
            self.workflows.replace(tenant, workflow).await?;
            if self.clock().now().duration_since(begun) < STORED_WITHIN {
                return Ok(());
            }
        }
    }
}
