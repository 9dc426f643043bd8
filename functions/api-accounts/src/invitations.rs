//! Invitations: admins invite people, and the invited people accept.

use access::op;
use accounts::{Accepted, AccountMail, Invitation, InvitationStatus, NewInvitation, Reserved};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use kernel::page::Page;
use kernel::{ChatRole, EmailAddress, InvitationId, Role, WorkspaceId};
use lambda::http::{ClientIp, Code, Creation, Json, May, Member, Path, Problem, Query};
use serde::{Deserialize, Serialize};

use crate::api::Api;
use crate::attempt::{Attempt, remember};
use crate::auth::{own_words, signed_in};
use crate::shape::{self, Paging};
use crate::users::of_account;

/// An invitation in answers. Its token is in the mail alone.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Invitation)]
pub struct InvitationView {
    id: InvitationId,
    email: EmailAddress,
    role: Role,
    chat_role: Option<ChatRole>,
    workspace_ids: Vec<WorkspaceId>,
    status: InvitationStatus,
    /// The user who made the invitation or sent it again last. The invitation ends
    /// when that user is no longer an admin.
    invited_by: String,
    #[serde(serialize_with = "kernel::clock::millis")]
    created_at: Timestamp,
    #[serde(serialize_with = "kernel::clock::millis")]
    expires_at: Timestamp,
    /// When the last mail went out; absent while none has. Send it again if it does not come.
    #[serde(serialize_with = "kernel::clock::millis")]
    mailed_at: Option<Timestamp>,
}

impl InvitationView {
    fn new(invitation: Invitation, now: Timestamp) -> Self {
        Self {
            status: invitation.status(now),
            id: invitation.id,
            email: invitation.email,
            role: invitation.role,
            chat_role: invitation.chat_role,
            workspace_ids: invitation.workspaces,
            invited_by: invitation.invited_by,
            created_at: invitation.created_at,
            expires_at: invitation.expires_at,
            mailed_at: invitation.mailed_at,
        }
    }
}

/// List the account's invitations, oldest first.
#[utoipa::path(
    get,
    path = "/v1/invitations",
    operation_id = "listInvitations",
    tag = "invitations",
    params(Paging),
    responses((status = 200, description = "A page of invitations", body = Page<InvitationView>))
)]
pub async fn list(
    State(api): State<Api>,
    member: May<op::ListInvitations, Member>,
    Query(paging): Query<Paging>,
) -> Result<Json<Page<InvitationView>>, Problem> {
    let account = member.grant.account;
    let page = api.invitations.page(account, paging.limit, paging.cursor);
    let now = api.clock.now();
    Ok(Json(page.await?.map(|one| InvitationView::new(one, now))))
}

/// Show an invitation.
#[utoipa::path(
    get,
    path = "/v1/invitations/{id}",
    operation_id = "showInvitation",
    tag = "invitations",
    params(("id" = InvitationId, Path, description = "The invitation")),
    responses((status = 200, description = "The invitation", body = InvitationView))
)]
pub async fn show(
    State(api): State<Api>,
    member: May<op::ShowInvitation, Member>,
    Path(id): Path<InvitationId>,
) -> Result<Json<InvitationView>, Problem> {
    let found = find(&api, &member, id).await?;
    Ok(Json(InvitationView::new(found, api.clock.now())))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewInvitation)]
pub struct InvitationIn {
    email: EmailAddress,
    role: Role,
    chat_role: Option<ChatRole>,
    /// Workspaces that the user may enter; an account admin enters all.
    #[schema(max_items = 100)]
    workspace_ids: Vec<WorkspaceId>,
}

/// Invite somebody to the account.
///
/// The mail's link works for 72 hours and once. An address has one invitation in an account until that is
/// revoked; the same request again finds it while its mail is on the way. At most 5 mails a day go to one
/// address, and 50 from one account.
#[utoipa::path(
    post,
    path = "/v1/invitations",
    operation_id = "createInvitation",
    tag = "invitations",
    request_body = InvitationIn,
    responses((status = 201, description = "Made; the mail goes out", body = InvitationView))
)]
pub async fn create(
    State(api): State<Api>,
    member: May<op::CreateInvitation, Member>,
    Creation(origin): Creation,
    ip: ClientIp,
    Json(new): Json<InvitationIn>,
) -> Result<(StatusCode, Json<InvitationView>), Problem> {
    let account = member.grant.account;
    of_account(&api, account, &new.workspace_ids).await?;
    if new.workspace_ids.is_empty() && new.role != Role::AccountAdmin {
        return Err(Problem::invalid(
            "/workspace_ids",
            "give at least one workspace",
        ));
    }
    // The answer does not tell whether another account has a user with this address.
    let user = api.users.find(&new.email).await?;
    if user.is_some_and(|user| user.account == account) {
        let detail = "the address belongs to a user of the account";
        return Err(Problem::new(Code::Conflict, detail).at("/email", detail));
    }
    let new = NewInvitation {
        email: new.email,
        role: new.role,
        chat_role: new.chat_role,
        workspaces: new.workspace_ids,
        invited_by: member.grant.actor.clone(),
    };
    let reserved = api.invitations.reserve(account, &new.email, &origin);
    let made = match reserved.await? {
        Reserved::Free(id) => {
            Attempt::to_invite(&api, account, &new.email).await?;
            api.note(&member, &id.to_string(), &ip).await?;
            let made = api.invitations.create(account, id, origin.at, new).await?;
            made.ok_or(cloud::Error::Conflict)?
        }
        // An earlier call may have crashed before it asked for the mail. The worker sends one mail for many requests.
        Reserved::Made(found) => *found,
        Reserved::Held(found) if found.is_unsent(&new, api.clock.now()) => *found,
        Reserved::Held(_) => {
            let detail = "the address is invited; send that invitation again, or revoke it";
            return Err(Problem::new(Code::Conflict, detail).at("/email", detail));
        }
    };
    mail(&api, &made).await?;
    Ok((
        StatusCode::CREATED,
        Json(InvitationView::new(made, api.clock.now())),
    ))
}

/// Send an invitation again, with a new link and another 72 hours.
///
/// The earlier link ends.
#[utoipa::path(
    post,
    path = "/v1/invitations/{id}/resend",
    operation_id = "resendInvitation",
    tag = "invitations",
    params(("id" = InvitationId, Path, description = "The invitation")),
    responses((status = 200, description = "The mail goes out", body = InvitationView))
)]
pub async fn resend(
    State(api): State<Api>,
    member: May<op::ResendInvitation, Member>,
    ip: ClientIp,
    Path(id): Path<InvitationId>,
) -> Result<Json<InvitationView>, Problem> {
    let before = find(&api, &member, id).await?;
    Attempt::to_invite(&api, before.account, &before.email).await?;
    api.note(&member, &id.to_string(), &ip).await?;
    let by = &member.grant.actor;
    let sent = api.invitations.resend(&before, by).await?;
    let sent = sent.ok_or_else(over)?;
    mail(&api, &sent).await?;
    Ok(Json(InvitationView::new(sent, api.clock.now())))
}

/// Take an invitation back.
#[utoipa::path(
    post,
    path = "/v1/invitations/{id}/revoke",
    operation_id = "revokeInvitation",
    tag = "invitations",
    params(("id" = InvitationId, Path, description = "The invitation")),
    responses((status = 200, description = "Revoked", body = InvitationView))
)]
pub async fn revoke(
    State(api): State<Api>,
    member: May<op::RevokeInvitation, Member>,
    ip: ClientIp,
    Path(id): Path<InvitationId>,
) -> Result<Json<InvitationView>, Problem> {
    let before = find(&api, &member, id).await?;
    api.note(&member, &id.to_string(), &ip).await?;
    let revoked = api.invitations.revoke(&before).await?;
    let revoked = revoked.ok_or_else(over)?;
    Ok(Json(InvitationView::new(revoked, api.clock.now())))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Acceptance {
    /// The last part of the mail's link.
    #[schema(max_length = 255)]
    token: String,
    #[schema(min_length = 1, max_length = 255, example = "Nguyễn Văn An")]
    name: String,
    #[schema(min_length = 15, max_length = 128)]
    password: String,
}

/// Accept an invitation: makes the user and signs them in.
///
/// Works until there is a user. After that the link is answered 409: sign in.
#[utoipa::path(
    post,
    path = "/v1/auth/invitations/accept",
    operation_id = "acceptInvitation",
    tag = "auth",
    security(()),
    request_body = Acceptance,
    responses((status = 200, description = "Signed in", body = crate::auth::SignedIn))
)]
pub async fn accept(
    State(api): State<Api>,
    ip: ClientIp,
    Json(given): Json<Acceptance>,
) -> Result<Response, Problem> {
    let attempt = Attempt::at_token(&api, &ip).await?;
    let name = shape::name("/name", &given.name)?;
    let unknown = || Problem::invalid("/token", "is unknown or over");
    let found = api.invitations.find(&given.token).await?;
    let found = found.ok_or_else(unknown)?;
    let own = own_words(&api, found.account, found.email.as_str(), &name).await?;
    shape::password("/password", &given.password, &own)?;
    let id = found.id.to_string();
    let entry = api.audit.entry(&id, "acceptInvitation", &id, &ip.0);
    api.audit.add(found.account, &entry).await?;
    let accepted = api.invitations.accept(&found, &name, &given.password);
    match accepted.await? {
        Accepted::Yes(user) => {
            attempt.forgive(&api).await?;
            remember(&api, &user.email, &ip).await?;
            // Before the user was made, only the invitation could be named.
            let actor = user.id.to_string();
            let entry = api.audit.entry(&actor, "acceptInvitation", &id, &ip.0);
            api.audit.add(found.account, &entry).await?;
            signed_in(&api, *user).await
        }
        Accepted::Unknown => Err(unknown()),
        Accepted::Taken => {
            let detail = "the address has a user; sign in";
            Err(Problem::new(Code::Conflict, detail))
        }
    }
}

/// Runs after the row is written. If this message is lost, no mail is sent and `mailed_at` stays empty; inviting
/// again sends the mail.
async fn mail(api: &Api, invitation: &Invitation) -> Result<(), Problem> {
    let mail = AccountMail::Invitation {
        account: invitation.account,
        invitation: invitation.id,
        mail: invitation.mail,
    };
    Ok(api.mails.send(&mail).await?)
}

async fn find(api: &Api, member: &Member, id: InvitationId) -> Result<Invitation, Problem> {
    let found = api.invitations.get(member.grant.account, id).await?;
    found.ok_or_else(|| Problem::not_found("invitation"))
}

fn over() -> Problem {
    Problem::new(
        Code::Conflict,
        "the invitation was accepted or revoked, or is being accepted",
    )
}
