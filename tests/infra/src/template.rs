//! The templates as JSON, short-form tags in their long form, nothing resolved.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde_json::{Map, Value, json};
use serde_yaml_ng::Value as Yaml;

pub static ROOT: LazyLock<Template> = LazyLock::new(|| Template::read("template.yaml"));
pub static DATA: LazyLock<Template> = LazyLock::new(|| Template::read("infra/data.yaml"));
pub static MESSAGING: LazyLock<Template> = LazyLock::new(|| Template::read("infra/messaging.yaml"));
pub static OBSERVABILITY: LazyLock<Template> =
    LazyLock::new(|| Template::read("infra/observability.yaml"));

/// The project's root folder.
pub fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub struct Template {
    pub file: &'static str,
    pub text: String,
    pub document: Value,
}

#[derive(Clone, Copy)]
pub struct Resource<'a> {
    pub id: &'a str,
    pub body: &'a Value,
}

impl<'a> Resource<'a> {
    /// A property by path, `Value::Null` when absent.
    pub fn get(&self, path: &[&str]) -> &'a Value {
        at(&self.body["Properties"], path)
    }

    pub fn kind(&self) -> &'a str {
        self.body["Type"].as_str().unwrap_or_default()
    }
}

/// A function of the root template.
#[derive(Clone, Copy)]
pub struct Function<'a>(pub Resource<'a>);

impl<'a> Function<'a> {
    /// Name of its folder and package.
    pub fn name(&self) -> &'a str {
        self.0.get(&["Handler"]).as_str().unwrap_or_default()
    }

    pub fn id(&self) -> &'a str {
        self.0.id
    }

    /// Its events of a type, with their names.
    pub fn events(&self, kind: &str) -> Vec<(&'a str, &'a Value)> {
        let events = self.0.get(&["Events"]).as_object().into_iter().flatten();
        events
            .filter(|(_, event)| event["Type"] == kind)
            .map(|(name, event)| (name.as_str(), &event["Properties"]))
            .collect()
    }

    /// Seconds; explicit in every function.
    pub fn timeout(&self) -> u64 {
        self.0.get(&["Timeout"]).as_u64().unwrap_or_default()
    }

    pub fn variables(&self) -> Map<String, Value> {
        self.0
            .get(&["Environment", "Variables"])
            .as_object()
            .cloned()
            .unwrap_or_default()
    }

    /// The role that the function names.
    pub fn role(&self) -> Option<Resource<'static>> {
        let arn = get_att(self.0.get(&["Role"]))?;
        ROOT.resource(arn.strip_suffix(".Arn")?)
    }

    /// Statements of the role's inline policies.
    pub fn statements(&self) -> Vec<&'static Value> {
        let policies = self.role().map(|role| role.get(&["Policies"]));
        let policies = policies.and_then(Value::as_array).into_iter().flatten();
        policies
            .flat_map(|policy| list(&policy["PolicyDocument"]["Statement"]))
            .collect()
    }
}

impl Template {
    fn read(file: &'static str) -> Self {
        let path = project().join(file);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
        let yaml: Yaml =
            serde_yaml_ng::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
        Self {
            file,
            text,
            document: convert(yaml),
        }
    }

    pub fn resources(&self) -> Vec<Resource<'_>> {
        let all = self.document["Resources"].as_object().into_iter().flatten();
        all.map(|(id, body)| Resource { id, body }).collect()
    }

    pub fn of_kind(&self, kind: &str) -> Vec<Resource<'_>> {
        self.resources()
            .into_iter()
            .filter(|resource| resource.kind() == kind)
            .collect()
    }

    pub fn resource(&self, id: &str) -> Option<Resource<'_>> {
        self.resources()
            .into_iter()
            .find(|resource| resource.id == id)
    }

    /// The value of an output.
    pub fn output(&self, name: &str) -> &Value {
        &self.document["Outputs"][name]["Value"]
    }
}

/// Every function of the root template.
pub fn functions() -> Vec<Function<'static>> {
    ROOT.of_kind("AWS::Serverless::Function")
        .into_iter()
        .map(Function)
        .collect()
}

/// Target of `!GetAtt`, as `A.B.C`.
pub fn get_att(value: &Value) -> Option<String> {
    match &value["Fn::GetAtt"] {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => {
            let parts: Vec<&str> = parts.iter().filter_map(Value::as_str).collect();
            Some(parts.join("."))
        }
        _ => None,
    }
}

/// Target of `!Ref`.
pub fn reference(value: &Value) -> Option<&str> {
    value["Ref"].as_str()
}

/// Logical id of the queue in infra/messaging.yaml that a root value leads to, by ARN or URL.
pub fn queue_of(value: &Value) -> Option<String> {
    let path = get_att(value)?;
    let output = MESSAGING.output(path.strip_prefix("Messaging.Outputs.")?);
    let id = reference(output).map(str::to_owned).or_else(|| {
        let attribute = get_att(output)?;
        Some(attribute.split_once('.')?.0.to_owned())
    })?;
    let known = MESSAGING
        .resource(&id)
        .is_some_and(|one| one.kind() == "AWS::SQS::Queue");
    known.then_some(id)
}

/// Logical id of the resource in infra/data.yaml that a root value leads to.
pub fn data_of(value: &Value) -> Option<String> {
    let path = get_att(value)?;
    let output = DATA.output(path.strip_prefix("Data.Outputs.")?);
    reference(output).map(str::to_owned).or_else(|| {
        let attribute = get_att(output)?;
        Some(attribute.split_once('.')?.0.to_owned())
    })
}

/// A value by path.
pub fn at<'a>(value: &'a Value, path: &[&str]) -> &'a Value {
    path.iter().fold(value, |value, step| &value[*step])
}

/// A list, or the one value where IAM allows leaving the list out.
pub fn list(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

fn convert(yaml: Yaml) -> Value {
    match yaml {
        Yaml::Null => Value::Null,
        Yaml::Bool(flag) => json!(flag),
        Yaml::Number(number) => number
            .as_i64()
            .map_or_else(|| json!(number.as_f64()), |integer| json!(integer)),
        Yaml::String(text) => json!(text),
        Yaml::Sequence(items) => items.into_iter().map(convert).collect(),
        Yaml::Mapping(entries) => {
            let entries = entries
                .into_iter()
                .map(|(key, value)| (key_of(key), convert(value)));
            Value::Object(entries.collect())
        }
        Yaml::Tagged(tagged) => {
            let tag = tagged.tag.to_string();
            let tag = tag.trim_start_matches('!');
            let name = match tag {
                "Ref" | "Condition" => tag.to_owned(),
                function => format!("Fn::{function}"),
            };
            json!({ name: convert(tagged.value) })
        }
    }
}

fn key_of(key: Yaml) -> String {
    match convert(key) {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// Every value in a document, with its path.
pub fn walk<'a>(value: &'a Value, path: &str, visit: &mut dyn FnMut(&str, &'a Value)) {
    visit(path, value);
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                walk(value, &format!("{path}.{key}"), visit);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                walk(value, &format!("{path}.{index}"), visit);
            }
        }
        _ => {}
    }
}
