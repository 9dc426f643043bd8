//! Files that only their owner may read.

use std::path::Path;

use anyhow::{Context, Result};

/// Writes a file that holds secrets.
pub fn write(path: &Path, text: &str) -> Result<()> {
    use std::io::Write as _;
    // A new file each time, because an old file may be readable by others.
    let next = path.with_extension("next");
    let _ = std::fs::remove_file(&next);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options
        .open(&next)
        .with_context(|| format!("writing {}", next.display()))?;
    file.write_all(text.as_bytes())?;
    std::fs::rename(&next, path)?;
    Ok(())
}
