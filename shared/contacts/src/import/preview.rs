//! The preview of an import: the file as it is understood, its first rows, the cells that would not be taken, and a
//! trial of the first hundred rows.

use cloud::Error;
use kernel::TenantKey;
use serde::Serialize;

use super::encoding::Encoding;
use super::error::{FileError, RowError};
use super::importing::{Fate, Goods, Outcome, unfit};
use super::job::{DuplicateRule, Job, Kind};
use super::layout::{HEAD, Layout, Placed};
use super::records::Found;
use super::rows::{self, Line, Read};
use super::steps::{Imports, file_name};
use super::values::plain;

/// Rows that a preview shows.
const SHOWN: usize = 10;
/// Rows of a trial.
const TRIED: usize = 100;
/// Cells of a column that a preview shows.
const EXAMPLES: usize = 3;
/// Characters of such a cell.
const EXAMPLE_TEXT: usize = 100;

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
    /// Its cells that would not be taken as they are, among the rows that were read.
    pub left_out: u64,
    /// The first three of them.
    pub examples: Vec<LeftOut>,
}

/// A cell that would not be taken as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = ImportPreviewCell)]
pub struct LeftOut {
    /// The line of its row.
    pub line: u64,
    /// Its text, at most 100 characters.
    pub cell: String,
    /// The expected value.
    pub message: String,
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
    /// The line of its headings; 0 without headings.
    pub headings_line: u64,
    /// Its columns.
    pub columns: Vec<PreviewColumn>,
    /// Its first ten rows.
    pub rows: Vec<PreviewRow>,
    /// The trial of its first hundred rows.
    pub dry_run: DryRun,
    /// Rows whose cells were read: those in the first 512 KB of the file.
    pub checked_rows: u64,
    /// Whether these are all rows of the file.
    pub is_checked_whole: bool,
}

impl Imports {
    /// The preview of the import. Reads up to three identities of a hundred rows. `goods` looks up orders and products.
    pub async fn preview<G, Fut>(
        &self,
        tenant: TenantKey,
        job: &Job,
        goods: G,
    ) -> Result<Result<Preview, FileError>, Error>
    where
        G: Fn(Goods) -> Fut,
        Fut: Future<Output = Result<Vec<Fate>, Error>>,
    {
        let Some(head) = self
            .files
            .range(&file_name(tenant, job.id, "csv"), 0, HEAD)
            .await?
        else {
            return Ok(Err(FileError::Missing));
        };
        let is_whole = head.total <= HEAD;
        let layout = match Layout::asked(&head.bytes, is_whole, &job.request) {
            Ok(layout) => layout,
            Err(error) => return Ok(Err(error)),
        };
        let body = head
            .bytes
            .get(layout.rows_at as usize..)
            .unwrap_or_default();
        let end = whole_records(body, &layout, is_whole);
        if job.request.kind != Kind::Contacts {
            let lines = rows::lines(&body[..end], &layout, layout.rows_line).collect();
            let asked = Goods {
                tenant,
                job: job.clone(),
                layout,
                lines,
                trial: Some(TRIED),
            };
            let fates = goods(asked.clone()).await?;
            return Ok(Ok(preview_of(asked, fates, is_whole)));
        }
        let definitions = self.fields.recent(tenant).await?;
        let mut columns: Vec<PreviewColumn> =
            layout.columns.iter().map(PreviewColumn::of).collect();
        let (mut first, mut checked_rows) = (Vec::new(), 0);
        for mut one in rows::read(&body[..end], &layout, layout.rows_line) {
            checked_rows += 1;
            if let Ok(row) = &mut one.row {
                let faults = definitions.apply(&mut row.contact.custom);
                row.notes.extend(unfit(row.line, faults));
            }
            let told = match &one.row {
                Ok(row) => row.notes.as_slice(),
                Err(error) => std::slice::from_ref(error),
            };
            note(&mut columns, one.line, &one.cells, told);
            if first.len() < TRIED {
                first.push(one);
            }
        }
        let dry_run = self.dry_run(tenant, job, &first).await?;
        let shown = first.into_iter().take(SHOWN).map(|one| PreviewRow {
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
            columns,
            rows: shown.collect(),
            dry_run,
            checked_rows,
            is_checked_whole: is_whole,
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
            trial.count(outcome);
        }
        Ok(trial)
    }
}

impl DryRun {
    fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Created => self.created += 1,
            Outcome::Updated => self.updated += 1,
            Outcome::Skipped => self.skipped += 1,
            Outcome::Failed => self.failed += 1,
        }
    }
}

/// The preview of a file of orders or products, whose lines have these fates.
fn preview_of(asked: Goods, fates: Vec<Fate>, is_whole: bool) -> Preview {
    let Goods { layout, lines, .. } = asked;
    let mut columns: Vec<PreviewColumn> = layout.columns.iter().map(PreviewColumn::of).collect();
    let (mut rows, mut dry_run) = (Vec::new(), DryRun::default());
    let checked_rows = lines.len() as u64;
    for (n, (Line { line, cells, .. }, fate)) in lines.into_iter().zip(fates).enumerate() {
        note(&mut columns, line, &cells, &fate.told);
        if n < TRIED {
            dry_run.rows += 1;
            dry_run.count(fate.outcome);
            dry_run.errors.extend(fate.told.iter().cloned());
        }
        if n < SHOWN {
            rows.push(PreviewRow {
                line,
                cells,
                errors: fate.told,
            });
        }
    }
    Preview {
        encoding: layout.encoding,
        delimiter: layout.delimiter,
        headings_line: layout.headings_line,
        columns,
        rows,
        dry_run,
        checked_rows,
        is_checked_whole: is_whole,
    }
}

impl PreviewColumn {
    fn of(column: &Placed) -> Self {
        Self {
            heading: column.heading.clone(),
            key: super::columns::normal(&column.heading),
            field: column.field.name(),
            left_out: 0,
            examples: Vec::new(),
        }
    }
}

/// Counts the cells of a row that would not be taken.
fn note(columns: &mut [PreviewColumn], line: u64, cells: &[String], told: &[RowError]) {
    for one in told {
        let Some(field) = &one.column else { continue };
        let cell = |n: usize| cells.get(n).map(|cell| plain(cell));
        // Of two columns of one field, the one that has a cell in this row.
        let place = columns.iter().enumerate().position(|(n, column)| {
            column.field == *field && cell(n).is_some_and(|cell| !cell.is_empty())
        });
        let Some(place) = place else { continue };
        let column = &mut columns[place];
        column.left_out += 1;
        if column.examples.len() < EXAMPLES {
            let text = cell(place).unwrap_or_default();
            column.examples.push(LeftOut {
                line,
                cell: text.chars().take(EXAMPLE_TEXT).collect(),
                message: one.message.clone(),
            });
        }
    }
}

/// Where the last whole record of the head of a file ends.
fn whole_records(body: &[u8], layout: &Layout, is_whole: bool) -> usize {
    let cutter = layout.cutter();
    let mut end = 0;
    while let Found::Record(record) = cutter.next(body, end, is_whole) {
        end = record.next;
    }
    end
}
