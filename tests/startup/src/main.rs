//! Starts a function's binary with a simulated Lambda Runtime API and measures the start.
//!
//! `startup-probe <function> [profile directory]` spawns `target/<profile>/<function>` 40 times with the
//! variables that the template gives it, waits for the first poll, and prints time and resident memory; then
//! hands one process an event that it must answer. No network beyond loopback, no AWS account.
//!
//! It prints figures and fails only when the binary does not poll or does not answer.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_yaml_ng::Value;

const STARTS: usize = 40;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let function = arguments
        .next()
        .context("usage: startup-probe <function> [profile directory]")?;
    let profile = arguments.next().unwrap_or_else(|| "release".to_owned());
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()?;
    let binary = root.join("target").join(profile).join(&function);
    let variables = variables(&root, &function)?;
    let listener = TcpListener::bind("127.0.0.1:0")?;

    let mut milliseconds = Vec::new();
    let mut kibibytes = Vec::new();
    for _ in 0..STARTS {
        let started = Instant::now();
        let mut process = Process(spawn(&binary, &variables, &listener)?);
        let poll = first_poll(&listener, &mut process)?;
        milliseconds.push(started.elapsed().as_secs_f64() * 1000.0);
        kibibytes.push(resident(&process)?);
        drop(poll);
    }
    answer_one(&binary, &variables, &listener)?;

    let (p50, p95) = (
        percentile(&mut milliseconds, 50),
        percentile(&mut milliseconds, 95),
    );
    let memory = percentile(&mut kibibytes, 95) / 1024.0;
    let size = std::fs::metadata(&binary)?.len() as f64 / (1024.0 * 1024.0);
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "| function | starts | p50 ms | p95 ms | resident p95 MiB | binary MiB |"
    )?;
    writeln!(out, "|---|---|---|---|---|---|")?;
    writeln!(
        out,
        "| {function} | {STARTS} | {p50:.1} | {p95:.1} | {memory:.1} | {size:.1} |"
    )?;
    Ok(())
}

/// A child process that ends with the probe.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to stop.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The names of the variables that the template gives the function.
fn variables(root: &Path, function: &str) -> Result<Vec<String>> {
    let path = root.join("template.yaml");
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let template: Value = serde_yaml_ng::from_str(&text)?;
    let resources = template["Resources"].as_mapping().into_iter().flatten();
    let mut properties = resources.map(|(_, resource)| &resource["Properties"]);
    let found = properties.find(|properties| properties["Handler"] == function);
    let found = found.with_context(|| format!("the template has no function {function}"))?;
    let names = found["Environment"]["Variables"].as_mapping();
    let names = names
        .into_iter()
        .flatten()
        .filter_map(|(name, _)| name.as_str());
    Ok(names.map(str::to_owned).collect())
}

fn spawn(binary: &PathBuf, variables: &[String], listener: &TcpListener) -> Result<Child> {
    let mut command = Command::new(binary);
    command
        .env_clear()
        .env("AWS_LAMBDA_RUNTIME_API", listener.local_addr()?.to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", "probe")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/probe")
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "probe")
        .env("AWS_REGION", "ap-southeast-1")
        .env("AWS_ACCESS_KEY_ID", "probe")
        .env("AWS_SECRET_ACCESS_KEY", "probe")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    for name in variables {
        let value = match name.as_str() {
            "EMAIL_SEND_RATE" => "14".to_owned(),
            name if name.ends_with("URL") => {
                "https://probe.example.com/000000000000/probe".to_owned()
            }
            _ => "probe-value-that-is-long-enough-for-a-secret".to_owned(),
        };
        command.env(name, value);
    }
    command
        .spawn()
        .with_context(|| binary.display().to_string())
}

/// Waits for `GET …/invocation/next`.
fn first_poll(listener: &TcpListener, process: &mut Process) -> Result<TcpStream> {
    listener.set_nonblocking(true)?;
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline {
        if let Ok((stream, _)) = listener.accept() {
            stream.set_nonblocking(false)?;
            let line = request_line(&stream)?.0;
            if line.contains("/runtime/invocation/next") {
                return Ok(stream);
            }
            bail!("expected a poll, got {line:?}");
        }
        if let Some(status) = process.0.try_wait()? {
            bail!("the function ended before its first poll: {status}");
        }
        std::thread::sleep(Duration::from_micros(50));
    }
    bail!("no poll within 20 s")
}

/// Reads one request: its first line and its body.
fn request_line(stream: &TcpStream) -> Result<(String, String)> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(':') else {
            break;
        };
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok((first, String::from_utf8_lossy(&body).into_owned()))
}

/// Delivers an event of no known shape; a healthy function answers with an error or a response.
fn answer_one(binary: &PathBuf, variables: &[String], listener: &TcpListener) -> Result<()> {
    let mut process = Process(spawn(binary, variables, listener)?);
    let mut stream = first_poll(listener, &mut process)?;
    let event = r#"{"probe":true}"#;
    let length = event.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nlambda-runtime-aws-request-id: probe-1\r\n\
         lambda-runtime-deadline-ms: 9999999999999\r\n\
         lambda-runtime-invoked-function-arn: arn:aws:lambda:ap-southeast-1:000000000000:function:probe\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{event}"
    )?;
    // The answer comes on this connection or on a new one.
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let (line, _) = request_line(&stream)?;
    if !line.contains("/runtime/invocation/probe-1/") {
        bail!("expected an answer to the event, got {line:?}");
    }
    Ok(())
}

fn resident(process: &Process) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.0.id()))?;
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .context("no VmRSS")?;
    Ok(line
        .split_whitespace()
        .nth(1)
        .context("no figure in VmRSS")?
        .parse()?)
}

fn percentile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() * percent / 100).min(values.len() - 1)]
}
