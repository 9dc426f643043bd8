//! `/docs`: the API's reference as a page. Everything on it comes from docs/openapi.json.

use std::fmt::Write as _;

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::Value;

use super::html::{Column, Html, definitions, table};
use super::{page, text};

const DOCUMENT: &str = include_str!("../../../../docs/openapi.json");
/// How deep a body's fields are unfolded; schemas may hold themselves.
const DEPTH: usize = 4;

/// The page.
pub fn show() -> Response<Bytes> {
    let Ok(document) = serde_json::from_str::<Value>(DOCUMENT) else {
        return text(
            StatusCode::INTERNAL_SERVER_ERROR,
            "docs/openapi.json does not parse.\n",
        );
    };
    let reference = Reference {
        document: &document,
    };
    page(reference.page(), "API reference")
}

struct Reference<'a> {
    document: &'a Value,
}

/// An operation and where it is.
struct Operation<'a> {
    method: &'a str,
    path: &'a str,
    body: &'a Value,
}

impl<'a> Reference<'a> {
    fn page(&self) -> Html {
        let about = self.document["info"]["description"]
            .as_str()
            .unwrap_or_default();
        let mut out = about.split("\n\n").fold(Html::default(), |out, paragraph| {
            out.and(&Html::element(
                "p",
                "",
                &Html::text(paragraph.replace(['*', '`'], "")),
            ))
        });
        let operations = self.operations();
        let mut tags: Vec<&str> = operations.iter().map(|one| tag(one.body)).collect();
        tags.dedup();
        let mut seen = Vec::new();
        for tag_name in tags {
            if seen.contains(&tag_name) {
                continue;
            }
            seen.push(tag_name);
            out = out.and(&Html::element("h2", "", &Html::text(tag_name)));
            for operation in operations.iter().filter(|one| tag(one.body) == tag_name) {
                out = out.and(&self.operation(operation));
            }
        }
        out
    }

    fn operations(&self) -> Vec<Operation<'a>> {
        let paths = self.document["paths"].as_object();
        let mut all = Vec::new();
        for (path, item) in paths.into_iter().flatten() {
            for (method, body) in item.as_object().into_iter().flatten() {
                all.push(Operation { method, path, body });
            }
        }
        all
    }

    fn operation(&self, operation: &Operation<'_>) -> Html {
        let body = operation.body;
        let field = |name: &str| Html::text(body[name].as_str().unwrap_or_default());
        let line = format!("{} {}", operation.method.to_uppercase(), operation.path);
        let head = Html::element("code", "", &Html::text(line))
            .and(&Html::text(" "))
            .and(&field("summary"));
        let mut inner = Html::element("p", "", &field("description")).and(&definitions(&[
            (
                "Operation",
                Html::element("code", "", &field("operationId")),
            ),
            ("People", field("x-people")),
            ("Scope of keys", field("x-scope")),
        ]));
        let parameters: Vec<Vec<Html>> = body["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|parameter| self.parameter(parameter))
            .collect();
        if !parameters.is_empty() {
            let columns = [
                Column::Text("Parameter"),
                Column::Text("In"),
                Column::Text("Meaning"),
            ];
            inner = inner.and(&table(&columns, &parameters));
        }
        for (kind, content) in body["requestBody"]["content"]
            .as_object()
            .into_iter()
            .flatten()
        {
            inner = inner.and(&self.shape(&format!("Body, {kind}"), &content["schema"]));
        }
        inner = inner.and(&self.responses(&body["responses"]));
        let summary = Html::element("summary", "", &head);
        Html::element("details", "operation", &summary.and(&inner))
    }

    fn responses(&self, responses: &Value) -> Html {
        let mut out = Html::default();
        let mut rows = Vec::new();
        for (status, response) in responses.as_object().into_iter().flatten() {
            let response = self.resolve(response);
            let description = response["description"].as_str().unwrap_or_default();
            rows.push(vec![Html::text(status), Html::text(description)]);
            let schema = &response["content"]["application/json"]["schema"];
            if !schema.is_null() {
                out = out.and(&self.shape(&format!("Answer {status}"), schema));
            }
        }
        out.and(&table(
            &[Column::Text("Status"), Column::Text("Meaning")],
            &rows,
        ))
    }

    fn parameter(&self, parameter: &Value) -> Vec<Html> {
        let parameter = self.resolve(parameter);
        let cell = |name: &str| Html::text(parameter[name].as_str().unwrap_or_default());
        vec![cell("name"), cell("in"), cell("description")]
    }

    fn shape(&self, title: &str, schema: &Value) -> Html {
        let mut lines = String::new();
        self.write(schema, 0, &mut lines);
        let lines = Html::element("pre", "", &Html::text(lines.trim_end()));
        Html::element("h3", "", &Html::text(title)).and(&lines)
    }

    /// A schema as indented lines: `name: type, limits - description`.
    fn write(&self, schema: &Value, depth: usize, out: &mut String) {
        let schema = self.resolve(schema);
        if depth >= DEPTH {
            return;
        }
        let indent = "  ".repeat(depth);
        for part in ["allOf", "oneOf", "anyOf"] {
            for one in schema[part].as_array().into_iter().flatten() {
                if part != "allOf" && self.resolve(one)["type"] != "null" {
                    // Writing to a string cannot fail.
                    let _ = writeln!(out, "{indent}either");
                }
                self.write(one, depth, out);
            }
        }
        if !schema["items"].is_null() {
            self.write(&schema["items"], depth, out);
        }
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let required = schema["required"].as_array();
            let is_required = required.is_some_and(|all| all.iter().any(|one| one == name));
            let mark = if is_required { "" } else { "?" };
            let _ = writeln!(out, "{indent}{name}{mark}: {}", self.describe(property));
            self.write(property, depth + 1, out);
        }
    }

    fn describe(&self, property: &Value) -> String {
        let schema = self.resolve(property);
        let kind = match &schema["type"] {
            Value::Array(kinds) => {
                let kinds: Vec<&str> = kinds.iter().filter_map(Value::as_str).collect();
                kinds.join(" or ")
            }
            Value::String(kind) => kind.clone(),
            _ => "object".to_owned(),
        };
        let mut text = kind;
        for limit in [
            "enum",
            "format",
            "pattern",
            "minLength",
            "maxLength",
            "minimum",
            "maximum",
            "maxItems",
        ] {
            if !schema[limit].is_null() {
                let _ = write!(text, ", {limit} {}", schema[limit]);
            }
        }
        let description = property["description"]
            .as_str()
            .or(schema["description"].as_str());
        if let Some(description) = description {
            let _ = write!(text, " - {}", description.replace('\n', " "));
        }
        text
    }

    fn resolve<'b>(&'b self, value: &'b Value) -> &'b Value {
        let path = value["$ref"]
            .as_str()
            .and_then(|path| path.strip_prefix('#'));
        path.and_then(|path| self.document.pointer(path))
            .unwrap_or(value)
    }
}

fn tag(operation: &Value) -> &str {
    operation["tags"][0].as_str().unwrap_or_default()
}
