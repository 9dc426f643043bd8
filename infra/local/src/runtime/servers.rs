//! The three loopback servers: API with console, WebSocket API, AWS wire protocols.

use anyhow::Result;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use tokio::net::TcpListener;

use super::gateway::reply::message;
use super::gateway::{self, LARGEST_BODY};
use super::options::{Addresses, Ports};
use super::serve::{Unread, bind as bind_port, read, serve};
use super::stack::LocalStack;

/// Largest body on the AWS port; imports are uploaded there.
const LARGEST_UPLOAD: usize = 256 * 1024 * 1024;

/// Sockets that are bound and not yet served.
pub struct Listeners {
    api: TcpListener,
    socket: TcpListener,
    aws: TcpListener,
}

/// Takes the ports first: links in the environment of functions hold their numbers.
pub async fn bind(ports: Option<Ports>) -> Result<(Option<Listeners>, Addresses)> {
    let Some(ports) = ports else {
        return Ok((None, Addresses::in_process()));
    };
    let (api, api_at) = bind_port(ports.api).await?;
    let (socket, socket_at) = bind_port(ports.socket).await?;
    let (aws, aws_at) = bind_port(ports.aws).await?;
    let addresses = Addresses {
        api: format!("http://{api_at}"),
        websocket: format!("ws://{socket_at}"),
        aws: format!("http://{aws_at}"),
    };
    Ok((Some(Listeners { api, socket, aws }), addresses))
}

impl Listeners {
    /// Serves until the stack stops.
    pub fn serve(self, stack: &LocalStack) {
        let (stop, tasks) = stack.stopping();
        let api = stack.clone();
        let api = move |request| answer_api(api.clone(), request);
        tasks.spawn(serve(self.api, stop.clone(), tasks.clone(), api));
        let socket = stack.clone();
        let socket = move |request| answer_socket(socket.clone(), request);
        tasks.spawn(serve(self.socket, stop.clone(), tasks.clone(), socket));
        let aws = stack.clone();
        let aws = move |request| answer_aws(aws.clone(), request);
        tasks.spawn(serve(self.aws, stop, tasks.clone(), aws));
    }
}

async fn answer_api(stack: LocalStack, request: Request<Incoming>) -> Response<Bytes> {
    match read(request, LARGEST_BODY).await {
        Ok(request) => stack.http(request).await,
        Err(Unread::TooLarge) => gateway::too_large_body(),
        Err(Unread::BrokenOff) => message(StatusCode::BAD_REQUEST, "Bad Request"),
    }
}

async fn answer_socket(stack: LocalStack, request: Request<Incoming>) -> Response<Bytes> {
    stack.sockets().handle(request).await
}

async fn answer_aws(stack: LocalStack, request: Request<Incoming>) -> Response<Bytes> {
    match read(request, LARGEST_UPLOAD).await {
        Ok(request) => stack.aws().handle(request).await,
        Err(Unread::TooLarge) => message(StatusCode::PAYLOAD_TOO_LARGE, "Entity too large"),
        Err(Unread::BrokenOff) => message(StatusCode::BAD_REQUEST, "Bad Request"),
    }
}
