//! How a stack is started and where it is reached.

use std::collections::BTreeMap;
use std::path::PathBuf;

use kernel::{Clock, Entropy};
use serde_json::{Value, json};

use crate::aws::FaultHook;

/// Sender domain of the local stack; nothing leaves the machine.
const EMAIL_IDENTITY: &str = "example.vn";

/// Mails a second; the local outbox has no quota, and the demo measures the product, not the send rate.
const EMAIL_SEND_RATE: &str = "20000";

/// Where the servers listen; 0 takes any free port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    /// HTTP API and console.
    pub api: u16,
    /// WebSocket API.
    pub socket: u16,
    /// AWS wire protocols.
    pub aws: u16,
}

impl Ports {
    /// Three ports in a row, or any free ones for 0.
    pub fn from(first: u16) -> Self {
        let after = |n| {
            if first == 0 {
                0
            } else {
                first.saturating_add(n)
            }
        };
        Self {
            api: first,
            socket: after(1),
            aws: after(2),
        }
    }
}

/// How to start a stack.
pub struct Options {
    /// Folder that holds `template.yaml`.
    pub root: PathBuf,
    /// Folder that keeps the state; without a folder the state is lost when the stack stops.
    pub data_dir: Option<PathBuf>,
    /// Servers to start; without them the stack is reached only in process.
    pub ports: Option<Ports>,
    /// Decides the outcome of each AWS call.
    pub fault_hook: Option<FaultHook>,
    /// The machine's time.
    pub clock: Clock,
    /// Randomness of the functions.
    pub entropy: Entropy,
}

impl Options {
    /// In memory, without servers, on the machine's clock.
    pub fn in_memory(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            data_dir: None,
            ports: None,
            fault_hook: None,
            clock: Clock::system(),
            entropy: Entropy::system(),
        }
    }
}

/// Base addresses of the stack, without a slash at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// HTTP API and console.
    pub api: String,
    /// WebSocket API.
    pub websocket: String,
    /// AWS wire protocols.
    pub aws: String,
}

impl Addresses {
    /// Addresses of a stack without servers; nothing listens there.
    pub(super) fn in_process() -> Self {
        Self {
            api: "http://127.0.0.1:8787".to_owned(),
            websocket: "ws://127.0.0.1:8788".to_owned(),
            aws: "http://127.0.0.1:8789".to_owned(),
        }
    }

    /// As `/_local/credentials` names them.
    pub(super) fn as_json(&self) -> Value {
        json!({"api": self.api, "websocket": self.websocket, "aws": self.aws})
    }

    /// Values of the template's parameters that a deployment gives and AWS cannot know.
    pub(super) fn overrides(&self) -> BTreeMap<String, String> {
        let providers = format!("{}/_local/providers/*", self.api);
        let turnstile = format!("{}/_local/turnstile/v0", self.api);
        let pairs = [
            ("EmailIdentity", EMAIL_IDENTITY),
            ("EmailSendRate", EMAIL_SEND_RATE),
            ("ProvidersUrl", &providers),
            ("PublicBaseUrl", &self.api),
            ("SocketEndpoint", &self.aws),
            ("SocketPublicUrl", &self.websocket),
            ("Stage", "local"),
            ("TurnstileUrl", &turnstile),
            ("WebhookLoopback", "true"),
            ("ZaloAppId", crate::providers::zalo::APP_ID),
        ];
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        pairs.into_iter().map(own).collect()
    }
}
