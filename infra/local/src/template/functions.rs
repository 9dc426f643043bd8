//! Functions of the model: SAM's `Globals` merged, environment resolved, triggers attached.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::intrinsics::text_of;
use super::model::{Function, Stack};
use super::names;
use super::resources::{integer, property};
use super::scope::{Place, Resource, Stacks};
use super::triggers;

/// Adds every function and the authoriser to `stack`.
pub(super) fn build(stacks: &Stacks, stack: &mut Stack) -> anyhow::Result<()> {
    let apis = triggers::Apis::read(stacks)?;
    for resource in stacks.resources()? {
        if resource.kind == "AWS::Serverless::Function" {
            stack.functions.push(function(stacks, &apis, &resource)?);
        }
    }
    apis.check_targets(stacks, &stack.functions)?;
    stack.authorizer = apis.authorizer(stacks)?;
    Ok(())
}

fn function(
    stacks: &Stacks,
    apis: &triggers::Apis,
    resource: &Resource<'_>,
) -> anyhow::Result<Function> {
    let number = |name: &str, default: u32| -> anyhow::Result<u32> {
        match setting(stacks, resource, name)? {
            Some(value) => integer(stacks, &resource.place().child(name), &value),
            None => Ok(default),
        }
    };
    let mut found = triggers::of_events(stacks, apis, resource)?;
    found.extend(apis.socket_routes(&names::function_arn(&names::physical(stacks, resource)?)));
    Ok(Function {
        logical_id: resource.id.to_owned(),
        handler: handler(stacks, resource)?,
        // Lambda's defaults.
        timeout: number("Timeout", 3)?,
        memory: number("MemorySize", 128)?,
        environment: environment(stacks, resource)?,
        triggers: found,
    })
}

/// The value of `Handler`, which is the package's name.
pub(super) fn handler(stacks: &Stacks, function: &Resource<'_>) -> anyhow::Result<String> {
    let handler = setting(stacks, function, "Handler")?.and_then(|value| text_of(&value));
    handler.ok_or_else(|| stacks.error(&function.place().child("Handler"), "is missing"))
}

fn environment(
    stacks: &Stacks,
    resource: &Resource<'_>,
) -> anyhow::Result<BTreeMap<String, String>> {
    let Some(environment) = setting(stacks, resource, "Environment")? else {
        return Ok(BTreeMap::new());
    };
    let place = resource.place().child("Environment.Variables");
    let mut variables = BTreeMap::new();
    for (name, value) in environment
        .get("Variables")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        let place = place.child(name);
        let text = text_of(value)
            .ok_or_else(|| stacks.error(&place, format!("must be text, is {value}")))?;
        variables.insert(name.clone(), names::resolve_secrets(stacks, &place, &text)?);
    }
    Ok(variables)
}

/// A function's property over the same one of `Globals.Function`.
pub(super) fn setting(
    stacks: &Stacks,
    resource: &Resource<'_>,
    name: &str,
) -> anyhow::Result<Option<Value>> {
    let own = property(stacks, resource, name)?;
    let global = stacks
        .entry(resource.template, "Globals", "Function")
        .and_then(|function| function.get(name));
    let Some(global) = global else { return Ok(own) };
    let place = Place::new(resource.template, format!("Globals.Function.{name}"));
    let global = stacks.evaluate(&place, global)?;
    Ok(match (global, own) {
        (Some(global), Some(own)) => Some(merge(global, own)),
        (global, own) => own.or(global),
    })
}

/// SAM's rule: maps merge, lists add up, anything else is the function's own.
fn merge(global: Value, own: Value) -> Value {
    match (global, own) {
        (Value::Object(global), Value::Object(own)) => Value::Object(merge_maps(global, own)),
        (Value::Array(mut global), Value::Array(own)) => {
            global.extend(own);
            Value::Array(global)
        }
        (_, own) => own,
    }
}

fn merge_maps(mut global: Map<String, Value>, own: Map<String, Value>) -> Map<String, Value> {
    for (key, value) in own {
        let value = match global.remove(&key) {
            Some(inherited) => merge(inherited, value),
            None => value,
        };
        global.insert(key, value);
    }
    global
}
