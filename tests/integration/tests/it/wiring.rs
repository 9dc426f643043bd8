//! A function is built from its environment: it reads exactly the variables that the template gives it,
//! and an environment that lacks some is refused with all of them at once.

use std::collections::{BTreeMap, BTreeSet};

use lambda::{ConfigError, Setup, Vars};
use tanigo_local::runtime::registry;
use tanigo_local::template::model::Function;

use crate::support::World;

/// The SDK reads this one, in every function.
const OF_THE_SDK: &str = "AWS_ENDPOINT_URL";

fn given(function: &Function) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = function.environment.keys().cloned().collect();
    names.remove(OF_THE_SDK);
    names
}

/// Functions that send to whatever queues they are given.
const SEND_ANYWHERE: &[&str] = &["change-relay", "due-timer"];

/// Builds the function; gives the variables that it read, and the error.
fn build(
    world: &World,
    function: &Function,
    vars: BTreeMap<String, String>,
) -> (BTreeSet<String>, Option<ConfigError>) {
    let setup = Setup::new(Vars::from_map(vars), world.cloud());
    let built = registry::code(&function.handler, &setup);
    let error = built.err().map(|error| {
        let error = error.downcast::<ConfigError>();
        error.unwrap_or_else(|error| panic!("{}: {error}", function.handler))
    });
    (setup.resources().asked(), error)
}

#[test]
fn a_function_asks_for_exactly_the_variables_that_it_is_given() {
    let world = World::new();
    let mut violations = Vec::new();
    for function in &world.model.functions {
        let (asked, error) = build(&world, function, function.environment.clone());
        assert_eq!(error, None, "{}", function.handler);
        let given = given(function);
        for name in asked.difference(&given) {
            violations.push(format!("{}: asks for {name}", function.handler));
        }
        for name in given.difference(&asked) {
            violations.push(format!("{}: is given {name}", function.handler));
        }
    }
    assert_eq!(violations, Vec::<String>::new());
}

#[test]
fn an_empty_environment_is_refused_with_every_missing_name() {
    let world = World::new();
    for function in &world.model.functions {
        let (_, error) = build(&world, function, BTreeMap::new());
        let error = error.unwrap_or_else(|| panic!("{} was built", function.handler));
        let mut needed = given(function);
        if SEND_ANYWHERE.contains(&function.handler.as_str()) {
            needed.retain(|name| !name.ends_with("_QUEUE_URL"));
        }
        assert_eq!(error.missing, needed, "{}", function.handler);
        assert_eq!(error.invalid, BTreeMap::new(), "{}", function.handler);
    }
}

#[test]
fn a_short_secret_is_refused() {
    let world = World::new();
    let mut secrets = 0;
    for function in &world.model.functions {
        let names = function.environment.keys();
        let is_secret = |name: &&String| name.ends_with("_SECRET") || name.ends_with("_TOKEN");
        for name in names.filter(is_secret) {
            let mut vars = function.environment.clone();
            vars.insert(name.clone(), "fifteen letters".to_owned());
            let error = build(&world, function, vars).1;
            let error = error.unwrap_or_else(|| panic!("{}: {name}", function.handler));
            assert_eq!(error.invalid.keys().collect::<Vec<_>>(), [name]);
            secrets += 1;
        }
    }
    assert_eq!(secrets, 33, "secrets of the template");
}
