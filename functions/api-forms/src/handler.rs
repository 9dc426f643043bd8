//! Maps requests to use cases. Another tenant's form is not found.

use std::collections::BTreeSet;

use access::op;
use accounts::{Audit, RecentWorkspaces, Senders};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use contacts::fields::{FieldUser, FieldUses};
use contacts::{Definitions, Fields, Lists};
use forms::{Created, Field, Form, Forms, Guard, Settings, Status, Tallies, Turnstile};
use jiff::Timestamp;
use kernel::page::Page;
use kernel::{Clock, Entropy, FormId, Needs, Origin};
use lambda::http::{Caller, ClientIp, Code, Creation, Flaws, Json, May, Path, Problem, Query};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::shape::{FormCode, FormView, ListQuery};

/// The state of the operations.
#[derive(Clone)]
pub struct Api {
    pub audit: Audit,
    pub lists: Lists,
    pub fields: Fields,
    pub uses: FieldUses,
    pub senders: Senders,
    pub forms: Forms,
    pub tallies: Tallies,
    pub workspaces: RecentWorkspaces,
    pub turnstile: Turnstile,
    pub clock: Clock,
    pub entropy: Entropy,
}

pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(one, replace, remove))
        .routes(routes!(publish))
        .routes(routes!(pause))
        .routes(routes!(duplicate))
        .routes(routes!(archive))
        .routes(routes!(code))
        .routes(routes!(crate::shown::qr))
        .routes(routes!(crate::shown::report))
        .routes(routes!(crate::guard::protect, crate::guard::unprotect))
}

pub fn no_form() -> Problem {
    Problem::not_found("form")
}

impl Api {
    pub async fn form(&self, caller: &Caller, id: FormId) -> Result<Form, Problem> {
        let form = self.forms.get(caller.tenant, id).await?;
        form.ok_or_else(no_form)
    }

    pub async fn note<P: Needs>(
        &self,
        caller: &May<P>,
        id: FormId,
        ip: &ClientIp,
    ) -> Result<(), Problem> {
        let permission = caller.permission();
        let noted = self.audit.note(caller.grant(), permission, id, &ip.0);
        Ok(noted.await?)
    }

    /// Refuses settings that are not valid; one answer names all faults.
    async fn check(&self, caller: &Caller, settings: &Settings) -> Result<(), Problem> {
        let all = self.fields.all(caller.tenant).await?;
        let mut flaws: Flaws = settings.flaws(&Definitions::of(all)).into_iter().collect();
        for (n, list) in settings.list_ids.iter().take(20).enumerate() {
            let is_unknown = self.lists.get(caller.tenant, *list).await?.is_none();
            flaws.check(is_unknown, format!("/list_ids/{n}"), "no such list");
        }
        if let Some(double) = &settings.double_opt_in {
            let is_proven = self.senders.may_send(caller.tenant, &double.from_email);
            let message = "is no proven sender of the workspace";
            flaws.check(!is_proven.await?, "/double_opt_in/from_email", message);
        }
        flaws.refuse()
    }

    /// Declares the custom fields that the form asks for.
    async fn declare(
        &self,
        caller: &Caller,
        id: FormId,
        settings: &Settings,
    ) -> Result<(), Problem> {
        let user = FieldUser {
            kind: "form".into(),
            id: id.to_string(),
            name: settings.name.clone(),
        };
        let custom = settings.fields.iter().filter_map(Field::custom);
        let fields: BTreeSet<String> = custom.map(str::to_owned).collect();
        Ok(self.uses.declare(caller.tenant, &user, &fields).await?)
    }

    async fn make<P: Needs>(
        &self,
        caller: &May<P>,
        origin: &Origin,
        ip: &ClientIp,
        settings: &Settings,
        guard: Option<&Guard>,
    ) -> Result<Response, Problem> {
        for id in origin.draws(FormId::of) {
            self.note(caller, id, ip).await?;
            match self.add(caller, id, origin.at, settings, guard).await? {
                Created::Form(form) => {
                    let location = [(header::LOCATION, format!("/v1/forms/{id}"))];
                    let view = Json(FormView::from(*form));
                    return Ok((StatusCode::CREATED, location, view).into_response());
                }
                Created::Taken => {}
                Created::Full => {
                    let detail = "the workspace has 200 forms, the most that it may have";
                    return Err(Problem::new(Code::Conflict, detail));
                }
            }
        }
        Err(cloud::Error::Conflict.into())
    }

    async fn add(
        &self,
        caller: &Caller,
        id: FormId,
        at: Timestamp,
        settings: &Settings,
        guard: Option<&Guard>,
    ) -> Result<Created, Problem> {
        self.declare(caller, id, settings).await?;
        let (tenant, guard) = (caller.tenant, guard.cloned());
        let made = self.forms.create(tenant, id, at, settings, guard).await?;
        if made == Created::Full {
            self.uses.forget(caller.tenant, &id.to_string()).await?;
        }
        Ok(made)
    }

    async fn set_status<P: Needs>(
        &self,
        caller: &May<P>,
        id: FormId,
        ip: &ClientIp,
        status: Status,
    ) -> Result<Json<FormView>, Problem> {
        self.form(caller, id).await?;
        self.note(caller, id, ip).await?;
        let changed = self.forms.set_status(caller.tenant, id, status).await?;
        Ok(Json(changed.ok_or_else(no_form)?.into()))
    }
}

/// List the workspace's signup forms, oldest first.
#[utoipa::path(
    get,
    path = "/v1/forms",
    operation_id = "listForms",
    tag = "signup-forms",
    params(ListQuery),
    responses((status = 200, description = "A page of forms", body = Page<FormView>)),
)]
async fn list(
    State(api): State<Api>,
    caller: May<op::ListForms>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Page<FormView>>, Problem> {
    let page = api.forms.page(caller.tenant, query.limit, query.cursor);
    Ok(Json(page.await?.map(FormView::from)))
}

/// Make a signup form.
///
/// The form is a draft: publish it to take submissions. A workspace may have 200 forms.
#[utoipa::path(
    post,
    path = "/v1/forms",
    operation_id = "createForm",
    tag = "signup-forms",
    request_body = Settings,
    responses(
        (status = 201, description = "Made", body = FormView),
        (status = 409, description = "The workspace has 200 forms"),
    ),
)]
async fn create(
    State(api): State<Api>,
    caller: May<op::CreateForm>,
    Creation(origin): Creation,
    ip: ClientIp,
    Json(settings): Json<Settings>,
) -> Result<Response, Problem> {
    api.check(&caller, &settings).await?;
    api.make(&caller, &origin, &ip, &settings, None).await
}

/// Show a signup form.
#[utoipa::path(
    get,
    path = "/v1/forms/{id}",
    operation_id = "showForm",
    tag = "signup-forms",
    params(("id" = FormId, Path, description = "The form")),
    responses((status = 200, description = "The form", body = FormView)),
)]
async fn one(
    State(api): State<Api>,
    caller: May<op::ShowForm>,
    Path(id): Path<FormId>,
) -> Result<Json<FormView>, Problem> {
    Ok(Json(api.form(&caller, id).await?.into()))
}

/// Replace the settings of a signup form.
///
/// A setting that is left out gets its default. The change is in force within ten seconds, and raises `version`. The
/// status stays.
#[utoipa::path(
    put,
    path = "/v1/forms/{id}",
    operation_id = "replaceForm",
    tag = "signup-forms",
    params(("id" = FormId, Path, description = "The form")),
    request_body = Settings,
    responses((status = 200, description = "Replaced", body = FormView)),
)]
async fn replace(
    State(api): State<Api>,
    caller: May<op::ReplaceForm>,
    ip: ClientIp,
    Path(id): Path<FormId>,
    Json(settings): Json<Settings>,
) -> Result<Json<FormView>, Problem> {
    api.check(&caller, &settings).await?;
    api.form(&caller, id).await?;
    api.note(&caller, id, &ip).await?;
    api.declare(&caller, id, &settings).await?;
    let replaced = api.forms.replace(caller.tenant, id, &settings).await?;
    Ok(Json(replaced.ok_or_else(no_form)?.into()))
}

/// Remove a signup form.
///
/// Its page is gone within ten seconds. Its contacts, events and proofs of consent stay.
#[utoipa::path(
    delete,
    path = "/v1/forms/{id}",
    operation_id = "removeForm",
    tag = "signup-forms",
    params(("id" = FormId, Path, description = "The form")),
    responses((status = 204, description = "Removed")),
)]
async fn remove(
    State(api): State<Api>,
    caller: May<op::RemoveForm>,
    ip: ClientIp,
    Path(id): Path<FormId>,
) -> Result<StatusCode, Problem> {
    api.form(&caller, id).await?;
    api.note(&caller, id, &ip).await?;
    api.uses.forget(caller.tenant, &id.to_string()).await?;
    api.forms.remove(caller.tenant, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Publish a signup form. It takes submissions within ten seconds.
#[utoipa::path(
    post,
    path = "/v1/forms/{id}/publish",
    operation_id = "publishForm",
    tag = "signup-forms",
    params(("id" = FormId, Path, description = "The form")),
    responses((status = 200, description = "Published", body = FormView)),
)]
async fn publish(
    State(api): State<Api>,
    caller: May<op::PublishForm>,
    ip: ClientIp,
    Path(id): Path<FormId>,
) -> Result<Json<FormView>, Problem> {
    api.set_status(&caller, id, &ip, Status::Published).await
}

/// Pause a signup form. Within ten seconds its page says that the form is closed.
#[utoipa::path(
    post,
    path = "/v1/forms/{id}/pause",
    operation_id = "pauseForm",
    tag = "signup-forms",
    params(("id" = FormId, Path, description = "The form")),
    responses((status = 200, description = "Paused", body = FormView)),
)]
async fn pause(
    State(api): State<Api>,
    caller: May<op::PauseForm>,
    ip: ClientIp,
    Path(id): Path<FormId>,
) -> Result<Json<FormView>, Problem> {
    api.set_status(&caller, id, &ip, Status::Paused).await
}

/// Archive a signup form.
///
/// Within ten seconds its page says that the form is closed. Its settings and its report stay. Publishing opens it again.
#[utoipa::path(
    post,
    path = "/v1/forms/{id}/archive",
    operation_id = "archiveForm",
    tag = "signup-forms",
    params(("id" = FormId, Path, description = "The form")),
    responses((status = 200, description = "Archived", body = FormView)),
)]
async fn archive(
    State(api): State<Api>,
    caller: May<op::ArchiveForm>,
    ip: ClientIp,
    Path(id): Path<FormId>,
) -> Result<Json<FormView>, Problem> {
    api.set_status(&caller, id, &ip, Status::Archived).await
}

/// Copy a signup form. The copy is a draft with the same settings and the same keys of Turnstile.
#[utoipa::path(
    post,
    path = "/v1/forms/{id}/duplicate",
    operation_id = "duplicateForm",
    tag = "signup-forms",
    params(("id" = FormId, Path, description = "The form")),
    responses(
        (status = 201, description = "The copy", body = FormView),
        (status = 409, description = "The workspace has 200 forms"),
    ),
)]
async fn duplicate(
    State(api): State<Api>,
    caller: May<op::DuplicateForm>,
    Creation(origin): Creation,
    ip: ClientIp,
    Path(id): Path<FormId>,
) -> Result<Response, Problem> {
    let form = api.form(&caller, id).await?;
    let guard = form.guard.as_ref();
    api.make(&caller, &origin, &ip, &form.settings, guard).await
}

/// Show the code that puts a signup form into a page of the shop.
///
/// Its addresses are those of the host that the request named.
#[utoipa::path(
    get,
    path = "/v1/forms/{id}/code",
    operation_id = "showFormCode",
    tag = "signup-forms",
    params(("id" = FormId, Path, description = "The form")),
    responses((status = 200, description = "The code", body = FormCode)),
)]
async fn code(
    State(api): State<Api>,
    caller: May<op::ShowFormCode>,
    headers: HeaderMap,
    Path(id): Path<FormId>,
) -> Result<Json<FormCode>, Problem> {
    let form = api.form(&caller, id).await?;
    let definitions = Definitions::of(api.fields.all(caller.tenant).await?);
    let code = FormCode::new(&form, &definitions, &base(&headers), api.turnstile.url());
    Ok(Json(code))
}

/// The address of the API, as the request named it.
pub fn base(headers: &HeaderMap) -> String {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    // API Gateway sets the header to https, and the local stack to http.
    let scheme = headers.get("x-forwarded-proto");
    let is_plain = scheme.is_some_and(|scheme| scheme == "http");
    let scheme = if is_plain { "http" } else { "https" };
    format!("{scheme}://{}", host.unwrap_or_default())
}
