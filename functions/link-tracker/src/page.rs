//! The open pixel and four small pages. They load nothing from other sites, no cache keeps them, and they show
//! nothing about the visitor.

use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// The smallest transparent GIF.
const GIF: [u8; 43] = [
    0x47, 0x49, 0x46, 0x38, 0x39, 0x61, 0x01, 0x00, 0x01, 0x00, 0x80, 0x00, 0x00, 0x00, 0x00, 0x00,
    0xff, 0xff, 0xff, 0x21, 0xf9, 0x04, 0x01, 0x00, 0x00, 0x00, 0x00, 0x2c, 0x00, 0x00, 0x00, 0x00,
    0x01, 0x00, 0x01, 0x00, 0x00, 0x02, 0x02, 0x44, 0x01, 0x00, 0x3b,
];

const NO_STORE: (HeaderName, &str) = (header::CACHE_CONTROL, "no-store, max-age=0");

/// The open pixel.
pub fn pixel() -> Response {
    (
        [(header::CONTENT_TYPE, "image/gif"), NO_STORE],
        GIF.to_vec(),
    )
        .into_response()
}

/// Asks whether to unsubscribe.
pub fn ask(token: &str) -> Response {
    let form = format!(
        "<p>Bạn sẽ không nhận email tiếp thị từ chúng tôi nữa.</p>\
         <form method=\"post\"><button type=\"submit\">Hủy đăng ký</button></form>{}",
        other_choices(token)
    );
    html(StatusCode::OK, "Hủy đăng ký nhận email", &form)
}

/// The unsubscription is recorded.
pub fn done(token: &str) -> Response {
    let text = format!(
        "<p>Chúng tôi sẽ không gửi email tiếp thị cho bạn nữa.</p>{}",
        other_choices(token)
    );
    html(StatusCode::OK, "Bạn đã hủy đăng ký", &text)
}

/// The link to the preference page. A token is URL-safe text.
fn other_choices(token: &str) -> String {
    format!("<p><a href=\"/p/{token}\">Chọn loại tin muốn nhận</a></p>")
}

/// The request could not be recorded now.
pub fn try_again() -> Response {
    let text = "<p>Yêu cầu chưa được ghi nhận. Vui lòng thử lại sau ít phút.</p>";
    let mut response = html(StatusCode::SERVICE_UNAVAILABLE, "Chưa ghi nhận được", text);
    response.headers_mut().insert(header::RETRY_AFTER, 5.into());
    response
}

/// The link is not one of ours.
pub fn not_found() -> Response {
    let text = "<p>Liên kết không đúng hoặc không đầy đủ.</p>";
    html(StatusCode::NOT_FOUND, "Không tìm thấy", text)
}

pub fn html(status: StatusCode, title: &str, body: &str) -> Response {
    let page = format!(
        "<!doctype html><html lang=\"vi\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"robots\" content=\"noindex\"><title>{title}</title>\
         <style>body{{font-family:sans-serif;max-width:32rem;margin:4rem auto;padding:0 1rem}}\
         button{{font-size:1rem;padding:.6rem 1.2rem}}label{{display:block;padding:.5rem 0}}\
         fieldset{{border:1px solid #999;margin:0 0 1rem}}input{{width:1.2rem;height:1.2rem}}</style></head>\
         <body><h1>{title}</h1>{body}</body></html>"
    );
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        NO_STORE,
        (header::REFERRER_POLICY, "no-referrer"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
        ),
    ];
    (status, headers, page).into_response()
}
