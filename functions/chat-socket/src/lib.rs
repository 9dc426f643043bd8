//! chat-socket
