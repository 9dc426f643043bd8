//! The file of outcomes of an import, made of the outcomes of its slices in constant memory.

use cloud::Error;
use cloud::blobs::MIN_PART;
use kernel::TenantKey;

use super::importing::outcome_headings;
use super::job::Job;
use super::steps::{Imports, file_name};
use crate::joined;

/// Largest outcome of a slice that is read: a slice has a megabyte at most, and its lines have messages.
const MAX_OUTCOME: u64 = 16 * 1024 * 1024;

impl Imports {
    /// Adds a part to the file of outcomes. A repetition writes the same part.
    pub(super) async fn gather_outcomes(&self, tenant: TenantKey, job: Job) -> Result<Job, Error> {
        let mut next = job.next();
        let name = file_name(tenant, next.id, "outcome.csv");
        let mut text = Vec::new();
        if next.gathered == 0 {
            text.extend(
                next.layout
                    .as_ref()
                    .map(|layout| outcome_headings(layout, next.request.kind))
                    .unwrap_or_default()
                    .into_bytes(),
            );
        }
        while next.gathered < next.slices && text.len() < MIN_PART {
            let slice = file_name(tenant, next.id, &format!("outcome.{:08}", next.gathered));
            let part = self.files.range(&slice, 0, MAX_OUTCOME).await?;
            text.extend(part.map(|part| part.bytes).unwrap_or_default());
            next.gathered += 1;
        }
        let is_all = next.gathered == next.slices;
        next.upload = joined::append(&self.files, &name, next.upload.take(), text, is_all).await?;
        Ok(next)
    }
}
