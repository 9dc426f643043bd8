//! YAML text with CloudFormation's short-form tags to plain JSON with the long forms.
//!
//! This module knows the syntax of each tag, not its meaning.

use anyhow::{Context as _, anyhow, bail};
use serde_json::{Map, Value};
use serde_yaml_ng::Value as Yaml;

/// Parses `text`; errors name `file`.
pub(super) fn parse(file: &str, text: &str) -> anyhow::Result<Value> {
    let yaml: Yaml =
        serde_yaml_ng::from_str(text).map_err(|error| anyhow!("{file}: not YAML: {error}"))?;
    convert(&yaml)
        .with_context(|| file.to_owned())
        .map_err(|error| anyhow!("{error:#}"))
}

fn convert(yaml: &Yaml) -> anyhow::Result<Value> {
    Ok(match yaml {
        Yaml::Null => Value::Null,
        Yaml::Bool(flag) => Value::Bool(*flag),
        Yaml::Number(number) => number_of(number)?,
        Yaml::String(text) => Value::String(text.clone()),
        Yaml::Sequence(items) => {
            Value::Array(items.iter().map(convert).collect::<anyhow::Result<_>>()?)
        }
        Yaml::Mapping(entries) => {
            let mut map = Map::new();
            for (key, value) in entries {
                let key = key_of(key)?;
                let value = convert(value).with_context(|| key.clone())?;
                map.insert(key, value);
            }
            Value::Object(map)
        }
        Yaml::Tagged(tagged) => tag(&tagged.tag.to_string(), convert(&tagged.value)?)?,
    })
}

fn number_of(number: &serde_yaml_ng::Number) -> anyhow::Result<Value> {
    if let Some(integer) = number.as_i64() {
        return Ok(integer.into());
    }
    let float = number.as_f64().and_then(serde_json::Number::from_f64);
    float
        .map(Value::Number)
        .with_context(|| format!("number {number} has no JSON form"))
}

fn key_of(key: &Yaml) -> anyhow::Result<String> {
    match key {
        Yaml::String(text) => Ok(text.clone()),
        Yaml::Number(number) => Ok(number.to_string()),
        Yaml::Bool(flag) => Ok(flag.to_string()),
        other => bail!("a key must be text, not {other:?}"),
    }
}

/// The long form of one tag. An unknown tag is refused here, so that it cannot pass as a value.
fn tag(tag: &str, value: Value) -> anyhow::Result<Value> {
    let (name, value) = match tag {
        "!Ref" => ("Ref", value),
        "!Condition" => ("Condition", value),
        "!GetAtt" => ("Fn::GetAtt", get_att(value)?),
        "!Sub" => ("Fn::Sub", value),
        "!Join" => ("Fn::Join", value),
        "!Select" => ("Fn::Select", value),
        "!Split" => ("Fn::Split", value),
        "!If" => ("Fn::If", value),
        "!Equals" => ("Fn::Equals", value),
        "!Not" => ("Fn::Not", value),
        "!And" => ("Fn::And", value),
        "!Or" => ("Fn::Or", value),
        "!FindInMap" => ("Fn::FindInMap", value),
        "!Base64" => ("Fn::Base64", value),
        unknown => bail!("unknown tag {unknown}"),
    };
    Ok(Value::Object(Map::from_iter([(name.to_owned(), value)])))
}

/// `A.B.C` as `[A, B.C]`, which is how the long form writes it.
fn get_att(value: Value) -> anyhow::Result<Value> {
    let Value::String(text) = value else {
        return Ok(value);
    };
    let (resource, attribute) = text
        .split_once('.')
        .with_context(|| format!("!GetAtt {text} names no attribute"))?;
    Ok(Value::from(vec![resource, attribute]))
}
