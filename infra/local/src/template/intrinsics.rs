//! Evaluates a value in its scope: intrinsic functions, parameters and conditions.
//!
//! `AWS::NoValue` becomes `None`, and a key or element that becomes `None` is left out, as
//! CloudFormation does. Anything unknown is an error.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::names;
use super::scope::{Place, Stacks};

impl Stacks {
    /// The value with every intrinsic function resolved; `None` when it is `AWS::NoValue`.
    pub(super) fn evaluate(&self, at: &Place, value: &Value) -> anyhow::Result<Option<Value>> {
        match value {
            Value::Object(map) => match intrinsic(map) {
                Some((name, argument)) => self.call(at, name, argument),
                None => self
                    .evaluate_map(at, map)
                    .map(|map| Some(Value::Object(map))),
            },
            Value::Array(items) => {
                let mut found = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    found.extend(self.evaluate(&at.child(index), item)?);
                }
                Ok(Some(Value::Array(found)))
            }
            scalar => Ok(Some(scalar.clone())),
        }
    }

    fn evaluate_map(
        &self,
        at: &Place,
        map: &Map<String, Value>,
    ) -> anyhow::Result<Map<String, Value>> {
        let mut found = Map::new();
        for (key, value) in map {
            if let Some(value) = self.evaluate(&at.child(key), value)? {
                found.insert(key.clone(), value);
            }
        }
        Ok(found)
    }

    /// The value as text: text itself, or a number or flag as CloudFormation writes it.
    pub(super) fn text(&self, at: &Place, value: &Value) -> anyhow::Result<String> {
        match self.evaluate(at, value)? {
            Some(value) => {
                text_of(&value).ok_or_else(|| self.error(at, format!("must be text, is {value}")))
            }
            None => Err(self.error(at, "must be text, is AWS::NoValue")),
        }
    }

    fn call(&self, at: &Place, name: &str, argument: &Value) -> anyhow::Result<Option<Value>> {
        let text = |text: String| Ok(Some(Value::String(text)));
        match name {
            "Ref" => self.reference(at, &self.plain(at, "!Ref", argument)?),
            "Fn::GetAtt" => self.get_att(at, argument),
            "Fn::Sub" => text(self.sub(at, argument)?),
            "Fn::Join" => text(self.join(at, argument)?),
            "Fn::Select" => self.select(at, argument).map(Some),
            "Fn::Split" => self.split(at, argument).map(Some),
            "Fn::FindInMap" => self.find_in_map(at, argument).map(Some),
            "Fn::Base64" => text(STANDARD.encode(self.text(at, argument)?)),
            "Fn::If" => {
                let [condition, yes, no] = self.arguments(at, "!If", argument)?;
                let condition = self.plain(at, "!If", condition)?;
                let (step, chosen) = if self.named_condition(at, &condition)? {
                    (1, yes)
                } else {
                    (2, no)
                };
                self.evaluate(&at.child(step), chosen)
            }
            "Fn::Equals" | "Fn::Not" | "Fn::And" | "Fn::Or" => self
                .condition(
                    at,
                    &Value::Object(Map::from_iter([(name.into(), argument.clone())])),
                )
                .map(|flag| Some(Value::Bool(flag))),
            unknown => Err(self.error(at, format!("unknown intrinsic function {unknown}"))),
        }
    }

    /// `!Ref`: a pseudo parameter, a parameter or a resource.
    fn reference(&self, at: &Place, name: &str) -> anyhow::Result<Option<Value>> {
        if name == "AWS::NoValue" {
            return Ok(None);
        }
        let value = if let Some(pseudo) = names::pseudo_parameter(name) {
            pseudo.to_owned()
        } else if let Some(declared) = self.entry(at.template, "Parameters", name) {
            return self.parameter(at, name, declared).map(Some);
        } else if let Some(resource) = self.resource(at.template, name) {
            self.require_active(at, &resource)?;
            names::reference(self, at, &resource)?
        } else {
            return Err(self.error(at, format!("!Ref of unknown {name}")));
        };
        Ok(Some(Value::String(value)))
    }

    /// A parameter: the value from the nesting stack, else the override, else the default.
    fn parameter(&self, at: &Place, name: &str, declared: &Value) -> anyhow::Result<Value> {
        let mut value = None;
        if let Some((parent, id)) = self.parent(at.template) {
            let given = self
                .resource(parent, id)
                .and_then(|stack| stack.property("Parameters"))
                .and_then(|parameters| parameters.get(name));
            if let Some(given) = given {
                let path = format!("Resources.{id}.Properties.Parameters.{name}");
                let place = self.follow(at, parent, path)?;
                value = self.evaluate(&place, given)?;
            }
        } else if let Some(given) = self.overridden(name) {
            value = Some(Value::String(given.clone()));
        }
        let Some(value) = value.or_else(|| declared.get("Default").cloned()) else {
            let message = format!("parameter {name} has neither a value nor a default");
            return Err(self.error(at, message));
        };
        // Numbers and flags travel as text, as they do between stacks.
        let value = text_of(&value).map_or(value, Value::String);
        if let Some(allowed) = declared.get("AllowedValues").and_then(Value::as_array)
            && !allowed.iter().any(|one| text_of(one) == text_of(&value))
        {
            let message = format!("parameter {name} may not be {value}");
            return Err(self.error(at, message));
        }
        Ok(value)
    }

    fn get_att(&self, at: &Place, argument: &Value) -> anyhow::Result<Option<Value>> {
        let [id, attribute] = self.arguments(at, "!GetAtt", argument)?;
        let id = self.plain(at, "!GetAtt", id)?;
        let attribute = self.text(at, attribute)?;
        self.attribute(at, &id, &attribute)
    }

    /// An attribute of a resource or an output of a nested stack.
    fn attribute(&self, at: &Place, id: &str, attribute: &str) -> anyhow::Result<Option<Value>> {
        let Some(resource) = self.resource(at.template, id) else {
            return Err(self.error(at, format!("!GetAtt of unknown resource {id}")));
        };
        self.require_active(at, &resource)?;
        let Some(output) = attribute.strip_prefix("Outputs.") else {
            return names::attribute(self, at, &resource, attribute)
                .map(|text| Some(Value::String(text)));
        };
        let Some(child) = self.child(at.template, id) else {
            return Err(self.error(at, format!("{id} is not a nested stack")));
        };
        let Some(value) = self
            .entry(child, "Outputs", output)
            .and_then(|body| body.get("Value"))
        else {
            let message = format!("!GetAtt of unknown output {output} of {}", self.file(child));
            return Err(self.error(at, message));
        };
        let place = self.follow(at, child, format!("Outputs.{output}.Value"))?;
        self.evaluate(&place, value)
            .map_err(|error| self.error(at, error))
    }

    fn require_active(
        &self,
        at: &Place,
        resource: &super::scope::Resource<'_>,
    ) -> anyhow::Result<()> {
        if self.is_active(resource)? {
            return Ok(());
        }
        Err(self.error(
            at,
            format!("refers to {}, which its condition leaves out", resource.id),
        ))
    }

    /// `!Sub`: text with `${Name}`, `${Resource.Attribute}` and `${!Literal}`.
    fn sub(&self, at: &Place, argument: &Value) -> anyhow::Result<String> {
        let empty = Map::new();
        let (text, variables) = match argument {
            Value::String(text) => (text, &empty),
            Value::Array(items) => match items.as_slice() {
                [Value::String(text), Value::Object(variables)] => (text, variables),
                _ => return Err(self.error(at, "!Sub takes text and a map")),
            },
            _ => return Err(self.error(at, "!Sub takes text")),
        };
        let mut out = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(start) = rest.find("${") {
            out.push_str(&rest[..start]);
            let Some(length) = rest[start..].find('}') else {
                return Err(self.error(at, format!("!Sub has no end of {}", &rest[start..])));
            };
            let name = &rest[start + 2..start + length];
            rest = &rest[start + length + 1..];
            if let Some(literal) = name.strip_prefix('!') {
                out.push_str("${");
                out.push_str(literal);
                out.push('}');
            } else {
                out.push_str(&self.substitute(at, name.trim(), variables)?);
            }
        }
        out.push_str(rest);
        Ok(out)
    }

    fn substitute(
        &self,
        at: &Place,
        name: &str,
        variables: &Map<String, Value>,
    ) -> anyhow::Result<String> {
        if let Some(value) = variables.get(name) {
            return self.text(&at.child(name), value);
        }
        let value = match name.split_once('.') {
            Some((id, attribute)) => self.attribute(at, id, attribute)?,
            None => self.reference(at, name)?,
        };
        value
            .as_ref()
            .and_then(text_of)
            .ok_or_else(|| self.error(at, format!("!Sub: {name} is not text")))
    }

    fn join(&self, at: &Place, argument: &Value) -> anyhow::Result<String> {
        let [separator, items] = self.arguments(at, "!Join", argument)?;
        let separator = self.text(at, separator)?;
        let items = self.list(at, "!Join", items)?;
        let texts = items
            .iter()
            .map(|item| text_of(item).ok_or_else(|| self.error(at, "!Join takes texts")));
        Ok(texts.collect::<anyhow::Result<Vec<_>>>()?.join(&separator))
    }

    fn select(&self, at: &Place, argument: &Value) -> anyhow::Result<Value> {
        let [index, items] = self.arguments(at, "!Select", argument)?;
        let index = self.text(at, index)?;
        let items = self.list(at, "!Select", items)?;
        let found = index
            .parse::<usize>()
            .ok()
            .and_then(|index| items.get(index));
        found
            .cloned()
            .ok_or_else(|| self.error(at, format!("!Select of element {index} of {}", items.len())))
    }

    fn split(&self, at: &Place, argument: &Value) -> anyhow::Result<Value> {
        let [separator, text] = self.arguments(at, "!Split", argument)?;
        let separator = self.text(at, separator)?;
        let text = self.text(at, text)?;
        Ok(text.split(separator.as_str()).map(Value::from).collect())
    }

    fn find_in_map(&self, at: &Place, argument: &Value) -> anyhow::Result<Value> {
        let [map, first, second] = self.arguments(at, "!FindInMap", argument)?;
        let map = self.text(at, map)?;
        let (first, second) = (self.text(at, first)?, self.text(at, second)?);
        self.entry(at.template, "Mappings", &map)
            .and_then(|map| map.get(&first)?.get(&second))
            .cloned()
            .ok_or_else(|| self.error(at, format!("no {first}.{second} in mapping {map}")))
    }

    /// A condition by name.
    pub(super) fn named_condition(&self, at: &Place, name: &str) -> anyhow::Result<bool> {
        let Some(value) = self.entry(at.template, "Conditions", name) else {
            return Err(self.error(at, format!("unknown condition {name}")));
        };
        let place = self.follow(at, at.template, format!("Conditions.{name}"))?;
        self.condition(&place, value)
    }

    fn condition(&self, at: &Place, value: &Value) -> anyhow::Result<bool> {
        let call = value.as_object().and_then(|map| {
            let (name, argument) = map.iter().next()?;
            (map.len() == 1).then_some((name.as_str(), argument))
        });
        match call {
            Some(("Condition", name)) => {
                let name = self.plain(at, "!Condition", name)?;
                self.named_condition(at, &name)
            }
            Some(("Fn::Equals", argument)) => {
                let [left, right] = self.arguments(at, "!Equals", argument)?;
                Ok(self.text(at, left)? == self.text(at, right)?)
            }
            Some(("Fn::Not", argument)) => {
                let [one] = self.arguments(at, "!Not", argument)?;
                Ok(!self.condition(at, one)?)
            }
            Some(("Fn::And", argument)) => {
                Ok(self.conditions(at, argument)?.into_iter().all(|flag| flag))
            }
            Some(("Fn::Or", argument)) => {
                Ok(self.conditions(at, argument)?.into_iter().any(|flag| flag))
            }
            _ => Err(self.error(at, format!("not a condition: {value}"))),
        }
    }

    /// Evaluates all conditions, so that an error is also found in a condition that does not decide.
    fn conditions(&self, at: &Place, argument: &Value) -> anyhow::Result<Vec<bool>> {
        let items = argument
            .as_array()
            .ok_or_else(|| self.error(at, "takes a list"))?;
        items.iter().map(|item| self.condition(at, item)).collect()
    }

    fn arguments<'a, const N: usize>(
        &self,
        at: &Place,
        function: &str,
        argument: &'a Value,
    ) -> anyhow::Result<[&'a Value; N]> {
        let items = argument.as_array().map(Vec::as_slice).unwrap_or_default();
        let items: Vec<&Value> = items.iter().collect();
        <[&Value; N]>::try_from(items)
            .map_err(|_| self.error(at, format!("{function} takes {N} arguments")))
    }

    fn plain(&self, at: &Place, function: &str, value: &Value) -> anyhow::Result<String> {
        let text = value.as_str().map(str::to_owned);
        text.ok_or_else(|| self.error(at, format!("{function} takes a name, not {value}")))
    }

    fn list(&self, at: &Place, function: &str, value: &Value) -> anyhow::Result<Vec<Value>> {
        match self.evaluate(at, value)? {
            Some(Value::Array(items)) => Ok(items),
            _ => Err(self.error(at, format!("{function} takes a list"))),
        }
    }
}

/// A map with the one key `Ref` or `Fn::…` is a call.
fn intrinsic(map: &Map<String, Value>) -> Option<(&str, &Value)> {
    let (name, argument) = map.iter().next()?;
    (map.len() == 1 && (name == "Ref" || name.starts_with("Fn::")))
        .then_some((name.as_str(), argument))
}

/// A scalar as text.
pub(super) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}
