//! Starts the local stack: `cargo run -- [--fresh] [--port 8787] [demo]`.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;

use anyhow::{Context, Result, bail};
use kernel::{Clock, Entropy};
use tanigo_local::aws::CountedLog;
use tanigo_local::cli::{self, Arguments, Command};
use tanigo_local::runtime::{LocalStack, Options, Ports};
use tanigo_local::{demo, seed};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

/// Two threads allocate without pause while a campaign is sent, and the system's allocator takes a sixth
/// of that time (docs/measurements.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A log larger than this is renamed at the next start.
const LARGEST_LOG: u64 = 64 * 1024 * 1024;

fn main() -> ExitCode {
    let arguments = match cli::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(message) => {
            eprintln!("{message}\n\n{}", cli::USAGE);
            return ExitCode::from(2);
        }
    };
    let done = match arguments.command {
        Command::Help => say(cli::USAGE),
        Command::Serve | Command::Demo => run(arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(arguments: Arguments) -> Result<()> {
    let current = std::env::current_dir()?;
    let root = cli::project_root(&current).context("there is no template.yaml here or above")?;
    let data = root.join(".local");
    // Held until the end, so that a second stack cannot write the same files.
    let _lock = lock(&data)?;
    if arguments.fresh {
        clear(&data)?;
    }
    log_to_file(&data)?;
    let stack = LocalStack::start(Options {
        root,
        data_dir: Some(data.clone()),
        ports: Some(Ports::from(arguments.port)),
        fault_hook: None,
        clock: Clock::system(),
        entropy: Entropy::system(),
    })
    .await?;
    seed::ensure(&stack, &data).await?;
    stack.set_ready();
    let result = match arguments.command {
        Command::Demo => demo::run(&stack)
            .await
            .and_then(|summary| say(&format!("\n{summary}"))),
        Command::Serve | Command::Help => serve(&stack).await,
    };
    stack.stop().await;
    result
}

async fn serve(stack: &LocalStack) -> Result<()> {
    say(&welcome(stack))?;
    tokio::signal::ctrl_c().await?;
    say("\nStopping; state stays in .local/\n")
}

fn welcome(stack: &LocalStack) -> String {
    let addresses = stack.addresses();
    let credentials = stack.credentials();
    let mut out = format!(
        "Tanigo is ready.\n\n  API        {0}\n  Console    {0}/_local/\n  WebSocket  {1}\n  AWS        {2}\n",
        addresses.api, addresses.websocket, addresses.aws
    );
    for (label, key) in [
        ("Email", "email"),
        ("Password", "password"),
        ("API key", "api_key"),
    ] {
        if let Some(value) = credentials.get(key).and_then(serde_json::Value::as_str) {
            let line = format!("  {label:<9}  {value}\n");
            out.push_str(&line);
        }
    }
    out.push_str(
        "\nMore in .local/credentials.json; the log is .local/log/stack.log. Ctrl-C stops.\n",
    );
    out
}

/// Takes the data folder for this process.
fn lock(data: &Path) -> Result<File> {
    fs::create_dir_all(data).with_context(|| format!("creating {}", data.display()))?;
    let file = File::create(data.join("stack.lock"))?;
    if file.try_lock().is_err() {
        bail!("another stack is running on {}", data.display());
    }
    Ok(file)
}

/// Removes everything in the data folder but this process's lock.
fn clear(data: &Path) -> Result<()> {
    for entry in fs::read_dir(data)? {
        let entry = entry?;
        if entry.file_name() == "stack.lock" {
            continue;
        }
        let path = entry.path();
        let removed = if entry.file_type()?.is_dir() {
            fs::remove_dir_all(&path)
        } else {
            fs::remove_file(&path)
        };
        removed.with_context(|| format!("removing {}", path.display()))?;
    }
    Ok(())
}

/// Sends the log to a file: the terminal shows only text for a person.
fn log_to_file(data: &Path) -> Result<()> {
    let folder = data.join("log");
    fs::create_dir_all(&folder)?;
    let path = folder.join("stack.log");
    if fs::metadata(&path).is_ok_and(|file| file.len() > LARGEST_LOG) {
        fs::rename(&path, folder.join("stack.log.old"))?;
    }
    let file = File::options().create(true).append(true).open(&path)?;
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_writer(Mutex::new(CountedLog(file)));
    let filter = Targets::new()
        .with_default(LevelFilter::INFO)
        .with_target("metrics", LevelFilter::DEBUG);
    let subscriber = tracing_subscriber::registry().with(lines.with_filter(filter));
    subscriber.init();
    Ok(())
}

fn say(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}
