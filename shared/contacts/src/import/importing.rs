//! The rows of a slice become contacts, and each row's outcome a line of a file.

use std::collections::BTreeMap;

use bytes::Bytes;
use cloud::Error;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Span;
use kernel::{ContactId, TenantKey};

use super::columns::{Column, Consent};
use super::error::RowError;
use super::job::{ConsentChannel, Counts, DuplicateRule, Job, Kind, Slice, Status};
use super::layout::Layout;
use super::rows::{self, Heard, Line, Read, Row};
use super::slice;
use super::steps::{Imports, file_name};
use super::values::Said;
use crate::bounds::Surplus;
use crate::consent::{Channel, Decision, Evidence, Method, Statement};
use crate::csv_out;
use crate::fields::FieldFault;
use crate::keys;
use crate::model::{Incoming, Kept, Merge, Source, Upserted};
use crate::rows::Profile;

/// Contacts of a slice that are written concurrently.
const CONCURRENCY: usize = 16;
/// The columns that a file of outcomes has after those of the file.
pub const OUTCOME_COLUMNS: [&str; 4] = [
    "import_line",
    "import_outcome",
    "import_contact_id",
    "import_message",
];

/// The fate of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[schema(as = ImportOutcome)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A new contact.
    Created,
    /// A contact that was there.
    Updated,
    /// A contact that stayed as it was.
    Skipped,
    /// A wrong row.
    Failed,
}

impl Outcome {
    /// Its name in the file of outcomes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
        }
    }
}

/// A row that is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fate {
    /// Line of the file.
    pub line: u64,
    /// The fate of the row.
    pub outcome: Outcome,
    /// The id of the contact, the order or the product.
    pub id: Option<String>,
    /// Why it is wrong, or what was not taken.
    pub told: Vec<RowError>,
}

/// Lines of orders or products. This crate does not know these: a function that the caller gives takes them.
#[derive(Debug, Clone)]
pub struct Goods {
    /// The workspace.
    pub tenant: TenantKey,
    /// The import.
    pub job: Job,
    /// The layout of its file.
    pub layout: Layout,
    /// The lines; the function answers a fate for each, in their order.
    pub lines: Vec<Line>,
    /// Nothing is written, and only so many lines are looked up: a preview.
    pub trial: Option<usize>,
}

impl Imports {
    /// Imports a slice and stores the outcome of its rows. The slice is copied first: a step that was interrupted ends with the
    /// copy, whatever became of the file. So each stored row has its outcome. `None`: the file is not the one that was cut,
    /// and no row of the slice was begun.
    pub(super) async fn import<G, Fut>(
        &self,
        tenant: TenantKey,
        job: &Job,
        (number, slice): (u32, &Slice),
        goods: &G,
    ) -> Result<Option<(Counts, Vec<RowError>)>, Error>
    where
        G: Fn(Goods) -> Fut,
        Fut: Future<Output = Result<Vec<Fate>, Error>>,
    {
        let Some(layout) = &job.layout else {
            return Ok(None);
        };
        let Some(bytes) = self.slice_text(tenant, job, number, slice).await? else {
            return Ok(None);
        };
        let (done, text) = if job.request.kind == Kind::Contacts {
            let read: Vec<Read> = rows::read(&bytes, layout, slice.line).collect();
            let done = self.take_all(tenant, job, layout, &read).await?;
            let cells = read.iter().map(|one| one.cells.as_slice());
            let text = outcomes(cells, &done, layout);
            (done, text)
        } else {
            let lines: Vec<Line> = rows::lines(&bytes, layout, slice.line).collect();
            let asked = Goods {
                tenant,
                job: job.clone(),
                layout: layout.clone(),
                lines: lines.clone(),
                trial: None,
            };
            let done = goods(asked).await?;
            let cells = lines.iter().map(|one| one.cells.as_slice());
            let text = outcomes(cells, &done, layout);
            (done, text)
        };
        let name = file_name(tenant, job.id, &format!("outcome.{number:08}"));
        self.files.put(&name, "text/csv", text.into()).await?;
        let mut counts = Counts::default();
        for one in &done {
            match one.outcome {
                Outcome::Created => counts.created += 1,
                Outcome::Updated => counts.updated += 1,
                Outcome::Skipped => counts.skipped += 1,
                Outcome::Failed => counts.failed += 1,
            }
        }
        let told = done.into_iter().flat_map(|one| one.told).collect();
        Ok(Some((counts, told)))
    }

    /// Imports the rows of a slice of contacts.
    async fn take_all(
        &self,
        tenant: TenantKey,
        job: &Job,
        layout: &Layout,
        read: &[Read],
    ) -> Result<Vec<Fate>, Error> {
        let (mut done, mut good) = (Vec::new(), Vec::new());
        for one in read {
            match &one.row {
                Ok(row) => good.push(row.clone()),
                Err(error) => done.push(Fate {
                    line: one.line,
                    outcome: Outcome::Failed,
                    id: None,
                    told: vec![error.clone()],
                }),
            }
        }
        let groups = stream::iter(slice::groups(good));
        let work = groups.map(|group| self.take(tenant, job, layout, group));
        let work = work.buffer_unordered(CONCURRENCY);
        let taken: Vec<Vec<Fate>> = work.try_collect().await?;
        done.extend(taken.into_iter().flatten());
        done.sort_unstable_by_key(|one| one.line);
        Ok(done)
    }

    /// The records of a slice, copied before any of them is stored; those of the copy if the import failed or its file changed.
    async fn slice_text(
        &self,
        tenant: TenantKey,
        job: &Job,
        number: u32,
        slice: &Slice,
    ) -> Result<Option<Bytes>, Error> {
        let length = slice.end - slice.start;
        let copy = file_name(tenant, job.id, &format!("slice.{number:08}"));
        if job.status == Status::Processing {
            let name = file_name(tenant, job.id, "csv");
            let part = self.files.range(&name, slice.start, length).await?;
            if let Some(part) = part.filter(|part| part.mark == job.mark) {
                let bytes = part.bytes.clone();
                self.files.put(&copy, "text/csv", part.bytes).await?;
                return Ok(Some(bytes));
            }
        }
        let part = self.files.range(&copy, 0, length).await?;
        Ok(part.map(|part| part.bytes))
    }

    /// Imports rows one after another.
    async fn take(
        &self,
        tenant: TenantKey,
        job: &Job,
        layout: &Layout,
        rows: Vec<Row>,
    ) -> Result<Vec<Fate>, Error> {
        let mut done = Vec::with_capacity(rows.len());
        for row in rows {
            let (line, mut told) = (row.line, row.notes.clone());
            let mut contact = incoming(job, layout, row);
            let definitions = self.fields.recent(tenant).await?;
            told.extend(unfit(line, definitions.apply(&mut contact.custom)));
            let operation = contact.operation.as_deref().unwrap_or_default();
            if job.request.duplicate_rule == DuplicateRule::Skip
                && let Some(known) = self.contacts.find(tenant, &contact).await?
                && self.made_by(tenant, known).await?.as_deref() != Some(operation)
            {
                done.push(Fate {
                    line,
                    outcome: Outcome::Skipped,
                    id: Some(known.to_string()),
                    told,
                });
                continue;
            }
            match self.writer(job).upsert(tenant, &contact).await {
                Ok(upserted) => {
                    told.extend(left_out(line, &upserted));
                    let outcome = if upserted.created {
                        Outcome::Created
                    } else {
                        Outcome::Updated
                    };
                    done.push(Fate {
                        line,
                        outcome,
                        id: Some(upserted.contact.to_string()),
                        told,
                    });
                }
                Err(error) if error.is_retryable() => return Err(error),
                // This row can never be stored (it may be too large); the other rows can.
                Err(error) => {
                    tracing::warn!(import = %job.id, line, error = error.name(), "row refused");
                    let message = "the row cannot be stored".to_owned();
                    told.insert(
                        0,
                        RowError {
                            line,
                            column: None,
                            message,
                        },
                    );
                    done.push(Fate {
                        line,
                        outcome: Outcome::Failed,
                        id: None,
                        told,
                    });
                }
            }
        }
        Ok(done)
    }

    async fn made_by(
        &self,
        tenant: TenantKey,
        contact: ContactId,
    ) -> Result<Option<String>, Error> {
        let profile: Option<Profile> = self.table.get(&keys::profile(tenant, contact)).await?;
        Ok(profile.and_then(|profile| profile.operation))
    }
}

/// The contact of a row. Its values replace known ones as the request says, but not those that were given after the
/// import was requested. A step that runs late or again keeps them. Of two rows about a contact the later one wins,
/// in whatever order their slices run, since each row has a time of its own.
fn incoming(job: &Job, layout: &Layout, row: Row) -> Incoming {
    let request = &job.request;
    let own = Span::new()
        .try_nanoseconds(row.line as i64)
        .unwrap_or_default();
    let mut contact = row.contact;
    contact.at = Some(job.created_at.checked_add(own).unwrap_or(job.created_at));
    contact.tags.extend(request.tags.iter().cloned());
    contact.lists = request.list.into_iter().collect();
    contact.source = Source::Import;
    contact.merge = match request.duplicate_rule {
        DuplicateRule::Update => Merge::Overwrite,
        DuplicateRule::FillEmpty | DuplicateRule::Skip => Merge::FillEmpty,
    };
    contact.operation = Some(format!("{}#{}", job.id, row.line));
    contact.consent = statements(job, layout, row.heard);
    contact
}

/// The answers of a row about consent, one statement for each decision. The proof is the import.
fn statements(job: &Job, layout: &Layout, heard: Heard) -> Vec<Statement> {
    let mut said: BTreeMap<Decision, Vec<Channel>> = BTreeMap::new();
    for (asked, channel, heard) in [
        (ConsentChannel::Email, Channel::Email, heard.email),
        (ConsentChannel::Sms, Channel::Sms, heard.sms),
    ] {
        if let Some(decision) = decided(job, layout, asked, heard) {
            said.entry(decision).or_default().push(channel);
        }
    }
    let stated = job.request.consent.as_ref();
    let statement = |(decision, channels)| {
        let statement = stated.filter(|_| decision == Decision::Granted);
        Statement {
            text: statement.map(|one| one.text.clone()),
            evidence: Evidence {
                file: Some(job.id.to_string()),
                statement: statement.map(|one| one.way.name().to_owned()),
                ..Evidence::default()
            },
            at: Some(statement.map_or(job.created_at, |one| one.at.min(job.created_at))),
            ..Statement::new(Method::ImportStatement, decision, channels)
        }
    };
    said.into_iter().map(statement).collect()
}

/// The decision of a row about a channel. A no always counts. A yes counts only with the shop's statement, and where
/// the file has a column that asks, only from that column.
fn decided(
    job: &Job,
    layout: &Layout,
    channel: ConsentChannel,
    said: Option<Said>,
) -> Option<Decision> {
    let statement = job.request.consent.as_ref();
    let is_covered = statement.is_some_and(|one| one.channels.contains(&channel));
    match said {
        Some(Said::Complained) => Some(Decision::Complained),
        Some(Said::No) => Some(Decision::Withdrawn),
        Some(Said::Yes) => is_covered.then_some(Decision::Granted),
        None => (is_covered && !asks(layout, channel)).then_some(Decision::Granted),
    }
}

/// Whether a column of the file asks for consent to the channel.
fn asks(layout: &Layout, channel: ConsentChannel) -> bool {
    layout.columns.iter().any(|column| match column.field {
        Column::Consent(Consent::All) => true,
        Column::Consent(Consent::Email) => channel == ConsentChannel::Email,
        Column::Consent(Consent::Sms) => channel == ConsentChannel::Sms,
        _ => false,
    })
}

/// Notes about a row of which some values were not taken. The row itself is imported.
fn left_out(line: u64, upserted: &Upserted) -> Vec<RowError> {
    let taken = upserted.not_taken.iter().map(|one| {
        let kept = match one.kept {
            Kept::Shared => "; kept as a shared address",
            Kept::Unconfirmed => "; kept unconfirmed",
            Kept::Nowhere => "",
        };
        let message = match one.owner_id {
            Some(owner) => format!("belongs to contact {owner} and stays there{kept}"),
            None => format!("the contact has another one{kept}"),
        };
        let column = one.pointer.trim_start_matches('/').to_owned();
        (Some(column), message)
    });
    let full = full(&upserted.surplus).map(|message| (None, message));
    let told = taken.chain(full);
    told.map(|(column, message)| RowError {
        line,
        column,
        message,
    })
    .collect()
}

/// Notes about cells that their defined fields do not take. Each costs the cell, not the row.
pub(super) fn unfit(line: u64, faults: Vec<FieldFault>) -> impl Iterator<Item = RowError> {
    faults.into_iter().map(move |fault| RowError {
        line,
        column: Some(format!("custom.{}", fault.field)),
        message: fault.message,
    })
}

fn full(surplus: &Surplus) -> Option<String> {
    let count = surplus.count();
    (count > 0).then(|| format!("the contact is full: {count} values were left out"))
}

/// The lines of the outcomes: the cells of each row, then what became of it.
fn outcomes<'a>(
    cells: impl Iterator<Item = &'a [String]>,
    done: &[Fate],
    layout: &Layout,
) -> String {
    let mut text = String::new();
    for (cells, done) in cells.zip(done) {
        let cells = cells
            .iter()
            .map(String::as_str)
            .chain(std::iter::repeat(""))
            .take(layout.columns.len());
        let told: Vec<String> = done
            .told
            .iter()
            .map(|told| match &told.column {
                Some(column) => format!("{column}: {}", told.message),
                None => told.message.clone(),
            })
            .collect();
        let own = [
            done.line.to_string(),
            done.outcome.name().to_owned(),
            done.id.clone().unwrap_or_default(),
            told.join("; "),
        ];
        text += &csv_out::line(cells.map(str::to_owned).chain(own));
    }
    text
}

/// The headings of the file of outcomes.
pub(super) fn outcome_headings(layout: &Layout, kind: Kind) -> String {
    let headings = layout.columns.iter().map(|column| column.heading.as_str());
    let mut own = OUTCOME_COLUMNS;
    own[2] = match kind {
        Kind::Contacts => own[2],
        Kind::Orders => "import_order_id",
        Kind::Products => "import_product_id",
    };
    csv_out::MARK.to_owned() + &csv_out::line(headings.chain(own))
}
