//! The command line: `[--fresh] [--port 8787] [demo]`.

use std::path::{Path, PathBuf};

/// Help text of the program.
pub const USAGE: &str = "\
Usage: cargo run -- [--fresh] [--port <number>] [demo]

  (no command)      start the stack and serve until Ctrl-C
  demo              play the main job end to end, print what happened, and end
  --fresh           forget what earlier runs left in .local/
  --port <number>   API and console here, WebSocket API on the next port,
                    AWS endpoint on the one after (8787 if not given)
  --help            this text
";

const DEFAULT_PORT: u16 = 8787;

/// Command to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Serve until stopped.
    Serve,
    /// Play the demo.
    Demo,
    /// Print [`USAGE`].
    Help,
}

/// Parsed command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arguments {
    /// Command to run.
    pub command: Command,
    /// Forget earlier state.
    pub fresh: bool,
    /// First of the three ports.
    pub port: u16,
}

/// Reads the arguments after the program's name.
pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Arguments, String> {
    let mut out = Arguments {
        command: Command::Serve,
        fresh: false,
        port: DEFAULT_PORT,
    };
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (argument.as_str(), None),
        };
        match (name, value) {
            ("--fresh", None) => out.fresh = true,
            ("--port", value) => {
                let value = value.or_else(|| arguments.next()).unwrap_or_default();
                out.port = port(&value)?;
            }
            ("demo", None) if out.command == Command::Serve => out.command = Command::Demo,
            ("--help" | "-h", None) => out.command = Command::Help,
            _ => return Err(format!("unknown argument {argument:?}")),
        }
    }
    Ok(out)
}

fn port(text: &str) -> Result<u16, String> {
    let port = text.parse::<u16>().ok();
    // Two more ports follow the first.
    port.filter(|port| (1..=65_533).contains(port))
        .ok_or_else(|| format!("--port takes a number from 1 to 65533, not {text:?}"))
}

/// The project's folder: the nearest one upwards that holds `template.yaml`, or the one that this
/// program was built in.
pub fn project_root(current: &Path) -> Option<PathBuf> {
    let holds = |folder: &Path| folder.join("template.yaml").is_file();
    let nearest = current.ancestors().find(|folder| holds(folder));
    let built = || {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .find(|folder| holds(folder))
    };
    nearest.or_else(built).map(Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Result<Arguments, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn arguments_come_in_any_order() {
        let plain = of("").unwrap();
        assert_eq!(
            (plain.command, plain.fresh, plain.port),
            (Command::Serve, false, 8787)
        );
        let full = of("demo --port 9000 --fresh").unwrap();
        assert_eq!(
            (full.command, full.fresh, full.port),
            (Command::Demo, true, 9000)
        );
        assert_eq!(of("--port=9001").unwrap().port, 9001);
        assert_eq!(of("--help").unwrap().command, Command::Help);
    }

    #[test]
    fn wrong_arguments_are_named() {
        for (line, named) in [
            ("--prot 1", "--prot"),
            ("--port", "\"\""),
            ("--port 0", "\"0\""),
            ("--port 65534", "65534"),
            ("demo demo", "demo"),
            ("--fresh=yes", "--fresh=yes"),
        ] {
            let error = of(line).unwrap_err();
            assert!(error.contains(named), "{line}: {error}");
        }
    }
}
