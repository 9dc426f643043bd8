//! Rules over the templates and the crates that no tool checks.
//!
//! `sam validate` and `cfn-lint` check whether a template is well-formed; these tests check the rules of this
//! project. Each rule is a separate test. A test collects every violation and names the resource, so that one run
//! shows the whole list. The templates are read as written, with intrinsic functions left in place: the local
//! stack resolves them.
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
