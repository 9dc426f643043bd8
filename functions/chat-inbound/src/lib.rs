//! chat-inbound
