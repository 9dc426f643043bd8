use proptest::prelude::*;

use super::*;
use crate::{Provider, Settings};

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

fn now() -> Timestamp {
    "2026-03-02T01:20:00Z".parse().unwrap()
}

fn request(content_type: &str, body: &str, received_at: Timestamp) -> RawRequest {
    RawRequest {
        source: "src_0000000001a".parse().unwrap(),
        provider: Provider::Ladipage,
        received_at,
        headers: [("content-type".to_owned(), content_type.to_owned())].into(),
        body: body.to_owned(),
        file: None,
        replay_of: None,
        settings: Settings::default(),
    }
}

fn read_as(settings: Settings, content_type: &str, body: &str) -> Result<Submission, ParseError> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, content_type.parse().unwrap());
    let taken = futures::executor::block_on(take(&headers, body.as_bytes()));
    let (headers, body) = taken?;
    parse(&RawRequest {
        headers,
        settings,
        ..request("", &body, now())
    })
}

fn read(content_type: &str, body: &str) -> Result<Submission, ParseError> {
    read_as(Settings::default(), content_type, body)
}

/// Names of the fields that were cut.
fn shortened(form: &Submission) -> Vec<&str> {
    let names = form.event.data[SHORTENED].as_array();
    let names = names.into_iter().flatten();
    names.filter_map(Value::as_str).collect()
}

const DOCUMENTED: &str = r#"{"name": "Trần Thị An", "phone": "0912 345 678", "email": "an.tran@example.vn",
  "message": "Tư vấn size M", "ladi_form_id": "FORM8", "link": "https://landing.example.vn/tet26",
  "utm_source": "facebook", "utm_term": "", "message_time": "02/03/2026 08:15:30", "is_verified": "0"}"#;

#[test]
fn reads_the_documented_form() {
    let form = read(JSON, DOCUMENTED).unwrap();
    assert_eq!(form.sender.phone.as_ref().unwrap().e164(), "+84912345678");
    assert_eq!(
        form.sender.email.as_ref().unwrap().as_str(),
        "an.tran@example.vn"
    );
    assert_eq!(form.sender.person.full_name.as_deref(), Some("Trần Thị An"));
    assert_eq!(
        form.event.at,
        "2026-03-02T01:15:30Z".parse::<Timestamp>().unwrap()
    );
    assert_eq!(form.event.data["utm_source"], "facebook");
    assert!(
        form.event.data.get("utm_term").is_none(),
        "empty fields say nothing"
    );
}

#[test]
fn every_shape_gives_the_same_person() {
    let relay = r#"{"ladi_form_id": "FORM8", "form_data": [{"name": "Họ và tên", "value": "Trần Thị An"},
        {"name": "Số điện thoại", "value": "84912345678"}], "tracking_form": [{"name": "utm_source", "value": "zalo"}]}"#;
    let urlencoded = "H%E1%BB%8D+v%C3%A0+t%C3%AAn=Tr%E1%BA%A7n+Th%E1%BB%8B+An&sdt=0912345678";
    let multipart = "--b\r\nContent-Disposition: form-data; name=\"Họ và tên\"\r\n\r\nTrần Thị An\r\n\
        --b\r\nContent-Disposition: form-data; name=\"tel\"\r\n\r\n912345678\r\n--b--\r\n";
    for (content_type, body) in [
        (JSON, relay),
        (FORM, urlencoded),
        ("multipart/form-data; boundary=b", multipart),
    ] {
        let form = read(content_type, body).unwrap();
        assert_eq!(
            form.sender.person.full_name.as_deref(),
            Some("Trần Thị An"),
            "{content_type}"
        );
        assert_eq!(
            form.sender.phone.unwrap().digits(),
            "84912345678",
            "{content_type}"
        );
    }
}

#[test]
fn a_family_name_and_a_given_name_are_both_kept() {
    for (family, given) in [("Họ", "Tên"), ("last_name", "first_name")] {
        let body = json_form(&[
            (family, "Nguyễn Văn"),
            (given, "Bình"),
            ("sdt", "0912345678"),
        ]);
        let person = read(JSON, &body).unwrap().sender.person;
        assert_eq!(person.full_name, None);
        assert_eq!(person.last_name.as_deref(), Some("Nguyễn Văn"));
        assert_eq!(person.first_name.as_deref(), Some("Bình"));
    }
    let alone = json_form(&[
        ("Tên", "Trần An"),
        ("sdt", "0912345678"),
        ("Giới tính", "nữ"),
    ]);
    let person = read(JSON, &alone).unwrap().sender.person;
    assert_eq!(person.full_name.as_deref(), Some("Trần An"));
    assert_eq!(person.gender.as_deref(), Some("female"));
}

#[test]
fn the_sources_own_names_win() {
    let settings = Settings {
        mapping: BTreeMap::from([("Liên hệ".to_owned(), "phone".to_owned())]),
        ..Settings::default()
    };
    let form = read_as(settings, JSON, r#"{"Liên hệ": "0912345678"}"#).unwrap();
    assert!(form.sender.phone.is_some());
}

#[test]
fn the_same_submission_has_the_same_key() {
    let first = read(JSON, DOCUMENTED).unwrap();
    let later = "2026-03-02T01:40:00Z".parse().unwrap();
    let later = request(JSON, DOCUMENTED, later);
    let again = parse(&later).unwrap();
    assert_eq!(
        (&first.event.id, first.event.at),
        (&again.event.id, again.event.at)
    );
    assert_eq!(first.event.same_within, None);
    let other = read(JSON, &DOCUMENTED.replace("08:15:30", "08:16:30")).unwrap();
    assert_ne!(first.event.id, other.event.id);
}

#[test]
fn a_form_that_says_no_time_is_known_by_its_fields() {
    let part = |boundary: &str, name: &str, value: &str| {
        format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        )
    };
    let read = |boundary: &str, phone: &str| {
        let parts = part(boundary, "name", "An") + &part(boundary, "tel", phone);
        let content_type = format!("multipart/form-data; boundary={boundary}");
        read(&content_type, &format!("{parts}--{boundary}--\r\n")).unwrap()
    };
    let (first, again) = (read("a", "0912345678"), read("b", "0912345678"));
    assert_eq!(first.event.id, again.event.id);
    assert_eq!(first.event.same_within, Some(SAME_WITHOUT_TIME));
    assert_ne!(first.event.id, read("a", "0912345679").event.id);
}

#[test]
fn a_time_from_nowhere_is_not_believed() {
    for time in ["02/03/2036 08:15:30", "02/03/1999 08:15:30", "hôm qua"] {
        let form = read(JSON, &DOCUMENTED.replace("02/03/2026 08:15:30", time)).unwrap();
        assert_eq!(
            (form.event.at, form.event.same_within),
            (now(), Some(SAME_TIME_TEXT)),
            "{time}"
        );
    }
}

#[test]
fn a_name_loses_its_links_and_other_fields_keep_theirs() {
    let form = |name: &str| {
        json_form(&[
            ("phone", "0912345678"),
            ("Họ và tên", name),
            ("link", "https://shop.example.vn"),
        ])
    };
    let spam = read(JSON, &form("An, quà tại https://evil.example/qua")).unwrap();
    assert_eq!(spam.sender.person.full_name.as_deref(), Some("An, quà tại"));
    assert_eq!(spam.event.data["name"], "An, quà tại");
    assert_eq!(spam.event.data["link"], "https://shop.example.vn");
    assert_eq!(
        read(JSON, &form("evil.com"))
            .unwrap()
            .sender
            .person
            .full_name,
        None
    );
}

#[test]
fn a_long_field_keeps_its_beginning_and_is_named() {
    let name = "Ă".repeat(1_001);
    let body = json_form(&[
        ("phone", "0912345678"),
        ("name", &name),
        ("note", &"n".repeat(1_000)),
    ]);
    let form = read(JSON, &body).unwrap();
    assert_eq!(form.sender.person.full_name, Some("Ă".repeat(255)));
    assert_eq!(form.event.data["name"], "Ă".repeat(1_000));
    assert_eq!(form.event.data["note"], "n".repeat(1_000));
    assert_eq!(shortened(&form), ["name"]);
}

#[test]
fn of_too_many_long_fields_the_longest_are_left_out() {
    let names: Vec<String> = (0..100).map(|n| format!("f{n:03}")).collect();
    let texts: Vec<String> = (0..100).map(|n| "x".repeat(500 + n)).collect();
    let mut fields = vec![("phone", "0912345678"), ("ladi_form_id", "FORM8")];
    fields.extend(
        names
            .iter()
            .zip(&texts)
            .map(|(name, text)| (name.as_str(), text.as_str())),
    );
    let form = read(JSON, &json_form(&fields)).unwrap();
    let cut = shortened(&form);
    let mut data = form.event.data.as_object().unwrap().clone();
    data.remove(SHORTENED);
    let kept: usize = data
        .iter()
        .map(|(name, text)| name.len() + text.as_str().unwrap().len())
        .sum();
    assert!((MAX_KEPT - 1_000..=MAX_KEPT).contains(&kept), "{kept}");
    assert!(data["phone"] == "0912345678" && data["form_id"] == "FORM8");
    assert!(data.contains_key("f000") && !data.contains_key("f099"));
    // Every field is either stored or named as cut.
    assert_eq!(data.len() + cut.len(), 102);
    assert!(cut.iter().all(|name| !data.contains_key(*name)));
    assert!(cut.contains(&"f099"));
}

fn json_form(fields: &[(&str, &str)]) -> String {
    let fields: Map<String, Value> = fields
        .iter()
        .map(|(name, text)| ((*name).to_owned(), Value::from(*text)))
        .collect();
    Value::Object(fields).to_string()
}

#[test]
fn what_cannot_be_used_is_refused_with_its_reason() {
    for (content_type, body, expected) in [
        (JSON, "{", "the body does not parse"),
        (JSON, "[1]", "expected a JSON object"),
        (JSON, r#"{"name": "An"}"#, "no field of the form is"),
        (JSON, r#"{"zalo": "0912345678"}"#, "not mapped"),
        (JSON, r#"{"contact": "an@example.vn"}"#, "not mapped"),
        ("image/png", "x", "content type"),
        ("multipart/form-data", "x", "the body does not parse"),
    ] {
        let error = read(content_type, body).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let many: String = (0..300).map(|n| format!("f{n}=1&")).collect();
    assert_eq!(
        read(FORM, &many),
        Err(ParseError::TooManyFields(MAX_FIELDS))
    );
}

#[test]
fn nested_and_stringified_forms_are_read() {
    for body in [
        r#"{"data": {"phone": "0904000106", "name": "Trần Mai"}}"#,
        r#"{"name": "Trần Mai", "form_data": "[{\"name\":\"phone\",\"value\":\"0904000106\"}]"}"#,
        r#"{"form": {"answers": [{"name": "Họ và tên", "value": "Trần Mai"}, {"name": "sdt", "value": 904000106}]}}"#,
        "\u{feff}{\"phone\":\"0904000106\",\"name\":\"Trần Mai\"}",
    ] {
        let form = read(JSON, body).unwrap();
        assert_eq!(form.sender.phone.unwrap().e164(), "+84904000106", "{body}");
        assert_eq!(
            form.sender.person.full_name.as_deref(),
            Some("Trần Mai"),
            "{body}"
        );
    }
    let pairs =
        "name=Mai&form_data=%5B%7B%22name%22%3A%22phone%22%2C%22value%22%3A%220904000106%22%7D%5D";
    assert!(read(FORM, pairs).unwrap().sender.phone.is_some());
}

#[test]
fn every_value_of_a_field_is_kept() {
    let json = r#"{"phone": "0904000101", "sdt": "0904000102", "san_pham": ["Áo dài", "Quần lụa"],
        "customer": {"name": "Mai"}, "product": {"name": "Áo dài"}, "": "x", "chọn": "[1, 2]"}"#;
    let data = read(JSON, json).unwrap().event.data;
    assert_eq!(data["san_pham"], "Áo dài; Quần lụa");
    assert_eq!(data["phone"], "0904000101");
    assert_eq!(
        data["sdt"], "0904000102",
        "a second number keeps its own name"
    );
    assert_eq!(
        (data["name"].as_str(), data["product_name"].as_str()),
        (Some("Mai"), Some("Áo dài"))
    );
    assert_eq!(
        (data["unnamed"].as_str(), data["chon"].as_str()),
        (Some("x"), Some("[1, 2]"))
    );
    for body in [
        "phone=0904000102&san_pham=A&san_pham=B",
        "phone=0904000102&san_pham[]=A&san_pham[]=B",
    ] {
        assert_eq!(
            read(FORM, body).unwrap().event.data["san_pham"],
            "A; B",
            "{body}"
        );
    }
}

#[test]
fn a_file_of_a_form_leaves_its_name() {
    let part = |head: &str, body: &[u8]| {
        let head = format!("--X\r\nContent-Disposition: form-data; {head}\r\n\r\n");
        [head.as_bytes(), body, b"\r\n"].concat()
    };
    let body = [
        part("name=\"phone\"", b"0904700950"),
        part(
            "name=\"cv\"; filename=\"cv.pdf\"",
            &[0xff, 0xd8, 0x00, 0x80],
        ),
        b"--X--\r\n".to_vec(),
    ]
    .concat();
    let mut headers = HeaderMap::new();
    headers.insert(
        CONTENT_TYPE,
        "multipart/form-data; boundary=X".parse().unwrap(),
    );
    let (headers, body) = futures::executor::block_on(take(&headers, &body)).unwrap();
    let form = parse(&RawRequest {
        headers,
        ..request("", &body, now())
    })
    .unwrap();
    assert_eq!(form.event.data["cv"], "cv.pdf");
    assert_eq!(form.sender.phone.unwrap().e164(), "+84904700950");
}

#[test]
fn the_time_of_a_form_is_read_in_its_usual_forms() {
    for time in [
        "2026-03-02T08:15:30+07:00",
        "2026-03-02T01:15:30Z",
        "2026-03-02T08:15:30",
        "08:15:30 02/03/2026",
        "02/03/2026 08:15:30",
    ] {
        let body = json_form(&[
            ("phone", "0904300001"),
            ("ladi_form_id", "T"),
            ("message_time", time),
        ]);
        let event = read(JSON, &body).unwrap().event;
        assert_eq!(event.at.to_string(), "2026-03-02T01:15:30Z", "{time}");
        assert_eq!(event.same_within, None, "{time}");
    }
}

#[test]
fn a_plus_that_was_sent_without_its_code_is_part_of_the_address() {
    let form = read(FORM, "name=Mai+Lan&email=mai+tet@plus.example.vn").unwrap();
    assert_eq!(
        form.sender.email.unwrap().as_str(),
        "mai+tet@plus.example.vn"
    );
    assert_eq!(form.event.data["name"], "Mai Lan");
}

#[test]
fn what_a_visitor_mistyped_keeps_the_lead() {
    for (typed, number) in [
        ("0904000112 / 0904000113", "+84904000112"),
        ("Zalo: 0904 000 111", "+84904000111"),
    ] {
        let form = read(JSON, &json_form(&[("name", "Mai"), ("phone", typed)])).unwrap();
        assert_eq!(form.sender.phone.unwrap().e164(), number);
        assert_eq!(form.event.data["phone"], typed, "as typed");
        assert!(form.event.data.get(UNUSABLE).is_none());
    }
    for (field, typed) in [
        ("phone", "028 3822 0000"),
        ("phone", "+1 415 555 0100"),
        ("email", "mai@gmail,com"),
    ] {
        let form = read(JSON, &json_form(&[("name", "Mai"), (field, typed)])).unwrap();
        assert_eq!((form.sender.phone, form.sender.email), (None, None));
        assert_eq!(form.sender.person.full_name.as_deref(), Some("Mai"));
        assert_eq!(form.event.data[field], typed);
        assert_eq!(form.event.data[UNUSABLE], serde_json::json!([field]));
    }
    let other = |typed| {
        read(
            JSON,
            &json_form(&[
                ("ladi_form_id", "F"),
                ("message_time", "02/03/2026 08:15:30"),
                ("phone", typed),
            ]),
        )
    };
    assert_ne!(other("12").unwrap().event.id, other("13").unwrap().event.id);
}

proptest! {
    #[test]
    fn no_body_makes_it_panic(body in "\\PC{0,200}", kind in 0usize..4) {
        let content_type = [JSON, FORM, "multipart/form-data; boundary=b", ""][kind];
        let _ = read(content_type, &body);
    }
}
