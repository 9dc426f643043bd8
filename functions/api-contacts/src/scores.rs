//! Lead scores: the rules of a workspace, and the score of a contact.

use std::collections::BTreeSet;

use access::op;
use axum::extract::State;
use contacts::scores::{
    Decay, MAX_EVENT, MAX_ID, MAX_IDLE_DAYS, MAX_POINTS, MAX_PROPERTIES, MAX_RULES,
    MAX_SCORING_BYTES, MAX_TEXT, MAX_THRESHOLDS, ScoreRule, Scored, Scoring, Threshold,
};
use kernel::ContactId;
use lambda::http::{ClientIp, Flaws, Json, May, Path, Problem, Query};
use serde::Deserialize;
use serde_json::Value;

use crate::api::Api;
use crate::handler::find;
use crate::shape::Paging;

/// The rules and thresholds of a workspace.
#[derive(Deserialize, utoipa::ToSchema)]
#[schema(as = NewScoring)]
#[serde(deny_unknown_fields)]
pub struct ScoringIn {
    /// The rules.
    #[schema(max_items = 50)]
    rules: Vec<ScoreRule>,
    /// The thresholds.
    #[serde(default)]
    #[schema(max_items = 10)]
    thresholds: Vec<Threshold>,
    /// How the points of an idle contact fade; absent: never. A change holds for a contact from its next points on.
    #[serde(default)]
    decay: Option<Decay>,
}

impl ScoringIn {
    fn check(self) -> Result<Scoring, Problem> {
        let mut flaws = Flaws::default();
        flaws.check(
            self.rules.len() > MAX_RULES,
            "/rules",
            "holds at most 50 rules",
        );
        let are_many = self.thresholds.len() > MAX_THRESHOLDS;
        flaws.check(are_many, "/thresholds", "holds at most 10 thresholds");
        let mut ids = BTreeSet::new();
        for (n, rule) in self.rules.iter().enumerate() {
            let at = format!("/rules/{n}");
            check_rule(rule, &at, &mut flaws);
            let is_known = !ids.insert(rule.id.as_str());
            flaws.check(is_known, format!("{at}/id"), "another rule has this id");
        }
        let mut scores = BTreeSet::new();
        for (n, one) in self.thresholds.iter().enumerate() {
            let at = format!("/thresholds/{n}");
            let is_bad = !is_text(&one.label, MAX_TEXT);
            flaws.check(
                is_bad,
                format!("{at}/label"),
                "must have 1 to 200 characters",
            );
            let is_known = !scores.insert(one.score);
            flaws.check(
                is_known,
                format!("{at}/score"),
                "another threshold has this score",
            );
        }
        if let Some(decay) = &self.decay {
            let is_bad = !(1..=MAX_POINTS).contains(&decay.points);
            flaws.check(is_bad, "/decay/points", "must be from 1 to 1000");
            let is_bad = !(1..=MAX_IDLE_DAYS).contains(&decay.idle_days);
            flaws.check(is_bad, "/decay/idle_days", "must be from 1 to 365");
        }
        let scoring = Scoring {
            rules: self.rules,
            thresholds: self.thresholds,
            decay: self.decay,
            updated_at: None,
        };
        let length = serde_json::to_string(&scoring).map_or(usize::MAX, |text| text.len());
        flaws.check(
            length > MAX_SCORING_BYTES,
            "",
            "the rules have at most 16 KB",
        );
        flaws.refuse()?;
        Ok(scoring)
    }
}

fn is_text(text: &str, most: usize) -> bool {
    !text.trim().is_empty() && text.chars().count() <= most
}

fn check_rule(rule: &ScoreRule, at: &str, flaws: &mut Flaws) {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    let is_id = !rule.id.is_empty() && rule.id.len() <= MAX_ID && rule.id.chars().all(is_plain);
    flaws.check(
        !is_id,
        format!("{at}/id"),
        "must have 1 to 40 lower-case letters, digits, _ and -",
    );
    let is_event = is_text(&rule.event, MAX_EVENT);
    flaws.check(
        !is_event,
        format!("{at}/event"),
        "must have 1 to 100 characters",
    );
    let is_own = rule.event.starts_with("contact.score_");
    flaws.check(
        is_own,
        format!("{at}/event"),
        "an event of the score itself gives no points",
    );
    let points = rule.points.abs();
    let is_bad = points == 0 || points > MAX_POINTS;
    flaws.check(
        is_bad,
        format!("{at}/points"),
        "must be from -1000 to 1000, and not 0",
    );
    let is_bad = rule
        .daily_limit
        .is_some_and(|most| !(1..=1000).contains(&most));
    flaws.check(
        is_bad,
        format!("{at}/daily_limit"),
        "must be from 1 to 1000",
    );
    let are_many = rule.properties.len() > MAX_PROPERTIES;
    flaws.check(
        are_many,
        format!("{at}/properties"),
        "holds at most 5 values",
    );
    for (name, value) in &rule.properties {
        let is_fine = match value {
            Value::String(text) => text.chars().count() <= MAX_TEXT,
            Value::Number(_) | Value::Bool(_) => true,
            Value::Null | Value::Array(_) | Value::Object(_) => false,
        };
        let pointer = format!(
            "{at}/properties/{}",
            name.replace('~', "~0").replace('/', "~1")
        );
        let is_bad = !is_fine || !is_text(name, MAX_TEXT);
        flaws.check(
            is_bad,
            pointer,
            "expected a text of at most 200 characters, a number or true or false",
        );
    }
}

/// Show the rules of the lead score.
#[utoipa::path(
    get,
    path = "/v1/scoring",
    operation_id = "showScoring",
    tag = "contacts",
    responses((status = 200, description = "The rules and thresholds", body = Scoring)),
)]
pub async fn show(
    State(api): State<Api>,
    caller: May<op::ShowScoring>,
) -> Result<Json<Scoring>, Problem> {
    Ok(Json(api.scores.scoring(caller.tenant).await?))
}

/// Replace the rules of the lead score.
///
/// Each event that meets a rule gives a contact its points, once: however often the event arrives. A rule may count
/// once for a contact, or at most so many times a day. `segment.entered` with a `segment_id` gives points for a
/// condition. A score that crosses a threshold is an event, `contact.score_reached` or `contact.score_dropped`, which
/// can start a workflow. Events before the change keep their points. The rules hold ten seconds later.
#[utoipa::path(
    put,
    path = "/v1/scoring",
    operation_id = "changeScoring",
    tag = "contacts",
    request_body = ScoringIn,
    responses((status = 200, description = "The rules and thresholds", body = Scoring)),
)]
pub async fn change(
    State(api): State<Api>,
    caller: May<op::ChangeScoring>,
    ip: ClientIp,
    Json(body): Json<ScoringIn>,
) -> Result<Json<Scoring>, Problem> {
    let scoring = body.check()?;
    api.audit
        .note(caller.grant(), caller.permission(), "scoring", &ip.0)
        .await?;
    Ok(Json(api.scores.change(caller.tenant, scoring).await?))
}

/// Show the lead score of a contact, and how it came about.
#[utoipa::path(
    get,
    path = "/v1/contacts/{id}/score",
    operation_id = "showContactScore",
    tag = "contacts",
    params(("id" = ContactId, Path, description = "The contact"), Paging),
    responses((status = 200, description = "The score", body = Scored)),
)]
pub async fn of_contact(
    State(api): State<Api>,
    caller: May<op::ShowContactScore>,
    Path(id): Path<ContactId>,
    Query(paging): Query<Paging>,
) -> Result<Json<Scored>, Problem> {
    find(&api, caller.tenant, id).await?;
    let scored = api
        .scores
        .of(caller.tenant, id, paging.limit, paging.cursor);
    Ok(Json(scored.await?))
}
