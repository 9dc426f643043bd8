//! The state of the gate and the operations.

use accounts::RecentWorkspaces;
use chat::body::InboundMessage;
use chat::token::Tokens;
use chat::{Chat, InboxDoors};
use cloud::QueueOf;
use kernel::{Clock, Entropy};

use crate::limits::Limits;

/// The state of the operations.
#[derive(Clone)]
pub struct Widget {
    pub chat: Chat,
    pub doors: InboxDoors,
    pub workspaces: RecentWorkspaces,
    pub tokens: Tokens,
    pub incoming: QueueOf<InboundMessage>,
    pub limits: Limits,
    pub socket: String,
    pub clock: Clock,
    pub entropy: Entropy,
}
