//! The history of messages: the rows of the ledger, found by a contact, by a campaign, or by both. No index is read.
//!
//! The id of a message names its row: scope, contact, channel and step, separated by dots, which none of them holds.

use access::op;
use axum::extract::State;
use campaigns::{Bounds, Filter, ReceiverSet};
use channels::{Fact, LedgerKey, MessageStatus, Row};
use contacts::Channel;
use jiff::Timestamp;
use kernel::page::Page;
use kernel::{CampaignId, ContactId, Cursor, Limit};
use lambda::http::{Caller, Json, May, Path, Problem, Query};
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::handler::Api;

/// Receivers that one answer looks at.
const LOOKED: usize = 500;
/// Campaigns that one answer looks at.
const CAMPAIGNS: u32 = 100;
/// Runs of workflows that one answer looks at.
const RUNS: u32 = 25;
/// Prefix of the cursor of a contact's messages of workflows, which follow those of campaigns.
const OF_WORKFLOWS: &str = "w.";
/// Prefix of the cursor of a contact's messages of campaigns.
const OF_CAMPAIGNS: &str = "c.";

pub fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(one))
}

/// `GET /v1/messages`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct MessagesQuery {
    /// Messages to this contact.
    contact_id: Option<ContactId>,
    /// Messages of this campaign.
    campaign_id: Option<CampaignId>,
    /// Only messages of this set; with a campaign only.
    status: Option<ReceiverSet>,
    limit: Option<Limit>,
    cursor: Option<Cursor>,
}

/// Where a message comes from.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum Origin {
    Campaign,
    Workflow,
    Form,
    Other,
}

/// A message to a contact.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = SentMessage)]
pub struct MessageView {
    #[schema(example = "cmp_06znxayc2s0.con_06znxajf0pz.email.0")]
    id: String,
    channel: Channel,
    contact_id: ContactId,
    origin: Origin,
    /// The campaign, or the run of a workflow.
    origin_id: String,
    /// The block of the workflow; `0` for a campaign.
    step: String,
    status: MessageStatus,
    /// Why it failed.
    reason: Option<String>,
    /// The provider's id of the message.
    provider_id: Option<String>,
    #[serde(serialize_with = "kernel::clock::millis")]
    processing_at: Timestamp,
    #[serde(serialize_with = "kernel::clock::millis")]
    sent_at: Option<Timestamp>,
    #[serde(serialize_with = "kernel::clock::millis")]
    delivered_at: Option<Timestamp>,
    #[serde(serialize_with = "kernel::clock::millis")]
    opened_at: Option<Timestamp>,
    #[serde(serialize_with = "kernel::clock::millis")]
    clicked_at: Option<Timestamp>,
    #[serde(serialize_with = "kernel::clock::millis")]
    soft_bounced_at: Option<Timestamp>,
    #[serde(serialize_with = "kernel::clock::millis")]
    bounced_at: Option<Timestamp>,
    #[serde(serialize_with = "kernel::clock::millis")]
    complained_at: Option<Timestamp>,
    #[serde(serialize_with = "kernel::clock::millis")]
    unsubscribed_at: Option<Timestamp>,
    #[serde(serialize_with = "kernel::clock::millis")]
    failed_at: Option<Timestamp>,
    /// When the product gave up waiting for the provider's answer.
    #[serde(serialize_with = "kernel::clock::millis")]
    unknown_at: Option<Timestamp>,
}

impl MessageView {
    fn new(key: LedgerKey, row: &Row) -> Self {
        let at = |fact| row.facts.at(fact);
        let origin = match key.scope.split('_').next() {
            Some("cmp") => Origin::Campaign,
            Some("enr") => Origin::Workflow,
            Some("frm") => Origin::Form,
            _ => Origin::Other,
        };
        Self {
            id: id_of(&key),
            channel: key.channel,
            contact_id: key.contact,
            origin,
            status: row.status(),
            reason: row.reason.clone(),
            provider_id: row.provider_id.clone(),
            processing_at: row.claimed_at,
            sent_at: at(Fact::Accepted),
            delivered_at: at(Fact::Delivered),
            opened_at: at(Fact::Opened),
            clicked_at: at(Fact::Clicked).filter(|_| row.is_clicked()),
            soft_bounced_at: at(Fact::SoftBounced),
            bounced_at: at(Fact::HardBounced),
            complained_at: at(Fact::Complained),
            unsubscribed_at: at(Fact::Unsubscribed),
            failed_at: row.failed_at.or(at(Fact::Rejected)),
            unknown_at: row.unknown_at,
            origin_id: key.scope,
            step: key.step,
        }
    }
}

fn id_of(key: &LedgerKey) -> String {
    let channel = key.channel.name();
    format!("{}.{}.{channel}.{}", key.scope, key.contact, key.step)
}

/// The send that an id names; `None` for anything else.
fn key_of(id: &str) -> Option<LedgerKey> {
    let mut parts = id.splitn(4, '.');
    let (scope, contact) = (parts.next()?, parts.next()?);
    let (channel, step) = (parts.next()?, parts.next()?);
    let key = LedgerKey {
        scope: scope.to_owned(),
        contact: contact.parse().ok()?,
        channel: Channel::ALL.into_iter().find(|one| one.name() == channel)?,
        step: step.to_owned(),
    };
    let plain = |part: &str| !part.is_empty() && part.len() <= 80 && !part.contains('.');
    (plain(&key.scope) && !key.scope.contains('#') && plain(&key.step)).then_some(key)
}

impl Api {
    /// Messages of a campaign.
    async fn of_campaign(
        &self,
        caller: &Caller,
        id: CampaignId,
        query: &MessagesQuery,
    ) -> Result<Page<MessageView>, Problem> {
        let campaign = self.campaign(caller, id).await?;
        let channel = campaign.content.channel();
        let bounds = Bounds {
            looked: LOOKED,
            found: query.limit.unwrap_or_default().get() as usize,
        };
        let (tenant, cursor) = (caller.tenant, query.cursor.as_ref());
        let page = self
            .receivers
            .page(tenant, &campaign, query.status, bounds, cursor);
        let page = page.await?;
        let rows = page.data.into_iter().filter_map(|one| {
            let row = one.row.filter(|row| !row.is_duplicate())?;
            let key = LedgerKey::campaign(id, one.contact, channel);
            Some(MessageView::new(key, &row))
        });
        Ok(Page {
            data: rows.collect(),
            next: page.next,
        })
    }

    /// Messages of campaigns to a contact, the newest campaign first. Each campaign of the page is one key of the ledger.
    async fn of_campaigns_to(
        &self,
        caller: &Caller,
        contact: ContactId,
        cursor: Option<Cursor>,
    ) -> Result<Page<MessageView>, Problem> {
        let limit = Limit::new(CAMPAIGNS).unwrap_or_default();
        let all = Filter::default();
        let page = self
            .campaigns
            .page(caller.tenant, limit, cursor, all)
            .await?;
        let begun = page.data.iter().filter(|one| one.started_at.is_some());
        let keys = begun.map(|one| LedgerKey::campaign(one.id, contact, one.content.channel()));
        let keys: Vec<LedgerKey> = keys.collect();
        let rows = self.ledger.rows(caller.tenant, &keys).await?;
        let found = keys.into_iter().zip(rows).filter_map(|(key, row)| {
            let row = row.filter(|row| !row.is_duplicate())?;
            Some(MessageView::new(key, &row))
        });
        let next = match page.next {
            Some(Cursor(next)) => format!("{OF_CAMPAIGNS}{next}"),
            None => OF_WORKFLOWS.to_owned(),
        };
        Ok(Page {
            data: found.collect(),
            next: Some(Cursor(next)),
        })
    }

    /// Messages of workflows to a contact, the latest run first. Each run is one query of the ledger.
    async fn of_workflows_to(
        &self,
        caller: &Caller,
        contact: ContactId,
        cursor: Option<Cursor>,
    ) -> Result<Page<MessageView>, Problem> {
        let tenant = caller.tenant;
        let runs = self.runs.of_contact(tenant, contact, RUNS, cursor);
        let runs = runs.await?;
        let scopes: Vec<String> = runs.data.iter().map(ToString::to_string).collect();
        let rows = scopes
            .iter()
            .map(|scope| self.ledger.of_contact(tenant, scope, contact));
        let rows = futures::future::try_join_all(rows).await?;
        let rows = rows.into_iter().flatten();
        Ok(Page {
            data: rows.map(|(key, row)| MessageView::new(key, &row)).collect(),
            next: runs
                .next
                .map(|Cursor(next)| Cursor(format!("{OF_WORKFLOWS}{next}"))),
        })
    }

    /// Messages to a contact: first those of campaigns, then those of workflows.
    async fn to_contact(
        &self,
        caller: &Caller,
        contact: ContactId,
        query: &MessagesQuery,
    ) -> Result<Page<MessageView>, Problem> {
        let Some(Cursor(place)) = &query.cursor else {
            return self.of_campaigns_to(caller, contact, None).await;
        };
        let rest = |rest: &str| Some(Cursor(rest.to_owned())).filter(|cursor| !cursor.0.is_empty());
        if let Some(place) = place.strip_prefix(OF_CAMPAIGNS) {
            return self.of_campaigns_to(caller, contact, rest(place)).await;
        }
        if let Some(place) = place.strip_prefix(OF_WORKFLOWS) {
            return self.of_workflows_to(caller, contact, rest(place)).await;
        }
        Err(cloud::Error::Cursor("belongs to another list").into())
    }
}

/// List messages to a contact or of a campaign.
///
/// Name a contact, a campaign, or both. A page may hold fewer than `limit`, also none; `next` is absent at the end only. The messages of
/// a contact are those of campaigns, the newest campaign first. Then come those of workflows, the
/// latest run first. Messages are kept for 120 days.
#[utoipa::path(
    get,
    path = "/v1/messages",
    operation_id = "listSentMessages",
    tag = "messages",
    params(MessagesQuery),
    responses((status = 200, description = "A page of messages", body = Page<MessageView>)),
)]
async fn list(
    State(api): State<Api>,
    caller: May<op::ListSentMessages>,
    Query(query): Query<MessagesQuery>,
) -> Result<Json<Page<MessageView>>, Problem> {
    if query.status.is_some() && query.campaign_id.is_none() {
        return Err(Problem::invalid("?status", "needs campaign_id"));
    }
    let page = match (query.contact_id, query.campaign_id) {
        (None, None) => {
            return Err(Problem::invalid(
                "?contact_id",
                "name a contact or a campaign",
            ));
        }
        (None, Some(campaign)) => api.of_campaign(&caller, campaign, &query).await?,
        (Some(contact), None) => api.to_contact(&caller, contact, &query).await?,
        (Some(contact), Some(campaign)) => {
            let scope = campaign.to_string();
            let rows = api
                .ledger
                .of_contact(caller.tenant, &scope, contact)
                .await?;
            let rows = rows.into_iter().filter(|(_, row)| {
                let is_in = query.status.is_none_or(|set| set.has(Some(row), true));
                is_in && !row.is_duplicate()
            });
            Page {
                data: rows.map(|(key, row)| MessageView::new(key, &row)).collect(),
                next: None,
            }
        }
    };
    Ok(Json(page))
}

/// Show a message.
#[utoipa::path(
    get,
    path = "/v1/messages/{id}",
    operation_id = "showSentMessage",
    tag = "messages",
    params(("id" = String, Path, description = "The message", max_length = 256)),
    responses((status = 200, description = "The message", body = MessageView)),
)]
async fn one(
    State(api): State<Api>,
    caller: May<op::ShowSentMessage>,
    Path(id): Path<String>,
) -> Result<Json<MessageView>, Problem> {
    let absent = || Problem::not_found("message");
    let key = key_of(&id).ok_or_else(absent)?;
    let row = api.ledger.get(caller.tenant, &key).await?;
    let row = row.ok_or_else(absent)?;
    Ok(Json(MessageView::new(key, &row)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_its_row_and_nothing_else() {
        let id = "enr_0123456789a.con_0123456789a.sms.care-1";
        let key = key_of(id).unwrap();
        assert_eq!(id_of(&key), id);
        assert_eq!(key.step, "care-1");
        for bad in [
            "",
            "a.b.c",
            "enr_1.con_0123456789a.fax.0",
            "enr_1.ws_0123456789a.sms.0",
            "a#b.con_0123456789a.sms.0",
            "enr_1.con_0123456789a.sms.a.b",
        ] {
            assert_eq!(key_of(bad), None, "{bad}");
        }
    }
}
