//! Gives points for events, exactly once for each event and rule, and reads scores.
//!
//! One transaction writes the score, the entry of the history, the mark of a rule that counts once, and the count of the
//! day. The key of the entry follows from the event and the rule. So an event that is delivered again finds its entry,
//! and only tells the crossed thresholds again, under the same names.
//!
//! Units of an event that meets a rule: two reads, and four write units; two more for a rule that counts once, and two
//! for a daily limit. A crossed threshold costs one more event. An event that meets no rule costs nothing.

use cloud::{Error, Query, Resources, Table, Update};
use jiff::Timestamp;
use jiff::tz::{TimeZone, offset};
use kernel::{ContactId, Cursor, Limit, TenantKey, page::Page};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::fade::Decay;
use super::rules::{Repeat, ScoreRule, Scoring};
use super::{DROPPED, REACHED};
use crate::model::Event;
use crate::rows::{FADE, Profile, SCORE};
use crate::{Contacts, keys, mention};

/// How long an entry of the history is kept, in seconds: thirteen months, as the events are.
const KEEP_SECONDS: i64 = 396 * 24 * 3600;
/// How long the count of a day is kept after the day, in seconds: longer than an event may be delivered late.
const KEEP_DAY_SECONDS: i64 = 35 * 24 * 3600;
/// Tries against other writers of the same contact.
const ROUNDS: u32 = 8;

/// An entry of the history of a score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ScoreEntry)]
pub struct History {
    /// The rule.
    #[serde(rename = "rule_id")]
    pub rule: String,
    /// Name of the event.
    pub event: String,
    /// The points.
    pub points: i64,
    /// Points that had faded before, since the entry before this one.
    #[serde(default)]
    pub faded: i64,
    /// The score before.
    pub before: i64,
    /// The score after.
    pub after: i64,
    /// When the event happened.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub at: Timestamp,
}

/// The score of a contact.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = ContactScore)]
pub struct Scored {
    /// The points of all events, but for those that have faded; 0 if none counted.
    pub score: i64,
    /// The label of the highest threshold that is reached.
    pub label: Option<String>,
    /// The history, newest first. An entry is kept for thirteen months.
    pub history: Page<History>,
}

#[derive(Deserialize)]
struct Count {
    #[serde(default)]
    count: u32,
}

#[derive(Deserialize)]
struct Mark {
    #[serde(default)]
    event: Option<String>,
}

/// The scores of all contacts; every call names the tenant.
#[derive(Clone, Debug)]
pub struct Scores {
    contacts: Contacts,
    directory: Table,
}

impl Scores {
    /// Over the tables Contacts, Timeline and Directory.
    pub fn over(resources: &Resources) -> Self {
        Self {
            contacts: Contacts::over(resources),
            directory: resources.table("Directory"),
        }
    }

    /// The rules and thresholds, as they are now.
    pub async fn scoring(&self, tenant: TenantKey) -> Result<Scoring, Error> {
        Ok(self
            .directory
            .get(&keys::scoring(tenant))
            .await?
            .unwrap_or_default())
    }

    /// Replaces the rules and thresholds. Every process knows them ten seconds later. May be repeated.
    pub async fn change(&self, tenant: TenantKey, mut new: Scoring) -> Result<Scoring, Error> {
        new.thresholds.sort_by_key(|one| one.score);
        new.updated_at = Some(self.directory.clock().now());
        self.directory.put(&keys::scoring(tenant), &new).await?;
        self.contacts.interest.refresh(tenant).await?;
        Ok(new)
    }

    /// The score of a contact and a page of its history: one read and one query.
    pub async fn of(
        &self,
        tenant: TenantKey,
        contact: ContactId,
        limit: Limit,
        cursor: Option<Cursor>,
    ) -> Result<Scored, Error> {
        let profile: Option<Profile> = self
            .contacts
            .contacts
            .get(&keys::profile(tenant, contact))
            .await?;
        let now = self.directory.clock().now();
        let score = profile.map_or(0, |row| row.score_at(now));
        let entries = Query::partition(keys::contact(tenant, contact))
            .begins_with(keys::SCORES)
            .descending();
        let history = self
            .contacts
            .contacts
            .query(entries.limit(limit.get()).cursor(cursor))
            .await?;
        let label = self.scoring(tenant).await?.label(score).map(str::to_owned);
        Ok(Scored {
            score,
            label,
            history,
        })
    }

    /// Gives the points of an event. May be repeated.
    pub async fn count(
        &self,
        tenant: TenantKey,
        contact: ContactId,
        event: &Event,
    ) -> Result<(), Error> {
        let scoring = self.contacts.interest.scoring(tenant).await?;
        for rule in scoring.met(&event.name, &event.data) {
            let decay = scoring.decay;
            if let Some(entry) = self.enter(tenant, contact, event, rule, decay).await? {
                self.tell(tenant, contact, event, &scoring, &entry).await?;
            }
        }
        Ok(())
    }

    /// The entry of the event and the rule; `None` if the rule does not count here.
    async fn enter(
        &self,
        tenant: TenantKey,
        contact: ContactId,
        event: &Event,
        rule: &ScoreRule,
        decay: Option<Decay>,
    ) -> Result<Option<History>, Error> {
        let table = &self.contacts.contacts;
        let id = kernel::hash::name(&[&event.id]);
        let key = keys::score(tenant, contact, event.at, &id, &rule.id);
        for _ in 0..ROUNDS {
            if let Some(entry) = table.get(&key).await? {
                return Ok(Some(entry));
            }
            let profile: Option<Profile> = table.get(&keys::profile(tenant, contact)).await?;
            if let Some(now) = profile.as_ref().and_then(|row| row.merged_into) {
                return Box::pin(self.enter(tenant, now, event, rule, decay)).await;
            }
            let Some(profile) = profile.filter(Profile::exists) else {
                return Ok(None);
            };
            if !self.counts(tenant, contact, event, rule).await? {
                return Ok(None);
            }
            let was = profile.score.unwrap_or_default();
            let known = profile.score_fade;
            let now = table.clock().now();
            let at = known.map_or(event.at, |fade| fade.at.max(event.at));
            let before = profile.score_at(at.min(now));
            let fade = decay.map(|decay| decay.from(event.at, known.as_ref(), now));
            let entry = History {
                rule: rule.id.clone(),
                event: event.name.clone(),
                points: rule.points,
                faded: was - before,
                before,
                after: before + rule.points,
                at: event.at,
            };
            let update = self.contacts.touch().set(SCORE, entry.after);
            let update = match fade {
                Some(fade) => update.set(FADE, fade),
                None => update.remove(FADE),
            };
            let update = update.when_as_read(SCORE, profile.score);
            let update = update.when_as_read(FADE, known).when_exists();
            let names = [mention::SCORE.to_owned()];
            let update = self.contacts.telling(tenant, update, names).await?;
            let mut updates = vec![
                (keys::profile(tenant, contact), update),
                (key.clone(), row(&entry)),
            ];
            if rule.repeat == Repeat::Once {
                let mark = Update::new().set("event", &id).when_absent("event");
                updates.push((keys::scored(tenant, contact, &rule.id), mark));
            }
            if let Some(most) = rule.daily_limit {
                let ttl = event.at.as_second() + KEEP_DAY_SECONDS;
                let day = Update::new()
                    .add("count", 1)
                    .set("ttl", ttl)
                    .when_absent_or_less("count", most);
                updates.push((
                    keys::scored_on(tenant, contact, &rule.id, &day_of(event.at)),
                    day,
                ));
            }
            if table.update_all(updates).await? {
                return Ok(Some(entry));
            }
        }
        Err(Error::Conflict)
    }

    /// Whether a rule that counts once or seldom counts for this event.
    async fn counts(
        &self,
        tenant: TenantKey,
        contact: ContactId,
        event: &Event,
        rule: &ScoreRule,
    ) -> Result<bool, Error> {
        let table = &self.contacts.contacts;
        if rule.repeat == Repeat::Once {
            let mark: Option<Mark> = table.get(&keys::scored(tenant, contact, &rule.id)).await?;
            if mark.is_some_and(|mark| mark.event.is_some()) {
                return Ok(false);
            }
        }
        let Some(most) = rule.daily_limit else {
            return Ok(true);
        };
        let key = keys::scored_on(tenant, contact, &rule.id, &day_of(event.at));
        let count: Option<Count> = table.get(&key).await?;
        Ok(count.is_none_or(|row| row.count < most))
    }

    /// Records the thresholds that the entry crossed.
    async fn tell(
        &self,
        tenant: TenantKey,
        contact: ContactId,
        event: &Event,
        scoring: &Scoring,
        entry: &History,
    ) -> Result<(), Error> {
        // A line that points have passed by fading is told now.
        let told = entry.before + entry.faded;
        for (line, is_up) in scoring.crossed(told, entry.after) {
            let name = if is_up { REACHED } else { DROPPED };
            let cause = kernel::hash::name(&[&event.id, &entry.rule]);
            let crossing = Event {
                id: format!("{name}#{}#{cause}", line.score),
                name: name.to_owned(),
                at: event.at,
                source: "scoring".to_owned(),
                data: json!({ "threshold": line.score, "score": entry.after, "label": line.label }),
            };
            self.contacts.record(tenant, contact, &crossing).await?;
        }
        Ok(())
    }
}

/// The write of an entry: only if it is not there.
fn row(entry: &History) -> Update {
    Update::new()
        .set("rule_id", &entry.rule)
        .set("event", &entry.event)
        .set("points", entry.points)
        .set("faded", entry.faded)
        .set("before", entry.before)
        .set("after", entry.after)
        .set("at", entry.at)
        .set("ttl", entry.at.as_second() + KEEP_SECONDS)
        .when_absent("points")
}

/// The day of an instant in Vietnam.
fn day_of(at: Timestamp) -> String {
    at.to_zoned(TimeZone::fixed(offset(7))).date().to_string()
}
