//! The fields of a workflow that the API shows.

use jiff::Timestamp;
use kernel::{Cursor, Limit, WorkflowId};
use serde::{Deserialize, Serialize};
use workflows::{EntryRule, Graph, Status, Trigger, Workflow};

/// Query of a list.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    pub limit: Option<Limit>,
    pub cursor: Option<Cursor>,
}

/// A workflow. The graph is left out of lists.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Workflow)]
pub struct WorkflowView {
    id: WorkflowId,
    name: String,
    status: Status,
    version: u32,
    trigger: Trigger,
    entry: EntryRule,
    #[serde(serialize_with = "kernel::clock::millis")]
    created_at: Timestamp,
    #[serde(serialize_with = "kernel::clock::millis")]
    active_since: Option<Timestamp>,
    graph: Option<Graph>,
}

impl WorkflowView {
    pub fn with_graph(self, graph: Graph) -> Self {
        let graph = Some(graph);
        Self { graph, ..self }
    }
}

impl From<Workflow> for WorkflowView {
    fn from(workflow: Workflow) -> Self {
        Self {
            id: workflow.id,
            name: workflow.name,
            status: workflow.status,
            version: workflow.definition,
            trigger: workflow.trigger,
            entry: workflow.entry,
            created_at: workflow.created_at,
            active_since: workflow.activity.since(),
            graph: None,
        }
    }
}
