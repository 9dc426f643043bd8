//! Answers to browsers, and to scripts that post JSON.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use forms::page::{self, Notice, Page};
use forms::{Fault, Language};
use lambda::http::{Code, FieldError, Problem};

/// The format of an answer: a page, or JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Page,
    Json,
}

impl Format {
    /// As the request's body has it.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        match value
            .split(';')
            .next()?
            .trim()
            .to_ascii_lowercase()
            .as_str()
        {
            "application/json" => Some(Self::Json),
            "application/x-www-form-urlencoded" => Some(Self::Page),
            _ => None,
        }
    }
}

/// A page of ours. No cache keeps it, since it may hold a visitor's answers.
pub fn html(status: StatusCode, page: Page) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store, max-age=0"),
        (header::REFERRER_POLICY, "strict-origin-when-cross-origin"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    let mut response = (status, headers, page.html).into_response();
    if let Ok(policy) = HeaderValue::from_str(&page.policy) {
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// A refusal, as a page or as a problem.
pub fn refusal(format: Format, language: Language, notice: Notice, problem: Problem) -> Response {
    let answer = problem.into_response();
    if format == Format::Json {
        return answer;
    }
    let mut response = html(answer.status(), page::notice(notice, language));
    if notice == Notice::Busy {
        let seconds = if answer.status() == StatusCode::TOO_MANY_REQUESTS {
            1
        } else {
            5
        };
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// The faults of a submission in JSON. The pointers name the fields of the body.
pub fn faults(faults: &[Fault], language: Language) -> Problem {
    let errors = faults.iter().map(|fault| FieldError {
        pointer: format!("/{}", fault.field),
        message: fault.rule.text(language),
    });
    errors.fold(
        Problem::new(Code::Unprocessable, "the answers are not valid"),
        |problem, error| problem.at(error.pointer, error.message),
    )
}
