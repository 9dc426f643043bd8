//! Files as shops have them: damaged, with marked headings, with numbers that a spreadsheet changed, in old encodings.

use contacts::ChannelStatus::{Complained, None as Nobody, Subscribed, Unsubscribed};
use contacts::Contact;
use serde_json::{Value, json};

use super::shop::{Shop, email, phone};
use crate::support::{grant_of, http_event};

/// A statement for both channels, as query parameters.
pub const STATEMENT: &str = "consent_way=news_form&consent_text=Nh%E1%BA%ADn%20tin&consent_channels=email,sms\
    &consent_at=2026-01-01T00:00:00Z";

/// The import of a file, when it is over.
async fn imported(shop: &Shop, path: &str, file: &[u8]) -> Value {
    use base64::Engine as _;
    let mut event = http_event("POST", path, None, Some(&shop.grant()));
    event["headers"]["content-type"] = "text/csv".into();
    event["body"] = base64::engine::general_purpose::STANDARD
        .encode(file)
        .into();
    event["isBase64Encoded"] = true.into();
    let (status, job) = shop.world.ask("api-contacts", event).await;
    assert_eq!(status, 202, "{job}");
    shop.world.settle().await;
    shop.job(job["id"].as_str().unwrap()).await
}

/// The body of an answer. A gateway takes text of a type that it does not know as base64.
fn text_of(answer: &Value) -> String {
    use base64::Engine as _;
    let body = answer["body"].as_str().unwrap();
    if answer["isBase64Encoded"] == false {
        return body.to_owned();
    }
    let bytes = base64::engine::general_purpose::STANDARD.decode(body);
    String::from_utf8(bytes.unwrap()).unwrap()
}

async fn of(shop: &Shop, address: &str) -> Option<Contact> {
    let id = shop.owner(&email(address)).await?;
    Some(shop.contact(id).await)
}

fn counts(job: &Value) -> [u64; 5] {
    ["total", "created", "updated", "skipped", "failed"].map(|name| job[name].as_u64().unwrap())
}

fn lines(job: &Value) -> Vec<u64> {
    let errors = job["errors"].as_array().unwrap().iter();
    errors
        .map(|error| error["line"].as_u64().unwrap())
        .collect()
}

#[tokio::test]
async fn an_unclosed_quote_is_told_and_costs_no_other_line() {
    let shop = Shop::new().await;
    let file = "Email,Ghi chú,SĐT\r\nmot@q.example.vn,Khách lẻ,0903333401\r\nhai@q.example.vn,\"màn 5 inch,0903333402\r\n\
        ba@q.example.vn,Khách sỉ,0903333403\r\nbon@q.example.vn,Hẹn \"sáng mai\",0903333404\r\n";
    let job = imported(&shop, "/v1/imports", file.as_bytes()).await;
    assert_eq!(
        (counts(&job), lines(&job)),
        ([4, 4, 0, 0, 0], vec![3]),
        "{job}"
    );
    for (address, number) in [
        ("mot", "0903333401"),
        ("hai", "0903333402"),
        ("ba", "0903333403"),
        ("bon", "0903333404"),
    ] {
        let contact = of(&shop, &format!("{address}@q.example.vn")).await.unwrap();
        assert_eq!(contact.phone, Some(number.parse().unwrap()));
    }
    let many: String = (0..1_000)
        .map(|n| format!("n{n}@q.example.vn,x\r\n"))
        .collect();
    let job = imported(
        &shop,
        "/v1/imports",
        format!("Email,Ghi chú\r\n{many}xa@q.example.vn,\"hở, x\r\n{many}").as_bytes(),
    )
    .await;
    assert_eq!(
        (counts(&job), lines(&job)),
        ([2_001, 1_000, 1_000, 0, 1], vec![1_002])
    );
}

#[tokio::test]
async fn a_bad_byte_costs_its_line() {
    let shop = Shop::new().await;
    let mut file = "Họ và tên,SĐT,Email\r\nNguyễn Thị Ánh,0904200601,mot@byte.example.vn\r\nL"
        .as_bytes()
        .to_vec();
    file.extend(b"\xea Minh,0904200603,ba@byte.example.vn\r\n");
    let job = imported(&shop, "/v1/imports", &file).await;
    assert_eq!(
        (counts(&job), lines(&job)),
        ([2, 1, 0, 0, 1], vec![3]),
        "{job}"
    );
    let contact = of(&shop, "mot@byte.example.vn").await.unwrap();
    assert_eq!(contact.person.full_name.as_deref(), Some("Nguyễn Thị Ánh"));
    assert_eq!(contact.phone, Some("0904200601".parse().unwrap()));
}

#[tokio::test]
async fn a_file_of_an_old_font_is_converted() {
    let shop = Shop::new().await;
    let file = b"H\xe4 v\xb5 t\xaan,Email\r\nNguy\xd4n V\xa8n An,mot@abc.example.vn\r\nTr\xc7n Th\xde B\xd7nh,hai@abc.example.vn\r\n";
    let job = imported(&shop, "/v1/imports", file).await;
    assert_eq!(counts(&job), [2, 2, 0, 0, 0], "{job}");
    assert_eq!(
        shop.found("")
            .await
            .into_iter()
            .collect::<std::collections::BTreeSet<_>>(),
        ["Nguyễn Văn An".to_owned(), "Trần Thị Bình".to_owned()].into()
    );
}

#[tokio::test]
async fn what_the_data_says_about_consent_is_read() {
    for (path, agreed) in [
        (format!("/v1/imports?{STATEMENT}"), Subscribed),
        ("/v1/imports".to_owned(), Nobody),
    ] {
        let shop = Shop::new().await;
        let file = "Email,Đồng ý nhận email,Trạng thái,SĐT\r\nco@c.example.vn,có,subscribed,0912000001\r\n\
            khong@c.example.vn,không,unsubscribed,\r\nhong@c.example.vn,có,cleaned,\r\nrac@c.example.vn,,spam,\r\ntrong@c.example.vn,,,\r\n";
        let job = imported(&shop, &path, file.as_bytes()).await;
        assert_eq!(counts(&job), [5, 5, 0, 0, 0], "{job}");
        for (name, status) in [
            ("co", agreed),
            ("khong", Unsubscribed),
            ("hong", Unsubscribed),
            ("rac", Complained),
            ("trong", Nobody),
        ] {
            let contact = of(&shop, &format!("{name}@c.example.vn")).await.unwrap();
            assert_eq!(contact.email_status, status, "{name} {path}");
        }
        // The column asks about mail only.
        assert_eq!(
            of(&shop, "co@c.example.vn").await.unwrap().sms_status,
            agreed
        );
        // A later file with a statement subscribes nobody again.
        imported(
            &shop,
            &format!("/v1/imports?{STATEMENT}"),
            b"Email\nkhong@c.example.vn\nrac@c.example.vn\n",
        )
        .await;
        assert_eq!(
            of(&shop, "khong@c.example.vn").await.unwrap().email_status,
            Unsubscribed
        );
        assert_eq!(
            of(&shop, "rac@c.example.vn").await.unwrap().email_status,
            Complained
        );
    }
}

#[tokio::test]
async fn numbers_that_a_spreadsheet_changed_are_repaired_or_told() {
    let shop = Shop::new().await;
    let file = "Email,Số điện thoại\r\na@t.example.vn,'0903222301\r\nb@t.example.vn,\"=\"\"0903222302\"\"\"\r\nc@t.example.vn,903222303.0\r\n\
        d@t.example.vn,9.03222304E+08\r\ne@t.example.vn,9.03E+08\r\nf@t.example.vn,024 3825 1234\r\ng@t.example.vn,không có\r\nh@t.example.vn,+1 202 555 0147\r\n";
    let job = imported(&shop, "/v1/imports", file.as_bytes()).await;
    assert_eq!(
        (counts(&job), lines(&job)),
        ([8, 8, 0, 0, 0], vec![6, 7, 8, 9]),
        "{job}"
    );
    assert_eq!(
        job["errors"][0]["message"],
        "the spreadsheet has shortened the number"
    );
    for (name, number) in [
        ("a", "+84903222301"),
        ("b", "+84903222302"),
        ("c", "+84903222303"),
        ("d", "+84903222304"),
    ] {
        let contact = of(&shop, &format!("{name}@t.example.vn")).await.unwrap();
        assert_eq!(contact.phone.unwrap().e164(), number);
    }
    let kept = of(&shop, "f@t.example.vn").await.unwrap();
    assert_eq!(
        (kept.phone, &kept.custom["so_dien_thoai"]),
        (None, &json!("024 3825 1234"))
    );
}

#[tokio::test]
async fn a_file_is_not_refused_for_its_headings() {
    let shop = Shop::new().await;
    for (file, name, number) in [
        (
            "sep=;\r\nHọ và tên;Số điện thoại;Email\r\nMai;0903111201;mai@h.example.vn\r\n",
            "mai",
            "0903111201",
        ),
        (
            "Họ và tên *,Email (bắt buộc),SĐT/Zalo\r\nLan,lan@h.example.vn,0903555651\r\n",
            "lan",
            "0903555651",
        ),
        (
            "Họ tên,Điện thoại,Di động,Email\r\nHoa,02438251234,0903555641,hoa@h.example.vn\r\n",
            "hoa",
            "0903555641",
        ),
        (
            "DANH SÁCH,,\r\nHọ tên;Email;Địa chỉ (số nhà, đường, phường);SĐT\r\nTú;tu@h.example.vn;1, Lê Lợi;0903555642\r\n",
            "tu",
            "0903555642",
        ),
        (
            "First Name,E-mail 1 - Value,Phone 1 - Value\r\nTâm,tam@h.example.vn,0903555643\r\n",
            "tam",
            "0903555643",
        ),
    ] {
        let job = imported(&shop, "/v1/imports", file.as_bytes()).await;
        assert_eq!(counts(&job), [1, 1, 0, 0, 0], "{job}");
        let contact = of(&shop, &format!("{name}@h.example.vn")).await;
        let contact = contact.unwrap_or_else(|| panic!("{file} {job}"));
        assert_eq!(contact.phone, Some(number.parse().unwrap()), "{file}");
        assert_eq!(shop.owner(&phone(number)).await, Some(contact.id));
    }
    assert_eq!(
        of(&shop, "hoa@h.example.vn").await.unwrap().custom["dien_thoai"],
        "02438251234"
    );
}

#[tokio::test]
async fn tags_and_birthdays_have_one_form() {
    let shop = Shop::new().await;
    let file = "Email,Ngày sinh,Tags\r\na@d.example.vn,02/05,\"VIP, Hà Nội, sỉ\"\r\nb@d.example.vn,02/05/1990 00:00:00,\"\"\"VIP\"\",\"\"Hà Nội\"\"\"\r\n\
        c@d.example.vn,1990/05/02,VIP\r\nd@d.example.vn,32995,\r\ne@d.example.vn,mùa xuân,\r\n";
    let job = imported(&shop, "/v1/imports", file.as_bytes()).await;
    assert_eq!(
        (counts(&job), lines(&job)),
        ([5, 5, 0, 0, 0], vec![6]),
        "{job}"
    );
    let a = of(&shop, "a@d.example.vn").await.unwrap();
    assert_eq!(json!(a.tags), json!(["Hà Nội", "VIP", "sỉ"]));
    let b = of(&shop, "b@d.example.vn").await.unwrap();
    assert_eq!(json!(b.tags), json!(["Hà Nội", "VIP"]));
    for (name, day) in [
        ("a", "--05-02"),
        ("b", "1990-05-02"),
        ("c", "1990-05-02"),
        ("d", "1990-05-02"),
    ] {
        let contact = of(&shop, &format!("{name}@d.example.vn")).await.unwrap();
        assert_eq!(contact.person.birthday.as_deref(), Some(day), "{name}");
    }
}

#[tokio::test]
async fn offices_are_refused_with_their_reason() {
    let shop = Shop::new().await;
    let file = "Email,SĐT\r\nnoreply@o.example.vn,0912000002\r\nabuse@o.example.vn,\r\n";
    let job = imported(&shop, "/v1/imports", file.as_bytes()).await;
    assert_eq!(
        (counts(&job), lines(&job)),
        ([2, 1, 0, 0, 1], vec![2, 3]),
        "{job}"
    );
    assert!(
        job["errors"][1]["message"]
            .as_str()
            .unwrap()
            .contains("machine"),
        "{job}"
    );
    assert!(of(&shop, "abuse@o.example.vn").await.is_none());
}

#[tokio::test]
async fn a_cell_that_its_defined_field_does_not_take_costs_the_cell() {
    let shop = Shop::new().await;
    let field = json!({ "key": "tuoi", "label": "Tuổi", "type": "number" });
    let grant = crate::support::grant_of(shop.tenant.workspace(), "admin");
    let request = crate::support::http_event("POST", "/v1/fields", Some(&field), Some(&grant));
    let (status, made) = shop.world.ask("api-contacts", request).await;
    assert_eq!(status, 201, "{made}");
    let file = "Họ tên,Email,tuoi\nAn,an@t.example.vn,31\nBình,binh@t.example.vn,ba mươi\n";
    let id = shop.upload("/v1/imports", file).await;
    shop.world.settle().await;
    let job = shop.job(&id).await;
    assert_eq!(
        (&job["created"], &job["failed"]),
        (&json!(2), &json!(0)),
        "{job}"
    );
    assert_eq!(
        (&job["errors"][0]["line"], &job["errors"][0]["column"]),
        (&json!(3), &json!("custom.tuoi"))
    );
    for (address, expected) in [
        ("an@t.example.vn", json!(31)),
        ("binh@t.example.vn", Value::Null),
    ] {
        let owner = shop.owner(&email(address)).await.unwrap();
        let contact = shop.contact(owner).await;
        assert_eq!(
            contact.custom.get("tuoi").cloned().unwrap_or_default(),
            expected
        );
    }
}

#[tokio::test]
async fn the_sample_of_a_file_is_imported_whole() {
    let shop = Shop::new().await;
    for (key, kind) in [
        ("co_ao", "text"),
        ("ngay_cuoi", "date"),
        ("hop_dong", "file"),
    ] {
        let field = json!({ "key": key, "label": key, "type": kind });
        let admin = grant_of(shop.tenant.workspace(), "admin");
        let event = http_event("POST", "/v1/fields", Some(&field), Some(&admin));
        let (status, made) = shop.world.ask("api-contacts", event).await;
        assert_eq!(status, 201, "{made}");
    }
    let event = http_event("GET", "/v1/imports/sample", None, Some(&shop.grant()));
    let answer = shop.world.invoke("api-contacts", event).await.unwrap();
    assert_eq!(answer["headers"]["content-type"], "text/csv; charset=utf-8");
    let file = text_of(&answer);
    let headings = file.lines().next().unwrap();
    let headings = headings.trim_start_matches('\u{feff}');
    assert!(
        headings.starts_with("Mã khách hàng,Email,Số điện thoại,"),
        "{headings:?}"
    );
    assert!(
        headings.ends_with("custom.co_ao,custom.ngay_cuoi"),
        "{headings}"
    );
    let job = imported(&shop, "/v1/imports", file.as_bytes()).await;
    assert_eq!(counts(&job), [1, 1, 0, 0, 0], "{job}");
    assert!(lines(&job).is_empty(), "{job}");
    let contact = of(&shop, "an.tran@example.vn").await.unwrap();
    assert_eq!(contact.person.province.as_deref(), Some("Hà Nội"));
    assert_eq!(contact.custom["ngay_cuoi"], json!("2026-03-02"));
}
