//! The addresses that a workspace sends from, each proven by a code that its mailbox gets.

use access::op;
use accounts::senders::{MAX_SENDERS, is_reserved};
use accounts::{AccountMail, Sender};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use kernel::page::Page;
use kernel::{EmailAddress, SenderId};
use lambda::http::{Caller, ClientIp, Code, Json, May, Path, Problem};
use serde::{Deserialize, Serialize};

use crate::api::Api;
use crate::attempt::Attempt;
use crate::shape;

/// An address that a workspace sends from.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Sender)]
pub struct SenderView {
    id: SenderId,
    email: EmailAddress,
    /// Name that readers see.
    name: String,
    #[serde(serialize_with = "kernel::clock::millis")]
    created_at: Timestamp,
    /// When its code came back; mails go out from then on.
    #[serde(serialize_with = "kernel::clock::millis")]
    confirmed_at: Option<Timestamp>,
}

impl From<Sender> for SenderView {
    fn from(sender: Sender) -> Self {
        Self {
            id: sender.id,
            email: sender.email,
            name: sender.name,
            created_at: sender.created_at,
            confirmed_at: sender.confirmed_at,
        }
    }
}

fn no_sender() -> Problem {
    Problem::not_found("sender")
}

async fn sender(api: &Api, caller: &Caller, id: SenderId) -> Result<Sender, Problem> {
    let found = api.senders.find(caller.tenant, id).await?;
    found.ok_or_else(no_sender)
}

/// List the workspace's senders, by address.
#[utoipa::path(
    get,
    path = "/v1/senders",
    operation_id = "listSenders",
    tag = "senders",
    responses((status = 200, description = "All senders, on one page", body = Page<SenderView>)),
)]
pub async fn list(
    State(api): State<Api>,
    caller: May<op::ListSenders>,
) -> Result<Json<Page<SenderView>>, Problem> {
    let all = api.senders.all(caller.tenant).await?;
    let page = Page {
        data: all,
        next: None,
    };
    Ok(Json(page.map(SenderView::from)))
}

/// `POST /v1/senders`.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSender {
    email: EmailAddress,
    /// Name that readers see.
    #[schema(min_length = 1, max_length = 255)]
    name: String,
}

/// Ask for an address to send from.
///
/// A code goes to the address; `confirmSender` takes it within 72 hours. The same request again mails a new code,
/// and the earlier one ends. At most 5 codes a day go to an address, and 20 from a workspace. Addresses such as
/// `no-reply@` are the product's own.
#[utoipa::path(
    post,
    path = "/v1/senders",
    operation_id = "createSender",
    tag = "senders",
    request_body = NewSender,
    responses(
        (status = 201, description = "The code is on its way", body = SenderView),
        (status = 200, description = "The address is proven already", body = SenderView),
    ),
)]
pub async fn create(
    State(api): State<Api>,
    caller: May<op::CreateSender>,
    ip: ClientIp,
    Json(new): Json<NewSender>,
) -> Result<Response, Problem> {
    let name = shape::name("/name", &new.name)?;
    let identity = &api.identity;
    if !new.email.is_of(identity) {
        let message = format!("expected an address of {identity}, which is verified for sending");
        return Err(Problem::invalid("/email", message));
    }
    if is_reserved(&new.email, identity) {
        return Err(Problem::invalid(
            "/email",
            "this address is the product's own",
        ));
    }
    let all = api.senders.all(caller.tenant).await?;
    let known = all.iter().find(|sender| sender.email == new.email);
    if let Some(proven) = known.filter(|sender| sender.confirmed_at.is_some()) {
        return Ok(Json(SenderView::from(proven.clone())).into_response());
    }
    if known.is_none() && all.len() >= MAX_SENDERS {
        let detail = format!("a workspace has at most {MAX_SENDERS} senders");
        return Err(Problem::new(Code::Conflict, detail));
    }
    let workspace = caller.tenant.workspace();
    Attempt::to_prove(&api, workspace, &new.email).await?;
    let id = known.map_or_else(|| api.senders.draw(), |sender| sender.id);
    api.note(&caller, &id.to_string(), &ip).await?;
    let sender = api.senders.ask(caller.tenant, id, &new.email, &name);
    let sender = sender.await?;
    let mail = AccountMail::Sender {
        workspace,
        email: sender.email.clone(),
        mail: sender.mail,
    };
    api.mails.send(&mail).await?;
    let location = format!("/v1/senders/{}", sender.id);
    let body = Json(SenderView::from(sender));
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], body).into_response())
}

/// Show a sender.
#[utoipa::path(
    get,
    path = "/v1/senders/{id}",
    operation_id = "showSender",
    tag = "senders",
    params(("id" = SenderId, Path, description = "The sender")),
    responses((status = 200, description = "The sender", body = SenderView)),
)]
pub async fn show(
    State(api): State<Api>,
    caller: May<op::ShowSender>,
    Path(id): Path<SenderId>,
) -> Result<Json<SenderView>, Problem> {
    Ok(Json(sender(&api, &caller, id).await?.into()))
}

/// The code of a mail.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SenderCode {
    #[schema(min_length = 1, max_length = 128)]
    code: String,
}

/// Prove an address by the code that its mailbox got.
///
/// Only somebody who works in the workspace can do so. A reader of the mailbox gives nothing away by opening the
/// mail.
#[utoipa::path(
    post,
    path = "/v1/senders/{id}/confirm",
    operation_id = "confirmSender",
    tag = "senders",
    params(("id" = SenderId, Path, description = "The sender")),
    request_body = SenderCode,
    responses((status = 200, description = "Proven", body = SenderView)),
)]
pub async fn confirm(
    State(api): State<Api>,
    caller: May<op::ConfirmSender>,
    ip: ClientIp,
    Path(id): Path<SenderId>,
    Json(proof): Json<SenderCode>,
) -> Result<Json<SenderView>, Problem> {
    let sender = sender(&api, &caller, id).await?;
    let attempt = Attempt::at_token(&api, &ip).await?;
    api.note(&caller, &id.to_string(), &ip).await?;
    let confirmed = api
        .senders
        .confirm(caller.tenant, sender, proof.code.trim());
    let Some(confirmed) = confirmed.await? else {
        let message = "is not the code of the newest mail, or is more than 72 hours old";
        return Err(Problem::invalid("/code", message));
    };
    attempt.forgive(&api).await?;
    Ok(Json(confirmed.into()))
}

/// Remove a sender. New mails from its address are refused; campaigns that are being sent go on.
#[utoipa::path(
    delete,
    path = "/v1/senders/{id}",
    operation_id = "removeSender",
    tag = "senders",
    params(("id" = SenderId, Path, description = "The sender")),
    responses((status = 204, description = "Removed")),
)]
pub async fn remove(
    State(api): State<Api>,
    caller: May<op::RemoveSender>,
    ip: ClientIp,
    Path(id): Path<SenderId>,
) -> Result<StatusCode, Problem> {
    let sender = sender(&api, &caller, id).await?;
    api.note(&caller, &id.to_string(), &ip).await?;
    api.senders.remove(caller.tenant, &sender.email).await?;
    Ok(StatusCode::NO_CONTENT)
}
