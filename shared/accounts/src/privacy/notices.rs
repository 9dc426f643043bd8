//! Notices to the admins of an account that the term of a request ends soon, or has ended.
//!
//! The timers of both notices are written before the date that they are about. A notice of a date that is no longer the
//! next one of the request is not sent. A row claims the mail to each admin before the mail is sent.

use cloud::{Created, Error, Resources, Table, Timers};
use jiff::civil::{Date, time};
use jiff::tz::{TimeZone, offset};
use jiff::{SignedDuration, Timestamp};
use kernel::{PrivacyRequestId, TenantKey, UserId};
use serde::{Deserialize, Serialize};

use super::breach::BEFORE;
use super::{PrivacyRequest, Status, Stored, terms};
use crate::keys;
use crate::mails::AccountMail;

/// Life of a claim: longer than any message about it.
const KEEP: SignedDuration = SignedDuration::from_hours(400 * 24);
/// Tries against people who change the request.
const ROUNDS: u32 = 8;
/// Most notices that a request shows.
const MAX_NOTICES: usize = 20;

/// The reason of a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = PrivacyNoticeType)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// The last working day before the date has begun; a day is left of the 72 hours of a breach.
    Soon,
    /// The date has passed; of a breach, the 72 hours.
    Over,
}

impl NoticeKind {
    /// Its name in keys.
    pub fn name(self) -> &'static str {
        match self {
            Self::Soon => "soon",
            Self::Over => "over",
        }
    }
}

/// A notice that was mailed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = PrivacyNotice)]
pub struct Notice {
    /// The reason.
    #[serde(rename = "type")]
    pub kind: NoticeKind,
    /// The date that it is about.
    #[schema(value_type = String, format = Date)]
    pub due: Date,
    /// When it was mailed.
    #[serde(serialize_with = "kernel::clock::millis")]
    pub sent_at: Timestamp,
    /// Admins of the account that it was mailed to.
    pub recipients: u32,
}

/// When each notice of a date is mailed: at 8 o'clock in Viet Nam, on the last working day before the date, and on the day
/// after.
fn times(due: Date) -> [(NoticeKind, Timestamp); 2] {
    let mut before = due;
    while let Ok(day) = before.yesterday() {
        before = day;
        if terms::is_working(day) {
            break;
        }
    }
    let after = due.tomorrow().unwrap_or(due);
    [(NoticeKind::Soon, before), (NoticeKind::Over, after)].map(|(kind, day)| {
        let morning = day.to_datetime(time(8, 0, 0, 0));
        let zoned = TimeZone::fixed(offset(7)).to_timestamp(morning);
        (kind, zoned.unwrap_or(Timestamp::MAX))
    })
}

/// Writes the timers of the next date of a request. A repetition writes the same timers.
pub(super) async fn schedule(
    timers: &Timers,
    tenant: TenantKey,
    request: &PrivacyRequest,
) -> Result<(), Error> {
    let due = request.next_due();
    let now = timers.clock().now();
    let times = match request.breach.as_ref().and_then(|breach| breach.notify_by) {
        Some(end) => [
            (NoticeKind::Soon, end.saturating_sub(BEFORE).unwrap_or(end)),
            (NoticeKind::Over, end),
        ],
        None => times(due),
    };
    let is_over = times[1].1 <= now;
    for (kind, at) in times {
        if is_over && kind == NoticeKind::Soon {
            continue;
        }
        let message = AccountMail::PrivacyDue {
            request: request.id,
            due,
            kind,
        };
        let name = format!("{}#{due}#{}", request.id, kind.name());
        timers.schedule(tenant, &name, at, &message).await?;
    }
    Ok(())
}

/// The claims of notices, for the account mailer; every call names the tenant.
#[derive(Clone, Debug)]
pub struct PrivacyNotices {
    directory: Table,
}

/// The claim of one mail.
#[derive(Debug, Serialize, Deserialize)]
struct Claim {
    user: UserId,
    ttl: i64,
}

impl PrivacyNotices {
    /// Over the table Directory.
    pub fn over(resources: &Resources) -> Self {
        Self {
            directory: resources.table("Directory"),
        }
    }

    /// The request, if the notice is still to be mailed.
    pub async fn wanted(
        &self,
        tenant: TenantKey,
        (id, due, kind): (PrivacyRequestId, Date, NoticeKind),
    ) -> Result<Option<PrivacyRequest>, Error> {
        let row: Option<Stored> = self
            .directory
            .get(&keys::privacy_request(tenant, id))
            .await?;
        let request = row.map(|row| row.request);
        Ok(request.filter(|request| {
            let is_open = request.status == Status::Open && request.next_due() == due;
            is_open && !request.is_told() && !has(request, due, kind)
        }))
    }

    /// Claims the mail to one admin; false: it was mailed, or a worker died while it mailed.
    pub async fn claim(
        &self,
        tenant: TenantKey,
        (id, due, kind): (PrivacyRequestId, Date, NoticeKind),
        user: UserId,
    ) -> Result<bool, Error> {
        let ttl = self.directory.clock().now().as_second() + KEEP.as_secs();
        let key = keys::privacy_notice(tenant, id, due, kind.name(), user);
        let created = self.directory.create(&key, &Claim { user, ttl }).await?;
        Ok(matches!(created, Created::New))
    }

    /// Takes the claim back: nothing was mailed.
    pub async fn release(
        &self,
        tenant: TenantKey,
        (id, due, kind): (PrivacyRequestId, Date, NoticeKind),
        user: UserId,
    ) -> Result<(), Error> {
        let key = keys::privacy_notice(tenant, id, due, kind.name(), user);
        self.directory.delete(&key).await
    }

    /// Notes the notice in its request. May be repeated.
    pub async fn note(
        &self,
        tenant: TenantKey,
        (id, due, kind): (PrivacyRequestId, Date, NoticeKind),
        recipients: u32,
    ) -> Result<(), Error> {
        let key = keys::privacy_request(tenant, id);
        for _ in 0..ROUNDS {
            let Some(mut row) = self.directory.get::<Stored>(&key).await? else {
                return Ok(());
            };
            let notices = &row.request.notices;
            if has(&row.request, due, kind) || notices.len() >= MAX_NOTICES {
                return Ok(());
            }
            row.request.notices.push(Notice {
                kind,
                due,
                sent_at: self.directory.clock().now(),
                recipients,
            });
            row.version += 1;
            match self.directory.replace(&key, &row, row.version - 1).await {
                Err(Error::Conflict) => {}
                other => return other,
            }
        }
        Err(Error::Conflict)
    }
}

fn has(request: &PrivacyRequest, due: Date, kind: NoticeKind) -> bool {
    let mut notices = request.notices.iter();
    notices.any(|one| one.due == due && one.kind == kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_comes_on_the_working_day_before_and_on_the_day_after() {
        let times = |text: &str| times(text.parse().unwrap()).map(|(_, at)| at.to_string());
        // A Monday: the Friday before.
        assert_eq!(
            times("2026-03-09"),
            ["2026-03-06T01:00:00Z", "2026-03-10T01:00:00Z"]
        );
        // The first working day after Tết 2026.
        assert_eq!(
            times("2026-02-23"),
            ["2026-02-13T01:00:00Z", "2026-02-24T01:00:00Z"]
        );
    }
}
