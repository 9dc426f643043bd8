//! The preview of an import: the file as it is understood, its first rows, and a trial of the first hundred.

use cloud::Error;
use kernel::TenantKey;
use serde::Serialize;

use super::encoding::Encoding;
use super::error::{FileError, RowError};
use super::importing::Outcome;
use super::job::{DuplicateRule, Job};
use super::layout::{HEAD, Layout};
use super::records::Found;
use super::rows::{self, Read};
use super::steps::{Imports, file_name};

/// Rows that a preview shows.
const SHOWN: usize = 10;
/// Rows of a trial.
const TRIED: usize = 100;

/// A column of a file, and its meaning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = ImportPreviewColumn)]
pub struct PreviewColumn {
    /// Its heading.
    pub heading: String,
    /// The heading as `mapping` names it.
    pub key: String,
    /// The field that it fills: `email`, `custom.size`, `skip`…
    pub field: String,
}

/// A row of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = ImportPreviewRow)]
pub struct PreviewRow {
    /// Its line.
    pub line: u64,
    /// Its cells.
    pub cells: Vec<String>,
    /// The parts that would not be taken.
    pub errors: Vec<RowError>,
}

/// The effects that the first rows of a file would have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = ImportDryRun)]
pub struct DryRun {
    /// Rows that were tried.
    pub rows: u64,
    /// Rows about new contacts.
    pub created: u64,
    /// Rows about contacts that would change.
    pub updated: u64,
    /// Rows about contacts that would stay as they are.
    pub skipped: u64,
    /// Wrong rows.
    pub failed: u64,
    /// Wrong rows, and what would not be taken of the others.
    pub errors: Vec<RowError>,
}

/// The meaning of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = ImportPreview)]
pub struct Preview {
    /// Its encoding.
    pub encoding: Encoding,
    /// The separator of its cells.
    pub delimiter: char,
    /// The line of its headings.
    pub headings_line: u64,
    /// Its columns.
    pub columns: Vec<PreviewColumn>,
    /// Its first ten rows.
    pub rows: Vec<PreviewRow>,
    /// The trial of its first hundred rows.
    pub dry_run: DryRun,
}

impl Imports {
    /// The preview of the import. Reads up to three identities of a hundred rows.
    pub async fn preview(
        &self,
        tenant: TenantKey,
        job: &Job,
    ) -> Result<Result<Preview, FileError>, Error> {
        let Some(head) = self
            .files
            .range(&file_name(tenant, job.id, "csv"), 0, HEAD)
            .await?
        else {
            return Ok(Err(FileError::Missing));
        };
        let is_whole = head.total <= HEAD;
        let layout = match Layout::of(&head.bytes, is_whole, &job.request.mapping) {
            Ok(layout) => layout,
            Err(error) => return Ok(Err(error)),
        };
        let body = head
            .bytes
            .get(layout.rows_at as usize..)
            .unwrap_or_default();
        let read = first_rows(body, &layout, is_whole);
        let dry_run = self.dry_run(tenant, job, &read).await?;
        let columns = layout.columns.iter().map(|column| PreviewColumn {
            heading: column.heading.clone(),
            key: super::columns::normal(&column.heading),
            field: column.field.name(),
        });
        let shown = read.into_iter().take(SHOWN).map(|one| PreviewRow {
            line: one.line,
            cells: one.cells,
            errors: match one.row {
                Ok(row) => row.notes,
                Err(error) => vec![error],
            },
        });
        Ok(Ok(Preview {
            encoding: layout.encoding,
            delimiter: layout.delimiter,
            headings_line: layout.headings_line,
            columns: columns.collect(),
            rows: shown.collect(),
            dry_run,
        }))
    }

    async fn dry_run(&self, tenant: TenantKey, job: &Job, read: &[Read]) -> Result<DryRun, Error> {
        let mut trial = DryRun::default();
        let mut seen = std::collections::HashSet::new();
        for one in read {
            trial.rows += 1;
            let outcome = match &one.row {
                Err(error) => {
                    trial.errors.push(error.clone());
                    Outcome::Failed
                }
                Ok(row) => {
                    trial.errors.extend(row.notes.iter().cloned());
                    // Rows that share a weaker identity can be about different people.
                    let strongest = row.contact.identities.iter().min();
                    let is_repeated = strongest.is_some_and(|identity| !seen.insert(identity));
                    let found = self.contacts.find(tenant, &row.contact);
                    let is_known = is_repeated || found.await?.is_some();
                    match job.request.duplicate_rule {
                        _ if !is_known => Outcome::Created,
                        DuplicateRule::Skip => Outcome::Skipped,
                        DuplicateRule::Update | DuplicateRule::FillEmpty => Outcome::Updated,
                    }
                }
            };
            match outcome {
                Outcome::Created => trial.created += 1,
                Outcome::Updated => trial.updated += 1,
                Outcome::Skipped => trial.skipped += 1,
                Outcome::Failed => trial.failed += 1,
            }
        }
        Ok(trial)
    }
}

/// The first rows of a file whose beginning is known.
fn first_rows(body: &[u8], layout: &Layout, is_whole: bool) -> Vec<Read> {
    let cutter = layout.cutter();
    let (mut end, mut count) = (0, 0);
    while count < TRIED {
        let Found::Record(record) = cutter.next(body, end, is_whole) else {
            break;
        };
        count += usize::from(!cutter.is_blank(&body[record.start..record.end]));
        end = record.next;
    }
    rows::read(&body[..end], layout, layout.rows_line).collect()
}
