//! Allowed dependencies between our crates, checked on the resolved tree.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::LazyLock;

use cargo_metadata::{Dependency, DependencyKind, Metadata, MetadataCommand, Package, Target};

use crate::assert_none;
use crate::template::{list, project};

/// Crates of ours that each crate under `shared/` may use. `kernel` and `cloud` are listed only where allowed, so
/// that a pure crate stays pure.
const SHARED: &[(&str, &[&str])] = &[
    ("access", &["kernel"]),
    ("accounts", &["kernel", "cloud"]),
    (
        "campaigns",
        &[
            "kernel", "cloud", "accounts", "segments", "channels", "contacts", "content",
        ],
    ),
    ("channels", &["kernel", "cloud", "contacts", "content"]),
    ("chat", &["kernel", "cloud", "contacts", "channels"]),
    ("cloud", &["kernel"]),
    ("commerce", &["kernel", "cloud", "contacts"]),
    ("contacts", &["kernel", "cloud"]),
    ("content", &["kernel", "template"]),
    ("forms", &["kernel", "cloud", "contacts", "sources"]),
    ("tracking", &["kernel", "cloud", "contacts"]),
    (
        "intake",
        &["kernel", "cloud", "accounts", "lambda", "sources"],
    ),
    ("kernel", &[]),
    ("lambda", &["kernel", "cloud"]),
    ("segments", &["kernel", "cloud", "commerce", "contacts"]),
    (
        "sending",
        &[
            "kernel",
            "cloud",
            "accounts",
            "campaigns",
            "channels",
            "lambda",
        ],
    ),
    ("sources", &["kernel", "cloud"]),
    ("template", &[]),
    ("webhooks", &["kernel", "cloud", "accounts", "contacts"]),
    (
        "workflows",
        &[
            "kernel", "cloud", "segments", "channels", "commerce", "contacts",
        ],
    ),
];

/// An older HTTP and TLS stack, and sign-on that no function needs: defaults of the SDK that come
/// back as soon as one crate asks for them.
const ABSENT: &[(&str, &str)] = &[
    ("hyper", "0.14."),
    ("rustls", "0.21."),
    ("aws-sdk-sso", ""),
    ("aws-sdk-ssooidc", ""),
];

static METADATA: LazyLock<Metadata> = LazyLock::new(|| {
    let mut command = MetadataCommand::new();
    command.manifest_path(project().join("Cargo.toml"));
    command.exec().unwrap()
});

/// Folder of a workspace member, relative to the root: `shared/kernel`.
fn folder(package: &Package) -> String {
    let manifest = package.manifest_path.parent().unwrap();
    let root = &METADATA.workspace_root;
    manifest
        .strip_prefix(root)
        .map(ToString::to_string)
        .unwrap_or_default()
}

/// Members of the workspace by name.
fn members() -> BTreeMap<String, &'static Package> {
    let members = METADATA.workspace_packages().into_iter();
    members
        .map(|package| (package.name.to_string(), package))
        .collect()
}

/// Names of the packages that a package is built from; packages for its tests only are left out.
fn uses(package: &Package) -> BTreeSet<String> {
    let dependencies = package.dependencies.iter();
    dependencies
        .filter(|dependency| dependency.kind != DependencyKind::Development)
        .map(|dependency| dependency.name.clone())
        .collect()
}

#[test]
fn shared_crates_follow_the_table() {
    let members = members();
    let mut violations = Vec::new();
    for (name, package) in &members {
        let folder = folder(package);
        if !folder.starts_with("shared/") {
            continue;
        }
        let allowed = SHARED.iter().find(|(crate_name, _)| crate_name == name);
        let Some((_, allowed)) = allowed else {
            violations.push(format!("{folder} is not in the table"));
            continue;
        };
        for used in uses(package) {
            if members.contains_key(&used) && !allowed.contains(&used.as_str()) {
                violations.push(format!("{name} uses {used}"));
            }
        }
    }
    assert_none("arrows between shared crates", &violations);
}

#[test]
fn functions_use_contexts_and_never_each_other() {
    let members = members();
    let mut violations = Vec::new();
    for (name, package) in &members {
        if !folder(package).starts_with("functions/") {
            continue;
        }
        let used = uses(package);
        if !used.contains("lambda") {
            violations.push(format!("{name} is not run by lambda"));
        }
        for other in used.iter().filter_map(|used| members.get(used)) {
            if !folder(other).starts_with("shared/") {
                violations.push(format!("{name} uses {}", folder(other)));
            }
        }
    }
    assert_none("functions", &violations);
}

#[test]
fn one_crate_imports_the_sdk_and_one_the_runtime() {
    let mut violations = Vec::new();
    for (name, package) in members() {
        if folder(package).starts_with("infra/") || folder(package).starts_with("tests/") {
            continue;
        }
        for used in uses(package) {
            if used.starts_with("aws-sdk-") && name != "cloud" {
                violations.push(format!("{name} imports {used}"));
            }
            if matches!(used.as_str(), "lambda_runtime" | "lambda_http") && name != "lambda" {
                violations.push(format!("{name} imports {used}"));
            }
        }
    }
    assert_none("importers", &violations);
}

#[test]
fn the_older_http_stack_stays_out() {
    let resolved = METADATA.resolve.as_ref().unwrap();
    let ids: BTreeSet<_> = resolved.nodes.iter().map(|node| &node.id).collect();
    let mut violations = Vec::new();
    for package in METADATA
        .packages
        .iter()
        .filter(|package| ids.contains(&package.id))
    {
        let version = package.version.to_string();
        let found = ABSENT
            .iter()
            .any(|(name, start)| package.name.as_str() == *name && version.starts_with(start));
        if found {
            violations.push(format!("{} {version}", package.name));
        }
    }
    assert_none("crates that must not be linked", &violations);
}

/// Packages with their features as cargo would build them with these arguments.
fn feature_sets(arguments: &[&str]) -> BTreeSet<String> {
    let output = std::process::Command::new(env!("CARGO"))
        .current_dir(project())
        .args([
            "tree", "--locked", "--prefix", "none", "--format", "{p} {f}",
        ])
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let lines = String::from_utf8(output.stdout).unwrap();
    let bare = |line: &str| line.replace(" (*)", "").replace(" (proc-macro)", "");
    lines.lines().map(bare).collect()
}

/// If one feature set has one feature more, each AWS SDK is built twice on a fresh machine.
#[test]
fn the_local_stack_and_the_tests_build_the_same_dependencies() {
    let tests = feature_sets(&["--workspace", "--edges", "normal,build,dev"]);
    let stack = feature_sets(&["--package", "tanigo-local", "--edges", "normal,build"]);
    let other = stack
        .difference(&tests)
        .map(|line| format!("only for the local stack: {line}"));
    let other: Vec<String> = other.collect();
    assert_none("one feature set for the stack and the tests", &other);
}

/// The code under a folder, without comments.
fn code(folder: &Path) -> String {
    let mut code = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            code += &self::code(&path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(path).unwrap();
            let lines = text.lines().map(|line| line.split("//").next().unwrap());
            code.extend(lines.flat_map(|line| [line, "\n"]));
        }
    }
    code
}

/// The names that sources may call a dependency by.
fn names(dependency: &Dependency) -> Vec<String> {
    let packages = METADATA.packages.iter();
    let named = packages.filter(|package| package.name.as_str() == dependency.name);
    let targets = named.flat_map(|package| &package.targets);
    let is_library = |target: &&Target| {
        !(target.is_bin()
            || target.is_custom_build()
            || target.is_example()
            || target.is_test()
            || target.is_bench())
    };
    let libraries = targets.filter(is_library);
    let mut names: Vec<String> = libraries.map(|target| target.name.clone()).collect();
    names.extend(dependency.rename.clone());
    names.iter().map(|name| name.replace('-', "_")).collect()
}

/// As in `cargo machete`: a manifest lists in `ignored` the dependencies that are there for their features.
#[test]
fn every_dependency_is_named_in_the_sources() {
    let mut violations = Vec::new();
    for (name, package) in &members() {
        let code = code(package.manifest_path.parent().unwrap().as_std_path());
        let ignored = &package.metadata["cargo-machete"]["ignored"];
        let ignored: Vec<&str> = list(ignored)
            .into_iter()
            .filter_map(serde_json::Value::as_str)
            .collect();
        for dependency in &package.dependencies {
            let is_named = names(dependency).iter().any(|name| {
                code.contains(&format!("{name}::")) || code.contains(&format!("use {name};"))
            });
            if is_named == ignored.contains(&dependency.name.as_str()) {
                violations.push(format!("{name}: {}", dependency.name));
            }
        }
    }
    assert_none("dependencies that no source names", &violations);
}

/// An empty test binary is linked with the whole crate all the same, and a run of rustdoc compiles a crate once more. So a
/// library builds tests exactly if it has some. No library has examples in its comments; the guides' examples are run.
#[test]
fn a_library_builds_tests_if_it_has_some() {
    let mut violations = Vec::new();
    for (name, package) in &members() {
        let sources = package.manifest_path.parent().unwrap().join("src");
        for library in package.targets.iter().filter(|target| target.is_lib()) {
            let code = code(sources.as_std_path());
            let has_tests = code.contains("#[test]") || code.contains("#[cfg(test)]");
            if library.test != has_tests {
                violations.push(format!("{name}: [lib] test = {has_tests}"));
            }
            if library.doctest {
                violations.push(format!("{name}: [lib] doctest = false"));
            }
        }
    }
    assert_none("the tests that a library builds", &violations);
}
