//! The data folder: only its owner can read it, one process uses it, and it holds the tables' file.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use dynoxide::Database;
use kernel::Clock;

/// Time for the engine's expiry sweep.
struct EngineClock(Clock);

impl dynoxide::storage_backend::Clock for EngineClock {
    fn now_unix_secs(&self) -> u64 {
        u64::try_from(self.0.now().as_second()).unwrap_or(0)
    }

    fn now_unix_secs_f64(&self) -> f64 {
        self.0.now_ms() as f64 / 1000.0
    }
}

/// Makes the folder if it is absent, for its owner alone: customers' data is in it.
pub(super) fn private(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    #[cfg(unix)]
    std::fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    Ok(())
}

/// Two processes that append to the same logs would damage the logs.
pub(super) fn lock(folder: &Path) -> anyhow::Result<File> {
    let file = File::create(folder.join("lock"))?;
    let taken = file.try_lock();
    taken.with_context(|| format!("{} is in use by another stack", folder.display()))?;
    Ok(file)
}

pub(super) fn database(folder: Option<&Path>, clock: &Clock) -> anyhow::Result<Database> {
    let Some(folder) = folder else {
        let clock = Arc::new(EngineClock(clock.clone()));
        return Ok(Database::memory_with_clock(clock)?);
    };
    let path = folder.join("dynamodb.sqlite");
    let path = path
        .to_str()
        .context("the data folder's path is not UTF-8")?;
    let db = Database::new(path)?;
    #[cfg(unix)]
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    // The engine opens the file in WAL mode. This call sets `synchronous` to NORMAL, so that a commit
    // does not wait for the disk. A commit survives a crash of the process, as with any WAL.
    db.disable_bulk_loading()?;
    Ok(db)
}
