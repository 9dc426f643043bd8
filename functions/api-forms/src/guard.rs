//! The keys of Cloudflare Turnstile of a form: entered, replaced, taken away. The secret key is never shown.

use access::op;
use axum::extract::State;
use forms::Turnstile;
use kernel::FormId;
use lambda::http::{ClientIp, Flaws, Json, May, Path, Problem};

use crate::handler::{Api, no_form};
use crate::shape::{FormView, TurnstileIn};

/// Let Cloudflare Turnstile check that a person fills in a signup form.
///
/// Both keys are of a widget in your Cloudflare account. The secret key is tried once: one that Cloudflare does not know
/// is refused. While Cloudflare gives no answer, the keys are taken as they are. The form then needs script. The change is
/// in force within ten seconds.
#[utoipa::path(
    put,
    path = "/v1/forms/{id}/turnstile",
    operation_id = "protectForm",
    tag = "signup-forms",
    params(("id" = FormId, Path, description = "The form")),
    request_body = TurnstileIn,
    responses((status = 200, description = "Protected", body = FormView)),
)]
pub async fn protect(
    State(api): State<Api>,
    caller: May<op::ProtectForm>,
    ip: ClientIp,
    Path(id): Path<FormId>,
    Json(keys): Json<TurnstileIn>,
) -> Result<Json<FormView>, Problem> {
    api.form(&caller, id).await?;
    let mut flaws = Flaws::default();
    let message = "must have 1 to 100 letters, digits, _ or -";
    flaws.check(!Turnstile::is_key(&keys.site_key), "/site_key", message);
    let is_key = Turnstile::is_key(&keys.secret_key);
    flaws.check(!is_key, "/secret_key", message);
    if is_key {
        let is_unknown = api.turnstile.knows(&keys.secret_key).await == Some(false);
        flaws.check(
            is_unknown,
            "/secret_key",
            "is no secret key that Cloudflare knows",
        );
    }
    flaws.refuse()?;
    api.note(&caller, id, &ip).await?;
    let (site, secret) = (&keys.site_key, &keys.secret_key);
    let guard = api
        .turnstile
        .guard(&api.entropy, caller.tenant, site, secret)?;
    let changed = api.forms.set_guard(caller.tenant, id, Some(&guard)).await?;
    Ok(Json(changed.ok_or_else(no_form)?.into()))
}

/// Take Cloudflare Turnstile off a signup form. The keys are removed.
#[utoipa::path(
    delete,
    path = "/v1/forms/{id}/turnstile",
    operation_id = "unprotectForm",
    tag = "signup-forms",
    params(("id" = FormId, Path, description = "The form")),
    responses((status = 200, description = "Not protected", body = FormView)),
)]
pub async fn unprotect(
    State(api): State<Api>,
    caller: May<op::UnprotectForm>,
    ip: ClientIp,
    Path(id): Path<FormId>,
) -> Result<Json<FormView>, Problem> {
    api.form(&caller, id).await?;
    api.note(&caller, id, &ip).await?;
    let changed = api.forms.set_guard(caller.tenant, id, None).await?;
    Ok(Json(changed.ok_or_else(no_form)?.into()))
}
