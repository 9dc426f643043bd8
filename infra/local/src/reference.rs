//! The API's reference: the descriptions of every function's operations, as one OpenAPI 3.1 document.
//!
//! Each function describes its own operations: path, bodies, success. The parts that all operations share (errors,
//! headers, the credential) are added here by rule, so that no handler repeats them. The document is kept as
//! docs/openapi.json. A test compares the two.

mod answers;
mod schemas;

use access::Operation;
use anyhow::{Context, Result, bail};
use kernel::Limit;
use kernel::access::People;
use lambda::http::{ACCOUNT_REQUESTS_PER_MINUTE, ProblemBody, REQUESTS_PER_MINUTE};
use serde_json::{Map, Value, json};
use utoipa::{PartialSchema, ToSchema};

const ABOUT: &str = "\
Marketing automation and customer care.

**Credentials.** `Authorization: Bearer` takes an API key of a workspace, or the token of a session from \
`login`. With a session, `X-Workspace` names the workspace to work in. `x-people` and `x-scope` of an \
operation name the allowed roles and scopes; docs/access.md has the whole table.

**Errors** are problem details (RFC 9457) with a stable `code`, the place of each flaw in `errors` and the \
`request_id`. Unknown fields and parameters are refused. A resource of another workspace answers 404. If the \
gateway refuses a request before a function runs, the body is the gateway's own, `{message}`. The codes are the \
values of `ProblemCode` below.

**Lists** answer `{data, next}`: send `next` as `cursor` to get the next page, until `next` is null. Two \
operations read forward in time and never answer null: `listMessages` with `after`, and `readWidgetMessages`.

**Fields.** An answer always has all its fields; an unknown one is null. Times are UTC with milliseconds, \
as in `2026-11-02T08:00:00.000Z`. A field that holds an id ends in `_id`, and a list of ids in `_ids`.

**Repetition.** A POST with an `Idempotency-Key` is processed once. For a day, a repetition of the same request \
gets the same answer. A different request with the same key is refused with 422. A repetition while the first \
request is still running is refused with 409.";

/// Answers of an operation beside success: status, name, when.
const PROBLEMS: &[(&str, &str, &str)] = &[
    (
        "400",
        "BadRequest",
        "The request is malformed or not valid.",
    ),
    (
        "401",
        "Unauthenticated",
        "The credential is missing, expired or not valid.",
    ),
    ("403", "Forbidden", "The credential may not do this."),
    ("404", "NotFound", "The workspace has no such resource."),
    (
        "409",
        "Conflict",
        "The state of the resource does not allow this, or the same request is still running.",
    ),
    (
        "405",
        "MethodNotAllowed",
        "The id contains a slash, so the request matched a different route.",
    ),
    ("413", "TooLarge", "The body is larger than 5 MB."),
    (
        "415",
        "UnsupportedMediaType",
        "The body has a media type that the operation does not accept.",
    ),
    (
        "422",
        "Unprocessable",
        "The idempotency key was used for another request.",
    ),
    (
        "429",
        "RateLimited",
        "Too many requests; wait as `Retry-After` says.",
    ),
    (
        "431",
        "HeadersTooLarge",
        "The request line and the headers are larger than 10 KB.",
    ),
    (
        "500",
        "Internal",
        "An error of the service; the request may be repeated with its idempotency key.",
    ),
    (
        "503",
        "Unavailable",
        "Temporarily unavailable; repeat the request.",
    ),
];

/// The parts of the reference, in their order.
const TAGS: &[(&str, &str)] = &[
    (
        "auth",
        "Sign in and out, passwords, the second factor, who is calling.",
    ),
    ("users", "The people of the account, and their roles."),
    ("invitations", "Invite people to the account."),
    (
        "workspaces",
        "The workspaces of the account, their settings, and what is left to set up.",
    ),
    (
        "api-keys",
        "Credentials for programs, each of one workspace.",
    ),
    (
        "senders",
        "The addresses that the workspace has proven and sends from.",
    ),
    (
        "channels",
        "Sending channels: the account, the brandnames and the templates of text messages (docs/sms.md), Zalo Official Accounts and their templates (docs/zalo.md).",
    ),
    (
        "audit-log",
        "Records of changes to the account and its workspaces.",
    ),
    (
        "contacts",
        "The customers: search, save, timeline, lists, import of files (docs/import.md).",
    ),
    (
        "privacy",
        "Requests of persons about their own data, and the register of what the workspace holds (docs/compliance-vn.md).",
    ),
    ("sources", "Where forms come in (docs/forms.md)."),
    (
        "tracking",
        "Events of own systems, in the shape of Segment's API (docs/tracking.md).",
    ),
    (
        "signup-forms",
        "Forms of the workspace: questions, consent, pop-ups (docs/signup-forms.md).",
    ),
    (
        "workflows",
        "Steps that an event starts (docs/triggers.md, docs/templates.md).",
    ),
    (
        "segments",
        "Groups of contacts by conditions, kept current (docs/segments.md).",
    ),
    (
        "orders",
        "Orders of shop systems and of the staff, with their sums (docs/orders.md).",
    ),
    (
        "products",
        "Products of shop systems and of the staff (docs/products.md).",
    ),
    ("campaigns", "Mails to a list (docs/templates.md)."),
    (
        "conversations",
        "The chat's inboxes, conversations and messages, for staff (docs/websocket.md).",
    ),
    (
        "widget",
        "The chat, for a website's visitors (docs/widget.md).",
    ),
    ("forms", "The intake of forms (docs/forms.md)."),
    (
        "webhooks",
        "The intake of shops and own systems (docs/sources.md).",
    ),
    ("unsubscribe", "The unsubscribe link of mails."),
];

/// Answers that API Gateway gives by itself: request too large, too many requests, or no answer from the function.
const GATEWAYS: &[&str] = &["413", "429", "431", "500", "503"];

/// The document. Fails if two functions mean different things by one name.
pub fn document() -> Result<Value> {
    let mut paths = Map::new();
    let mut all = Map::new();
    let parts: &[fn() -> utoipa::openapi::OpenApi] = &[
        api_accounts::openapi,
        api_contacts::openapi,
        api_privacy::openapi,
        api_sources::openapi,
        api_forms::openapi,
        api_workflows::openapi,
        api_campaigns::openapi,
        api_channels::openapi,
        api_segments::openapi,
        api_commerce::openapi,
        api_chat::openapi,
        chat_widget::openapi,
        webhook_custom::openapi,
        webhook_getfly::openapi,
        webhook_haravan::openapi,
        webhook_kiotviet::openapi,
        webhook_ladipage::openapi,
        webhook_sapo::openapi,
        webhook_shopee::openapi,
        webhook_zalo::openapi,
        form_submit::openapi,
        track_events::openapi,
        link_tracker::openapi,
    ];
    for part in parts {
        let mut part = serde_json::to_value(part())?;
        merge(&mut paths, part["paths"].take())?;
        merge(&mut all, part["components"]["schemas"].take())?;
    }
    // Parameters do not bring their schemas along.
    let mut shared = vec![
        (ProblemBody::name().into_owned(), ProblemBody::schema()),
        (Limit::name().into_owned(), Limit::schema()),
    ];
    ProblemBody::schemas(&mut shared);
    for (name, schema) in shared {
        all.insert(name, serde_json::to_value(schema)?);
    }
    all.insert("GatewayMessage".to_owned(), gateway_message());
    schemas::finish(&mut all)?;
    for (path, item) in &mut paths {
        let operations = item.as_object_mut().context("a path without operations")?;
        for (method, operation) in operations {
            complete(path, method, operation)?;
        }
    }
    answers::require(&paths, &mut all);
    paths.sort_keys();
    let (paths, responses, parameters) = (Value::Object(paths), problems(), parameters());
    schemas::drop_unused(&mut all, &[&paths, &responses, &parameters]);
    all.sort_keys();
    Ok(json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Tanigo",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            "contact": { "name": "Tanigo" },
        },
        "tags": TAGS.iter().map(|(name, about)| json!({ "name": name, "description": about }))
            .collect::<Vec<_>>(),
        "servers": [{ "url": "/" }],
        "security": [{ "bearer": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": credentials(),
            "parameters": parameters,
            "headers": headers(),
            "responses": responses,
            "schemas": all,
        },
    }))
}

fn merge(into: &mut Map<String, Value>, from: Value) -> Result<()> {
    let Value::Object(from) = from else {
        return Ok(());
    };
    for (name, value) in from {
        if into.get(&name).is_some_and(|known| *known != value) {
            bail!("{name} means two things");
        }
        into.insert(name, value);
    }
    Ok(())
}

/// Adds the parts that all operations share.
fn complete(path: &str, method: &str, operation: &mut Value) -> Result<()> {
    let id = operation["operationId"]
        .as_str()
        .context("an operation without an id")?;
    let known = Operation::ALL
        .iter()
        .find(|known| known.id() == id)
        .copied();
    let is_public = operation["security"] == json!([{}]);
    let credential = match (known, is_public) {
        (_, true) => "Takes no credential.".to_owned(),
        (Some(known), _) => {
            operation["x-people"] = people(known.people()).into();
            operation["x-scope"] = known.scope().map(kernel::Scope::name).into();
            allowed(known)
        }
        (None, _) => "Takes the credential that is named beside it.".to_owned(),
    };
    if is_public {
        operation["security"] = json!([]);
    }
    let about = operation["description"].as_str().unwrap_or_default();
    operation["description"] = format!("{about}\n\n{credential}").trim_start().into();
    let is_ours = operation["security"].is_null();
    add_parameters(method, is_ours, operation);
    let content = &operation["requestBody"]["content"];
    let has_body = !content.is_null();
    let has_id = path.contains('{');
    let applies = |status: &str| match status {
        _ if !path.starts_with("/v1/") => {
            GATEWAYS.contains(&status) && (has_body || status != "413")
        }
        "401" => is_ours || has_body,
        "403" | "404" => is_ours,
        "409" => method != "get",
        "405" => has_id,
        "413" | "415" => has_body,
        "422" => method == "post" && is_ours,
        _ => true,
    };
    let responses = operation["responses"]
        .as_object_mut()
        .context("no responses")?;
    for (status, name, _) in PROBLEMS {
        // An answer that the function itself declares has its own body, or is the common problem.
        let own = responses.get(*status);
        if own.map_or(applies(status), |own| own["content"].is_null()) {
            responses.insert((*status).to_owned(), refer("responses", name));
        }
    }
    // A path whose parameter holds a slash has no route, so the answer is the common problem and no page.
    let pages = responses
        .get_mut("404")
        .and_then(|one| one.get_mut("content"));
    if let Some(pages) = pages.and_then(Value::as_object_mut) {
        let problem = json!({ "schema": refer("schemas", "Problem") });
        pages.insert("application/problem+json".to_owned(), problem);
    }
    for response in responses.values_mut().filter(|one| one["$ref"].is_null()) {
        response["headers"] = json!({ "x-request-id": refer("headers", "RequestId") });
    }
    Ok(())
}

fn add_parameters(method: &str, is_ours: bool, operation: &mut Value) {
    let mut shared = Vec::new();
    if is_ours {
        shared.push("Workspace");
        if method == "post" {
            shared.push("IdempotencyKey");
        }
    }
    let parameters = operation["parameters"].take();
    let mut parameters = parameters.as_array().cloned().unwrap_or_default();
    parameters.extend(shared.iter().map(|name| refer("parameters", name)));
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    } else if let Some(operation) = operation.as_object_mut() {
        operation.remove("parameters");
    }
}

/// The people and keys that may call an operation, as a sentence.
fn allowed(operation: Operation) -> String {
    let people = people(operation.people());
    match operation.scope() {
        Some(scope) => format!("People: {people}. Keys: scope `{}`.", scope.name()),
        None => format!("People: {people}. Keys: none."),
    }
}

fn credentials() -> Value {
    json!({
        "bearer": {
            "type": "http", "scheme": "bearer",
            "description": "An API key of a workspace, or the token of a session from `login`.",
        },
        "visitor": {
            "type": "http", "scheme": "bearer",
            "description": "The token of a visitor's session from `openWidgetSession`.",
        },
        "source": {
            "type": "apiKey", "in": "header", "name": "x-tanigo-token",
            "description": "The token of a source, in the header that the source names.",
        },
    })
}

fn people(people: People) -> String {
    match people {
        People::SignedIn => "everybody who is signed in".to_owned(),
        People::From(role) => format!("{} and above", snake(role)),
        People::Chat(role) => format!("chat {} and above", snake(role)),
    }
}

fn snake(role: impl serde::Serialize) -> String {
    let name = serde_json::to_value(role).unwrap_or_default();
    name.as_str().unwrap_or_default().to_owned()
}

fn refer(kind: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{kind}/{name}") })
}

fn parameters() -> Value {
    json!({
        "IdempotencyKey": {
            "name": "Idempotency-Key", "in": "header", "required": false,
            "description": "Makes a repetition of the request harmless.",
            "schema": { "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$" },
        },
        "Workspace": {
            "name": "X-Workspace", "in": "header", "required": false,
            "description": "The workspace to work in. A session needs it where the operation is about a \
                            workspace's data; a key has its own.",
            "schema": refer("schemas", "WorkspaceId"),
        },
    })
}

fn headers() -> Value {
    let text =
        |description: &str| json!({ "description": description, "schema": { "type": "string" } });
    json!({
        "RequestId": text("Names the request in the logs."),
        "RetryAfter": text("Seconds to wait."),
        "RateLimit": text(&format!(
            "Requests left in this minute, of {REQUESTS_PER_MINUTE} for each credential. All credentials \
             of an account together have {ACCOUNT_REQUESTS_PER_MINUTE}."
        )),
    })
}

fn gateway_message() -> Value {
    json!({
        "description": "What the gateway itself answers.",
        "type": "object",
        "properties": { "message": { "type": ["string", "null"], "description": "The status in words." } },
        "required": ["message"],
    })
}

fn problems() -> Value {
    let mut all = Map::new();
    for (status, name, description) in PROBLEMS {
        let mut headers = json!({ "x-request-id": refer("headers", "RequestId") });
        if matches!(*status, "429" | "503") {
            headers["retry-after"] = refer("headers", "RetryAfter");
        }
        if *status == "429" {
            headers["ratelimit-remaining"] = refer("headers", "RateLimit");
        }
        let mut content = Map::new();
        if *status != "431" {
            let problem = json!({ "schema": refer("schemas", "Problem") });
            content.insert("application/problem+json".to_owned(), problem);
        }
        if GATEWAYS.contains(status) {
            let message = json!({ "schema": refer("schemas", "GatewayMessage") });
            content.insert("application/json".to_owned(), message);
        }
        let response =
            json!({ "description": description, "headers": headers, "content": content });
        all.insert((*name).to_owned(), response);
    }
    all.into()
}
