//! Calls of users' addresses over real sockets of this machine.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

const MOST: usize = 1_024;
const TIME: Duration = Duration::from_secs(2);

fn all(_: IpAddr) -> bool {
    true
}

fn none(_: IpAddr) -> bool {
    false
}

/// A server that answers each connection with this text; then it sends zeros for ever, or is silent.
struct Server {
    port: u16,
    calls: Arc<AtomicU64>,
    sent: Arc<AtomicU64>,
}

#[expect(
    clippy::disallowed_methods,
    reason = "the server of a test runs beside the calls"
)]
async fn server(answer: String, goes_on: bool) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (calls, sent) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
    let (counted, bytes) = (calls.clone(), sent.clone());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::SeqCst);
            let (answer, bytes) = (answer.clone(), bytes.clone());
            tokio::spawn(async move {
                let mut request = [0; 4_096];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(answer.as_bytes()).await;
                while goes_on && stream.write_all(&vec![b'0'; 65_536]).await.is_ok() {
                    bytes.fetch_add(65_536, Ordering::SeqCst);
                }
                std::future::pending::<()>().await;
            });
        }
    });
    Server { port, calls, sent }
}

async fn call(port: u16, host: &str, allows: Allows) -> Result<Head, WebError> {
    let request = Request::post(format!("http://{host}:{port}/hook"))
        .body(Bytes::from_static(b"{}"))
        .unwrap();
    Web::default()
        .outside(allows)
        .send(request, TIME, MOST)
        .await
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let inside = server("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".into(), false).await;
    let location = format!("http://127.0.0.1:{}/", inside.port);
    let text = format!("HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
    let outside = server(text, false).await;
    let head = call(outside.port, "127.0.0.1", all).await.unwrap();
    assert_eq!(head.status, StatusCode::FOUND);
    assert_eq!(inside.calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_body_of_ten_gigabytes_is_not_read() {
    let text = "HTTP/1.1 200 OK\r\ncontent-length: 10737418240\r\n\r\n".into();
    let server = server(text, true).await;
    let head = call(server.port, "127.0.0.1", all).await.unwrap();
    assert_eq!(head.body.len(), MOST);
    // The sockets' buffers hold some bytes.
    assert!(server.sent.load(Ordering::SeqCst) < 64 * 1024 * 1024);
}

#[tokio::test]
async fn a_body_that_does_not_end_has_a_time() {
    let text = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nslow".into();
    let server = server(text, false).await;
    let answer = call(server.port, "127.0.0.1", all).await;
    assert_eq!(answer, Err(WebError::Timeout));
}

#[tokio::test]
async fn a_forbidden_address_is_not_connected_to() {
    let server = server("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".into(), false).await;
    for host in ["127.0.0.1", "localhost"] {
        let answer = call(server.port, host, none).await;
        assert_eq!(answer, Err(WebError::Forbidden), "{host}");
    }
    assert_eq!(server.calls.load(Ordering::SeqCst), 0);
    assert!(call(server.port, "localhost", all).await.is_ok());
}

/// The addresses change between the check when a URL is saved and the call: the call judges what it finds itself.
#[tokio::test]
async fn the_addresses_of_the_call_are_checked_again() {
    let public = IpAddr::V4(Ipv4Addr::new(93, 184, 215, 14));
    let found = Arc::new(Mutex::new(vec![public]));
    let names = found.clone();
    let names = move |_: &str| names.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let answer: InProcess = Arc::new(|_| Box::pin(async { Ok(Response::new(Bytes::new())) }));
    let web = Web::in_process(answer, Arc::new(names));
    let outside = web.outside(|address| !address.is_loopback());
    assert_eq!(outside.check("shop.example").await, Ok(()));
    found
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let request = Request::post("https://shop.example/")
        .body(Bytes::new())
        .unwrap();
    let answer = outside.send(request, TIME, MOST).await;
    assert_eq!(answer, Err(WebError::Forbidden));
}
