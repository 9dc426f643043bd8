use proptest::prelude::*;

use super::*;
use crate::Provider;

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
        settings: Settings::default(),
    }
}

fn read_as(settings: &Settings, content_type: &str, body: &str) -> Result<Submission, ParseError> {
    let request = request(content_type, body, now());
    futures::executor::block_on(parse(&request, settings))
}

fn read(content_type: &str, body: &str) -> Result<Submission, ParseError> {
    read_as(&Settings::default(), content_type, body)
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
    let form = read_as(&settings, JSON, r#"{"Liên hệ": "0912345678"}"#).unwrap();
    assert!(form.sender.phone.is_some());
}

#[test]
fn the_same_submission_has_the_same_key() {
    let first = read(JSON, DOCUMENTED).unwrap();
    let later = "2026-03-02T01:40:00Z".parse().unwrap();
    let later = request(JSON, DOCUMENTED, later);
    let again = futures::executor::block_on(parse(&later, &Settings::default())).unwrap();
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
fn what_is_no_form_is_known_at_the_door() {
    let check = |content_type, body| futures::executor::block_on(check(content_type, body));
    assert_eq!(check(JSON, DOCUMENTED), Ok(()));
    // Another mapping may find an address in a form without one, so the form is not refused here.
    assert_eq!(check(JSON, r#"{"name": "An"}"#), Ok(()));
    assert!(check("image/png", "x").is_err() && check(JSON, "{").is_err());
}

#[test]
fn what_cannot_be_used_is_refused_with_its_reason() {
    for (content_type, body, expected) in [
        (JSON, "{", "the body does not parse"),
        (JSON, "[1]", "expected a JSON object"),
        (JSON, r#"{"name": "An"}"#, "no field of the form is"),
        (JSON, r#"{"zalo": "0912345678"}"#, "not mapped"),
        (JSON, r#"{"contact": "an@example.vn"}"#, "not mapped"),
        (
            JSON,
            r#"{"phone": "02838221234"}"#,
            "field phone does not parse",
        ),
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

proptest! {
    #[test]
    fn no_body_makes_it_panic(body in "\\PC{0,200}", kind in 0usize..4) {
        let content_type = [JSON, FORM, "multipart/form-data; boundary=b", ""][kind];
        let _ = read(content_type, &body);
    }
}
