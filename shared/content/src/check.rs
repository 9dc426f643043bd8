//! The check of a mail's templates when they are saved: each name exists, and the largest data can be rendered.
//!
//! Compiles and renders the parts as the author wrote them, so that the places are the author's. Knows no field by
//! itself; callers pass in the names.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use crate::mail::{MailError, Part};
use crate::template::{RenderError, Scope, Template, TemplateError, Variable};

/// A name that templates may read, and its largest value.
#[derive(Debug, Clone, Copy)]
pub struct Name {
    /// `contact.email`, or `contact.custom.*` for any field of an object.
    pub path: &'static str,
    /// Characters of the longest text.
    pub longest: usize,
    /// Most texts of a list, or most fields of an object of any fields; 0 for a text.
    pub most: usize,
}

/// Steps that Liquid adds to a value.
const COMPUTED: [&str; 3] = ["size", "first", "last"];

/// All flaws of the parts, in their order.
pub fn flaws(parts: &[(Part, &str)], names: &[Name]) -> Vec<MailError> {
    let mut flaws = Vec::new();
    for &(part, source) in parts {
        let parse = if part == Part::Html {
            Template::parse_html
        } else {
            Template::parse
        };
        let flaw = |error| MailError::Template { part, error };
        match parse(source) {
            Err(error) => flaws.push(flaw(error)),
            Ok(template) => {
                let unknown = unknown(&template, names);
                if unknown.is_empty() {
                    flaws.extend(too_large(&template, names).map(flaw));
                }
                flaws.extend(unknown.into_iter().map(flaw));
            }
        }
    }
    flaws
}

fn unknown(template: &Template, names: &[Name]) -> Vec<TemplateError> {
    let unknown = template
        .variables()
        .iter()
        .filter(|variable| !is_known(variable, names));
    let error = |variable: &Variable| {
        let known: Vec<&str> = names.iter().map(|name| name.path).collect();
        let message = format!(
            "unknown variable {:?}; there are {}",
            variable.path.join("."),
            known.join(", ")
        );
        TemplateError {
            line: variable.line,
            column: variable.column,
            message,
        }
    };
    unknown.map(error).collect()
}

fn is_known(variable: &Variable, names: &[Name]) -> bool {
    names.iter().any(|name| {
        let steps: Vec<&str> = name.path.split('.').filter(|step| *step != "*").collect();
        let same = variable.path.iter().zip(&steps).all(|(a, b)| a == b);
        let rest = variable.path.get(steps.len()..).unwrap_or_default();
        let is_computed =
            |rest: &[String]| rest.iter().all(|step| COMPUTED.contains(&step.as_str()));
        same && (name.path.ends_with(".*") || is_computed(rest))
    })
}

/// The error of a render with the largest values. An error of another kind depends on the values.
fn too_large(template: &Template, names: &[Name]) -> Option<TemplateError> {
    let data = largest(template, names);
    let now = Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
    match template.render(&Scope {
        data: &data,
        reserved: &[],
        now: &now,
    }) {
        Err(error) if error.reason.is_limit() => {
            let RenderError {
                line,
                column,
                reason,
            } = error;
            let message = format!("{reason} with the largest values of its variables");
            Some(TemplateError {
                line,
                column,
                message,
            })
        }
        _ => None,
    }
}

/// Data in which each value is as large as it may be, of the character that escaping makes longest.
fn largest(template: &Template, names: &[Name]) -> Value {
    let mut data = Value::Object(Map::new());
    for name in names {
        let text = Value::from("&".repeat(name.longest));
        let steps: Vec<&str> = name.path.split('.').filter(|step| *step != "*").collect();
        if name.path.ends_with(".*") {
            for field in 0..name.most {
                let field = format!("field_{field}");
                set(
                    &mut data,
                    steps.iter().copied().chain([field.as_str()]),
                    &text,
                );
            }
        } else if name.most > 0 {
            set(
                &mut data,
                steps.iter().copied(),
                &json!(vec![&text; name.most]),
            );
        } else {
            set(&mut data, steps.iter().copied(), &text);
        }
        let is_below = |path: &&Variable| {
            path.path.len() > steps.len() && path.path.iter().zip(&steps).all(|(a, b)| a == b)
        };
        for variable in template.variables().iter().filter(is_below) {
            if name.path.ends_with(".*") {
                set(&mut data, variable.path.iter().map(String::as_str), &text);
            }
        }
    }
    data
}

/// Sets the value at `path`; objects on the way are made, other values stay.
fn set<'p>(data: &mut Value, path: impl Iterator<Item = &'p str>, value: &Value) {
    let mut place = data;
    for step in path {
        if place.is_null() {
            *place = Value::Object(Map::new());
        }
        let Some(fields) = place.as_object_mut() else {
            return;
        };
        place = fields.entry(step).or_insert(Value::Null);
    }
    if place.is_null() {
        *place = value.clone();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: &[Name] = &[
        Name {
            path: "contact.email",
            longest: 255,
            most: 0,
        },
        Name {
            path: "contact.tags",
            longest: 255,
            most: 50,
        },
        Name {
            path: "contact.custom.*",
            longest: 3_000,
            most: 100,
        },
        Name {
            path: "unsubscribe_url",
            longest: 500,
            most: 0,
        },
    ];

    fn messages(source: &str) -> Vec<String> {
        let found = flaws(&[(Part::Html, source)], NAMES);
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_known_name_is_accepted_in_each_spelling() {
        for source in [
            "{{ contact.email }}{{ contact['email'] }}{{ contact.email.size }}{{ unsubscribe_url }}",
            "{{ contact.custom.any }}{{ contact.custom['hạng thẻ'].deep }}{% for f in contact.custom %}{{ f }}{% endfor %}",
            "{% for tag in contact.tags %}{{ tag.any }}{{ forloop.index }}{% endfor %}{{ contact.tags.first }}",
            "{% assign own = contact.email %}{{ own }}{{ contact }}",
        ] {
            assert!(
                messages(source).is_empty(),
                "{source}: {:?}",
                messages(source)
            );
        }
    }

    #[test]
    fn each_unknown_name_is_an_error_at_its_place() {
        let found = messages(
            "<p>\n {{ first_name }} {{ contact.fristname | default: 'x' }}{% if contact.email.x %}{% endif %}",
        );
        let list = "there are contact.email, contact.tags, contact.custom.*, unsubscribe_url";
        assert_eq!(
            found,
            [
                format!("HTML, line 2, column 5: unknown variable \"first_name\"; {list}"),
                format!("HTML, line 2, column 22: unknown variable \"contact.fristname\"; {list}"),
                format!("HTML, line 2, column 63: unknown variable \"contact.email.x\"; {list}"),
            ]
        );
    }

    #[test]
    fn each_part_is_checked() {
        let found = flaws(
            &[
                (Part::Subject, "{{ a }}"),
                (Part::Html, "{{ b"),
                (Part::Text, "{% if %}"),
            ],
            NAMES,
        );
        assert_eq!(found.len(), 3, "{found:?}");
    }

    #[test]
    fn a_template_that_the_largest_data_would_stop_is_refused() {
        let twice = "{% for f in contact.custom %}{{ f }}{% endfor %}".repeat(2);
        assert!(
            messages(&twice)[0].contains("the rendered text is too long with the largest values")
        );
        let work = "{% for a in contact.tags %}{% for b in contact.tags %}{% for c in contact.tags %}{{ a | upcase | size }}{% endfor %}{% endfor %}{% endfor %}";
        assert_eq!(
            messages(work),
            [
                "HTML, line 1, column 89: the template does too much work with the largest values of its variables"
            ]
        );
        assert!(
            messages("{{ 1 | divided_by: contact.custom.n }}").is_empty(),
            "another value is a number"
        );
    }
}
