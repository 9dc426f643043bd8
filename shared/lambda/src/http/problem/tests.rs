use axum::body::to_bytes;
use serde_json::{Value, json};

use super::*;

fn at(problem: &Problem) -> Vec<&str> {
    problem
        .errors
        .iter()
        .map(|flaw| flaw.pointer.as_str())
        .collect()
}

async fn body(problem: &Problem) -> (Response<()>, Value) {
    let (parts, body) = render(problem, "req-1").into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    (
        Response::from_parts(parts, ()),
        serde_json::from_slice(&body).unwrap(),
    )
}

#[test]
fn each_code_has_its_status_and_its_metric() {
    use Code::{
        AlreadyDone, Conflict, Forbidden, IdempotencyKeyReused, InProgress, Internal, Invalid,
        Malformed, MethodNotAllowed, NotFound, NotReady, RateLimited, SettingsMissing, TooLarge,
        TotpRequired, Unauthenticated, Unavailable, Unprocessable, UnsupportedMediaType,
    };
    for (code, status) in [
        (Malformed, 400),
        (Invalid, 400),
        (Unauthenticated, 401),
        (TotpRequired, 401),
        (Forbidden, 403),
        (NotFound, 404),
        (MethodNotAllowed, 405),
        (Conflict, 409),
        (InProgress, 409),
        (AlreadyDone, 409),
        (SettingsMissing, 409),
        (TooLarge, 413),
        (UnsupportedMediaType, 415),
        (Unprocessable, 422),
        (IdempotencyKeyReused, 422),
        (RateLimited, 429),
        (NotReady, 429),
        (Internal, 500),
        (Unavailable, 503),
    ] {
        assert_eq!(code.status().as_u16(), status, "{code:?}");
        assert_eq!(code.metric(), format!("Problem{code:?}"));
    }
}

#[test]
fn flaws_are_collected_and_other_problems_pass() {
    let mut flaws = Flaws::default();
    flaws.check(false, "/a", "is wrong");
    flaws.check(true, "/b", "is wrong");
    assert_eq!(flaws.take(Ok(1)).unwrap(), Some(1));
    let invalid = Err::<u8, _>(Problem::invalid("/c", "is wrong"));
    assert_eq!(flaws.take(invalid).unwrap(), None);
    let missing = flaws.take(Err::<u8, _>(Problem::not_found("list")));
    assert_eq!(missing.unwrap_err().code(), Code::NotFound);
    let refused = flaws.refuse().unwrap_err();
    assert_eq!(
        (refused.code(), at(&refused)),
        (Code::Invalid, vec!["/b", "/c"])
    );
    assert!(Flaws::default().refuse().is_ok());
}

#[test]
fn problems_name_their_places() {
    assert!(Problem::settings_missing(&[]).is_ok());
    let missing = Problem::settings_missing(&["/name", "/address"]).unwrap_err();
    assert_eq!(missing.code(), Code::SettingsMissing);
    assert_eq!(at(&missing), ["/name", "/address"]);
    let sender = Problem::unproven_sender(["/from"]);
    assert_eq!(
        (sender.code(), at(&sender)),
        (Code::Unprocessable, vec!["/from"])
    );
    let malformed = Problem::malformed("is not JSON");
    assert_eq!(
        (malformed.code(), at(&malformed)),
        (Code::Malformed, vec![""])
    );
}

#[test]
fn a_failure_of_the_store_is_an_answer() {
    let refused = Problem::from(cloud::Error::Cursor("is of another list"));
    assert_eq!(
        (refused.code(), at(&refused)),
        (Code::Invalid, vec!["?cursor"])
    );
    assert_eq!(Problem::from(cloud::Error::Conflict).code(), Code::Conflict);
    let broken = Problem::from(cloud::Error::Shape("no pk".to_owned()));
    assert_eq!(broken.code(), Code::Internal);
    let place = cloud::error::Place::new("dynamodb", "GetItem", "Limits");
    let code = "ThrottlingException".to_owned();
    let busy = Problem::from(cloud::Error::Throttled { place, code });
    assert_eq!(
        (busy.code(), busy.retry_after),
        (Code::Unavailable, Some(1))
    );
}

#[tokio::test]
async fn the_body_says_what_the_client_may_know() {
    let problem = Problem::invalid("/email", "is no address").retry_after(7);
    let (answer, shown) = body(&problem).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    assert_eq!(answer.headers()["retry-after"], "7");
    let expected = json!({
        "type": "about:blank", "title": "Bad Request", "status": 400, "code": "invalid",
        "detail": NOT_VALID, "errors": [{ "pointer": "/email", "message": "is no address" }],
        "request_id": "req-1",
    });
    assert_eq!(shown, expected);
    let (answer, shown) = body(&Problem::new(Code::Internal, "the table is gone")).await;
    assert!(answer.headers().get("retry-after").is_none());
    let expected = json!({
        "type": "about:blank", "title": "Internal Server Error", "status": 500,
        "code": "internal", "request_id": "req-1",
    });
    assert_eq!(shown, expected);
    let carried = problem.into_response();
    assert_eq!(carried.status(), StatusCode::BAD_REQUEST);
    assert!(carried.extensions().get::<Problem>().is_some());
}
