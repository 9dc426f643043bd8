//! Every parameter and output between the root and its nested stacks exists on both sides.

use std::collections::BTreeSet;

use crate::assert_none;
use crate::template::{DATA, MESSAGING, OBSERVABILITY, ROOT, Template, get_att, walk};

/// The nested stacks by logical id.
fn nested() -> Vec<(&'static str, &'static Template)> {
    let templates = [&*DATA, &*MESSAGING, &*OBSERVABILITY];
    let stacks = ROOT.of_kind("AWS::Serverless::Application").into_iter();
    stacks
        .map(|stack| {
            let location = stack.get(&["Location"]).as_str().unwrap();
            let template = templates.iter().find(|template| template.file == location);
            (
                stack.id,
                *template.unwrap_or_else(|| panic!("{}: {location}", stack.id)),
            )
        })
        .collect()
}

/// Every `(stack, output)` that the root uses, with the place.
fn used_outputs() -> Vec<(String, String, String)> {
    let mut used = Vec::new();
    walk(&ROOT.document, "template.yaml", &mut |place, value| {
        if let Some(path) = get_att(value)
            && let Some((stack, output)) = path.split_once(".Outputs.")
        {
            used.push((stack.to_owned(), output.to_owned(), place.to_owned()));
        }
        // ${Stack.Outputs.Name} inside !Sub
        for part in value.as_str().unwrap_or_default().split("${").skip(1) {
            let name = part.split('}').next().unwrap_or_default();
            if let Some((stack, output)) = name.split_once(".Outputs.") {
                used.push((stack.to_owned(), output.to_owned(), place.to_owned()));
            }
        }
    });
    used
}

#[test]
fn every_nested_output_that_is_used_exists() {
    let nested = nested();
    let mut violations = Vec::new();
    for (stack, output, place) in used_outputs() {
        let template = nested
            .iter()
            .find(|(id, _)| *id == stack)
            .map(|(_, template)| template);
        if template.is_none_or(|template| template.output(&output).is_null()) {
            violations.push(format!("{place}: {stack}.Outputs.{output}"));
        }
    }
    assert_none("outputs that do not exist", &violations);
}

#[test]
fn every_nested_output_is_used() {
    let used: BTreeSet<(String, String)> = used_outputs()
        .into_iter()
        .map(|(stack, output, _)| (stack, output))
        .collect();
    let mut violations = Vec::new();
    for (stack, template) in nested() {
        for (output, _) in template.document["Outputs"]
            .as_object()
            .into_iter()
            .flatten()
        {
            if !used.contains(&(stack.to_owned(), output.clone())) {
                violations.push(format!("{}: {output}", template.file));
            }
        }
    }
    assert_none("outputs that nobody uses", &violations);
}

#[test]
fn every_nested_parameter_exists_and_is_given() {
    let mut violations = Vec::new();
    for (stack, template) in nested() {
        let given = ROOT
            .resource(stack)
            .unwrap()
            .get(&["Parameters"])
            .as_object();
        let given: BTreeSet<&String> = given.into_iter().flatten().map(|(name, _)| name).collect();
        let declared = &template.document["Parameters"];
        for (name, body) in declared.as_object().into_iter().flatten() {
            if body["Default"].is_null() && !given.contains(name) {
                violations.push(format!("{stack}: {name} is not given"));
            }
        }
        for name in given {
            if declared[name].is_null() {
                violations.push(format!(
                    "{stack}: {name} does not exist in {}",
                    template.file
                ));
            }
        }
    }
    assert_none("parameters of nested stacks", &violations);
}

#[test]
fn nested_stacks_hold_no_functions() {
    // An HttpApi event must name an API of the same template, and Globals stop at theirs.
    let mut violations = Vec::new();
    for (_, template) in nested() {
        for resource in template.resources() {
            if resource.kind().starts_with("AWS::Serverless::") {
                violations.push(format!("{}: {}", template.file, resource.id));
            }
        }
    }
    assert_none("SAM resources outside the root", &violations);
}
