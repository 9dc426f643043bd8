//! An append-only log of JSON lines, replayed when the stack starts again.
//!
//! Each entry is one `write`, so an entry survives a crash of the process. The file is not synced, so a
//! power cut may lose the last seconds. A line that a crash cut short is dropped at the next open.
//! Without a path nothing is kept.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A log below this size is never rewritten.
const SMALLEST_REWRITE: u64 = 32 * 1024 * 1024;

/// The log of one service.
#[derive(Debug)]
pub(super) struct Journal {
    file: Option<(PathBuf, File)>,
    /// Bytes in the file.
    size: u64,
    /// Bytes right after the last rewrite.
    base: u64,
    line: Vec<u8>,
}

impl Journal {
    /// A log that keeps nothing.
    pub fn none() -> Self {
        Self {
            file: None,
            size: 0,
            base: 0,
            line: Vec::new(),
        }
    }

    /// Opens the log and gives every entry in it to `replay`, oldest first.
    pub fn open<T: DeserializeOwned>(
        path: Option<PathBuf>,
        mut replay: impl FnMut(T),
    ) -> anyhow::Result<Self> {
        let mut journal = Self::none();
        let Some(path) = path else {
            return Ok(journal);
        };
        let kept = replay_file(&path, &mut replay)?;
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .with_context(|| format!("opening {}", path.display()))?;
        file.set_len(kept)?;
        journal.size = kept;
        journal.base = kept;
        journal.file = Some((path, file));
        Ok(journal)
    }

    /// Appends one entry.
    pub fn append(&mut self, entry: &impl Serialize) -> std::io::Result<()> {
        self.push(entry)?;
        self.flush()
    }

    /// Adds an entry to those that the next [`flush`](Self::flush) writes.
    pub fn push(&mut self, entry: &impl Serialize) -> std::io::Result<()> {
        if self.file.is_some() {
            serde_json::to_writer(&mut self.line, entry)?;
            self.line.push(b'\n');
        }
        Ok(())
    }

    /// Writes the pushed entries with one call.
    pub fn flush(&mut self) -> std::io::Result<()> {
        let Some((_, file)) = &mut self.file else {
            return Ok(());
        };
        let written = file.write_all(&self.line);
        if written.is_ok() {
            self.size += self.line.len() as u64;
        } else {
            // Half a line (disk full) must not stay before the next line.
            file.set_len(self.size)?;
        }
        self.line.clear();
        written
    }

    /// Whether the log has grown enough since the last rewrite to rewrite it again.
    pub fn wants_rewrite(&self) -> bool {
        self.size > SMALLEST_REWRITE.max(self.base * 3)
    }

    /// Replaces the log with `entries`, which must hold all current state.
    pub fn rewrite<T: Serialize>(
        &mut self,
        entries: impl IntoIterator<Item = T>,
    ) -> std::io::Result<()> {
        let Some((path, _)) = &self.file else {
            return Ok(());
        };
        let path = path.clone();
        let fresh = path.with_extension("new");
        let mut writer = BufWriter::new(File::create(&fresh)?);
        for entry in entries {
            serde_json::to_writer(&mut writer, &entry)?;
            writer.write_all(b"\n")?;
        }
        let file = writer
            .into_inner()
            .map_err(std::io::IntoInnerError::into_error)?;
        file.sync_data()?;
        std::fs::rename(&fresh, &path)?;
        let file = OpenOptions::new().append(true).open(&path)?;
        self.size = file.metadata()?.len();
        self.base = self.size;
        self.file = Some((path, file));
        Ok(())
    }
}

/// Replays whole lines; returns how many bytes of the file they are.
fn replay_file<T: DeserializeOwned>(
    path: &Path,
    replay: &mut impl FnMut(T),
) -> anyhow::Result<u64> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
    };
    let mut kept = 0;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        if line.last() != Some(&b'\n') {
            break;
        }
        let entry = serde_json::from_slice(line)
            .with_context(|| format!("{} is damaged at byte {kept}", path.display()))?;
        replay(entry);
        kept += line.len() as u64;
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(path: &Path) -> Vec<u32> {
        let mut seen = Vec::new();
        Journal::open(Some(path.to_owned()), |n: u32| seen.push(n)).unwrap();
        seen
    }

    #[test]
    fn a_line_cut_short_is_dropped_and_the_log_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut journal = Journal::open(Some(path.clone()), |_: u32| ()).unwrap();
        for n in [1, 22, 333] {
            journal.push(&n).unwrap();
        }
        journal.flush().unwrap();
        drop(journal);
        OpenOptions::new()
            .append(true)
            .open(&path)
            .unwrap()
            .write_all(b"44")
            .unwrap();
        let mut journal = Journal::open(Some(path.clone()), |_: u32| ()).unwrap();
        journal.append(&5).unwrap();
        assert_eq!(entries(&path), [1, 22, 333, 5]);
        journal.rewrite([7, 8]).unwrap();
        journal.append(&9).unwrap();
        assert_eq!(entries(&path), [7, 8, 9]);
    }
}
