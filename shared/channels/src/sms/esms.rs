//! The wire format of eSMS.vn: requests are built and answers are read here, without I/O.
//!
//! Source: <https://developers.esms.vn>. All values of a request are texts. The HTTP status of a refusal is 200; the code is in
//! the body. A repeated request id is answered with code 124 for 24 hours.

use bytes::Bytes;
use cloud::WebError;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Request, Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::brandname::Kind;
use super::segments::is_gsm;
use crate::channel::Answer;

/// The host of the API.
pub const HOST: &str = "rest.esms.vn";
/// The path of a send.
pub const SEND: &str = "/MainService.svc/json/SendMultipleMessage_V4_post_json/";
/// The path of a send of advertising to many numbers.
pub const ADVERTISE: &str = "/MainService.svc/json/SendMultipleSMSBrandname_json/";
/// Fewest valid numbers of one request of advertising (code 107).
pub const LEAST: usize = 30;
/// Most numbers of one request of advertising (code 120).
pub const MOST: usize = 5_000;
/// The path of the question for the balance.
pub const BALANCE: &str = "/MainService.svc/json/GetBalance_json";
/// Longest request id.
pub const MAX_REQUEST_ID: usize = 50;

/// The keys of an account at the provider.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    /// The `ApiKey`.
    pub api_key: String,
    /// The `SecretKey`.
    pub secret_key: String,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(..)")
    }
}

/// One send of advertising to many numbers.
#[derive(Debug, Clone, Copy)]
pub struct Advertising<'a> {
    /// The keys of the account.
    pub keys: &'a Keys,
    /// The registered name.
    pub brandname: &'a str,
    /// [`LEAST`] to [`MOST`] numbers, each `84` and nine digits.
    pub phones: &'a [&'a str],
    /// The composed text.
    pub text: &'a str,
    /// Names the send for 24 hours; at most [`MAX_REQUEST_ID`] characters.
    pub request_id: &'a str,
    /// The address for reports.
    pub report_to: Option<&'a str>,
}

/// One send.
#[derive(Debug, Clone, Copy)]
pub struct Outgoing<'a> {
    /// The keys of the account.
    pub keys: &'a Keys,
    /// The registered name.
    pub brandname: &'a str,
    /// The purpose.
    pub kind: Kind,
    /// `84` and nine digits.
    pub phone: &'a str,
    /// The composed text.
    pub text: &'a str,
    /// Names the send for 24 hours; at most [`MAX_REQUEST_ID`] characters.
    pub request_id: &'a str,
    /// The address for reports.
    pub report_to: Option<&'a str>,
}

fn post(url: &str, body: &Value) -> Option<Request<Bytes>> {
    Request::post(url)
        .header(ACCEPT, "application/json")
        .header(CONTENT_TYPE, "application/json")
        .body(Bytes::from(body.to_string()))
        .ok()
}

/// The request of a send. `host` is the place of [`HOST`].
pub fn send(host: &str, send: &Outgoing<'_>) -> Option<Request<Bytes>> {
    let flag = |is_set: bool| if is_set { "1" } else { "0" };
    let mut body = json!({
        "ApiKey": send.keys.api_key,
        "SecretKey": send.keys.secret_key,
        "Phone": send.phone,
        "Content": send.text,
        "Brandname": send.brandname,
        "SmsType": match send.kind { Kind::Care => "2", Kind::Advertising => "1" },
        "IsUnicode": flag(!is_gsm(send.text)),
        "Sandbox": "0",
        "RequestId": send.request_id,
    });
    if let Some(address) = send.report_to {
        body["CallbackUrl"] = address.into();
    }
    post(&format!("{host}{SEND}"), &body)
}

/// The request of a send of advertising. It has no `IsUnicode`: the provider reads the alphabet from the text.
pub fn advertise(host: &str, send: &Advertising<'_>) -> Option<Request<Bytes>> {
    let mut body = json!({
        "ApiKey": send.keys.api_key,
        "SecretKey": send.keys.secret_key,
        "Phones": send.phones,
        "Content": send.text,
        "Brandname": send.brandname,
        "SmsType": "1",
        "Sandbox": "0",
        "RequestId": send.request_id,
    });
    if let Some(address) = send.report_to {
        body["CallbackUrl"] = address.into();
    }
    post(&format!("{host}{ADVERTISE}"), &body)
}

/// The request for the balance.
pub fn ask_balance(host: &str, keys: &Keys) -> Option<Request<Bytes>> {
    let body = json!({ "ApiKey": keys.api_key, "SecretKey": keys.secret_key });
    post(&format!("{host}{BALANCE}"), &body)
}

/// The JSON of an answer, or the outcome that follows from its status.
fn json_of(answer: &Result<Response<Bytes>, WebError>) -> Result<Value, Answer> {
    // A broken connection says nothing about the message.
    let Ok(answer) = answer else {
        return Err(Answer::NoAnswer);
    };
    let status = answer.status();
    if status == StatusCode::TOO_MANY_REQUESTS {
        return Err(Answer::Throttled);
    }
    if status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT {
        let code = format!("http_{}", status.as_u16());
        return Err(Answer::Stopped { code });
    }
    if !status.is_success() {
        return Err(Answer::NoAnswer);
    }
    // A gateway that is down answers 200 with a page for people.
    let value: Value = serde_json::from_slice(answer.body()).map_err(|_| Answer::NoAnswer)?;
    if value.is_object() {
        Ok(value)
    } else {
        Err(Answer::NoAnswer)
    }
}

/// A text or a number as text; the documents and the wire differ.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Codes that mean that the message is in the provider's hands: accepted, repeated, in work.
const ACCEPTED: [&str; 3] = ["100", "124", "199"];
/// Codes about the account, the brandname or our own request: no message of the tenant can be sent until a person acts.
///
/// 107 is one of them: the provider takes advertising in requests of 30 numbers or more, so every message would be refused.
const STOPPED: [&str; 11] = [
    "101", "102", "103", "104", "107", "118", "120", "140", "204", "300", "301",
];

/// Reads the answer to a send. `Accepted` is not the delivery; its id is the provider's `SMSID`. A repeated request has the
/// id that the provider names, else the request id.
pub fn answer(answer: &Result<Response<Bytes>, WebError>, request_id: &str) -> Answer {
    let value = match json_of(answer) {
        Ok(value) => value,
        Err(answer) => return answer,
    };
    let Some(code) = text(&value["CodeResult"]) else {
        return Answer::NoAnswer;
    };
    if ACCEPTED.contains(&code.as_str()) {
        let id = text(&value["SMSID"]).unwrap_or_else(|| request_id.to_owned());
        return Answer::Accepted { id };
    }
    if STOPPED.contains(&code.as_str()) {
        return Answer::Stopped { code };
    }
    Answer::Refused { code }
}

/// The balance of an account.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Balance {
    /// In VND. The provider writes fractions, which are dropped.
    Vnd(i64),
    /// The keys are not valid.
    WrongKeys,
    /// No usable answer.
    NoAnswer,
}

/// Reads the answer to [`ask_balance`].
pub fn balance(answer: &Result<Response<Bytes>, WebError>) -> Balance {
    let Ok(value) = json_of(answer) else {
        return Balance::NoAnswer;
    };
    match text(&value["CodeResponse"]).as_deref() {
        Some("100") => {
            let amount = text(&value["Balance"]).and_then(|text| text.parse::<f64>().ok());
            // A balance of an account stays far below 2^53.
            amount.map_or(Balance::NoAnswer, |amount| {
                Balance::Vnd(amount.trunc() as i64)
            })
        }
        Some("101") => Balance::WrongKeys,
        _ => Balance::NoAnswer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, body: &str) -> Response<Bytes> {
        let mut response = Response::new(Bytes::from(body.to_owned()));
        *response.status_mut() = StatusCode::from_u16(status).unwrap();
        response
    }

    #[test]
    fn a_request_has_the_names_of_the_provider() {
        let keys = Keys {
            api_key: "K".into(),
            secret_key: "S".into(),
        };
        let one = Outgoing {
            keys: &keys,
            brandname: "ACME",
            kind: Kind::Care,
            phone: "84912345678",
            text: "ACME: Don hang",
            request_id: "r1",
            report_to: None,
        };
        let request = send("https://rest.esms.vn", &one).unwrap();
        assert_eq!(
            request.uri(),
            "https://rest.esms.vn/MainService.svc/json/SendMultipleMessage_V4_post_json/"
        );
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        assert_eq!(
            body,
            json!({"ApiKey":"K","SecretKey":"S","Phone":"84912345678","Content":"ACME: Don hang","Brandname":"ACME",
                "SmsType":"2","IsUnicode":"0","Sandbox":"0","RequestId":"r1"})
        );
        assert_eq!(format!("{keys:?}"), "Keys(..)");
    }

    #[test]
    fn each_code_has_one_meaning() {
        let of = |body: &str| answer(&Ok(reply(200, body)), "r1");
        let accepted = |id: &str| Answer::Accepted { id: id.into() };
        assert_eq!(of(r#"{"CodeResult":"100","SMSID":"a1"}"#), accepted("a1"));
        assert_eq!(of(r#"{"CodeResult":100,"SMSID":"a1"}"#), accepted("a1"));
        assert_eq!(of(r#"{"CodeResult":"124"}"#), accepted("r1"));
        for code in STOPPED {
            let stopped = Answer::Stopped { code: code.into() };
            assert_eq!(of(&format!(r#"{{"CodeResult":"{code}"}}"#)), stopped);
        }
        for code in ["99", "108", "146", "177", "777"] {
            let refused = of(&format!(r#"{{"CodeResult":"{code}"}}"#));
            assert_eq!(refused, Answer::Refused { code: code.into() });
        }
        for body in ["<html>", "{}", "[]", "", r#"{"CodeResult":null}"#] {
            assert_eq!(of(body), Answer::NoAnswer, "{body}");
        }
        assert_eq!(answer(&Ok(reply(429, "")), "r1"), Answer::Throttled);
        assert_eq!(answer(&Ok(reply(503, "{}")), "r1"), Answer::NoAnswer);
        assert_eq!(answer(&Err(WebError::Timeout), "r1"), Answer::NoAnswer);
        let stopped = Answer::Stopped {
            code: "http_403".into(),
        };
        assert_eq!(answer(&Ok(reply(403, "no")), "r1"), stopped);
    }

    #[test]
    fn a_balance_is_whole_dong() {
        let of = |body: &str| balance(&Ok(reply(200, body)));
        let body = r#"{"Balance":36693.75,"CodeResponse":"100","UserID":9999}"#;
        assert_eq!(of(body), Balance::Vnd(36693));
        let body = r#"{"Balance":0,"CodeResponse":"101","ErrorMessage":"Authorize Failed"}"#;
        assert_eq!(of(body), Balance::WrongKeys);
        assert_eq!(of("<html>"), Balance::NoAnswer);
    }
}
