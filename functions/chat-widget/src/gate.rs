//! Before each request: finds the inbox and checks the page's origin. After it: adds the CORS headers.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chat::Door;
use kernel::InboxId;
use lambda::http::{ClientIp, Code, Path, Problem};

use crate::state::Widget;

/// How long a browser may remember a preflight's answer.
const MAX_AGE: HeaderValue = HeaderValue::from_static("7200");

/// Finds the inbox and checks the origin; handlers get the inbox's public row as an extension.
pub async fn check(
    State(widget): State<Widget>,
    Path(inbox): Path<InboxId>,
    address: ClientIp,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let no_inbox = || Problem::not_found("inbox");
    let door = widget.doors.find(inbox).await?.ok_or_else(no_inbox)?;
    if !widget.workspaces.is_open(door.tenant).await? {
        return Err(no_inbox());
    }
    let origin = request.headers().get(header::ORIGIN).cloned();
    if let Some(origin) = &origin
        && !admits(&door, origin, request.headers())
    {
        let detail = "the inbox does not allow pages of this origin";
        return Err(Problem::new(Code::Forbidden, detail));
    }
    let counted = if request.method() == Method::POST {
        widget.limits.post_from(&door, &address).await
    } else {
        widget.limits.read_from(&door, &address).await
    };
    let mut response = match counted {
        // A refusal has CORS headers too: the page must be able to read it.
        Err(problem) => problem.into_response(),
        Ok(()) if request.method() == Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
        Ok(()) => {
            request.extensions_mut().insert(door);
            next.run(request).await
        }
    };
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = origin {
        allow(headers, origin);
    }
    Ok(response)
}

/// An origin on the inbox's list, or our own: the page that we serve sends our origin with each POST, and a
/// browser does not let another page send our origin.
fn admits(door: &Door, origin: &HeaderValue, headers: &HeaderMap) -> bool {
    let Ok(origin) = origin.to_str() else {
        return false;
    };
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let own = origin.split_once("://").map(|(_, host)| host);
    (own.is_some() && own == host) || door.inbox.admits(Some(origin))
}

fn allow(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, POST"),
    );
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("authorization, content-type"),
    );
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
}
