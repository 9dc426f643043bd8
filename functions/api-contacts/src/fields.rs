//! Definitions of custom fields.

use std::collections::{BTreeMap, BTreeSet};

use access::op;
use axum::extract::State;
use axum::http::StatusCode;
use contacts::fields::{
    FieldRefusal, FieldUser, Format, Kind, MAX_DEFINITIONS, MAX_UNIQUE, Opt, Place, Target,
};
use contacts::{Definition, Fields};
use jiff::Timestamp;
use kernel::page::Page;
use kernel::{Patch, TenantKey};
use lambda::http::{ClientIp, Code, Creation, Flaws, Json, May, Path, Problem, Query};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::Api;

/// A custom field of contacts or of orders.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Field)]
pub struct FieldView {
    /// The things that have the field.
    target: Target,
    /// Its name in `custom`.
    key: String,
    label: String,
    #[serde(rename = "type")]
    kind: Kind,
    options: Vec<Opt>,
    required: bool,
    /// Whether no two contacts may have the same value.
    unique: bool,
    /// The value that forms begin with, and that templates print for a contact without a value.
    default: Option<Value>,
    help: Option<String>,
    format: Format,
    visible_in: BTreeSet<Place>,
    /// The tag that prints its value in a template; null for a field of orders.
    merge_tag: Option<String>,
    #[serde(serialize_with = "kernel::clock::millis")]
    created_at: Timestamp,
    #[serde(serialize_with = "kernel::clock::millis")]
    updated_at: Timestamp,
}

impl From<Definition> for FieldView {
    fn from(field: Definition) -> Self {
        Self {
            merge_tag: field.merge_tag(),
            target: field.target,
            key: field.key,
            label: field.label,
            kind: field.kind,
            options: field.options,
            required: field.required,
            unique: field.unique,
            default: field.default,
            help: field.help,
            format: field.format,
            visible_in: field.visible_in,
            created_at: field.created_at,
            updated_at: field.updated_at,
        }
    }
}

/// A custom field to define.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = NewField)]
#[serde(deny_unknown_fields)]
pub struct FieldIn {
    /// The things that have the field. An order takes no value of a field that is not defined.
    #[serde(default)]
    target: Target,
    /// Its name in `custom`; it never changes.
    #[schema(
        pattern = "^[a-z][a-z0-9_]{0,63}$",
        max_length = 64,
        example = "hang_thanh_vien"
    )]
    key: String,
    #[schema(min_length = 1, max_length = 100, example = "Hạng thành viên")]
    label: String,
    #[serde(rename = "type")]
    kind: Kind,
    /// The choices of a `choice` or a `multi_choice`.
    #[serde(default)]
    #[schema(max_items = 200)]
    options: Vec<Opt>,
    /// Forms must ask for it, and no request may clear it.
    #[serde(default)]
    required: bool,
    /// No two contacts may have the same value. Only a `text`, a `number`, a `link`, an `email` or a `phone` is unique; at most 5
    /// fields of a workspace are. Values from before the definition are not compared.
    #[serde(default)]
    unique: bool,
    /// The value that forms begin with, and that templates print for a contact without a value. A field of the type
    /// `file` has none.
    default: Option<Value>,
    #[schema(min_length = 1, max_length = 500)]
    help: Option<String>,
    #[serde(default)]
    format: Format,
    #[serde(default)]
    #[schema(max_items = 5)]
    visible_in: BTreeSet<Place>,
}

/// The parts of a definition to change; absent ones stay.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = FieldChange)]
#[serde(deny_unknown_fields)]
pub struct FieldPatch {
    #[schema(min_length = 1, max_length = 100)]
    label: Option<String>,
    /// Only `text` and `long_text`, and `choice` and `multi_choice`, change into each other.
    #[serde(rename = "type")]
    kind: Option<Kind>,
    /// The choices in their new order. A choice that is left out is archived.
    #[schema(max_items = 200)]
    options: Option<Vec<Opt>>,
    required: Option<bool>,
    /// False ends the comparison for good: a field that exists does not become unique.
    unique: Option<bool>,
    #[serde(default)]
    #[schema(value_type = Option<Value>)]
    default: Patch<Value>,
    #[serde(default)]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 500)]
    help: Patch<String>,
    format: Option<Format>,
    #[schema(max_items = 5)]
    visible_in: Option<BTreeSet<Place>>,
}

/// The target of a field's key.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct FieldQuery {
    /// The things that have the field: `contact` without it.
    #[serde(default)]
    #[param(inline, value_type = Option<Target>)]
    target: Target,
}

impl Api {
    fn fields_of(&self, target: Target) -> &Fields {
        match target {
            Target::Contact => &self.fields,
            Target::Order => &self.order_fields,
            Target::Product => &self.product_fields,
            Target::Conversation => &self.conversation_fields,
        }
    }
}

fn no_field() -> Problem {
    Problem::not_found("field")
}

fn refused(refusal: FieldRefusal) -> Problem {
    let conflict = |detail: &str| Problem::new(Code::Conflict, detail);
    match refusal {
        FieldRefusal::Taken => conflict("another field has this key").at("/key", "is in use"),
        FieldRefusal::Full => Problem::new(
            Code::Unprocessable,
            format!("a workspace has at most {MAX_DEFINITIONS} fields, together 128 KB"),
        ),
        FieldRefusal::Missing => no_field(),
        FieldRefusal::NotUnique => {
            Problem::invalid("/unique", "a field is made unique only when it is created")
        }
        FieldRefusal::ManyUnique => Problem::new(
            Code::Unprocessable,
            format!("a workspace has at most {MAX_UNIQUE} unique fields"),
        ),
        FieldRefusal::Kind => Problem::invalid("/type", "cannot change to this type"),
    }
}

fn check(field: &Definition) -> Result<(), Problem> {
    field.flaws().into_iter().collect::<Flaws>().refuse()
}

/// Brings custom values into the form that their fields store. The flaws name each value that its field does not
/// take.
pub async fn typed(
    api: &Api,
    tenant: TenantKey,
    values: &mut BTreeMap<String, Value>,
    flaws: &mut Flaws,
) -> Result<(), Problem> {
    if values.is_empty() {
        return Ok(());
    }
    let definitions = api.fields.recent(tenant).await?;
    for fault in definitions.apply(values) {
        flaws.add(crate::shape::custom_pointer(&fault.field), fault.message);
    }
    Ok(())
}

/// The flaws name each field that no request may clear.
pub async fn clearable(
    api: &Api,
    tenant: TenantKey,
    names: &BTreeSet<String>,
    flaws: &mut Flaws,
) -> Result<(), Problem> {
    if names.is_empty() {
        return Ok(());
    }
    let definitions = api.fields.recent(tenant).await?;
    for name in names {
        if let Err(fault) = definitions.check(name, &Value::Null) {
            flaws.add(crate::shape::custom_pointer(&fault.field), fault.message);
        }
    }
    Ok(())
}

/// List the definitions of custom fields, oldest first.
///
/// All of them are on one page: a workspace has at most 100.
#[utoipa::path(
    get,
    path = "/v1/fields",
    operation_id = "listFields",
    tag = "contacts",
    params(FieldQuery),
    responses((status = 200, description = "All fields", body = Page<FieldView>)),
)]
pub async fn list(
    State(api): State<Api>,
    caller: May<op::ListFields>,
    Query(query): Query<FieldQuery>,
) -> Result<Json<Page<FieldView>>, Problem> {
    let fields = api.fields_of(query.target);
    let all = fields.all(caller.tenant).await?;
    let data = all.into_iter().map(FieldView::from).collect();
    Ok(Json(Page { data, next: None }))
}

/// Define a custom field.
///
/// Values that contacts have already stay as they are. New values are checked within ten seconds.
#[utoipa::path(
    post,
    path = "/v1/fields",
    operation_id = "createField",
    tag = "contacts",
    request_body = FieldIn,
    responses((status = 201, description = "Made", body = FieldView)),
)]
pub async fn create(
    State(api): State<Api>,
    caller: May<op::CreateField>,
    ip: ClientIp,
    Creation(origin): Creation,
    Json(body): Json<FieldIn>,
) -> Result<(StatusCode, Json<FieldView>), Problem> {
    let field = Definition {
        target: body.target,
        key: body.key,
        label: body.label.trim().to_owned(),
        kind: body.kind,
        options: body.options,
        required: body.required,
        unique: body.unique,
        default: body.default,
        help: body.help,
        format: body.format,
        visible_in: body.visible_in,
        created_at: origin.at,
        updated_at: origin.at,
    };
    check(&field)?;
    let (grant, operation) = (caller.grant(), caller.permission());
    api.audit.note(grant, operation, &field.key, &ip.0).await?;
    let fields = api.fields_of(field.target);
    let added = fields.add(caller.tenant, &field).await?;
    added.map_err(refused)?;
    Ok((StatusCode::CREATED, Json(field.into())))
}

async fn find(
    api: &Api,
    tenant: TenantKey,
    (target, key): (Target, &str),
) -> Result<Definition, Problem> {
    let all = api.fields_of(target).all(tenant).await?;
    all.into_iter()
        .find(|field| field.key == key)
        .ok_or_else(no_field)
}

/// Show the definition of a custom field.
#[utoipa::path(
    get,
    path = "/v1/fields/{id}",
    operation_id = "showField",
    tag = "contacts",
    params(
        ("id" = String, Path, description = "The field's key", max_length = 64),
        FieldQuery
    ),
    responses((status = 200, description = "The field", body = FieldView)),
)]
pub async fn show(
    State(api): State<Api>,
    caller: May<op::ShowField>,
    Path(key): Path<String>,
    Query(query): Query<FieldQuery>,
) -> Result<Json<FieldView>, Problem> {
    let field = (query.target, key.as_str());
    Ok(Json(find(&api, caller.tenant, field).await?.into()))
}

/// Change the definition of a custom field.
///
/// Values that contacts have already stay as they are.
#[utoipa::path(
    patch,
    path = "/v1/fields/{id}",
    operation_id = "updateField",
    tag = "contacts",
    params(
        ("id" = String, Path, description = "The field's key", max_length = 64),
        FieldQuery
    ),
    request_body = FieldPatch,
    responses(
        (status = 200, description = "Changed", body = FieldView),
        (status = 422, description = "The definitions of the workspace are too long"),
    ),
)]
pub async fn update(
    State(api): State<Api>,
    caller: May<op::UpdateField>,
    ip: ClientIp,
    Path(key): Path<String>,
    Query(query): Query<FieldQuery>,
    Json(body): Json<FieldPatch>,
) -> Result<Json<FieldView>, Problem> {
    let before = find(&api, caller.tenant, (query.target, key.as_str())).await?;
    let field = Definition {
        target: before.target,
        label: body
            .label
            .map_or(before.label.clone(), |label| label.trim().to_owned()),
        kind: body.kind.unwrap_or(before.kind),
        options: body.options.unwrap_or_else(|| before.options.clone()),
        required: body.required.unwrap_or(before.required),
        unique: body.unique.unwrap_or(before.unique),
        default: body.default.onto(before.default.clone()),
        help: body.help.onto(before.help.clone()),
        format: body.format.unwrap_or(before.format),
        visible_in: body.visible_in.unwrap_or_else(|| before.visible_in.clone()),
        updated_at: api.fields.now(),
        key: before.key.clone(),
        created_at: before.created_at,
    };
    let field = field.keeping(&before);
    check(&field)?;
    let (grant, operation) = (caller.grant(), caller.permission());
    api.audit.note(grant, operation, &key, &ip.0).await?;
    let fields = api.fields_of(field.target);
    let changed = fields.change(caller.tenant, &field).await?;
    Ok(Json(changed.map_err(refused)?.into()))
}

/// Remove the definition of a custom field.
///
/// Refused while something uses the field; the answer names the users. Contacts keep their values, which then
/// have no type.
#[utoipa::path(
    delete,
    path = "/v1/fields/{id}",
    operation_id = "removeField",
    tag = "contacts",
    params(
        ("id" = String, Path, description = "The field's key", max_length = 64),
        FieldQuery
    ),
    responses((status = 204, description = "Removed")),
)]
pub async fn remove(
    State(api): State<Api>,
    caller: May<op::RemoveField>,
    ip: ClientIp,
    Path(key): Path<String>,
    Query(query): Query<FieldQuery>,
) -> Result<StatusCode, Problem> {
    find(&api, caller.tenant, (query.target, key.as_str())).await?;
    if query.target == Target::Contact {
        let users = api.field_uses.of(caller.tenant, &key).await?;
        if !users.is_empty() {
            return Err(in_use(&users));
        }
    }
    let (grant, operation) = (caller.grant(), caller.permission());
    api.audit.note(grant, operation, &key, &ip.0).await?;
    let fields = api.fields_of(query.target);
    fields.remove(caller.tenant, &key).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn in_use(users: &[FieldUser]) -> Problem {
    let problem = Problem::new(Code::Conflict, "the field is in use");
    users.iter().fold(problem, |problem, user| {
        problem.at("", format!("{} {}: {}", user.kind, user.id, user.name))
    })
}
