//! Behaviour of the context crates and functions over the embedded engine, with tables and queues
//! made from the templates.

mod campaigns;
mod chat;
mod cloud;
mod contacts;
mod lambda;
mod support;
mod workflows;
