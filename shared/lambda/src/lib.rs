//! The base of every function: configuration, clients, the runners for each kind of trigger, problem answers, logs,
//! metrics and the trace id.
//!
//! The only importer of `lambda_runtime` and `lambda_http`. It may use `kernel` and `cloud` only. It knows the API's
//! contract ([`http`]): credentials, permissions, limits, problem codes. It knows no other feature of the product.
//!
//! A function exports `pub fn function(&Setup) -> Result<Function, ConfigError>`. On Lambda [`run`] passes it the
//! environment and polls. The local stack passes it another [`Setup`] and gives the same events to
//! [`Function::invoke`].

pub mod authorizer;
mod failure;
mod function;
pub mod http;
pub mod metrics;
mod retry;
pub mod schedule;
mod setup;
pub mod socket;
pub mod sqs;
pub mod stream;
mod telemetry;

pub use cloud::{ConfigError, Vars};
pub use failure::Failure;
pub use function::{Function, Invocation, InvokeError, run};
pub use lambda_runtime::Error;
pub use setup::Setup;
