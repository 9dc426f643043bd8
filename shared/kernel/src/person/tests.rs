use std::collections::BTreeSet;

use super::*;
use proptest::prelude::*;

#[test]
fn no_heading_means_two_fields_and_each_is_folded() {
    let mut seen = BTreeSet::new();
    for known in known() {
        assert!(known.aliases.contains(&known.name), "{}", known.name);
        let labels = [known.label_vi, known.label_en];
        for label in labels {
            let label = heading(label);
            let is_other = label != "ho_va_ten_dem" && meant(&label).is_none();
            assert!(!is_other || label.contains('_'), "{label}");
        }
        for alias in known.aliases {
            assert_eq!(&heading(alias), alias);
            assert!(seen.insert(*alias), "{alias} means two fields");
        }
    }
    assert_eq!(meant("ho_va_ten"), Some("full_name"));
    assert_eq!(meant("mau_mat"), None);
}

#[test]
fn values_have_one_stored_form() {
    let parse = |name: &str, text: &str| field(name).unwrap().parse(text).ok();
    let stored = |name: &str, text: &str, expected: Option<&str>| {
        assert_eq!(parse(name, text).as_deref(), expected, "{name} {text:?}");
    };
    stored(
        "full_name",
        " Tra\u{302}\u{300}n\u{200b} An\n",
        Some("Trần An"),
    );
    stored("full_name", " \u{feff} ", None);
    stored("full_name", &"ă".repeat(256), None);
    stored("gender", "Nữ", Some("female"));
    stored("gender", "xanh", None);
    stored("language", "en-US", Some("en-US"));
    stored("language", "tiếng Việt", None);
    stored("avatar_url", "javascript:alert(1)", None);
    stored(
        "avatar_url",
        "https://a.vn/x.png",
        Some("https://a.vn/x.png"),
    );
    for (text, expected) in [
        ("02/05/1990 00:00:00", Some("1990-05-02")),
        ("1990/05/02", Some("1990-05-02")),
        ("1990-05-02", Some("1990-05-02")),
        ("02/05", Some("--05-02")),
        ("--02-29", Some("--02-29")),
        ("31/02/1990", None),
        ("1890-01-01", None),
        ("hôm qua", None),
    ] {
        stored("birthday", text, expected);
    }
}

proptest! {
    #[test]
    fn a_stored_value_is_read_as_itself(text in "\\PC{0,40}", at in 0usize..16) {
        let field = &FIELDS[at];
        if let Some(value) = field.fit(&text) {
            prop_assert_eq!(field.parse(&value), Ok(value));
        }
    }
}
