//! Signatures with known values. The keys are not real.

use http::HeaderMap;
use http::header::HeaderName;
use jiff::Timestamp;

use crate::auth::Auth;
use crate::provider::{Call, Provider};

/// 2026-03-02T08:00:00Z.
const NOW: i64 = 1_772_438_400;

fn admits(provider: Provider, key: &str, headers: &[(&str, &str)], body: &str, url: &str) -> bool {
    admits_at(NOW, provider, key, headers, body, url)
}

fn admits_at(
    now: i64,
    provider: Provider,
    key: &str,
    headers: &[(&str, &str)],
    body: &str,
    url: &str,
) -> bool {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    }
    let auth = Auth::Key {
        hash: Some(kernel::secret::hash("tngs_1")),
        keys: Vec::new(),
    };
    let call = Call {
        headers: &map,
        body: body.as_bytes(),
        url,
        now: Timestamp::from_second(now).unwrap(),
    };
    provider.admits(
        &auth,
        &[b"older key".to_vec(), key.as_bytes().to_vec()],
        &call,
    )
}

#[test]
fn haravan_signs_the_raw_body() {
    const BODY: &str = r##"{"id":1200450077,"name":"#104512","total_price":600000.0000,"customer":{"id":1099330021,"first_name":"Nguyễn Thị Ánh","last_name":null}}"##;
    const SIGNATURE: &str = "HwHqyvmZY0LLpv2+CEfeAStKfzhVp2IdHiWCEcesNmU=";
    let with = |name, signature, body| {
        let key = "hrv-test-client-secret";
        admits(Provider::Haravan, key, &[(name, signature)], body, "")
    };
    assert!(with("x-haravan-hmacsha256", SIGNATURE, BODY));
    assert!(with("x-haravan-hmac-sha256", SIGNATURE, BODY));
    // Parsed and written again, the amount has one decimal.
    let rewritten = BODY.replace("600000.0000", "600000.0");
    assert!(!with("x-haravan-hmacsha256", SIGNATURE, &rewritten));
    let of_rewritten = "HSAXfrSzzFsNRXOpvF2i/0ifI//ben/NJygHIl52cN8=";
    assert!(with("x-haravan-hmacsha256", of_rewritten, &rewritten));
    assert!(!with("x-haravan-hmacsha256", "", BODY));
    assert!(!with("x-haravan-hmacsha256", &SIGNATURE[..20], BODY));
}

#[test]
fn sapo_signs_like_its_older_relative() {
    let body = r##"{"id":481230,"name":"#1042","total_price":350000.0,"created_on":"2026-03-02T08:15:30Z"}"##;
    let header = [(
        "x-sapo-hmac-sha256",
        "gWwWx5J4sWgLz1NFW1fnXdFNx8RX5QqPGe+Dcg/+1WY=",
    )];
    assert!(admits(
        Provider::Sapo,
        "sapo-test-secret",
        &header,
        body,
        ""
    ));
    assert!(!admits(
        Provider::Sapo,
        "sapo-test-secreT",
        &header,
        body,
        ""
    ));
    // Published for the shop system whose signature both took over.
    let header = [(
        "x-sapo-hmac-sha256",
        "dzJZAsrKgS3CWXM6rNBGtzgXNyx3e42VtAJkdHRRbhM=",
    )];
    assert!(admits(Provider::Sapo, "secret", &header, "{}", ""));
}

#[test]
fn kiotviet_signs_in_six_ways() {
    const KEY: &str = "a3Ytc2VjcmV0LTAx";
    const BODY: &str = r#"{"Id":"6f1c2d3e-0a1b-4c5d-8e9f-001122334455","Attempt":1,"Notifications":[{"Action":"order.update.500123","Data":[{"Id":9001,"Code":"DH000123"}]}]}"#;
    let with = |signature: &str, body: &str| {
        admits(
            Provider::Kiotviet,
            KEY,
            &[("x-hub-signature", signature)],
            body,
            "",
        )
    };
    for signature in [
        "1333d037bae65b4c99688b98632860f7db2ca38482348e1d9e016bf4e870310a",
        "EzPQN7rmW0yZaIuYYyhg99sso4SCNI4dngFr9OhwMQo=",
        "bf6991321cfff22255e543c980b1ab27fdd353e385e6175e8314808c19ab1a7f",
        "sha1=1333d037bae65b4c99688b98632860f7db2ca38482348e1d9e016bf4e870310a",
        "sha1=8a8746df52d74cb762c878732a1f7c6decb63137",
        "sha1=78c98c234d575a8f159ae8d2bea46e23928d4acb",
    ] {
        assert!(with(signature, BODY), "{signature}");
        // The sender signed the body without what stands around it.
        assert!(with(signature, &format!("\u{feff}{BODY}\n")), "{signature}");
        assert!(
            !with(signature, &BODY.replace("9001", "9002")),
            "{signature}"
        );
    }
    assert!(!with("sha1=", BODY) && !with("", BODY));
}

#[test]
fn shopee_signs_the_address_that_was_entered() {
    const URL: &str = "https://hooks.example.vn/w/shopee/t_01";
    const BODY: &str = r#"{"msg_id":"0f0e0d0c0b0a09080706050403020100","data":{"completed_scenario":null,"items":[],"ordersn":"260302ABCDEF12","status":"READY_TO_SHIP","update_time":1772438400},"shop_id":336001,"code":3,"timestamp":1772438401}"#;
    const SIGNATURE: &str = "3d6ede6329aad0f114740ed481ac08d0b47bf169cf8b1c03f14bb5bb4230cfc4";
    let with = |signature: &str, url: &str| {
        let key = "shopee-test-push-partner-key";
        admits(
            Provider::Shopee,
            key,
            &[("authorization", signature)],
            BODY,
            url,
        )
    };
    assert!(with(SIGNATURE, URL));
    assert!(!with(SIGNATURE, &format!("{URL}/")));
    let of_slash = "368851a3aedac7a69cf17aabb48b671bd038859463e4386d4e848391a178c595";
    assert!(!with(of_slash, URL) && with(of_slash, &format!("{URL}/")));
}

/// The values of the reference library of Standard Webhooks.
#[test]
fn an_own_system_signs_by_standard_webhooks() {
    const SENT: i64 = 1_649_367_553;
    const KEY: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    const GOOD: &str = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=";
    let with = |now: i64, signature: &str, time: &str| {
        let headers = [
            ("webhook-id", "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk"),
            ("webhook-timestamp", time),
            ("webhook-signature", signature),
        ];
        let body = r#"{"email":"test@example.com","username":"test_user"}"#;
        admits_at(now, Provider::Custom, KEY, &headers, body, "")
    };
    let time = SENT.to_string();
    assert!(with(SENT, GOOD, &time));
    // One of several, as during a change of the secret.
    let several = format!("v1,AAAA v2,{} {GOOD}", &GOOD[3..]);
    assert!(with(SENT, &several, &time));
    assert!(!with(SENT, &several[..several.len() - GOOD.len()], &time));
    assert!(with(SENT + 300, GOOD, &time) && !with(SENT + 301, GOOD, &time));
    assert!(with(SENT - 300, GOOD, &time) && !with(SENT - 301, GOOD, &time));
    assert!(!with(SENT, GOOD, &(SENT + 1).to_string()) && !with(SENT, GOOD, "now"));
}

#[test]
fn an_own_system_that_cannot_sign_has_a_bearer_token() {
    let with = |headers: &[(&str, &str)]| admits(Provider::Custom, "whsec_AAAA", headers, "{}", "");
    assert!(with(&[("authorization", "Bearer tngs_1")]));
    assert!(!with(&[("authorization", "Bearer tngs_2")]));
    assert!(!with(&[("authorization", "tngs_1")]) && !with(&[]));
    // A wrong signature is not excused by a token.
    assert!(!with(&[
        ("authorization", "Bearer tngs_1"),
        ("webhook-signature", "v1,AAAA")
    ]));
}

#[test]
fn getfly_sends_the_secret_itself() {
    let with = |body: &str| admits(Provider::Getfly, "s3cr3t-key", &[], body, "");
    assert!(with("event=customer.updated&secret_key=s3cr3t-key"));
    assert!(with(
        r#"{"event":"customer.updated","secret_key":"s3cr3t-key"}"#
    ));
    assert!(!with("event=customer.updated&secret_key=s3cr3t"));
    assert!(!with("event=customer.updated&secret_key=") && !with("") && !with("{}"));
}
