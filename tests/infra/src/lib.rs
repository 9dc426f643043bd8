//! Rules over the templates and the crates that no tool checks.
//!
//! `sam validate` and `cfn-lint` know whether a template is well-formed; these tests know what this
//! project asks of it. Each rule is a test of its own, collects every violation and names the
//! resource, so that one run tells the whole list. The templates are read as they are written, with
//! intrinsic functions left in place: what they resolve to is the local stack's business.
#![cfg(test)]
mod access;
mod alarms;
mod code;
mod cost;
mod crates;
mod credentials;
mod english;
mod fixtures;
mod functions;
mod generate;
mod nesting;
mod queues;
mod state;
mod streams;
mod template;

/// Fails with every violation of a rule.
#[track_caller]
fn assert_none(rule: &str, violations: &[String]) {
    assert!(
        violations.is_empty(),
        "{rule}:\n  {}",
        violations.join("\n  ")
    );
}
