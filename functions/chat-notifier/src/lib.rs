//! chat-notifier
