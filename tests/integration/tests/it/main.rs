//! Behaviour of the context crates and functions over the embedded engine, with tables and queues
//! made from the templates.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]
#![expect(clippy::unused_self, reason = "what a shop sees reads as its methods")]

mod access;
mod accounts;
mod browsers;
mod campaigns;
mod chat;
mod cloud;
mod commerce;
mod contacts;
mod contract;
mod creations;
mod cursors;
mod deliveries;
mod faults;
mod fixtures;
mod forms;
mod goods;
mod guides;
mod lambda;
mod matrix;
mod outages;
mod places;
mod privacy;
mod push;
mod reference;
mod runners;
mod scale;
mod segments;
mod shops;
mod sms;
mod sources;
mod support;
mod sync;
mod trace;
mod tracking;
mod webhooks;
mod wiring;
mod workflows;
mod zns;
