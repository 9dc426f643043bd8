//! The tables, from the lists and schemas of the code.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};

use channels::mail_check;
use chat::body::Event;
use contacts::Contact;
use contacts::import::{self, FileError, RowError};
use content::template::{MAX_DEPTH, MAX_OUTPUT_BYTES, MAX_SOURCE_BYTES, TAGS, Template, filters};
use kernel::commerce::Sheet;
use serde_json::{Value, json};
use sources::api::objects_of;
use sources::{Provider, custom, ladipage};
use utoipa::ToSchema;
use webhooks::EventType;
use workflows::trigger::{KINDS, PERFORMED};

/// The table of this name on this page.
pub fn of(page: &str, name: &str) -> String {
    match (page, name) {
        ("websocket", "event") => fields_of::<Event>(),
        ("websocket", "limits") => socket_limits(),
        ("widget", "session") => fields("WidgetSession"),
        ("widget", "message") => fields("NewWidgetMessage"),
        ("widget", "limits") => widget_limits(),
        ("forms", "fields") => form_fields(),
        ("forms", "limits") => form_limits(),
        ("sources", "providers") => providers(),
        ("sources", "events") => own_events(),
        ("sources", "objects") => api_objects(),
        ("triggers", "kinds") => trigger_kinds(),
        ("templates", "variables") => variables(),
        ("templates", "tags") => sentence(TAGS.iter().copied()),
        ("templates", "filters") => sentence(filters()),
        ("templates", "errors") => template_errors(),
        ("templates", "limits") => template_limits(),
        ("export", "order-columns") => sentence(commerce::export::ORDER_COLUMNS),
        ("export", "product-columns") => sentence(commerce::export::PRODUCT_COLUMNS),
        ("export", "columns") => sentence(contacts::export::columns()),
        ("tracking", "limits") => tracking_limits(),
        ("tracking", "reasons") => tracking_reasons(),
        ("import", "headings") => headings(),
        ("import", "order-headings") => goods_headings(Sheet::Orders),
        ("import", "product-headings") => goods_headings(Sheet::Products),
        ("import", "row-errors") => row_errors(),
        ("import", "file-errors") => file_errors(),
        ("import", "limits") => import_limits(),
        ("webhooks", "events") => webhook_events(),
        _ => panic!("docs/{page}.md wants a table {name}"),
    }
}

fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let head: Vec<String> = head.iter().map(|&cell| cell.to_owned()).collect();
    let rule = "|---".repeat(head.len()) + "|\n";
    rows.into_iter()
        .fold(line(&head) + &rule, |out, row| out + &line(&row))
}

fn code(text: impl Display) -> String {
    format!("`{text}`")
}

fn codes<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let texts: Vec<String> = texts.into_iter().map(code).collect();
    texts.join(", ")
}

fn sentence<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    codes(texts) + ".\n"
}

/// `20000` is `20,000`.
fn number(number: impl Display) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn limits(rows: &[(&str, String)]) -> String {
    let rows = rows
        .iter()
        .map(|(what, most)| vec![(*what).to_owned(), most.clone()]);
    table(&["limit", "value"], rows)
}

// Fields of a schema.

fn fields_of<T: ToSchema>() -> String {
    let mut known = Vec::new();
    T::schemas(&mut known);
    let known = known
        .into_iter()
        .map(|(name, schema)| (name, json!(schema)))
        .collect();
    field_rows(&json!(T::schema()), &known)
}

fn fields(component: &str) -> String {
    let document = tanigo_local::reference::document().unwrap();
    let known = document["components"]["schemas"]
        .as_object()
        .unwrap()
        .clone();
    let known: BTreeMap<String, Value> = known.into_iter().collect();
    field_rows(&known[component], &known)
}

fn field_rows(schema: &Value, known: &BTreeMap<String, Value>) -> String {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let rows = schema["properties"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, field)| {
            let is_given = required.iter().any(|one| one == name);
            let mark = if is_given { "" } else { ", may be missing" };
            let about = field["description"].as_str().unwrap_or_default();
            vec![
                code(name),
                kind(field, known) + mark,
                about.replace('\n', " "),
            ]
        });
    table(&["field", "type", "meaning"], rows)
}

fn kind(field: &Value, known: &BTreeMap<String, Value>) -> String {
    if let Some(name) = field["$ref"]
        .as_str()
        .and_then(|path| path.rsplit('/').next())
    {
        return known
            .get(name)
            .map_or("text".to_owned(), |schema| kind(schema, known));
    }
    for part in ["oneOf", "anyOf"] {
        let mut parts = field[part].as_array().into_iter().flatten();
        if let Some(part) = parts.find(|part| part["type"] != "null") {
            return kind(part, known);
        }
    }
    if let Some(values) = field["enum"].as_array() {
        return codes(values.iter().filter_map(Value::as_str));
    }
    let name = match &field["type"] {
        Value::Array(names) => names.iter().find(|name| *name != "null").unwrap(),
        name => name,
    };
    let name = match name.as_str().unwrap_or_default() {
        "string" if field["format"] == "date-time" => "time",
        "string" => "text",
        other => other,
    };
    match field["maxLength"].as_u64() {
        Some(most) => format!("{name}, up to {} characters", number(most)),
        None => name.to_owned(),
    }
}

// Chat.

fn socket_limits() -> String {
    limits(&[
        ("bytes of a frame", number(chat::realtime::FRAME_BYTES)),
        (
            "bytes of `content` in an event; a longer text is null there",
            number(chat::LIVE_TEXT),
        ),
        (
            "sockets of one visitor that get events",
            number(chat::realtime::VISITORS_CONNECTIONS),
        ),
        (
            "sockets of one workspace's agents that get events",
            number(chat::realtime::AGENTS_CONNECTIONS),
        ),
        (
            "minutes that a message may be stored after its time",
            number(chat::SETTLED.as_mins()),
        ),
    ])
}

fn widget_limits() -> String {
    limits(&[
        ("characters of a text", number(chat::model::MAX_TEXT)),
        ("bytes of a body", number(chat_widget::MAX_BODY)),
        (
            "messages of one visitor in a minute",
            number(chat_widget::VISITOR_MESSAGES),
        ),
        (
            "sessions and messages from one address in a minute",
            number(chat_widget::ADDRESS_POSTS),
        ),
    ])
}

// Forms and triggers.

fn form_fields() -> String {
    let rows = ladipage::fields().map(|field| {
        let names = ladipage::other_names(field);
        vec![code(field), codes(names.into_iter())]
    });
    table(&["field", "other names"], rows)
}

fn form_limits() -> String {
    limits(&[
        ("bytes of a body", number(webhook_ladipage::MAX_BODY)),
        ("fields of a form", number(ladipage::MAX_FIELDS)),
        (
            "characters that are kept of a field",
            number(ladipage::MAX_FIELD),
        ),
        (
            "characters that are kept of a field's name",
            number(ladipage::MAX_NAME),
        ),
        (
            "bytes that are kept of a form; `_shortened` in the event's data names the fields that lost something",
            number(ladipage::MAX_KEPT),
        ),
    ])
}

fn providers() -> String {
    let row = |provider: &Provider| {
        let secret = match (provider.makes_secret(), provider.header()) {
            (true, _) => "made here, or given".to_owned(),
            (false, Some(_)) => "none".to_owned(),
            (false, None) => "the provider's".to_owned(),
        };
        let token = match (provider.takes_token(), provider.header()) {
            (true, Some(header)) => format!("in the header {}", code(header)),
            (true, None) if *provider == Provider::Haravan => "for the handshake".to_owned(),
            (true, None) => "as a bearer token".to_owned(),
            (false, _) => String::new(),
        };
        let path = format!("/w/{}/{{source}}", provider.name());
        vec![code(provider.name()), code(path), secret, token]
    };
    table(
        &["provider", "path", "secret", "token"],
        Provider::ALL.iter().map(row),
    )
}

/// The kinds of objects that are read from the API of each provider.
fn api_objects() -> String {
    let rows = Provider::ALL.iter().filter_map(|provider| {
        let names = objects_of(*provider).iter().map(|object| object.name());
        let names = codes(names);
        (!names.is_empty()).then(|| vec![code(provider.name()), names])
    });
    table(&["provider", "objects"], rows)
}

fn own_events() -> String {
    let rows = custom::TYPES.iter();
    let rows = rows.map(|(name, becomes)| vec![code(name), (*becomes).to_owned()]);
    table(&["type", "becomes"], rows)
}

fn trigger_kinds() -> String {
    let rows = KINDS
        .iter()
        .map(|(kind, filters)| vec![code(kind), codes(filters.iter().copied())]);
    let any = vec![code(PERFORMED), codes(["name", "properties"])];
    table(&["`type`", "filters"], rows.chain([any]))
}

// Templates.

fn variables() -> String {
    let contact: Contact = serde_json::from_value(super::examples::contact()).unwrap();
    let about = |name: &str| match name {
        "id" => "id of the contact",
        "external_id" => "id that the shop's own system gave",
        "email" => "address",
        "phone" => "number, as `+84912345678`",
        "full_name" => "whole name, family name first",
        "gender" => "`male`, `female`, `other` or `unknown`",
        "birthday" => "`1990-03-02`, or `--03-02` without the year",
        "address" => "street and house number",
        "ward" => "ward or commune",
        "district" => "district, as received",
        "province" => "province or city",
        "country" => "country",
        "postal_code" => "postal code",
        "company" => "company",
        "job_title" => "job title",
        "language" => "language tag, such as `vi`",
        "timezone" => "time zone, such as `Asia/Ho_Chi_Minh`",
        "avatar_url" => "address of a picture",
        "first_name" => "given name; where it is not known, the last word of the whole name",
        "last_name" => {
            "family and middle name; where they are not known, the whole name without its last word"
        }
        "tags" => "list of tags, sorted",
        "custom" => "the shop's own fields: `contact.custom.hang`",
        _ => panic!("docs/templates.md does not say what contact.{name} is"),
    };
    let data = contact.merge_data();
    let mut rows: Vec<Vec<String>> = Vec::new();
    for name in data["contact"].as_object().unwrap().keys() {
        let path = format!("contact.{name}");
        let is_known = |known: &str| known.trim_end_matches(".*") == path;
        assert!(
            mail_check::names().any(|name| is_known(name.path)),
            "{path}"
        );
        let row = [
            code(format!("contact.{name}")),
            "all mails".into(),
            about(name).into(),
        ];
        rows.push(row.into());
    }
    let event: contacts::Event = serde_json::from_value(json!({
        "id": "e", "name": "form.submitted", "at": "2026-03-02T08:00:00Z", "source": "src_1",
    }))
    .unwrap();
    for name in workflows::enrollment::trigger_data(&event)
        .as_object()
        .unwrap()
        .keys()
    {
        let about = match name.as_str() {
            "event" => "name of the event that started the workflow",
            "at" => "when it happened",
            "source" => "where it came from: the id of a source, a campaign or an inbox",
            _ => panic!("docs/templates.md does not say what trigger.{name} is"),
        };
        let row = [
            code(format!("trigger.{name}")),
            "mails of workflows".into(),
            about.into(),
        ];
        rows.push(row.into());
    }
    let most = number(workflows::enrollment::MAX_TRIGGER_BYTES);
    let fields = format!(
        "the fields of the event's data, up to {most} bytes together; `trigger.message` of a form"
    );
    rows.push(vec![code("trigger.…"), "mails of workflows".into(), fields]);
    for name in content::mail::SYSTEM {
        let about = match name {
            "unsubscribe_url" => "address at which this recipient unsubscribes",
            "postal_address" => "the workspace's postal address",
            "permission_reminder" => {
                "the workspace's reminder of why readers get its mails, or a sentence with the sender's name"
            }
            _ => panic!("docs/templates.md does not say what {name} is"),
        };
        rows.push(vec![code(name), "all mails".into(), about.into()]);
    }
    table(&["variable", "in", "value"], rows)
}

fn template_errors() -> String {
    let wrong = [
        "Chào {{ contact.first_name",
        "{{ contact.first_name | hoa }}",
        "{% include \"chân thư\" %}",
        "{{ contact.first_name | truncate: 1, 2, 3 }}",
        "{% endif %}",
        "{% if contact.custom.hang == %}vàng{% endif %}",
    ];
    let rows = wrong.iter().map(|source| {
        let error = Template::parse(source).unwrap_err();
        vec![code(source), error.to_string().replace('|', "\\|")]
    });
    table(&["template", "message"], rows).replace("name | ", "name \\| ")
}

fn template_limits() -> String {
    limits(&[
        (
            "characters of a subject or preview text",
            number(channels::mail_check::MAX_SUBJECT),
        ),
        (
            "bytes of HTML or of plain text, as written",
            number(channels::mail_check::MAX_BODY),
        ),
        (
            "bytes of one template with styles and footer",
            number(MAX_SOURCE_BYTES),
        ),
        ("bytes of a filled-in part", number(MAX_OUTPUT_BYTES)),
        ("levels of HTML elements", number(content::tree::MAX_DEPTH)),
        ("HTML elements", number(content::tree::MAX_ELEMENTS)),
        (
            "steps of moving styles into elements: selectors and declarations by the elements that they reach",
            number(content::mail::MAX_STYLE_STEPS),
        ),
        (
            "blocks, brackets or data inside each other",
            number(MAX_DEPTH),
        ),
    ])
}

// Imports.

fn headings() -> String {
    let rows = import::headings().map(|(field, names)| vec![code(field), codes(names)]);
    table(&["field", "headings"], rows)
}

fn goods_headings(sheet: Sheet) -> String {
    let rows = sheet.columns().iter().map(|column| {
        let field = format!("{}.{}", sheet.subject(), column.name);
        let names = std::iter::once(column.name).chain(column.headings.iter().copied());
        vec![code(&field), codes(names)]
    });
    table(&["field", "headings"], rows)
}

fn row_errors() -> String {
    let file = super::block("import", "csv bad");
    let told = import::told(file.as_bytes()).unwrap();
    let rows = told.into_iter().map(|error: RowError| {
        let column = error.column.map(code).unwrap_or_default();
        vec![error.line.to_string(), column, error.message]
    });
    table(&["`line`", "`column`", "`message`"], rows)
}

fn file_errors() -> String {
    let mut out = String::new();
    for error in FileError::each() {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "- {error}");
    }
    out
}

fn import_limits() -> String {
    limits(&[
        (
            "bytes of a file that is the body of a request",
            number(import::MAX_BODY),
        ),
        ("bytes of a row", number(import::MAX_RECORD)),
        ("columns", number(import::MAX_COLUMNS)),
        (
            "characters of a cell; the rest is cut",
            number(import::MAX_TEXT),
        ),
        (
            "characters of an `external_id`",
            number(import::MAX_EXTERNAL),
        ),
        (
            "wrong rows that the answer shows",
            number(import::SHOWN_ERRORS),
        ),
        (
            "rows of a file of orders or products",
            number(import::MOST_GOODS),
        ),
        (
            "imports of a workspace that run at once",
            number(import::MOST_RUNNING),
        ),
        (
            "imports of a workspace that wait",
            number(import::MOST_WAITING),
        ),
    ])
}

fn tracking_limits() -> String {
    let kb = |bytes: usize| format!("{} KB", bytes / 1024);
    limits(&[
        ("a request, unpacked", kb(tracking::MAX_BODY)),
        ("calls of a request", number(tracking::MAX_CALLS)),
        ("a call", kb(tracking::MAX_EVENT)),
        ("an id, in characters", number(tracking::MAX_ID)),
        ("age of an event, in days", number(tracking::OLDEST_DAYS)),
        (
            "starts of workflows by public keys, for a contact and hour",
            number(tracking::STARTS_AN_HOUR),
        ),
    ])
}

fn tracking_reasons() -> String {
    sentence(tracking::Reason::ALL.iter().map(|reason| reason.code()))
}

fn webhook_events() -> String {
    let rows = EventType::ALL.iter().map(|kind| {
        let event = contacts::Event {
            id: "e".to_owned(),
            name: kind.name().to_owned(),
            at: jiff::Timestamp::UNIX_EPOCH,
            source: "api".to_owned(),
            data: json!({}),
        };
        let contact = kernel::ContactId::derived(event.at, &["a"]);
        let data = kind.data(contact, &event);
        let fields = data.as_object().into_iter().flatten();
        let fields: Vec<&str> = fields.map(|(name, _)| name.as_str()).collect();
        vec![code(kind.name()), codes(fields)]
    });
    table(&["event", "fields of `data`"], rows)
}
