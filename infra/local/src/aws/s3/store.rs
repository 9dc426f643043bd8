//! Buckets and objects: an index in memory and in a log, and each body in a file of its own.
//!
//! A file is named by a number and never by a key, so no key leaves the folder or collides with another. The log
//! names a body once the file is written; at a start, files that the log does not name are removed.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use kernel::Clock;
use s3s::{S3Result, s3_error};
use serde::{Deserialize, Serialize};

use super::super::journal::Journal;

/// Longest key, bytes.
const LONGEST_KEY: usize = 1024;

/// The buckets of the account.
pub(super) struct Store {
    folder: PathBuf,
    clock: Clock,
    state: Mutex<State>,
}

struct State {
    buckets: BTreeMap<String, Bucket>,
    next: u64,
    journal: Journal,
}

/// A bucket.
#[derive(Default)]
struct Bucket {
    created: i64,
    objects: BTreeMap<String, Object>,
}

/// An object without its key and body.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Object {
    /// Number of the file that holds the body.
    pub file: u64,
    /// Bytes.
    pub size: u64,
    /// Entity tag without quotes.
    pub e_tag: String,
    /// When it was written, epoch milliseconds.
    pub modified: i64,
    /// Headers that its reader is sent, by name: `content-type` and others.
    pub headers: BTreeMap<String, String>,
    /// Metadata of the writer.
    pub metadata: BTreeMap<String, String>,
    /// Checksums that the writer asked for, base64 by algorithm.
    pub sums: BTreeMap<String, String>,
}

/// A page of a list.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub objects: Vec<(String, Object)>,
    /// Beginnings of keys up to the delimiter.
    pub groups: Vec<String>,
    /// Position at which the next page begins.
    pub next: Option<String>,
}

#[derive(Serialize, Deserialize)]
enum Entry<'a> {
    /// Bucket made, at this time.
    #[serde(rename = "b")]
    Bucket(Cow<'a, str>, i64),
    /// Empty bucket deleted.
    #[serde(rename = "x")]
    NoBucket(Cow<'a, str>),
    /// Object written.
    #[serde(rename = "p")]
    Put(Cow<'a, str>, Cow<'a, str>, Cow<'a, Object>),
    /// Object deleted.
    #[serde(rename = "d")]
    Gone(Cow<'a, str>, Cow<'a, str>),
}

impl Store {
    /// Opens the buckets whose bodies are in `folder` and whose index is in `log`.
    pub fn open(folder: PathBuf, log: Option<PathBuf>, clock: Clock) -> anyhow::Result<Self> {
        let mut buckets = BTreeMap::new();
        let journal = Journal::open(log, |entry| replay(&mut buckets, entry))?;
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("creating {}", folder.display()))?;
        let objects = buckets
            .values()
            .flat_map(|bucket: &Bucket| bucket.objects.values());
        let known: BTreeSet<u64> = objects.map(|object| object.file).collect();
        for file in std::fs::read_dir(&folder)? {
            let file = file?;
            let number = file.file_name().to_str().and_then(|name| name.parse().ok());
            if number.is_some_and(|number| !known.contains(&number)) {
                std::fs::remove_file(file.path())?;
            }
        }
        let next = known.last().map_or(0, |last| last + 1);
        let state = Mutex::new(State {
            buckets,
            next,
            journal,
        });
        Ok(Self {
            folder,
            clock,
            state,
        })
    }

    /// The time of the service, epoch milliseconds.
    pub fn now(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Names of the buckets, and when each was made.
    pub fn buckets(&self) -> Vec<(String, i64)> {
        let state = self.lock();
        let buckets = state.buckets.iter();
        buckets
            .map(|(name, bucket)| (name.clone(), bucket.created))
            .collect()
    }

    /// Makes a bucket; false when it exists.
    pub fn make(&self, bucket: &str) -> std::io::Result<bool> {
        let mut state = self.lock();
        if state.buckets.contains_key(bucket) {
            return Ok(false);
        }
        let entry = Entry::Bucket(Cow::Borrowed(bucket), self.clock.now_ms());
        state.journal.append(&entry)?;
        replay(&mut state.buckets, entry);
        Ok(true)
    }

    /// Removes an empty bucket.
    pub fn unmake(&self, bucket: &str) -> S3Result<()> {
        let mut state = self.lock();
        if !state.bucket(bucket)?.objects.is_empty() {
            return Err(s3_error!(
                BucketNotEmpty,
                "The bucket you tried to delete is not empty"
            ));
        }
        let entry = Entry::NoBucket(Cow::Borrowed(bucket));
        state.journal.append(&entry).map_err(failed)?;
        replay(&mut state.buckets, entry);
        Ok(())
    }

    /// Refuses a bucket that does not exist.
    pub fn check(&self, bucket: &str) -> S3Result<()> {
        self.lock().bucket(bucket).map(|_| ())
    }

    /// An object without its body.
    pub fn head(&self, bucket: &str, key: &str) -> S3Result<Object> {
        let state = self.lock();
        let object = state.bucket(bucket)?.objects.get(key);
        let object =
            object.ok_or_else(|| s3_error!(NoSuchKey, "The specified key does not exist."))?;
        Ok(object.clone())
    }

    /// The object with its body.
    pub fn get(&self, bucket: &str, key: &str) -> S3Result<(Object, Vec<u8>)> {
        let object = self.head(bucket, key)?;
        // A concurrent writer may remove this file between the two steps: then there is a newer object.
        match std::fs::read(self.path(object.file)) {
            Ok(body) => Ok((object, body)),
            Err(error) if self.head(bucket, key)? == object => Err(failed(error)),
            Err(_) => self.get(bucket, key),
        }
    }

    /// Writes an object, unless `check` refuses the object that would be replaced.
    pub fn put(
        &self,
        bucket: &str,
        key: &str,
        mut object: Object,
        body: &[u8],
        check: impl FnOnce(Option<&Object>) -> S3Result<()>,
    ) -> S3Result<Object> {
        if key.len() > LONGEST_KEY {
            return Err(s3_error!(KeyTooLongError, "Your key is too long"));
        }
        let mut state = self.lock();
        let old = state.bucket(bucket)?.objects.get(key);
        check(old)?;
        let old = old.map(|old| old.file);
        object.file = state.next;
        object.size = body.len() as u64;
        object.modified = self.clock.now_ms();
        state.next += 1;
        std::fs::write(self.path(object.file), body).map_err(failed)?;
        let entry = Entry::Put(
            Cow::Borrowed(bucket),
            Cow::Borrowed(key),
            Cow::Borrowed(&object),
        );
        state.journal.append(&entry).map_err(failed)?;
        replay(&mut state.buckets, entry);
        self.remove(old);
        Ok(object)
    }

    /// Removes an object if it exists.
    pub fn delete(&self, bucket: &str, key: &str) -> S3Result<()> {
        let mut state = self.lock();
        let Some(old) = state.bucket(bucket)?.objects.get(key) else {
            return Ok(());
        };
        let old = old.file;
        let entry = Entry::Gone(Cow::Borrowed(bucket), Cow::Borrowed(key));
        state.journal.append(&entry).map_err(failed)?;
        replay(&mut state.buckets, entry);
        self.remove(Some(old));
        Ok(())
    }

    /// At most `most` keys and groups after `after`, in order. Keys that hold the delimiter after the prefix
    /// are shown as their group.
    pub fn list(
        &self,
        bucket: &str,
        prefix: &str,
        delimiter: Option<&str>,
        after: &str,
        most: usize,
    ) -> S3Result<Page> {
        let state = self.lock();
        let objects = &state.bucket(bucket)?.objects;
        let mut page = Page::default();
        let mut last = after.to_owned();
        let from = (Bound::Excluded(after), Bound::Unbounded);
        for (key, object) in objects.range::<str, _>(from) {
            let Some(rest) = key.strip_prefix(prefix) else {
                continue;
            };
            let end = delimiter.and_then(|delimiter| Some(rest.find(delimiter)? + delimiter.len()));
            let shown = end.map_or(key.as_str(), |end| &key[..prefix.len() + end]);
            if shown == last {
                continue;
            }
            if page.objects.len() + page.groups.len() == most {
                page.next = (most > 0).then_some(last);
                break;
            }
            shown.clone_into(&mut last);
            if end.is_some() {
                page.groups.push(last.clone());
            } else {
                page.objects.push((key.clone(), object.clone()));
            }
        }
        Ok(page)
    }

    fn path(&self, file: u64) -> PathBuf {
        self.folder.join(file.to_string())
    }

    /// A file that stays is removed at the next start.
    fn remove(&self, file: Option<u64>) {
        let removed = file.map_or(Ok(()), |file| std::fs::remove_file(self.path(file)));
        if let Err(error) = removed {
            tracing::warn!(%error, "object body not removed");
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn bucket(&self, name: &str) -> S3Result<&Bucket> {
        let bucket = self.buckets.get(name);
        bucket.ok_or_else(|| s3_error!(NoSuchBucket, "The specified bucket does not exist"))
    }
}

fn replay(buckets: &mut BTreeMap<String, Bucket>, entry: Entry<'_>) {
    match entry {
        Entry::Bucket(name, created) => {
            buckets.entry(name.into_owned()).or_default().created = created;
        }
        Entry::NoBucket(name) => {
            buckets.remove(&*name);
        }
        Entry::Put(bucket, key, object) => {
            let bucket = buckets.entry(bucket.into_owned()).or_default();
            bucket.objects.insert(key.into_owned(), object.into_owned());
        }
        Entry::Gone(bucket, key) => {
            let bucket = buckets.entry(bucket.into_owned()).or_default();
            bucket.objects.remove(&*key);
        }
    }
}

fn failed(error: std::io::Error) -> s3s::S3Error {
    s3_error!(error, InternalError)
}
