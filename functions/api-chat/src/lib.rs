//! api-chat
