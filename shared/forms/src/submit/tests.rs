//! Answers of visitors: accepted, corrected, or asked again.

use serde_json::json;

use super::*;

fn form() -> Form {
    let settings = json!({
        "name": "Bản tin",
        "fields": [
            {"key": "full_name"}, {"key": "phone", "required": true}, {"key": "email"},
            {"key": "birthday"}, {"key": "language", "hidden": true, "default": "vi"},
        ],
        "consent": {"email": {"text": "Tôi đồng ý nhận email"}, "sms": {"text": "Tôi đồng ý nhận SMS"}},
    });
    Form {
        id: "frm_0123456789a".parse().unwrap(),
        status: crate::Status::Published,
        settings_version: 3,
        settings: serde_json::from_value(settings).unwrap(),
        guard: None,
        created_at: Timestamp::UNIX_EPOCH,
        updated_at: Timestamp::UNIX_EPOCH,
    }
}

fn answers(pairs: &[(&str, &str)]) -> Result<FormSubmission, Vec<Fault>> {
    let pairs = pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let given = Given::of(pairs).unwrap();
    let (form, none) = (form(), Definitions::default());
    read(
        &form,
        &none,
        &given,
        Visit::default(),
        Timestamp::UNIX_EPOCH,
    )
}

#[test]
fn all_answers_become_one_submission() {
    let taken = answers(&[
        ("full_name", "Trần An xem shop.vn"),
        ("phone", "0904000112 / 0904000113"),
        ("email", "An@Example.vn"),
        ("consent.email", "yes"),
        ("utm_source", "facebook"),
    ])
    .unwrap();
    assert_eq!(taken.person.full_name.as_deref(), Some("Trần An xem"));
    assert_eq!(taken.person.language.as_deref(), Some("vi"));
    assert_eq!(taken.phone.unwrap().e164(), "+84904000112");
    assert_eq!(taken.data["phone"], "0904000112 / 0904000113");
    assert_eq!(taken.data["utm_source"], "facebook");
    let said = json!({"email": "ticked", "sms": "left_empty", "zalo": "not_asked"});
    assert_eq!(taken.data["consent"], said);
    let ticked: Vec<bool> = taken.consent.iter().map(|one| one.ticked).collect();
    assert_eq!(ticked, [true, false]);
    assert_eq!(taken.consent[0].form, "frm_0123456789a#3");
}

#[test]
fn only_a_required_question_refuses_the_form() {
    let faults = answers(&[("phone", "123"), ("email", "an@")]).unwrap_err();
    let rules: Vec<_> = faults
        .iter()
        .map(|one| (one.field.as_str(), &one.rule))
        .collect();
    assert_eq!(rules, [("phone", &Rule::Phone)]);
    let taken = answers(&[
        ("phone", "0904 000 112"),
        ("email", "an@"),
        ("birthday", "hôm qua"),
    ]);
    let taken = taken.unwrap();
    assert_eq!(taken.data["_not_read"], json!(["email", "birthday"]));
    assert_eq!(
        (taken.data["email"].as_str(), taken.email),
        (Some("an@"), None)
    );
}

#[test]
fn a_form_without_an_answer_names_the_question() {
    let faults = answers(&[]).unwrap_err();
    assert_eq!(faults[0].rule, Rule::Missing);
}

#[test]
fn a_program_is_found_by_the_hidden_box() {
    let faults = answers(&[("phone", "0904000112"), (HONEYPOT, "x")]).unwrap_err();
    assert_eq!(faults[0].rule, Rule::Honeypot);
}

#[test]
fn a_foreign_field_does_not_pass_for_one_of_ours() {
    let taken = answers(&[
        ("phone", "0904000112"),
        ("_not_read", "x"),
        ("form_id", "frm_other"),
        ("consent", "all"),
    ]);
    let data = taken.unwrap().data;
    assert_eq!(
        (&data["not_read"], &data["form_id"]),
        (&json!("x"), &json!("frm_0123456789a"))
    );
    assert!(data.get("_not_read").is_none() && data["consent"].is_object());
}

#[test]
fn the_same_page_and_answers_are_the_same_submission() {
    let id = |pairs: &[(&str, &str)]| answers(pairs).unwrap().id;
    let one = id(&[("phone", "0904000112"), (TOKEN, "a")]);
    assert_eq!(one, id(&[("phone", "0904000112"), (TOKEN, "a")]));
    assert_ne!(one, id(&[("phone", "0904000112"), (TOKEN, "b")]));
    assert_ne!(one, id(&[("phone", "0904000113"), (TOKEN, "a")]));
}

#[test]
fn long_answers_keep_their_beginning_and_are_named() {
    let long = "ư".repeat(MAX_ANSWER + 1);
    let mut pairs = vec![("phone", "0904000112")];
    pairs.extend(["a", "b", "c", "d", "e", "f", "g"].map(|name| (name, long.as_str())));
    let data = answers(&pairs).unwrap().data;
    assert_eq!(data["a"].as_str().unwrap().chars().count(), MAX_ANSWER);
    assert!(data.get("g").is_none());
    assert_eq!(data["_shortened"].as_array().unwrap().len(), 7);
    assert!(data.to_string().len() < MAX_KEPT + 1_000);
}
