//! Decides the outcome of each AWS call: first by the caller's role, then by a simulator.
//!
//! The role and the simulator only decide; the service handlers apply the decision. Neither may block or call
//! the services.

use std::sync::Arc;

use super::cancelled::Reason;
use super::touched::Touched;

/// One AWS call as the hook sees it, before it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// `dynamodb`, `sqs`, `ses`, `s3` or `sockets`.
    pub service: &'static str,
    /// The API operation, e.g. `PutItem`; for S3 the HTTP method.
    pub operation: String,
    /// Table, queue, bucket or connection the call names first; empty when it names none.
    pub table_or_queue: String,
    /// The items of a DynamoDB call, for the decision of a role; empty without a role.
    pub items: Vec<Touched>,
    /// Running number of the call, from 0.
    pub sequence: u64,
    /// Handler of the function whose client makes the call, e.g. `ingest`; none for clients without a role.
    pub function: Option<Arc<str>>,
}

/// The outcome that a test chooses for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fault {
    /// Runs as usual.
    #[default]
    None,
    /// Runs after other work of the same thread.
    Yield,
    /// Runs after this number of milliseconds of tokio's time. Under paused time, calls that are made together then
    /// end in the order of their delays.
    Delay(u64),
    /// Does not run; answers with the service's throttling error. A transaction is cancelled with the reason
    /// `ThrottlingError` for its first item.
    Throttle,
    /// Does not run, because of an item of the call. A transaction is cancelled with this reason for its last item and
    /// `None` for the others. A write of one item gets the error that AWS gives for the reason. Other calls run as
    /// usual.
    Cancel(Reason),
    /// Runs for the first half of a batch's entries (a single entry: for none). The answer names the other entries
    /// as not processed. Other calls run as usual.
    Partial,
    /// Runs, and the caller's connection then times out.
    TimeoutAfterCommit,
    /// Does not run and never answers: the caller was killed before the call.
    HangBefore,
    /// Runs and never answers: the caller was killed after the call.
    HangAfter,
}

/// Decides the outcome of each call.
pub type FaultHook = Arc<dyn Fn(&Call) -> Fault + Send + Sync>;

/// The role of a function.
#[derive(Clone)]
pub struct Role {
    /// Handler of the function.
    pub function: Arc<str>,
    /// Whether the role allows a call.
    pub allows: Arc<dyn Fn(&Call) -> bool + Send + Sync>,
}

/// An AWS error as the handlers pass it around; each service writes it in its own shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    /// HTTP status.
    pub status: u16,
    /// Error code without namespace.
    pub code: &'static str,
    /// Text for a person.
    pub message: String,
}

impl ApiError {
    /// An error with its parts.
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
        }
    }
}
