//! The local stack: runs `template.yaml` on one machine, no container, no account.
//!
//! It reads the templates ([`template`]) and replaces the AWS services behind their wire protocols ([`aws`]). It
//! runs every function in process through the events that Lambda delivers ([`runtime`]). It holds no product rule:
//! the work of a function is defined in `functions` and `shared`.

pub mod aws;
pub mod bill;
pub mod cli;
pub mod console;
pub mod demo;
mod loopback;
pub mod providers;
pub mod receiver;
pub mod reference;
pub mod runtime;
pub mod seed;
pub mod template;
pub mod turnstile;
