//! Functions: one folder each, declared alike, each with its own role and log group.

use std::collections::BTreeSet;

use crate::assert_none;
use crate::template::{ROOT, functions, get_att, project, reference};

/// Folders under `functions/` that hold a package.
pub fn folders() -> BTreeSet<String> {
    let entries = std::fs::read_dir(project().join("functions")).unwrap();
    entries
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().join("Cargo.toml").exists())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

/// `due-timer` as `DueTimer`.
pub fn camel(name: &str) -> String {
    name.split('-')
        .map(|part| part[..1].to_uppercase() + &part[1..])
        .collect()
}

#[test]
fn every_folder_is_a_function_and_every_function_a_folder() {
    let declared: BTreeSet<String> = functions()
        .iter()
        .map(|function| function.name().to_owned())
        .collect();
    let folders = folders();
    let mut violations: Vec<String> = folders
        .difference(&declared)
        .map(|name| format!("functions/{name} is not declared"))
        .collect();
    violations.extend(
        declared
            .difference(&folders)
            .map(|name| format!("Handler {name} has no folder")),
    );
    assert_none("folder and function, one to one", &violations);
}

#[test]
fn names_follow_from_the_package() {
    let mut violations = Vec::new();
    for function in functions() {
        let name = function.name();
        if function.id() != format!("{}Function", camel(name)) {
            violations.push(format!("{}: Handler is {name}", function.id()));
        }
        if function.0.get(&["CodeUri"]) != &format!("target/lambda/{name}/") {
            violations.push(format!("{}: CodeUri", function.id()));
        }
        if function.0.body["Metadata"]["SkipBuild"] != true {
            violations.push(format!("{}: Metadata.SkipBuild", function.id()));
        }
    }
    assert_none("logical id, CodeUri and SkipBuild", &violations);
}

#[test]
fn globals_set_what_all_functions_share() {
    let globals = &ROOT.document["Globals"]["Function"];
    assert_eq!(globals["Runtime"], "provided.al2023");
    let traced = serde_json::json!({"Fn::If": ["HasTraces", "Active", "PassThrough"]});
    assert_eq!(globals["Tracing"], traced);
    assert_eq!(globals["LoggingConfig"]["LogFormat"], "JSON");
    assert_eq!(
        reference(&globals["Architectures"][0]),
        Some("Architecture")
    );
    let architecture = &ROOT.document["Parameters"]["Architecture"];
    assert_eq!(architecture["Default"], "arm64");
    let shared = globals["Environment"]["Variables"].as_object();
    let shared: Vec<&String> = shared.into_iter().flat_map(|all| all.keys()).collect();
    assert_eq!(
        shared,
        ["AWS_ENDPOINT_URL"],
        "a variable belongs to the function that reads it; this one is the SDK's"
    );
    for property in ["Runtime", "Tracing", "Architectures"] {
        for function in functions() {
            let own = function.0.get(&[property]);
            assert!(
                own.is_null(),
                "{}: {property} comes from Globals",
                function.id()
            );
        }
    }
}

#[test]
fn memory_and_timeout_are_explicit() {
    let mut violations = Vec::new();
    for function in functions() {
        for property in ["MemorySize", "Timeout"] {
            if function.0.get(&[property]).as_u64().is_none() {
                violations.push(format!("{}: {property}", function.id()));
            }
        }
        // The API gives up after 30 s, and a client long before.
        if !function.events("HttpApi").is_empty() && function.timeout() > 29 {
            violations.push(format!(
                "{}: {} s behind the API",
                function.id(),
                function.timeout()
            ));
        }
    }
    assert_none("memory and time-out", &violations);
}

/// The SDK gives up on an operation after 8 s (`cloud::Aws::from_environment`). The function then still needs time
/// to answer with that error.
#[test]
fn a_function_outlives_an_operation_of_the_sdk() {
    let short: Vec<String> = functions()
        .into_iter()
        .filter(|function| function.timeout() < 10)
        .map(|function| format!("{}: {} s", function.id(), function.timeout()))
        .collect();
    assert_none("at least 10 s", &short);
}

#[test]
fn every_function_has_its_own_log_group_with_retention() {
    let mut violations = Vec::new();
    for function in functions() {
        let wanted = function.id().replace("Function", "LogGroup");
        let group = reference(function.0.get(&["LoggingConfig", "LogGroup"]));
        let retention = ROOT
            .resource(&wanted)
            .filter(|group| group.kind() == "AWS::Logs::LogGroup")
            .map(|group| group.get(&["RetentionInDays"]));
        if group != Some(&wanted) {
            violations.push(format!(
                "{}: LoggingConfig.LogGroup is not {wanted}",
                function.id()
            ));
        } else if retention.is_none_or(serde_json::Value::is_null) {
            violations.push(format!("{wanted}: no retention"));
        }
    }
    for group in ROOT.of_kind("AWS::Logs::LogGroup") {
        if group.get(&["RetentionInDays"]).is_null() {
            violations.push(format!("{}: no retention", group.id));
        }
    }
    assert_none("a log group with retention", &violations);
}

#[test]
fn every_function_has_its_own_role() {
    let mut violations = Vec::new();
    for function in functions() {
        let wanted = format!("{}.Arn", function.id().replace("Function", "Role"));
        if get_att(function.0.get(&["Role"])).as_ref() != Some(&wanted) {
            violations.push(format!("{}: Role is not {wanted}", function.id()));
        }
        if function.statements().is_empty() {
            violations.push(format!("{}: its role allows nothing", function.id()));
        }
    }
    assert_none("a role of its own", &violations);
}

#[test]
fn functions_stand_in_order_and_are_explained() {
    let mut violations = Vec::new();
    let mut last = String::new();
    let mut comment = false;
    for line in ROOT.text.lines() {
        if line.starts_with("  # ====") {
            last.clear();
        }
        if let Some(id) = line
            .strip_prefix("  ")
            .and_then(|line| line.strip_suffix("Function:"))
            && !id.is_empty()
            && id.chars().all(char::is_alphanumeric)
        {
            if *id <= *last {
                violations.push(format!("{id}Function stands after {last}Function"));
            }
            if !comment {
                violations.push(format!("{id}Function has no comment"));
            }
            id.clone_into(&mut last);
        }
        comment = line.starts_with("  # ") && !line.starts_with("  # ====");
    }
    assert_none(
        "alphabetical inside a trigger group, one comment each",
        &violations,
    );
    assert!(!last.is_empty(), "no function was found in the text");
}

/// Routes whose callers have no credential yet, each with a limit by address; and those whose write key is in the request.
const PUBLIC: &[&str] = &[
    "/v1/alias",
    "/v1/auth/invitations/accept",
    "/v1/auth/login",
    "/v1/auth/password/forgot",
    "/v1/auth/password/reset",
    "/v1/batch",
    "/v1/group",
    "/v1/identify",
    "/v1/openapi.json",
    "/v1/page",
    "/v1/screen",
    "/v1/setup",
    "/v1/track",
];

#[test]
fn routes_are_guarded_unless_they_say_so() {
    let api = ROOT.resource("HttpApi").unwrap();
    let authorizer = api.get(&["Auth", "DefaultAuthorizer"]).as_str().unwrap();
    let settings = api.get(&["Auth", "Authorizers", authorizer]);
    assert_eq!(settings["AuthorizerPayloadFormatVersion"], "2.0");
    assert_eq!(settings["EnableSimpleResponses"], true);
    assert_eq!(
        settings["EnableFunctionDefaultPermissions"], true,
        "API Gateway may not call it"
    );
    assert_eq!(
        settings["Identity"]["ReauthorizeEvery"], 0,
        "a revoked key must stop at once"
    );
    assert!(!api.get(&["AccessLogSettings", "DestinationArn"]).is_null());
    // `$context.authorizer.status` exists for REST and WebSocket APIs only.
    let log = api.get(&["AccessLogSettings", "Format"]).as_str().unwrap();
    for field in ["error", "actor", "workspace"] {
        assert!(
            log.contains(&format!("\"$context.authorizer.{field}\"")),
            "{field}"
        );
    }
    assert!(!log.contains("authorizer.status"));

    let mut violations = Vec::new();
    for function in functions() {
        for (name, event) in function.events("HttpApi") {
            let path = event["Path"].as_str().unwrap_or_default();
            let open = event["Auth"]["Authorizer"] == "NONE";
            let guarded = path.starts_with("/v1/") && !PUBLIC.contains(&path);
            if open == guarded {
                violations.push(format!("{}.{name}: {path}", function.id()));
            }
            if reference(&event["ApiId"]) != Some("HttpApi") {
                violations.push(format!("{}.{name}: ApiId", function.id()));
            }
        }
    }
    assert_none(
        "exactly /v1/ but for what makes a credential asks the authorizer",
        &violations,
    );
}

/// A route's limit is for all tenants together, so it is not the limit of one customer.
#[test]
fn routes_carry_a_sale_day() {
    let api = ROOT.resource("HttpApi").unwrap();
    let usual = api.get(&["DefaultRouteSettings"]);
    assert_eq!(usual["ThrottlingRateLimit"], 6000);
    assert_eq!(usual["ThrottlingBurstLimit"], 3000);
    let own = api.get(&["RouteSettings"]).as_object().unwrap();
    let mut violations = Vec::new();
    for function in functions() {
        for (_, event) in function.events("HttpApi") {
            let path = event["Path"].as_str().unwrap_or_default();
            let route = format!("{} {path}", event["Method"].as_str().unwrap_or_default());
            let link = ["/c/", "/o/", "/u/"]
                .iter()
                .any(|start| path.starts_with(start));
            let rate = own.get(&route).map(|limits| &limits["ThrottlingRateLimit"]);
            let enough = rate
                .and_then(serde_json::Value::as_u64)
                .is_some_and(|rate| rate >= 5000);
            if link != enough {
                violations.push(route);
            }
        }
    }
    assert_none(
        "links of mails, and only they, have limits of their own",
        &violations,
    );
    assert_eq!(
        own.len(),
        4,
        "settings of routes that do not exist: {own:?}"
    );
}

/// Intake must find a free environment while workers use all others. Lambda requires 100 unreserved ones.
#[test]
fn intake_and_the_authorizer_have_concurrency_of_their_own() {
    let (mut violations, mut sum) = (Vec::new(), 0);
    for function in functions() {
        let wanted = match function.name() {
            // It calls the systems of shops, and is no intake.
            "webhook-dispatcher" => None,
            name if name.starts_with("webhook-") => Some(50),
            "link-tracker" | "form-submit" | "track-events" => Some(50),
            "authorizer" => Some(100),
            _ => None,
        };
        sum += wanted.unwrap_or(0);
        let wanted = wanted.map(|number: u64| {
            serde_json::json!({"Fn::If": ["HasReservedConcurrency", number, {"Ref": "AWS::NoValue"}]})
        });
        let own = function.0.get(&["ReservedConcurrentExecutions"]);
        if *own != wanted.unwrap_or_default() {
            violations.push(format!("{}: {own}", function.id()));
        }
    }
    assert_none("reserved concurrency", &violations);
    assert!(
        sum <= 1000 - 100,
        "{sum} of the account's 1,000 are reserved"
    );
}
