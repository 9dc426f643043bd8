//! Reads `template.yaml` and its nested stacks into [`model::Stack`].
//!
//! The templates are what is deployed, so the local stack takes every table, queue, route and
//! variable from them and declares nothing a second time. Whatever cannot be resolved is an error
//! that names the file and the path in it: a value is never left empty silently.
//!
//! Layers, each in its module:
//!
//! - [`document`] turns YAML with short-form tags into plain JSON.
//! - [`scope`] joins a template with its nested stacks.
//! - [`intrinsics`] evaluates a value in its scope.
//! - [`names`] gives the local names of resources.
//! - [`resources`], [`functions`] and [`triggers`] build the model.
//! - [`rights`] reads the permissions of the roles.

mod billed;
mod document;
mod functions;
mod intrinsics;
pub mod model;
mod names;
mod resources;
mod rights;
mod scope;
#[cfg(test)]
mod tests;
mod triggers;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;

pub use self::billed::{Billed, Keeping};
pub use self::names::QUEUES;
pub use self::rights::Rights;
use self::scope::Stacks;

/// Reads the root template under `root` with everything it nests.
///
/// `overrides` gives values to the root's parameters, by name. An override of a parameter that
/// does not exist is an error.
pub fn read(root: &Path, overrides: &BTreeMap<String, String>) -> anyhow::Result<model::Stack> {
    build(&load(root, overrides)?)
}

/// The templates under `root`, checked as a whole.
fn load(root: &Path, overrides: &BTreeMap<String, String>) -> anyhow::Result<Stacks> {
    load_from(overrides, &|file| {
        std::fs::read_to_string(root.join(file)).with_context(|| format!("cannot read {file}"))
    })
}

/// As [`load`], with the files' texts from `text_of` (by path relative to the root).
fn load_from(
    overrides: &BTreeMap<String, String>,
    text_of: &dyn Fn(&str) -> anyhow::Result<String>,
) -> anyhow::Result<Stacks> {
    let stacks = Stacks::load("template.yaml", overrides, text_of)?;
    stacks.check()?;
    Ok(stacks)
}

fn build(stacks: &Stacks) -> anyhow::Result<model::Stack> {
    let mut stack = model::Stack::default();
    resources::build(stacks, &mut stack)?;
    functions::build(stacks, &mut stack)?;
    stack.rights = Rights::of(stacks)?;
    stack.billed = Billed::of(stacks)?;
    Ok(stack)
}
