//! How many mails a core renders per second: `cargo bench -p content`.

use std::fmt::Write as _;
use std::hint::black_box;
use std::io;
use std::time::{Duration, Instant};

use content::links::LinkSet;
use content::mail::{CompiledMail, Footer, MailContent, MailOptions, Tracking};
use content::mime::{Mailbox, Message, build};
use content::tokens::TokenKey;
use serde_json::{Value, json};

const RUN: Duration = Duration::from_secs(2);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let key = TokenKey::new("a secret for the benchmark only!");
    let links = LinkSet::new(
        "https://t.example.vn",
        &key,
        "ws_0123456789a",
        "cmp_0123456789a",
        "con_0123456789a",
        "0",
    )?;
    let plain = mail(10, false);
    let products = mail(10, true);
    let data = contact();
    let now = jiff::Timestamp::UNIX_EPOCH.to_zoned(jiff::tz::TimeZone::UTC);
    let compiled = CompiledMail::compile(&plain, &options(true))?;
    let untracked = CompiledMail::compile(&plain, &options(false))?;
    let looped = CompiledMail::compile(&products, &options(true))?;
    let built = compiled.render(&data, &links, &now)?;
    let html = built.html.clone().unwrap_or_default();
    let (from, to) = (mailbox("shop@example.vn"), mailbox("anh@example.com"));
    let message = Message {
        from: &from,
        to: &to,
        reply_to: None,
        subject: &built.subject,
        message_id: "1@example.vn",
        date: jiff::Timestamp::UNIX_EPOCH,
        unsubscribe_url: Some("https://t.example.vn/u/x"),
        html: Some(&html),
        text: &built.text,
    };
    let rows = [
        (
            "compile",
            rate(|| drop(black_box(CompiledMail::compile(&plain, &options(true))))),
        ),
        (
            "render, 12 links tracked",
            rate(|| drop(black_box(compiled.render(&data, &links, &now)))),
        ),
        (
            "render, untracked",
            rate(|| drop(black_box(untracked.render(&data, &links, &now)))),
        ),
        (
            "render, with a loop over 5 products",
            rate(|| drop(black_box(looped.render(&data, &links, &now)))),
        ),
        ("MIME message", rate(|| drop(black_box(build(&message))))),
    ];
    let mut out = String::new();
    writeln!(
        out,
        "HTML rendered: {} bytes, text: {} bytes",
        html.len(),
        built.text.len()
    )?;
    writeln!(
        out,
        "{:<40} {:>12} {:>12}",
        "", "per second", "microseconds"
    )?;
    for (name, rate) in rows {
        writeln!(out, "{name:<40} {rate:>12.0} {:>12.1}", 1e6 / rate)?;
    }
    io::Write::write_all(&mut io::stdout(), out.as_bytes())?;
    Ok(())
}

/// Calls per second of processor time.
fn rate(mut work: impl FnMut()) -> f64 {
    let (start, busy) = (Instant::now(), busy_time());
    let mut calls = 0u32;
    while start.elapsed() < RUN {
        work();
        calls += 1;
    }
    let spent = match (busy, busy_time()) {
        (Some(before), Some(after)) => after.saturating_sub(before),
        _ => start.elapsed(),
    };
    f64::from(calls) / spent.as_secs_f64()
}

/// Processor time of this thread, on Linux; other work on the machine does not count.
fn busy_time() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Duration::from_nanos(stat.split(' ').next()?.parse().ok()?))
}

fn options(tracked: bool) -> MailOptions {
    MailOptions {
        footer: Footer {
            company: "Cửa hàng Ví Dụ".to_owned(),
            postal_address: "1 Đường Ví Dụ, Hà Nội".to_owned(),
            permission_reminder: "Bạn nhận thư này vì đã mua hàng tại example.vn".to_owned(),
        },
        is_marketing: true,
        tracking: Tracking {
            click: tracked,
            open: tracked,
        },
    }
}

fn mailbox(address: &str) -> Mailbox {
    Mailbox {
        name: Some("Cửa hàng Ví Dụ".to_owned()),
        address: address.to_owned(),
    }
}

fn contact() -> Value {
    let products: Vec<_> = (0..5)
        .map(|i| json!({"name": format!("Áo dài số {i}"), "price": 450_000 + i, "url": format!("https://example.vn/p/{i}")}))
        .collect();
    json!({
        "contact": {"id": "con_1", "first_name": "Ánh", "last_name": "Nguyễn", "email": "anh@example.com",
            "phone": "+84912345678", "city": "Hà Nội", "points": 1200, "tags": ["vip", "hn"]},
        "shop": {"name": "Cửa hàng Ví Dụ", "hotline": "1900 0000"},
        "products": products,
    })
}

/// A mail of about 10 KB with 12 links, 41 merge fields and 10 conditions.
fn mail(sections: usize, products: bool) -> MailContent {
    let mut html = String::from(
        "<html><head><style>body{margin:0;font-family:Arial} .card{padding:16px;border:1px solid #dddddd} \
         h2{font-size:20px;color:#222222} p{font-size:14px;line-height:20px} a.button{background:#0a7d4f;color:#ffffff} \
         @media (max-width:600px){.card{padding:8px}}</style></head><body>\
         <p>Chào {{ contact.first_name | default: \"bạn\" }},</p>",
    );
    for i in 0..sections {
        let _ = write!(
            html,
            "<div class=\"card\"><h2>Ưu đãi {i} cho {{{{ contact.city }}}}</h2><p>Nhân dịp cuối năm, {{{{ shop.name }}}} gửi \
             tặng khách hàng thân thiết chương trình giảm giá với nhiều sản phẩm mới, giao hàng tận nơi, đổi trả trong bảy ngày. \
             {{% if contact.points > 1000 %}}Bạn đang có {{{{ contact.points }}}} điểm.{{% else %}}Tích điểm ngay.{{% endif %}}</p>\
             <a class=\"button\" href=\"https://example.vn/khuyen-mai/{i}?utm_source=email&amp;utm_campaign=tet&amp;c={{{{ contact.id }}}}\">Xem ngay</a></div>",
        );
    }
    html.push_str("<a href=\"https://example.vn/\">Trang chủ</a> <a href=\"https://example.vn/lien-he\">Liên hệ</a>");
    if products {
        html.push_str(
            "<table>{% for p in products %}<tr><td>{{ p.name }}</td><td>{{ p.price }}</td><td><a href=\"{{ p.url }}\">Mua</a></td></tr>{% endfor %}</table>",
        );
    }
    html.push_str("</body></html>");
    MailContent {
        subject: "{{ contact.first_name }} ơi, ưu đãi cuối năm".to_owned(),
        preview_text: Some("Giảm đến 50%".to_owned()),
        html: Some(html),
        text: None,
    }
}
