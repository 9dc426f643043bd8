//! The boxes of a form. Each has a label; a fault and a hint are tied to their box. Pure.

use std::fmt::Write as _;

use contacts::Definitions;
use contacts::fields::{Definition, Kind};
use kernel::Channel;

use crate::model::{Field, Form, Language};
use crate::submit::{Fault, Given, consent_name};
use crate::words::label;
use kernel::text::html as escape;

/// The kind of a box.
enum Shape<'a> {
    /// `type` and further attributes of an input.
    Input(&'static str, &'static str),
    Area,
    Tick,
    One(Vec<(&'a str, &'a str)>),
    Many(Vec<(&'a str, &'a str)>),
}

fn shape<'a>(field: &Field, definitions: &'a Definitions, language: Language) -> Shape<'a> {
    use Shape::{Input, One};
    if let Some(custom) = field.custom() {
        return definitions.get(custom).map_or(Input("text", ""), own);
    }
    match field.key.as_str() {
        "email" => Input("email", " autocomplete=\"email\""),
        "phone" => Input("tel", " autocomplete=\"tel\""),
        "full_name" => Input("text", " autocomplete=\"name\""),
        "first_name" => Input("text", " autocomplete=\"given-name\""),
        "last_name" => Input("text", " autocomplete=\"family-name\""),
        "birthday" => Input("date", " autocomplete=\"bday\""),
        "address" => Input("text", " autocomplete=\"street-address\""),
        "postal_code" => Input("text", " autocomplete=\"postal-code\""),
        "company" => Input("text", " autocomplete=\"organization\""),
        "job_title" => Input("text", " autocomplete=\"organization-title\""),
        "gender" => One(match language {
            Language::Vi => vec![("female", "Nữ"), ("male", "Nam"), ("other", "Khác")],
            Language::En => vec![("female", "Female"), ("male", "Male"), ("other", "Other")],
        }),
        _ => Input("text", ""),
    }
}

fn own(definition: &Definition) -> Shape<'_> {
    let choices = || {
        let options = definition.options.iter().filter(|option| !option.archived);
        let pairs = options.map(|option| (option.key.as_str(), option.label.as_str()));
        pairs.collect()
    };
    match definition.kind {
        Kind::LongText => Shape::Area,
        Kind::Boolean => Shape::Tick,
        Kind::Choice => Shape::One(choices()),
        Kind::MultiChoice => Shape::Many(choices()),
        Kind::Number | Kind::Percent => Shape::Input("text", " inputmode=\"decimal\""),
        Kind::Currency => Shape::Input("text", " inputmode=\"numeric\""),
        Kind::Date => Shape::Input("date", ""),
        Kind::Link => Shape::Input("url", ""),
        Kind::Email => Shape::Input("email", ""),
        Kind::Phone => Shape::Input("tel", ""),
        Kind::Text | Kind::Datetime | Kind::Province | Kind::File => Shape::Input("text", ""),
    }
}

/// A question with its box. `focus`: the page opens at this box.
pub fn control(
    field: &Field,
    definitions: &Definitions,
    language: Language,
    given: &Given,
    fault: Option<&Fault>,
    focus: bool,
) -> String {
    let words = language.words();
    let key = escape(&field.key);
    let mut text = escape(&label(field, definitions, language));
    if field.required {
        let _ = write!(text, " <span>({})</span>", words.required);
    }
    let mut notes = String::new();
    let mut described = Vec::new();
    if let Some(help) = &field.help {
        let _ = write!(
            notes,
            "<p class=\"help\" id=\"h-{key}\">{}</p>",
            escape(help)
        );
        described.push(format!("h-{key}"));
    }
    if let Some(fault) = fault {
        let rule = escape(&fault.rule.text(language));
        let _ = write!(notes, "<p class=\"error\" id=\"e-{key}\">{rule}</p>");
        described.push(format!("e-{key}"));
    }
    let mut marks = String::new();
    if !described.is_empty() {
        let _ = write!(marks, " aria-describedby=\"{}\"", described.join(" "));
    }
    if fault.is_some() {
        marks.push_str(" aria-invalid=\"true\"");
    }
    if focus {
        marks.push_str(" autofocus");
    }
    if field.required {
        marks.push_str(" aria-required=\"true\"");
    }
    if let Some(placeholder) = &field.placeholder {
        let _ = write!(marks, " placeholder=\"{}\"", escape(placeholder));
    }
    let values: Vec<&str> = given.all(&field.key).collect();
    let values = if values.is_empty() && given.is_empty() {
        field.default.iter().map(String::as_str).collect()
    } else {
        values
    };
    let boxed = drawn(
        &shape(field, definitions, language),
        &key,
        &marks,
        &values,
        words.choose,
    );
    match shape(field, definitions, language) {
        Shape::Many(_) => {
            format!(
                "<fieldset id=\"f-{key}\"{marks}><legend>{text}</legend>{notes}{boxed}</fieldset>"
            )
        }
        Shape::Tick => {
            format!("<div class=\"field\"><label class=\"box\">{boxed}{text}</label>{notes}</div>")
        }
        _ => format!(
            "<div class=\"field\"><label for=\"f-{key}\">{text}</label>{notes}{boxed}</div>"
        ),
    }
}

/// The box alone. `key` and `marks` are escaped.
fn drawn(shape: &Shape<'_>, key: &str, marks: &str, values: &[&str], choose: &str) -> String {
    let value = escape(values.first().copied().unwrap_or_default());
    let at = format!("id=\"f-{key}\" name=\"{key}\"{marks}");
    match shape {
        Shape::Input(kind, more) => format!("<input {at} type=\"{kind}\" value=\"{value}\"{more}>"),
        Shape::Area => format!("<textarea {at} rows=\"4\">\n{value}</textarea>"),
        Shape::Tick => {
            let checked = if values.contains(&"true") {
                " checked"
            } else {
                ""
            };
            format!("<input {at} type=\"checkbox\" value=\"true\"{checked}>")
        }
        Shape::One(choices) => {
            let mut html = format!("<select {at}><option value=\"\">{choose}</option>");
            for (choice, label) in choices {
                let selected = if values.contains(choice) {
                    " selected"
                } else {
                    ""
                };
                let (choice, label) = (escape(choice), escape(label));
                let _ = write!(
                    html,
                    "<option value=\"{choice}\"{selected}>{label}</option>"
                );
            }
            html + "</select>"
        }
        Shape::Many(choices) => {
            let mut html = String::new();
            for (choice, label) in choices {
                let checked = if values.contains(choice) {
                    " checked"
                } else {
                    ""
                };
                let (choice, label) = (escape(choice), escape(label));
                let _ = write!(
                    html,
                    "<label class=\"box\"><input type=\"checkbox\" name=\"{key}\" value=\"{choice}\"{checked}>{label}</label>"
                );
            }
            html
        }
    }
}

/// The boxes that ask for consent. A box is ticked only if the visitor ticked it.
pub fn consent(form: &Form, language: Language, given: &Given) -> String {
    if form.settings.consent.is_empty() {
        return String::new();
    }
    let words = language.words();
    let mut html = format!("<fieldset><legend>{}</legend>", words.consent);
    for (channel, question) in &form.settings.consent {
        if *channel == Channel::Push {
            continue;
        }
        let name = consent_name(*channel);
        let checked = if given.is_ticked(&name) {
            " checked"
        } else {
            ""
        };
        let _ = write!(
            html,
            "<label class=\"box\"><input type=\"checkbox\" name=\"{name}\" value=\"yes\"{checked}>{}</label>",
            escape(&question.text)
        );
    }
    html + "</fieldset>"
}
