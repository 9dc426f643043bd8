//! The base of every client.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use kernel::{Clock, Entropy};

use crate::Web;

/// Configuration of the AWS clients, with their clock and randomness; cheap to clone.
#[derive(Clone, Debug)]
pub struct Aws(Arc<Inner>, Web);

#[derive(Debug)]
struct Inner {
    config: SdkConfig,
    clock: Clock,
    entropy: Entropy,
    dynamodb: OnceLock<aws_sdk_dynamodb::Client>,
    sqs: OnceLock<aws_sdk_sqs::Client>,
}

impl Aws {
    /// From a configuration made elsewhere. The local stack passes one whose connector answers in process.
    pub fn new(config: SdkConfig, clock: Clock, entropy: Entropy) -> Self {
        let inner = Inner {
            config,
            clock,
            entropy,
            dynamodb: OnceLock::new(),
            sqs: OnceLock::new(),
        };
        Self(Arc::new(inner), Web::default())
    }

    /// Calls to systems outside of AWS take this way.
    #[must_use]
    pub fn with_web(self, web: Web) -> Self {
        Self(self.0, web)
    }

    /// The client for systems outside of AWS.
    pub fn web(&self) -> &Web {
        &self.1
    }

    /// From the Lambda environment. The behaviour version is pinned so that an update of the SDK cannot change
    /// retries silently.
    pub async fn from_environment() -> Self {
        let config = aws_config::defaults(aws_config::BehaviorVersion::v2026_01_12())
            .retry_config(Self::retries())
            .timeout_config(Self::timeouts())
            .load()
            .await;
        Self::new(config, Clock::system(), Entropy::system())
    }

    /// Time-outs of every client. An attempt ends well before the shortest function time-out (10 s), since the SDK's
    /// own default is to wait for ever. The connect time-out is shorter than that of the attempt. So a request that
    /// was never written differs from one whose answer was lost.
    pub fn timeouts() -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(2))
            .operation_attempt_timeout(Duration::from_secs(3))
            .operation_timeout(Duration::from_secs(8))
            .build()
    }

    /// Retries of every client: three attempts.
    pub fn retries() -> RetryConfig {
        RetryConfig::standard().with_max_attempts(3)
    }

    /// The clock of timers and limits.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// The source of operation names and ids.
    pub fn entropy(&self) -> &Entropy {
        &self.0.entropy
    }

    pub(crate) fn config(&self) -> &SdkConfig {
        &self.0.config
    }

    /// One client for all tables.
    pub(crate) fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        let client = || aws_sdk_dynamodb::Client::new(&self.0.config);
        self.0.dynamodb.get_or_init(client).clone()
    }

    /// One client for all queues.
    pub(crate) fn sqs(&self) -> aws_sdk_sqs::Client {
        let client = || aws_sdk_sqs::Client::new(&self.0.config);
        self.0.sqs.get_or_init(client).clone()
    }
}
