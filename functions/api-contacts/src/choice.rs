//! The contacts of a bulk job or an export that a segment or conditions choose.

use std::collections::BTreeSet;

use campaigns::{NO_RECEIVERS, ReceiversOf};
use contacts::Choice;
use kernel::{Origin, SegmentId, TenantKey};
use lambda::http::{Code, Flaws, Problem};
use segments::{Bounds, JobId, NotPinned, Predicate, parse};
use serde_json::Value;

use crate::api::Api;

/// Longest conditions of a job, in bytes of JSON: each step of the job reads them.
const MAX_BYTES: usize = 8 * 1024;

/// The ways in which a request chooses contacts.
pub type Chosen<'a> = (
    Option<SegmentId>,
    Option<&'a Value>,
    Option<&'a ReceiversOf>,
);

/// The choices of a request; `pointer` is the place of the body's part. A segment has no version before [`pin`].
pub async fn check(
    api: &Api,
    tenant: TenantKey,
    origin: &Origin,
    (segment, conditions, receivers): Chosen<'_>,
    pointer: &str,
    flaws: &mut Flaws,
) -> Result<Vec<Choice>, Problem> {
    let mut choices = Vec::new();
    if let Some(segment_id) = segment {
        let is_known = api.pins.knows(tenant, segment_id).await?;
        let pointer = format!("{pointer}/segment_id");
        flaws.check(!is_known, pointer, "no such segment");
        choices.push(Choice::Segment {
            segment_id,
            version: 0,
        });
    }
    if let Some(json) = conditions {
        let pointer = format!("{pointer}/conditions");
        let workspace = api.workspaces.get(tenant).await?;
        let workspace = workspace.ok_or_else(|| Problem::not_found("workspace"))?;
        let text = json.to_string();
        check_conditions(api, tenant, json, &pointer, flaws).await?;
        let is_long = text.len() > MAX_BYTES;
        flaws.check(is_long, pointer, "have at most 8,192 bytes");
        choices.push(Choice::Conditions {
            conditions: text,
            zone: workspace.settings.time_zone,
            at: origin.at,
        });
    }
    if let Some(of) = receivers {
        let is_known = api
            .campaigns
            .knows_receivers(tenant, of.campaign_id)
            .await?;
        let pointer = format!("{pointer}/receivers/campaign_id");
        flaws.check(!is_known, pointer, NO_RECEIVERS);
        let status = serde_json::to_value(of.status).unwrap_or_default();
        choices.push(Choice::Receivers {
            campaign_id: of.campaign_id,
            status: status.as_str().unwrap_or_default().to_owned(),
        });
    }
    Ok(choices)
}

async fn check_conditions(
    api: &Api,
    tenant: TenantKey,
    json: &Value,
    pointer: &str,
    flaws: &mut Flaws,
) -> Result<(), Problem> {
    let conditions = match parse(json, &Bounds::default()) {
        Ok(conditions) => conditions,
        Err(faults) => {
            for fault in faults {
                flaws.add(format!("{pointer}{}", fault.pointer), fault.message);
            }
            return Ok(());
        }
    };
    let predicate = Predicate::compile(&conditions, &jiff::tz::TimeZone::UTC);
    for &segment in &predicate.mentions().segments {
        let is_known = api.pins.knows(tenant, segment).await?;
        let message = format!("there is no segment {segment}");
        flaws.check(!is_known, pointer, &message);
    }
    Ok(())
}

/// Fixes the version of a segment whose members the job reads.
pub async fn pin(
    api: &Api,
    tenant: TenantKey,
    job: JobId,
    choice: Choice,
) -> Result<Choice, Problem> {
    let Choice::Segment { segment_id, .. } = choice else {
        return Ok(choice);
    };
    let ids = BTreeSet::from([segment_id]);
    let pinned = api.pins.pin(tenant, &job.user(), &ids).await?;
    let versions = pinned.map_err(not_pinned)?;
    let version = versions.get(&segment_id).copied().unwrap_or_default();
    Ok(Choice::Segment {
        segment_id,
        version,
    })
}

/// Ends the pin of a job that was not begun.
pub async fn unpin(
    api: &Api,
    tenant: TenantKey,
    job: JobId,
    choice: &Choice,
) -> Result<(), Problem> {
    if let Choice::Segment { segment_id, .. } = choice {
        let uses = api.pins.uses();
        uses.unuse(tenant, *segment_id, &job.user()).await?;
    }
    Ok(())
}

fn not_pinned(why: NotPinned) -> Problem {
    match why {
        NotPinned::Absent(id) => {
            Problem::new(Code::Conflict, format!("the segment {id} was deleted"))
        }
        NotPinned::Building(id) => {
            let detail = format!("the members of the segment {id} are still being found");
            Problem::new(Code::Conflict, detail).retry_after(30)
        }
        NotPinned::Busy => {
            let detail = "a change of the workspace's segments is running";
            Problem::new(Code::Unavailable, detail).retry_after(2)
        }
    }
}

/// The choice as the audit log shows it.
pub fn detail(choice: &Choice) -> String {
    match choice {
        Choice::Segment { segment_id, .. } => format!("segment {segment_id}"),
        Choice::Conditions { conditions, .. } => format!("conditions {conditions}"),
        Choice::Receivers {
            campaign_id,
            status,
        } => format!("{status} receivers of {campaign_id}"),
    }
}

/// The segment, the conditions and the receivers of a choice, as answers show them.
pub fn shown(choice: Option<&Choice>) -> (Option<SegmentId>, Option<Value>, Option<ReceiversOf>) {
    match choice {
        Some(Choice::Segment { segment_id, .. }) => (Some(*segment_id), None, None),
        Some(Choice::Conditions { conditions, .. }) => {
            (None, serde_json::from_str(conditions).ok(), None)
        }
        Some(Choice::Receivers {
            campaign_id,
            status,
        }) => {
            let status = serde_json::from_value(status.as_str().into());
            let of = status.map(|status| ReceiversOf {
                campaign_id: *campaign_id,
                status,
            });
            (None, None, of.ok())
        }
        None => (None, None, None),
    }
}
