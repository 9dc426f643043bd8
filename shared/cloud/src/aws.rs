//! What every client is built from.

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use kernel::{Clock, Entropy};
use std::time::Duration;

/// Configuration of the AWS clients, with the clock and the randomness that go with it.
#[derive(Clone, Debug)]
pub struct Aws {
    pub(crate) config: SdkConfig,
    pub(crate) clock: Clock,
    pub(crate) entropy: Entropy,
}

impl Aws {
    /// Around a configuration made elsewhere: the local stack passes one whose connector answers
    /// in process.
    pub fn new(config: SdkConfig, clock: Clock, entropy: Entropy) -> Self {
        Self {
            config,
            clock,
            entropy,
        }
    }

    /// From the Lambda environment. The behaviour version is pinned so that an update of the SDK
    /// cannot change retries silently; an attempt ends well before the shortest function time-out
    /// (10 s), since the SDK's own default is to wait for ever. Connecting is given up earlier than
    /// the attempt: a request that was never written is told from one whose answer was lost.
    pub async fn from_environment() -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(2))
            .operation_attempt_timeout(Duration::from_secs(3))
            .operation_timeout(Duration::from_secs(8))
            .build();
        let config = aws_config::defaults(aws_config::BehaviorVersion::v2026_01_12())
            .retry_config(RetryConfig::standard().with_max_attempts(3))
            .timeout_config(timeouts)
            .load()
            .await;
        Self::new(config, Clock::system(), Entropy::system())
    }

    /// The clock that timers and limits go by.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The source of operation names and ids.
    pub fn entropy(&self) -> &Entropy {
        &self.entropy
    }
}
