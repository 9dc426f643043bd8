//! The effects of a campaign's items, made from the items (docs/adr/0003).
//!
//! Pure: `change-relay` runs these functions on images from the table's stream, at least once and late.
//! They read the image and nothing else.

use channels::EmailChannel;
use channels::push::PushChannel;
use channels::sms::SmsChannel;
use channels::zns::ZnsChannel;
use cloud::outbox::{Image, Rule};
use cloud::{Effect, Error};
use contacts::{Channel, SHARDS};
use kernel::{CampaignId, Cursor};
use serde::Deserialize;

use crate::ab::Part;
use crate::keys;
use crate::messages::{ChunkMessage, ChunkOf, PlanMessage};
use crate::model::State;

/// On META: plan each contact shard.
pub(crate) const PLAN: Rule = Rule {
    name: "campaign.plan",
    messages: |image| for_each_shard(image, State::Draft, plan),
};
/// On META: dispatch the chunk at which each contact shard stopped.
pub(crate) const DISPATCH: Rule = Rule {
    name: "campaign.dispatch",
    messages: |image| for_each_shard(image, State::Paused, dispatch),
};
/// On META: remove the rows of a deleted campaign.
pub(crate) const ERASE: Rule = Rule {
    name: "campaign.erase",
    messages: erase,
};
/// On META: the test is sent.
pub(crate) const TESTED: Rule = Rule {
    name: "campaign.tested",
    messages: tested,
};
/// On a shard: plan the rest of it.
pub(crate) const PLAN_REST: Rule = Rule {
    name: "campaign.plan_rest",
    messages: plan_rest,
};
/// On a shard: send its next chunk.
pub(crate) const CHUNK: Rule = Rule {
    name: "campaign.chunk",
    messages: chunk,
};

/// All rules of the table Campaigns.
pub const EFFECTS: &[Rule] = &[PLAN, DISPATCH, ERASE, TESTED, PLAN_REST, CHUNK];

fn plan(campaign: CampaignId, shard: u32) -> PlanMessage {
    PlanMessage::Plan {
        campaign,
        shard,
        chunk: 0,
        counted: 0,
        cursor: None,
    }
}

fn dispatch(campaign: CampaignId, shard: u32) -> PlanMessage {
    PlanMessage::Dispatch { campaign, shard }
}

fn for_each_shard(
    image: &Image,
    from: State,
    message: fn(CampaignId, u32) -> PlanMessage,
) -> Result<Vec<Effect>, Error> {
    let campaign: CampaignId = image.subject()?;
    let effect = |shard| {
        let name = format!("{campaign}#{}#{shard}", from.name());
        Effect::new(image.tenant(), name, &message(campaign, shard))
    };
    (0..SHARDS).map(effect).collect()
}

fn erase(image: &Image) -> Result<Vec<Effect>, Error> {
    let campaign: CampaignId = image.subject()?;
    let name = format!("{campaign}#erase");
    let message = PlanMessage::Erase { campaign };
    Ok(vec![Effect::new(image.tenant(), name, &message)?])
}

fn tested(image: &Image) -> Result<Vec<Effect>, Error> {
    let campaign: CampaignId = image.subject()?;
    let name = format!("{campaign}#tested");
    let message = PlanMessage::Tested { campaign };
    Ok(vec![Effect::new(image.tenant(), name, &message)?])
}

/// Progress of the planning of a shard.
#[derive(Deserialize)]
struct Planned {
    planned_to: u32,
    counted: u64,
    #[serde(default)]
    cursor: Option<Cursor>,
}

fn plan_rest(image: &Image) -> Result<Vec<Effect>, Error> {
    let (campaign, shard): (CampaignId, u32) = (image.subject()?, image.sort(keys::SHARDS)?);
    let planned: Planned = image.row()?;
    let chunk = planned.planned_to;
    let place = planned
        .cursor
        .as_ref()
        .map_or("", |cursor| cursor.0.as_str());
    let name = format!("{campaign}#plan#{shard}#{place}");
    let message = PlanMessage::Plan {
        campaign,
        shard,
        chunk,
        counted: planned.counted,
        cursor: planned.cursor,
    };
    Ok(vec![Effect::new(image.tenant(), name, &message)?])
}

/// The next chunk of a shard, and the channel whose queue takes it.
#[derive(Deserialize)]
struct Next {
    next: u32,
    channel: Channel,
    #[serde(default)]
    part: Part,
}

fn chunk(image: &Image) -> Result<Vec<Effect>, Error> {
    let (campaign, shard): (CampaignId, u32) = (image.subject()?, image.sort(keys::SHARDS)?);
    let Next {
        next: chunk,
        channel,
        part,
    } = image.row()?;
    let message = ChunkMessage::V1 {
        campaign,
        shard,
        chunk,
        part,
        slot: None,
    };
    let name = format!("{campaign}#chunk#{shard}#{chunk}");
    let tenant = image.tenant();
    let effect = match channel {
        Channel::Email => Effect::new(tenant, name, &ChunkOf::<EmailChannel>::new(message))?,
        Channel::Sms => Effect::new(tenant, name, &ChunkOf::<SmsChannel>::new(message))?,
        Channel::Zalo => Effect::new(tenant, name, &ChunkOf::<ZnsChannel>::new(message))?,
        Channel::Push => Effect::new(tenant, name, &ChunkOf::<PushChannel>::new(message))?,
    };
    Ok(vec![effect])
}

#[cfg(test)]
mod tests {
    use cloud::outbox::effects_of;
    use serde_json::{Value, json};

    use super::*;

    fn effects(sk: &str, name: &str, attributes: &Value) -> Vec<Effect> {
        let mut image = json!({
            "pk": { "S": "ws_0123456789a#cmp_0123456789a" },
            "sk": { "S": sk },
            "pending": { "S": format!(r#"{{"names":["{name}"],"trace":"t"}}"#) },
        });
        let attributes = attributes.as_object().unwrap().clone();
        image.as_object_mut().unwrap().extend(attributes);
        effects_of(EFFECTS, &image).unwrap()
    }

    fn one(sk: &str, name: &str, attributes: &Value) -> (String, String, String) {
        let effects = effects(sk, name, attributes);
        assert_eq!(effects.len(), 1);
        assert_eq!(effects[0].group, "ws_0123456789a");
        assert_eq!(effects[0].trace.as_deref(), Some("t"));
        let [effect] = <[Effect; 1]>::try_from(effects).unwrap();
        (effect.queue.to_string(), effect.id, effect.text)
    }

    fn texts(queue: &str, id: &str, body: &str) -> (String, String, String) {
        let text = format!(r#"{{"tenant":"ws_0123456789a","body":{body}}}"#);
        (queue.to_owned(), id.to_owned(), text)
    }

    #[test]
    fn a_campaign_asks_for_each_of_its_shards() {
        for (name, from, body) in [
            (
                "campaign.plan",
                "draft",
                r#"{"type":"campaign.plan.v1","campaign":"cmp_0123456789a","shard":3,"chunk":0,"counted":0}"#,
            ),
            (
                "campaign.dispatch",
                "paused",
                r#"{"type":"campaign.dispatch.v1","campaign":"cmp_0123456789a","shard":3}"#,
            ),
        ] {
            let all = effects("META", name, &json!({}));
            assert_eq!(all.len(), SHARDS as usize);
            let effect = &all[3];
            let id = format!("cmp_0123456789a#{from}#3");
            let found = (
                effect.queue.to_string(),
                effect.id.clone(),
                effect.text.clone(),
            );
            assert_eq!(found, texts("campaign-plan", &id, body));
        }
    }

    #[test]
    fn a_shard_asks_for_its_next_chunk() {
        let row = json!({
            "next": { "N": "7" },
            "chunks": { "N": "9" },
            "channel": { "S": "email" },
        });
        let body =
            r#"{"type":"campaign.chunk.v1","campaign":"cmp_0123456789a","shard":3,"chunk":7}"#;
        let expected = texts("campaign-email", "cmp_0123456789a#chunk#3#7", body);
        assert_eq!(one("SHARD#03", "campaign.chunk", &row), expected);
        let mut row = row;
        row["channel"]["S"] = "push".into();
        let expected = texts("campaign-push", "cmp_0123456789a#chunk#3#7", body);
        assert_eq!(one("SHARD#03", "campaign.chunk", &row), expected);
    }

    #[test]
    fn a_chunk_of_a_pass_names_its_part() {
        let row = json!({
            "next": { "N": "7" },
            "chunks": { "N": "9" },
            "channel": { "S": "email" },
            "part": { "S": "rest" },
        });
        let body = r#"{"type":"campaign.chunk.v1","campaign":"cmp_0123456789a","shard":3,"chunk":7,"part":"rest"}"#;
        let expected = texts("campaign-email", "cmp_0123456789a#chunk#3#7", body);
        assert_eq!(one("SHARD#03", "campaign.chunk", &row), expected);
    }

    #[test]
    fn a_sent_test_asks_for_its_end() {
        let body = r#"{"type":"campaign.tested.v1","campaign":"cmp_0123456789a"}"#;
        let expected = texts("campaign-plan", "cmp_0123456789a#tested", body);
        assert_eq!(one("META", "campaign.tested", &json!({})), expected);
    }

    #[test]
    fn a_shard_asks_for_the_rest_of_its_plan() {
        let row = json!({
            "planned_to": { "N": "20" },
            "counted": { "N": "10000" },
            "cursor": { "S": "con_0123456789a" },
        });
        let body = r#"{"type":"campaign.plan.v1","campaign":"cmp_0123456789a","shard":3,"chunk":20,"counted":10000,"cursor":"con_0123456789a"}"#;
        let expected = texts(
            "campaign-plan",
            "cmp_0123456789a#plan#3#con_0123456789a",
            body,
        );
        assert_eq!(one("SHARD#03", "campaign.plan_rest", &row), expected);
    }
}
