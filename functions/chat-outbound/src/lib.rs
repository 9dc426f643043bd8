//! chat-outbound
