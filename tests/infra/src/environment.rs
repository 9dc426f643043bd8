//! A function's `VARS` and its environment in the template are the same list.

use std::collections::BTreeSet;

use crate::assert_none;
use crate::template::{functions, project};

/// The texts in `pub const VARS: &[&str] = &[...]`.
fn declared(name: &str) -> Result<BTreeSet<String>, String> {
    let file = format!("functions/{name}/src/lib.rs");
    let text = std::fs::read_to_string(project().join(&file)).map_err(|error| error.to_string())?;
    let start = "pub const VARS: &[&str] = &[";
    let list = text
        .split_once(start)
        .and_then(|(_, rest)| rest.split_once("];"));
    let (list, _) = list.ok_or_else(|| format!("{file} has no `{start}...];`"))?;
    let without_comments = list
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default());
    let mut names = BTreeSet::new();
    for item in without_comments.collect::<String>().split(',') {
        let item = item.trim();
        if item.is_empty() {
            continue;
        }
        let name = item
            .strip_prefix('"')
            .and_then(|item| item.strip_suffix('"'));
        names.insert(
            name.ok_or_else(|| format!("{file}: {item} is not a text"))?
                .to_owned(),
        );
    }
    Ok(names)
}

#[test]
fn a_function_reads_the_variables_it_is_given() {
    let mut violations = Vec::new();
    for function in functions() {
        let given: BTreeSet<String> = function.variables().keys().cloned().collect();
        match declared(function.name()) {
            Err(problem) => violations.push(problem),
            Ok(read) => {
                for name in read.difference(&given) {
                    violations.push(format!(
                        "{}: reads {name}, is not given it",
                        function.name()
                    ));
                }
                for name in given.difference(&read) {
                    violations.push(format!(
                        "{}: is given {name}, does not read it",
                        function.name()
                    ));
                }
            }
        }
    }
    assert_none("VARS and template.yaml", &violations);
}
