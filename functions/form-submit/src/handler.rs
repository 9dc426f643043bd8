//! The routes.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::options;
use cloud::SendOptions;
use forms::page::{self, Notice, View};
use forms::{
    Deed, Fault, Given, Kind, Language, OpenForm, RESPONSE, Rule, Turnstile, Verdict, Visit,
};
use kernel::FormId;
use lambda::http::{ClientIp, Code, Json, Path, Problem, ProblemBody, Query, Raw, limit_body};
use lambda::metrics;
use serde::Deserialize;
use serde_json::{Value, json};
use sources::Inbound;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::body::given;
use crate::confirm;
use crate::desk::Desk;
use crate::reply::{self, Format};

/// A form has at most 30 questions.
const MAX_BODY: usize = 128 * 1024;
pub fn router(desk: Desk) -> Router {
    let router = Router::from(operations())
        .route("/f/{form}", options(preflight))
        .with_state(desk);
    limit_body(router, MAX_BODY)
}

/// The operations, with their description for the reference.
pub fn operations() -> OpenApiRouter<Desk> {
    OpenApiRouter::new()
        .routes(routes!(show, submit))
        .routes(routes!(script))
        .routes(routes!(confirm::ask, confirm::confirm))
}

/// Query of the page. Advertisers add parameters of their own, such as `utm_source`, so others are passed over.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Shown {
    /// `vi` or `en`; absent: the form's language.
    #[param(max_length = 10)]
    lang: Option<String>,
    /// `1`: in a frame of the shop's page.
    #[param(max_length = 10)]
    frame: Option<String>,
}

impl Shown {
    pub fn language(&self) -> Language {
        let own = self.lang.as_deref().and_then(Language::of);
        own.unwrap_or_default()
    }

    fn view<'a>(&self, open: &OpenForm, turnstile: &'a Turnstile) -> View<'a> {
        let (lang, frame) = (self.lang.as_deref(), self.frame.as_deref());
        View::of(&open.form, lang, frame, turnstile.url())
    }
}

fn notice_of(problem: &Problem) -> Notice {
    match problem.code() {
        Code::NotFound => Notice::Closed,
        Code::Forbidden => Notice::Refused,
        _ => Notice::Busy,
    }
}

fn refused(format: Format, language: Language, problem: Problem) -> Response {
    let notice = notice_of(&problem);
    reply::refusal(format, language, notice, problem)
}

/// Show a signup form.
///
/// The page works without script. Only the hosts of `allowed_hosts` may hold the page in a frame.
#[utoipa::path(
    get,
    path = "/f/{form}",
    operation_id = "showFormPage",
    tag = "forms",
    params(("form" = FormId, Path, description = "The form"), Shown),
    security(()),
    responses(
        (status = 200, description = "The page", body = String, content_type = "text/html"),
        (status = 400, description = "The query cannot be read"),
        (status = 404, description = "No such form, or a form that takes no submissions", body = String, content_type = "text/html"),
    ),
)]
async fn show(
    State(desk): State<Desk>,
    Path(id): Path<FormId>,
    Query(shown): Query<Shown>,
    ip: ClientIp,
) -> Response {
    let page = async {
        let open = desk.open(id).await?;
        let definitions = desk.definitions(&open).await?;
        let (token, given) = (desk.entropy.nonce(), Given::default());
        let view = shown.view(&open, &desk.turnstile);
        let viewer = format!("{id} {}", ip.network());
        if desk.viewers.take(&viewer).is_ok() {
            desk.count(open.tenant, id, &[Deed::View]).await;
        }
        Ok::<_, Problem>(page::form(
            &open.form,
            &definitions,
            view,
            &token,
            &given,
            &[],
        ))
    };
    match page.await {
        Ok(page) => reply::html(StatusCode::OK, page),
        Err(problem) => refused(Format::Page, shown.language(), problem),
    }
}

/// Show the script that puts a signup form into a page.
#[utoipa::path(
    get,
    path = "/f/{form}/embed.js",
    operation_id = "showFormScript",
    tag = "forms",
    params(("form" = FormId, Path, description = "The form")),
    security(()),
    responses(
        (status = 200, description = "The script", body = String, content_type = "text/javascript"),
        (status = 404, description = "No such form, or a form that is a page of its own"),
    ),
)]
async fn script(State(desk): State<Desk>, Path(id): Path<FormId>) -> Result<Response, Problem> {
    let open = desk.open(id).await?;
    if open.form.settings.kind == Kind::HostedPage {
        return Err(Problem::not_found("script of a hosted page"));
    }
    let headers = [
        (header::CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (header::CACHE_CONTROL, "public, max-age=300"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, page::script(&open.form)).into_response())
}

/// The answers, by the keys of the form's fields; `consent.email` and the like are `yes` if the box is ticked.
#[derive(utoipa::ToSchema)]
#[schema(as = FormAnswers)]
#[expect(dead_code, reason = "only its schema is used")]
struct Answers(std::collections::BTreeMap<String, Value>);

/// The submission is on its queue.
#[derive(utoipa::ToSchema)]
#[schema(as = TakenSubmission)]
#[expect(dead_code, reason = "only its schema is used")]
struct Taken {
    accepted: bool,
    /// The page that the form redirects to.
    redirect_url: Option<String>,
}

/// Send a signup form.
///
/// A browser gets a page: the form's text, a redirect, or the form again with the faults and what was typed. JSON gets
/// JSON. The same page sent again with the same answers changes nothing.
#[utoipa::path(
    post,
    path = "/f/{form}",
    operation_id = "submitForm",
    tag = "forms",
    params(("form" = FormId, Path, description = "The form"), Shown),
    request_body(content((Answers = "application/x-www-form-urlencoded"), (Answers = "application/json"))),
    security(()),
    responses(
        (status = 200, description = "Sent", content((Taken = "application/json"), (String = "text/html"))),
        (status = 303, description = "Sent; the form names a page to go to"),
        (status = 400, description = "The query cannot be read"),
        (status = 403, description = "A page of another host posted the form", content((String = "text/html"), (ProblemBody = "application/problem+json"))),
        (status = 404, description = "No such form, or a form that takes no submissions", content((String = "text/html"), (ProblemBody = "application/problem+json"))),
        (status = 413, description = "Too large"),
        (status = 415, description = "No form's content type"),
        (status = 422, description = "A required question has no usable answer", content((String = "text/html"), (ProblemBody = "application/problem+json"))),
        (status = 429, description = "Too many submissions in a second; see `Retry-After`", content((String = "text/html"), (ProblemBody = "application/problem+json"))),
        (status = 503, description = "Try again", content((String = "text/html"), (ProblemBody = "application/problem+json"))),
    ),
)]
async fn submit(
    State(desk): State<Desk>,
    Path(id): Path<FormId>,
    Query(shown): Query<Shown>,
    ip: ClientIp,
    raw: Raw,
) -> Response {
    let Some(format) = Format::of(&raw.headers) else {
        let detail = "send the form as application/x-www-form-urlencoded or application/json";
        return Problem::new(Code::UnsupportedMediaType, detail).into_response();
    };
    let origin = text(&raw.headers, &header::ORIGIN).map(str::to_owned);
    let answer = accept(&desk, id, &shown, &ip, &raw, format).await;
    let answer = answer.unwrap_or_else(|problem| refused(format, shown.language(), problem));
    with_cors(answer, origin.filter(|_| format == Format::Json))
}

async fn accept(
    desk: &Desk,
    id: FormId,
    shown: &Shown,
    ip: &ClientIp,
    raw: &Raw,
    format: Format,
) -> Result<Response, Problem> {
    desk.slow_down(id, ip)?;
    let open = desk.open(id).await?;
    let view = shown.view(&open, &desk.turnstile);
    let own = text(&raw.headers, &header::HOST).unwrap_or_default();
    if !open.form.admits(text(&raw.headers, &header::ORIGIN), own) {
        return Err(Problem::new(
            Code::Forbidden,
            "this page may not post the form",
        ));
    }
    let given = given(raw, format)?;
    let definitions = desk.definitions(&open).await?;
    let visit = Visit {
        ip: Some(ip.0.clone()),
        user_agent: text(&raw.headers, &header::USER_AGENT).map(str::to_owned),
    };
    let now = desk.clock.now();
    let read = match forms::read(&open.form, &definitions, &given, visit, now) {
        Ok(submission) => match desk.challenge(&open, &given, &submission.id).await {
            Verdict::Failed => Err(vec![Fault {
                field: RESPONSE.to_owned(),
                rule: Rule::Challenge,
            }]),
            verdict => Ok((submission, verdict == Verdict::Unavailable)),
        },
        Err(faults) => Err(faults),
    };
    let (mut submission, is_unverified) = match read {
        Ok(submission) => submission,
        Err(faults) => {
            metrics::count("FormsWithFaults", 1);
            if format == Format::Json {
                return Err(reply::faults(&faults, view.language));
            }
            // The token stays, so that the corrected form is the same submission only if nothing changed.
            let token = given.first(forms::TOKEN);
            let token = token.unwrap_or_else(|| desk.entropy.nonce());
            let page = page::form(&open.form, &definitions, view, &token, &given, &faults);
            return Ok(reply::html(StatusCode::UNPROCESSABLE_ENTITY, page));
        }
    };
    desk.confirm_for_list(&open, &mut submission).await?;
    let waits = submission.confirming.is_some();
    let mut deeds = vec![Deed::Submission];
    if is_unverified {
        forms::mark_unverified(&mut submission);
        deeds.push(Deed::Unverified);
    }
    let inbound = Inbound::Form(Box::new(submission));
    let sent = desk
        .queue
        .send(open.tenant, &inbound, SendOptions::default());
    sent.await
        .map_err(|error| Problem::new(Code::Unavailable, error.to_string()).retry_after(2))?;
    metrics::count("FormsAccepted", 1);
    desk.count(open.tenant, id, &deeds).await;
    Ok(accepted(&open, view, format, waits))
}

fn accepted(open: &OpenForm, view: View<'_>, format: Format, waits: bool) -> Response {
    let redirect = open.form.settings.redirect_url.as_deref();
    match (format, redirect) {
        (Format::Json, redirect) => {
            Json(json!({ "accepted": true, "redirect_url": redirect })).into_response()
        }
        (Format::Page, Some(url)) => {
            let to = [(header::LOCATION, url), (header::CACHE_CONTROL, "no-store")];
            (StatusCode::SEE_OTHER, to).into_response()
        }
        (Format::Page, None) => reply::html(StatusCode::OK, page::sent(&open.form, view, waits)),
    }
}

pub fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// A page of another site may post JSON; the form's hosts are checked at the post itself.
async fn preflight(headers: HeaderMap) -> Response {
    let origin = text(&headers, &header::ORIGIN).map(str::to_owned);
    with_cors(StatusCode::NO_CONTENT.into_response(), origin)
}

fn with_cors(mut response: Response, origin: Option<String>) -> Response {
    let Some(Ok(origin)) = origin.map(HeaderValue::try_from) else {
        return response;
    };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::VARY, HeaderValue::from_static("origin"));
    let methods = HeaderValue::from_static("POST, OPTIONS");
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    let names = HeaderValue::from_static("content-type");
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names);
    response
}
