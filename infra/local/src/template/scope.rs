//! A template joined with the stacks it nests, and places in them.
//!
//! This module finds resources and parameters by name; [`super::intrinsics`] evaluates the values.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{anyhow, bail};
use serde_json::{Map, Value};

use super::document;

/// Longest chain of references; a longer chain counts as circular.
const DEEPEST: usize = 64;

/// The root template (index 0) and its nested stacks.
pub(super) struct Stacks {
    templates: Vec<Template>,
    overrides: BTreeMap<String, String>,
}

struct Template {
    file: String,
    document: Value,
    /// The template that nests this one, and the logical id it has there.
    parent: Option<(usize, String)>,
    /// Nested stacks by logical id.
    children: BTreeMap<String, usize>,
}

/// Place of a value: a template and the path in it.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// Index of the template.
    pub(super) template: usize,
    path: String,
    depth: usize,
}

impl Place {
    /// A top-level path such as `Outputs.Url.Value`.
    pub(super) fn new(template: usize, path: impl Into<String>) -> Self {
        Self {
            template,
            path: path.into(),
            depth: 0,
        }
    }

    /// One step down.
    pub(super) fn child(&self, step: impl std::fmt::Display) -> Self {
        Self {
            path: format!("{}.{step}", self.path),
            ..self.clone()
        }
    }
}

/// A resource: where it is declared, its logical id and type.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resource<'a> {
    /// Index of the template.
    pub(super) template: usize,
    /// Logical id.
    pub(super) id: &'a str,
    /// For example `AWS::SQS::Queue`.
    pub(super) kind: &'a str,
    body: &'a Map<String, Value>,
}

impl<'a> Resource<'a> {
    /// The place of `Properties`.
    pub(super) fn place(&self) -> Place {
        Place::new(self.template, format!("Resources.{}.Properties", self.id))
    }

    /// `Properties`, which may be absent.
    pub(super) fn properties(&self) -> Option<&'a Map<String, Value>> {
        self.body.get("Properties").and_then(Value::as_object)
    }

    /// One property as it is written.
    pub(super) fn property(&self, name: &str) -> Option<&'a Value> {
        self.properties()
            .and_then(|properties| properties.get(name))
    }

    /// Name of the condition that the resource depends on.
    pub(super) fn condition(&self) -> Option<&'a str> {
        self.body.get("Condition").and_then(Value::as_str)
    }
}

impl Stacks {
    /// Reads `file` and, through `Location`, everything it nests.
    pub(super) fn load(
        file: &str,
        overrides: &BTreeMap<String, String>,
        load: &dyn Fn(&str) -> anyhow::Result<String>,
    ) -> anyhow::Result<Self> {
        let mut stacks = Self {
            templates: Vec::new(),
            overrides: overrides.clone(),
        };
        stacks.add(file, None, load)?;
        Ok(stacks)
    }

    fn add(
        &mut self,
        file: &str,
        parent: Option<(usize, String)>,
        load: &dyn Fn(&str) -> anyhow::Result<String>,
    ) -> anyhow::Result<usize> {
        let document = document::parse(file, &load(file)?)?;
        let index = self.templates.len();
        let children = BTreeMap::new();
        self.templates.push(Template {
            file: file.to_owned(),
            document,
            parent,
            children,
        });
        for (id, location) in self.nested(index)? {
            let folder = Path::new(file).parent().unwrap_or(Path::new(""));
            let nested = folder.join(location).to_string_lossy().into_owned();
            let child = self.add(&nested, Some((index, id.clone())), load)?;
            self.templates[index].children.insert(id, child);
        }
        Ok(index)
    }

    /// Logical id and location of each nested stack.
    fn nested(&self, template: usize) -> anyhow::Result<Vec<(String, String)>> {
        let mut found = Vec::new();
        for resource in self.resources_of(template)? {
            let property = match resource.kind {
                "AWS::Serverless::Application" => "Location",
                "AWS::CloudFormation::Stack" => "TemplateURL",
                _ => continue,
            };
            let Some(location) = resource.property(property).and_then(Value::as_str) else {
                let place = resource.place().child(property);
                return Err(self.error(&place, "must be the path of a file"));
            };
            found.push((resource.id.to_owned(), location.to_owned()));
        }
        Ok(found)
    }

    /// Refuses what CloudFormation would refuse before it starts: overrides and nested parameters
    /// that do not exist or are missing, and outputs and nested parameters that resolve to nothing.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        for name in self.overrides.keys() {
            if self.entry(0, "Parameters", name).is_none() {
                bail!(
                    "{}: Parameters: no parameter {name} to override",
                    self.file(0)
                );
            }
        }
        for template in 0..self.templates.len() {
            if let Some((parent, id)) = &self.templates[template].parent {
                self.check_nested(*parent, id, template)?;
            }
        }
        for (output, body) in self.section(0, "Outputs").into_iter().flatten() {
            let place = Place::new(0, format!("Outputs.{output}.Value"));
            let value = body
                .get("Value")
                .ok_or_else(|| self.error(&place, "is missing"))?;
            self.evaluate(&place, value)?;
        }
        Ok(())
    }

    fn check_nested(&self, parent: usize, id: &str, child: usize) -> anyhow::Result<()> {
        let resource = self
            .resource(parent, id)
            .ok_or_else(|| anyhow!("no nested stack {id}"))?;
        if !self.is_active(&resource)? {
            return Ok(());
        }
        let place = resource.place().child("Parameters");
        let empty = Map::new();
        let given = resource
            .property("Parameters")
            .and_then(Value::as_object)
            .unwrap_or(&empty);
        for (name, value) in given {
            let place = place.child(name);
            if self.entry(child, "Parameters", name).is_none() {
                let message = format!("{} has no such parameter", self.file(child));
                return Err(self.error(&place, message));
            }
            self.evaluate(&place, value)?;
        }
        let given: BTreeSet<&String> = given.keys().collect();
        for (name, declared) in self.section(child, "Parameters").into_iter().flatten() {
            if declared.get("Default").is_none() && !given.contains(name) {
                let message = format!("{} needs parameter {name}", self.file(child));
                return Err(self.error(&place, message));
            }
        }
        Ok(())
    }

    /// File of a template, relative to the root.
    pub(super) fn file(&self, template: usize) -> &str {
        &self.templates[template].file
    }

    /// An error at a place, `file: path: message`.
    pub(super) fn error(&self, place: &Place, message: impl std::fmt::Display) -> anyhow::Error {
        anyhow!("{}: {}: {message}", self.file(place.template), place.path)
    }

    /// The place that a reference at `from` leads to; refuses circles.
    pub(super) fn follow(
        &self,
        from: &Place,
        template: usize,
        path: String,
    ) -> anyhow::Result<Place> {
        if from.depth >= DEEPEST {
            return Err(self.error(from, "circular reference"));
        }
        Ok(Place {
            template,
            path,
            depth: from.depth + 1,
        })
    }

    /// A top-level section such as `Parameters`.
    pub(super) fn section(&self, template: usize, name: &str) -> Option<&Map<String, Value>> {
        self.templates[template]
            .document
            .get(name)
            .and_then(Value::as_object)
    }

    /// One entry of a top-level section.
    pub(super) fn entry(&self, template: usize, section: &str, name: &str) -> Option<&Value> {
        self.section(template, section)
            .and_then(|entries| entries.get(name))
    }

    /// The template that nests this one, and this one's logical id there.
    pub(super) fn parent(&self, template: usize) -> Option<(usize, &str)> {
        self.templates[template]
            .parent
            .as_ref()
            .map(|(parent, id)| (*parent, id.as_str()))
    }

    /// The nested stack with this logical id.
    pub(super) fn child(&self, template: usize, id: &str) -> Option<usize> {
        self.templates[template].children.get(id).copied()
    }

    /// The value given for a root parameter.
    pub(super) fn overridden(&self, name: &str) -> Option<&String> {
        self.overrides.get(name)
    }

    /// A resource by logical id.
    pub(super) fn resource(&self, template: usize, id: &str) -> Option<Resource<'_>> {
        let (id, body) = self.section(template, "Resources")?.get_key_value(id)?;
        let body = body.as_object()?;
        Some(Resource {
            template,
            id,
            kind: body.get("Type")?.as_str()?,
            body,
        })
    }

    fn resources_of(&self, template: usize) -> anyhow::Result<Vec<Resource<'_>>> {
        let ids = self
            .section(template, "Resources")
            .into_iter()
            .flat_map(Map::keys);
        ids.map(|id| {
            let place = Place::new(template, format!("Resources.{id}"));
            self.resource(template, id)
                .ok_or_else(|| self.error(&place, "has no Type"))
        })
        .collect()
    }

    /// Every resource of every stack whose conditions hold, its stack's condition included.
    pub(super) fn resources(&self) -> anyhow::Result<Vec<Resource<'_>>> {
        let mut found = Vec::new();
        for template in 0..self.templates.len() {
            if !self.template_is_active(template)? {
                continue;
            }
            for resource in self.resources_of(template)? {
                if self.is_active(&resource)? {
                    found.push(resource);
                }
            }
        }
        Ok(found)
    }

    fn template_is_active(&self, template: usize) -> anyhow::Result<bool> {
        let Some((parent, id)) = self.parent(template) else {
            return Ok(true);
        };
        let Some(resource) = self.resource(parent, id) else {
            return Ok(false);
        };
        Ok(self.is_active(&resource)? && self.template_is_active(parent)?)
    }

    /// The resource's own condition holds.
    pub(super) fn is_active(&self, resource: &Resource<'_>) -> anyhow::Result<bool> {
        let Some(condition) = resource.condition() else {
            return Ok(true);
        };
        let path = format!("Resources.{}.Condition", resource.id);
        self.named_condition(&Place::new(resource.template, path), condition)
    }
}
