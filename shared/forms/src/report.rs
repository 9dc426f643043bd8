//! How often a form was shown, sent and confirmed, by hour in the table Reports.
//!
//! A count is one write unit. The rows of a form are spread once an hour has many writes (`cloud::counters`), so no key
//! is hot. They expire after three years. The figures are for reports, never for decisions: a crash may lose a count, and
//! a page that is sent twice counts twice.

use std::collections::BTreeMap;

use cloud::counters::{Counts, Hour};
use cloud::{Counters, Error};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use kernel::{FormId, TenantKey};
use serde::Serialize;

/// Most days of a report.
pub const MAX_DAYS: u16 = 92;

/// Something that happened with a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Its page was shown.
    View,
    /// It was sent and accepted.
    Submission,
    /// It was accepted while Turnstile gave no answer.
    Unverified,
    /// The button behind the link of a confirmation mail was pressed.
    Confirmation,
}

impl Deed {
    fn metric(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Submission => "submission",
            Self::Unverified => "unverified",
            Self::Confirmation => "confirmation",
        }
    }
}

/// The counts of a day, or of all days.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = FormCounts)]
pub struct Tally {
    /// Pages that were shown.
    pub views: i64,
    /// Submissions that were accepted. A page that is sent twice counts twice.
    pub submissions: i64,
    /// Of these, those that were accepted while Turnstile gave no answer.
    pub unverified: i64,
    /// Confirmations by the link of a mail.
    pub confirmations: i64,
}

impl Tally {
    fn add(&mut self, counts: &Counts) {
        let of = |deed: Deed| counts.get(deed.metric()).copied().unwrap_or_default();
        self.views += of(Deed::View);
        self.submissions += of(Deed::Submission);
        self.unverified += of(Deed::Unverified);
        self.confirmations += of(Deed::Confirmation);
    }
}

/// The counts of a day of the workspace's time zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = FormDay)]
pub struct Day {
    /// The day.
    #[schema(value_type = String, format = Date)]
    pub date: Date,
    /// Its counts.
    #[serde(flatten)]
    pub counts: Tally,
}

/// The counts of a form over some days.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = FormReport)]
pub struct Report {
    /// The form.
    pub form_id: FormId,
    /// The sums.
    #[serde(flatten)]
    pub counts: Tally,
    /// Submissions for each view, 0 to 1; null without a view. A program that sends without opening the page is no view.
    pub conversion_rate: Option<f64>,
    /// Each day, oldest first, also those without counts.
    pub days: Vec<Day>,
}

/// The counts of all forms.
#[derive(Clone, Debug)]
pub struct Tallies {
    counters: Counters,
}

impl Tallies {
    /// Over the table Reports.
    pub fn over(resources: &cloud::Resources) -> Self {
        Self {
            counters: Counters::over(resources),
        }
    }

    /// Counts deeds of one moment: one write unit. `source` spreads the writers of a busy form.
    pub async fn count(
        &self,
        tenant: TenantKey,
        form: FormId,
        deeds: &[Deed],
        at: Timestamp,
        source: &str,
    ) -> Result<(), Error> {
        let counts = deeds.iter().map(|deed| (deed.metric().to_owned(), 1));
        let counts: Counts = counts.collect();
        let subject = form.to_string();
        let counted = self
            .counters
            .add(tenant, &subject, Hour::of(at), source, &counts);
        counted.await
    }

    /// The counts of the last `days` days until `now`, today included. One query, or 16 for a busy form.
    pub async fn report(
        &self,
        tenant: TenantKey,
        form: FormId,
        days: u16,
        now: Timestamp,
        zone: &TimeZone,
    ) -> Result<Report, Error> {
        let days = days.clamp(1, MAX_DAYS);
        let shape = |error: jiff::Error| Error::Shape(error.to_string());
        let today = now.to_zoned(zone.clone()).date();
        let first = today
            .checked_sub((i64::from(days) - 1).days())
            .map_err(shape)?;
        let from = first.to_zoned(zone.clone()).map_err(shape)?.timestamp();
        let mut by_day: BTreeMap<Date, Tally> = BTreeMap::new();
        for offset in 0..i64::from(days) {
            by_day.insert(
                first.checked_add(offset.days()).map_err(shape)?,
                Tally::default(),
            );
        }
        let subject = form.to_string();
        let rows = self
            .counters
            .hours(tenant, &subject, Hour::of(from), Hour::of(now));
        let mut counts = Tally::default();
        for (hour, found) in rows.await? {
            // A zone that is half an hour off has one hour of the day before.
            let date = hour.to_zoned(zone.clone()).date().max(first);
            if let Some(day) = by_day.get_mut(&date) {
                day.add(&found.counts);
                counts.add(&found.counts);
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "counts are below 2^52")]
        let rate = |sent: i64, shown: i64| (sent as f64 / shown as f64).min(1.0);
        Ok(Report {
            form_id: form,
            conversion_rate: (counts.views > 0).then(|| rate(counts.submissions, counts.views)),
            counts,
            days: by_day
                .into_iter()
                .map(|(date, counts)| Day { date, counts })
                .collect(),
        })
    }
}
