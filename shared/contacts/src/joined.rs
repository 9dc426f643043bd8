//! A file in S3 that steps write one part after another, in constant memory.

use cloud::{Blobs, Error};

/// An upload in parts: its id, and the marks of its parts.
pub(crate) type Upload = Option<(String, Vec<String>)>;

/// Adds a part to the file. Every part but the last has at least [`cloud::blobs::MIN_PART`] bytes. A file of one part
/// is put at once. A repetition with the same state writes the same part.
pub(crate) async fn append(
    files: &Blobs,
    name: &str,
    upload: Upload,
    part: Vec<u8>,
    is_last: bool,
) -> Result<Upload, Error> {
    if upload.is_none() && is_last {
        files
            .put(name, "text/csv; charset=utf-8", part.into())
            .await?;
        return Ok(None);
    }
    let (id, mut marks) = match upload {
        Some(upload) => upload,
        None => (
            files.begin_parts(name, "text/csv; charset=utf-8").await?,
            Vec::new(),
        ),
    };
    marks.push(files.part(name, &id, marks.len() + 1, part.into()).await?);
    if is_last {
        files.complete_parts(name, &id, &marks).await?;
    }
    Ok(Some((id, marks)))
}
