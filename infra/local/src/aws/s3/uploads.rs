//! Multipart uploads. Parts are kept in memory: an upload does not outlive the process.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::CompletedPart;
use s3s::{S3Result, s3_error};

use super::store::Object;

/// Smallest part but for the last, bytes.
const SMALLEST_PART: usize = 5 * 1024 * 1024;
/// Highest number of a part.
const MOST_PARTS: i32 = 10_000;

/// The uploads under way.
#[derive(Default)]
pub(super) struct Uploads(Mutex<(u64, BTreeMap<String, Upload>)>);

/// An upload under way.
struct Upload {
    bucket: String,
    key: String,
    object: Object,
    parts: BTreeMap<i32, Part>,
}

/// A part of an upload.
#[derive(Clone)]
pub(super) struct Part {
    pub body: Bytes,
    pub md5: [u8; 16],
    pub sums: BTreeMap<String, String>,
    /// When it was written, epoch milliseconds.
    pub modified: i64,
}

impl Part {
    pub fn e_tag(&self) -> String {
        hex::encode(self.md5)
    }
}

impl Uploads {
    /// Begins an upload of the object; gives its id.
    pub fn begin(&self, bucket: &str, key: &str, object: Object) -> String {
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        let upload = Upload {
            bucket,
            key,
            object,
            parts: BTreeMap::new(),
        };
        let mut state = self.lock();
        state.0 += 1;
        let id = format!("upload-{:08}", state.0);
        state.1.insert(id.clone(), upload);
        id
    }

    /// Adds or replaces a part.
    pub fn add(&self, at: (&str, &str, &str), number: i32, part: Part) -> S3Result<()> {
        if !(1..=MOST_PARTS).contains(&number) {
            return Err(s3_error!(
                InvalidArgument,
                "Part number must be an integer between 1 and {MOST_PARTS}, inclusive"
            ));
        }
        let mut state = self.lock();
        upload(&mut state.1, at)?.parts.insert(number, part);
        Ok(())
    }

    /// The parts so far.
    pub fn parts(&self, at: (&str, &str, &str)) -> S3Result<BTreeMap<i32, Part>> {
        let mut state = self.lock();
        Ok(upload(&mut state.1, at)?.parts.clone())
    }

    /// The object and its body, of the parts named.
    pub fn joined(
        &self,
        at: (&str, &str, &str),
        named: &[CompletedPart],
    ) -> S3Result<(Object, Bytes)> {
        let mut state = self.lock();
        let upload = upload(&mut state.1, at)?;
        let number = |part: &CompletedPart| part.part_number.unwrap_or_default();
        if !named.is_sorted_by(|one, next| number(one) < number(next)) {
            return Err(s3_error!(InvalidPartOrder));
        }
        let (mut body, mut digests) = (BytesMut::new(), Vec::new());
        for (index, part) in named.iter().enumerate() {
            let tag = part.e_tag.as_ref().map(s3s::dto::ETag::value);
            let found = upload.parts.get(&number(part));
            let found = found.filter(|part| tag == Some(part.e_tag().as_str()));
            let found = found.ok_or_else(|| s3_error!(InvalidPart))?;
            if index + 1 < named.len() && found.body.len() < SMALLEST_PART {
                return Err(s3_error!(EntityTooSmall));
            }
            body.extend_from_slice(&found.body);
            digests.extend_from_slice(&found.md5);
        }
        if named.is_empty() {
            return Err(s3_error!(MalformedXML));
        }
        let mut object = upload.object.clone();
        object.e_tag = format!("{}-{}", hex::encode(Md5::checksum(&digests)), named.len());
        Ok((object, body.freeze()))
    }

    /// Ends an upload and drops its parts.
    pub fn end(&self, at: (&str, &str, &str)) -> S3Result<()> {
        let mut state = self.lock();
        upload(&mut state.1, at)?;
        state.1.remove(at.2);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, (u64, BTreeMap<String, Upload>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The upload with this bucket, key and id.
fn upload<'a>(
    uploads: &'a mut BTreeMap<String, Upload>,
    (bucket, key, id): (&str, &str, &str),
) -> S3Result<&'a mut Upload> {
    let found = uploads.get_mut(id);
    let found = found.filter(|upload| upload.bucket == bucket && upload.key == key);
    found.ok_or_else(|| s3_error!(NoSuchUpload, "The specified upload does not exist."))
}
