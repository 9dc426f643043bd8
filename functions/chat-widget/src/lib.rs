//! chat-widget
