//! Content of messages: templates, mails, tracked links, and the MIME message.
//!
//! Pure: no I/O, no clock, no randomness, no environment. Knows nothing of campaigns, workflows or storage; callers
//! pass in text and data and get text back.

pub mod check;
pub mod links;
pub mod mail;
pub mod mime;
pub mod sanitize;
pub mod tokens;
pub mod tree;

pub use template;
