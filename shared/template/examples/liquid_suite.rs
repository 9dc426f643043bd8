//! Runs the public test suite of Liquid (`golden_liquid.json` of jg-rp/golden-liquid), or measures templates.
//!
//! `liquid_suite golden_liquid.json [--failures]` prints `N of M`; M leaves out the tests of the tags `include`,
//! `render`, `tablerow`, `doc` and `liquid`, unless `--all` is given. `liquid_suite <folder>` renders each
//! `<folder>/<name>/index.liquid` with its `data.json` for two seconds and prints the renders per second.

use std::fmt::Write as _;
use std::hint::black_box;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};
use std::{env, fs, io};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;
use template::{Scope, Template};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const LEFT_OUT: [&str; 5] = ["include", "render", "tablerow", "doc", "liquid"];

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let path = arguments
        .iter()
        .find(|argument| !argument.starts_with("--"));
    let path = Path::new(path.ok_or("the path of a suite or a folder is missing")?);
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let out = if path.is_dir() {
        measure(path)?
    } else {
        check(path, has("--failures"), has("--all"))?
    };
    io::stdout().write_all(out.as_bytes())?;
    Ok(())
}

fn render(source: &str, data: &Value) -> Result<String> {
    let now = Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
    let scope = Scope {
        data,
        reserved: &[],
        now: &now,
    };
    Ok(Template::parse(source)?.render(&scope)?)
}

fn check(path: &Path, shows_failures: bool, takes_all: bool) -> Result<String> {
    let suite: Value = serde_json::from_slice(&fs::read(path)?)?;
    let (mut passed, mut all, mut failures) = (0, 0, String::new());
    for test in suite["tests"].as_array().ok_or("the suite has no tests")? {
        let source = test["template"].as_str().unwrap_or_default();
        let uses = |name: &str| {
            source.split("{%").skip(1).any(|tag| {
                let tag = tag.trim_start_matches('-').trim_start().strip_prefix(name);
                tag.is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
            })
        };
        if !takes_all && LEFT_OUT.iter().any(|name| uses(name)) {
            continue;
        }
        all += 1;
        let wanted: Vec<&str> = match &test["results"] {
            Value::Array(results) => results.iter().filter_map(Value::as_str).collect(),
            _ => test["result"].as_str().into_iter().collect(),
        };
        let got = render(source, &test["data"]);
        let is_right = match &got {
            Ok(text) => wanted.contains(&text.as_str()),
            Err(_) => test["invalid"] == true,
        };
        passed += usize::from(is_right);
        if shows_failures && !is_right {
            let name = &test["name"];
            writeln!(
                failures,
                "{name}\n  {source:?}\n  wanted {wanted:?}\n  got {got:?}"
            )?;
        }
    }
    Ok(format!("{failures}{passed} of {all}\n"))
}

fn measure(folder: &Path) -> Result<String> {
    let mut names: Vec<_> = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    names.sort_by_key(fs::DirEntry::file_name);
    let now = Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
    let mut out = String::new();
    for name in names {
        let source = fs::read_to_string(name.path().join("index.liquid"))?;
        let data: Value = serde_json::from_slice(&fs::read(name.path().join("data.json"))?)?;
        let (template, scope) = (
            Template::parse(&source)?,
            Scope {
                data: &data,
                reserved: &[],
                now: &now,
            },
        );
        let is_right = match fs::read_to_string(name.path().join("expected_result.txt")) {
            Ok(expected) => template.render(&scope)? == expected,
            Err(_) => true,
        };
        let (start, mut count) = (Instant::now(), 0_u32);
        while start.elapsed() < Duration::from_secs(2) {
            black_box(template.render(black_box(&scope))?);
            count += 1;
        }
        let rate = f64::from(count) / start.elapsed().as_secs_f64();
        let name = name.file_name();
        let note = if is_right { "" } else { ", other text" };
        writeln!(out, "{} {rate:.0} renders/s{note}", name.display())?;
    }
    Ok(out)
}
