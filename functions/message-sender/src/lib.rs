//! message-sender
