//! Pages of any origin may call the API, and can read the necessary parts of the answers.

use serde_json::{Value, json};

use crate::support::{World, grant_of, http_event};

const ORIGIN: &str = "https://app.example.vn";

fn header<'a>(answer: &'a Value, name: &str) -> &'a str {
    answer["headers"][name].as_str().unwrap_or_default()
}

#[tokio::test]
async fn a_preflight_is_answered_without_a_credential() {
    let world = World::new();
    for (function, path) in [
        ("api-accounts", "/v1/auth/login"),
        ("api-accounts", "/v1/workspaces"),
        ("api-campaigns", "/v1/campaigns"),
        ("api-chat", "/v1/conversations"),
        ("api-contacts", "/v1/contacts"),
        ("api-forms", "/v1/forms"),
        ("api-privacy", "/v1/privacy-requests"),
        ("api-sources", "/v1/sources"),
        ("api-workflows", "/v1/workflows"),
    ] {
        let mut event = http_event("OPTIONS", path, None, None);
        event["headers"]["origin"] = json!(ORIGIN);
        event["headers"]["access-control-request-method"] = json!("POST");
        event["headers"]["access-control-request-headers"] = json!("authorization,x-workspace");
        let answer = world.invoke(function, event).await.unwrap();
        assert_eq!(answer["statusCode"], 200, "{path}: {answer}");
        assert_eq!(
            header(&answer, "access-control-allow-origin"),
            "*",
            "{path}"
        );
        assert!(header(&answer, "access-control-allow-methods").contains("PATCH"));
        let allowed = header(&answer, "access-control-allow-headers");
        for name in [
            "authorization",
            "content-type",
            "idempotency-key",
            "x-workspace",
        ] {
            assert!(allowed.contains(name), "{path}: {name}");
        }
    }
}

#[tokio::test]
async fn a_page_may_read_answers_and_refusals() {
    let world = World::new();
    let grant = grant_of("ws_00000000001".parse().unwrap(), "read");
    for (grant, status) in [(Some(&grant), 200), (None, 401)] {
        let mut event = http_event("GET", "/v1/contacts", None, grant);
        event["headers"]["origin"] = json!(ORIGIN);
        let answer = world.invoke("api-contacts", event).await.unwrap();
        assert_eq!(answer["statusCode"], status);
        assert_eq!(header(&answer, "access-control-allow-origin"), "*");
        let readable = header(&answer, "access-control-expose-headers");
        assert!(readable.contains("x-request-id") && readable.contains("retry-after"));
    }
}
