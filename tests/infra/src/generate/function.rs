//! One function of the root: its environment, its triggers and its permissions.

use std::collections::BTreeMap;

use super::facts::{Cap, Function, Group, Right};
use super::role::statements;
use super::text::{entries, fill, indent, read, upper};

/// Variables that functions name, and the permissions that follow from them.
pub struct Settings {
    variables: BTreeMap<String, String>,
    rights: BTreeMap<String, String>,
}

impl Settings {
    pub fn read() -> Self {
        let text = read("infra/template/settings.yaml");
        Self {
            variables: entries(&text, "variables"),
            rights: entries(&text, "rights"),
        }
    }

    fn value(&self, name: &str) -> &str {
        let value = self.variables.get(name).map(String::as_str);
        value.unwrap_or_else(|| panic!("infra/template/settings.yaml has no {name}"))
    }

    /// Statements, or nothing.
    pub fn rights(&self, name: &str) -> &str {
        self.rights.get(name).map_or("", String::as_str)
    }
}

/// The blocks of a group, with an empty line between them.
pub fn blocks(group: Group, functions: &[Function], settings: &Settings) -> String {
    let own = functions
        .iter()
        .filter(|function| function.group() == group);
    let blocks: Vec<String> = own.map(|function| block(function, settings)).collect();
    blocks.join("\n")
}

fn block(function: &Function, settings: &Settings) -> String {
    let Function {
        name, id, facts, ..
    } = function;
    let feeds_itself = facts
        .queue
        .iter()
        .any(|queue| facts.sends.contains(&queue.name));
    let loops = "# Lambda would stop the loop after 16 rounds.\nRecursiveLoop: Allow\n";
    let loops = format!("{}{loops}", function.comment("sends"));
    let invoke = facts
        .schedule
        .as_ref()
        .map(|_| fill("parts/invoke.yaml", &[("Name", id)]));
    let number = |key: &str, property: &str, value: u32| {
        format!("{}{property}: {value}\n", function.comment(key))
    };
    fill(
        "parts/function.yaml",
        &[
            ("comment", function.explanation()),
            ("Name", id),
            ("name", name),
            ("variables", &variables(function, settings)),
            ("invoke", invoke.as_deref().unwrap_or_default()),
            ("events", &events(function)),
            ("memory", &number("memory", "MemorySize", facts.memory)),
            ("loop", if feeds_itself { &loops } else { "" }),
            ("reserved", &reserved(facts.reserved)),
            ("timeout", &number("timeout", "Timeout", facts.timeout)),
            ("statements", &statements(function, settings)),
        ],
    )
}

fn reserved(concurrency: Option<u32>) -> String {
    let line = |number| {
        format!(
            "ReservedConcurrentExecutions: !If [HasReservedConcurrency, {number}, !Ref AWS::NoValue]\n"
        )
    };
    concurrency.map(line).unwrap_or_default()
}

/// Rights on tables, those of the HTTP contract included.
pub fn tables(function: &Function) -> BTreeMap<String, Vec<Right>> {
    let mut tables = function.facts.tables.clone();
    if function.behind_authorizer() {
        for (table, action) in [
            ("Dedupe", "PutItem"),
            ("Dedupe", "UpdateItem"),
            ("Limits", "UpdateItem"),
        ] {
            let rights = tables.entry(table.to_owned()).or_default();
            let right = Right::Action(action.to_owned());
            if !rights.contains(&right) {
                rights.push(right);
            }
        }
    }
    tables
}

fn variables(function: &Function, settings: &Settings) -> String {
    let facts = &function.facts;
    let mut found = BTreeMap::new();
    for table in tables(function).keys() {
        let value = format!("!GetAtt Data.Outputs.{table}TableName\n");
        found.insert(format!("{}_TABLE", upper(table)), value);
    }
    for queue in &facts.sends {
        let value = format!("!GetAtt Messaging.Outputs.{queue}Url\n");
        found.insert(format!("{}_QUEUE_URL", upper(queue)), value);
    }
    if let Some(queue) = &facts.queue {
        let value = format!("!GetAtt Messaging.Outputs.{}Url\n", queue.name);
        found.insert("QUEUE_URL".to_owned(), value);
    }
    if let Some(queue) = function.dead_letters() {
        let value = format!("!GetAtt Messaging.Outputs.{queue}Url\n");
        found.insert("DLQ_URL".to_owned(), value);
    }
    for name in &facts.settings {
        found.insert(name.clone(), settings.value(name).to_owned());
    }
    let line = |(name, value): (String, String)| {
        let (first, rest) = value.split_once('\n').unwrap_or((&value, ""));
        format!("{name}: {first}\n{}", indent(2, rest))
    };
    found.into_iter().map(line).collect()
}

/// The triggers, or nothing for functions that an API names itself.
fn events(function: &Function) -> String {
    let facts = &function.facts;
    let mut out = String::new();
    if let Some(queue) = &facts.queue {
        let window = match queue.window {
            0 => String::new(),
            seconds => format!("MaximumBatchingWindowInSeconds: {seconds}\n"),
        };
        let scaling = match &queue.concurrency {
            Some(Cap::Number(most)) => {
                format!("ScalingConfig:\n  MaximumConcurrency: {most}\n")
            }
            Some(Cap::Parameter(name)) => {
                format!("ScalingConfig:\n  MaximumConcurrency: !Ref {name}\n")
            }
            None => String::new(),
        };
        out += &fill(
            "parts/queue-trigger.yaml",
            &[
                ("batch", &queue.batch.to_string()),
                ("window", &window),
                ("Queue", &queue.name),
                ("scaling", &scaling),
            ],
        );
    }
    for (table, stream) in &facts.streams {
        out += &fill(
            "parts/stream.yaml",
            &[
                ("Table", table),
                ("Name", &function.id),
                ("comment", function.comment(&format!("streams.{table}"))),
                ("parallel", &stream.parallel.to_string()),
            ],
        );
    }
    if let Some(schedule) = &facts.schedule {
        out += &fill(
            "parts/schedule.yaml",
            &[
                ("name", &function.name),
                ("schedule", schedule),
                ("Name", &function.id),
            ],
        );
    }
    for route in &facts.routes {
        out += function.comment(&format!("routes.{route}"));
        out += &event(route);
    }
    match out.as_str() {
        "" => out,
        events => format!("Events:\n{}", indent(2, events)),
    }
}

/// One route.
fn event(route: &str) -> String {
    let parts: Vec<&str> = route.split(' ').collect();
    let (method, path, auth) = match parts.as_slice() {
        [method, path] => (method, path, ""),
        [method, path, "public"] => (method, path, "Auth: { Authorizer: NONE }, "),
        _ => panic!("{route}: a route is METHOD /path, or METHOD /path public"),
    };
    let written = if *path == "$default" {
        (*path).to_owned()
    } else {
        format!("\"{path}\"")
    };
    format!(
        "{}:\n  Type: HttpApi\n  Properties: {{ ApiId: !Ref HttpApi, {auth}Method: {method}, Path: {written} }}\n",
        event_name(method, path)
    )
}

/// `ANY /v1/users/{proxy+}` as `UsersItem`, `POST /u/{token}` as `PostUToken`.
fn event_name(method: &str, path: &str) -> String {
    let mut name = String::new();
    if method != "ANY" {
        name += &word(&method.to_lowercase());
    }
    for part in path.split('/').filter(|part| *part != "v1") {
        match part.trim_matches(['{', '}', '$']) {
            "proxy+" => name += "Item",
            part => name.extend(part.split(['-', '.']).map(word)),
        }
    }
    name
}

fn word(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
}
