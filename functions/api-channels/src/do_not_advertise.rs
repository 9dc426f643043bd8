//! The shop's list of numbers that get no advertising by text message.
//!
//! A number is kept as a hash, so the list answers for a number and cannot be read.

use access::op;
use axum::extract::State;
use channels::gate::SMS_LAW;
use jiff::Timestamp;
use kernel::Phone;
use lambda::http::{ClientIp, Flaws, Json, May, Problem};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::handler::Api;

/// Most numbers of a request.
const MOST: usize = 500;

pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(change))
        .routes(routes!(look_up))
}

/// Numbers to put on the list or to take off.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DoNotAdvertiseChange {
    /// Numbers that get no advertising from now on.
    #[serde(default)]
    #[schema(max_items = 500)]
    add: Vec<String>,
    /// Numbers that may get advertising again.
    #[serde(default)]
    #[schema(max_items = 500)]
    remove: Vec<String>,
}

/// What was changed.
#[derive(Serialize, utoipa::ToSchema)]
pub struct DoNotAdvertiseChanged {
    /// Numbers that are on the list now.
    added: usize,
    /// Numbers that are off the list now.
    removed: usize,
}

/// Numbers to look up.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DoNotAdvertiseQuestion {
    #[schema(max_items = 500)]
    numbers: Vec<String>,
}

/// A number on the list.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ListedNumber {
    /// `84` and nine digits.
    number: String,
    /// Since when.
    #[serde(serialize_with = "kernel::clock::millis")]
    listed_at: Timestamp,
}

/// The numbers of the question that are on the list.
#[derive(Serialize, utoipa::ToSchema)]
pub struct DoNotAdvertise {
    listed: Vec<ListedNumber>,
}

/// The numbers of a list of the body; each wrong one is a flaw.
fn numbers(texts: &[String], name: &str, flaws: &mut Flaws) -> Vec<Phone> {
    let is_long = texts.len() > MOST;
    flaws.check(is_long, format!("/{name}"), "holds at most 500 numbers");
    let mut phones = Vec::new();
    for (n, text) in texts.iter().take(MOST).enumerate() {
        match text.parse() {
            Ok(phone) => phones.push(phone),
            Err(_) => flaws.check(
                true,
                format!("/{name}/{n}"),
                "expected a mobile number of Vietnam",
            ),
        }
    }
    phones
}

/// Change the list of numbers that get no advertising.
///
/// Upload here the numbers of the national do-not-advertise list, and those of people who asked for it. Campaigns skip them as
/// `do_not_advertise`. A request may be repeated.
#[utoipa::path(
    post,
    path = "/v1/channels/sms/do-not-advertise",
    operation_id = "changeDoNotAdvertise",
    tag = "channels",
    request_body = DoNotAdvertiseChange,
    responses((status = 200, description = "Changed", body = DoNotAdvertiseChanged)),
)]
async fn change(
    State(api): State<Api>,
    caller: May<op::ChangeDoNotAdvertise>,
    ip: ClientIp,
    Json(new): Json<DoNotAdvertiseChange>,
) -> Result<Json<DoNotAdvertiseChanged>, Problem> {
    let mut flaws = Flaws::default();
    let add = numbers(&new.add, "add", &mut flaws);
    let remove = numbers(&new.remove, "remove", &mut flaws);
    flaws.refuse()?;
    api.note(&caller, caller.tenant.workspace(), &ip).await?;
    for (phones, is_listed) in [(&remove, false), (&add, true)] {
        for phone in phones {
            let listed = api
                .frequency
                .list(caller.tenant, SMS_LAW.name, phone.e164(), is_listed);
            listed.await?;
        }
    }
    Ok(Json(DoNotAdvertiseChanged {
        added: add.len(),
        removed: remove.len(),
    }))
}

/// Show which of these numbers are on the list of those that get no advertising.
#[utoipa::path(
    post,
    path = "/v1/channels/sms/do-not-advertise/lookup",
    operation_id = "lookUpDoNotAdvertise",
    tag = "channels",
    request_body = DoNotAdvertiseQuestion,
    responses((status = 200, description = "Those that are on the list", body = DoNotAdvertise)),
)]
async fn look_up(
    State(api): State<Api>,
    caller: May<op::LookUpDoNotAdvertise>,
    Json(question): Json<DoNotAdvertiseQuestion>,
) -> Result<Json<DoNotAdvertise>, Problem> {
    let mut flaws = Flaws::default();
    let phones = numbers(&question.numbers, "numbers", &mut flaws);
    flaws.refuse()?;
    let mut listed = Vec::new();
    for phone in phones {
        let since = api
            .frequency
            .listed(caller.tenant, SMS_LAW.name, phone.e164());
        if let Some(listed_at) = since.await? {
            listed.push(ListedNumber {
                number: phone.digits().to_owned(),
                listed_at,
            });
        }
    }
    Ok(Json(DoNotAdvertise { listed }))
}
