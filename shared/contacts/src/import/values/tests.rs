//! The values of cells.

use super::*;
use proptest::prelude::*;

fn number(cell: &str) -> Option<String> {
    phone(plain(cell)).value.map(|phone| phone.to_string())
}

#[test]
fn numbers_that_a_spreadsheet_changed_are_repaired_or_told() {
    for (cell, expected) in [
        ("'0903222301", "+84903222301"),
        ("=\"0903222302\"", "+84903222302"),
        ("903222303.0", "+84903222303"),
        ("84903222301.0", "+84903222301"),
        ("9.03222304E+08", "+84903222304"),
        ("9,03222304e8", "+84903222304"),
        ("0903222301 / 0903222302", "+84903222301"),
        ("02838221234; 0903222302", "+84903222302"),
        ("0903222301 hoặc 0903222302", "+84903222301"),
    ] {
        assert_eq!(number(cell).as_deref(), Some(expected), "{cell}");
    }
    for lost in ["9.03222E+08", "9.03E+08", "8.49032E+10", "9E8"] {
        let read = phone(lost);
        assert_eq!(
            read.told.as_deref(),
            Some("the spreadsheet has shortened the number"),
            "{lost}"
        );
        assert_eq!(read.rest.as_deref(), Some(lost));
    }
    assert_eq!(phone("0903222301/0283822").rest.as_deref(), Some("0283822"));
    for kept in ["024 3825 1234", "+1 202 555 0147", "không có"] {
        let read = phone(kept);
        assert_eq!((read.value, read.rest.as_deref()), (None, Some(kept)));
        assert!(read.told.is_some());
    }
}

#[test]
fn an_address_is_found_and_offices_are_refused() {
    let address = |cell: &str| email(cell).value.map(|one| one.to_string());
    for cell in [
        "An@example.vn",
        "an@example.vn; b@example.vn",
        "An <an@example.vn>",
        "x, an@example.vn",
    ] {
        assert_eq!(address(cell).as_deref(), Some("an@example.vn"), "{cell}");
    }
    for cell in [
        "noreply@example.vn",
        "Abuse+x@example.vn",
        "postmaster@example.vn",
    ] {
        assert!(
            email(cell).told.unwrap().contains("machine or an office"),
            "{cell}"
        );
    }
    assert_eq!(email("a@b").rest.as_deref(), Some("a@b"));
}

#[test]
fn birthdays_have_one_form() {
    for (cell, expected) in [
        ("02/05/1990", "1990-05-02"),
        ("2-5-1990", "1990-05-02"),
        ("02.05.1990", "1990-05-02"),
        ("02/05/1990 00:00:00", "1990-05-02"),
        ("1990/05/02", "1990-05-02"),
        ("1990-05-02T00:00:00Z", "1990-05-02"),
        ("32995", "1990-05-02"),
        ("32995.0", "1990-05-02"),
        ("02/05", "--05-02"),
        ("29/2", "--02-29"),
        ("--05-02", "--05-02"),
    ] {
        assert_eq!(birthday(cell).as_deref(), Some(expected), "{cell}");
    }
    for other in ["31/02/1990", "05/23/1990", "x", "12", "02/05/90", "99999"] {
        assert_eq!(birthday(other), None, "{other}");
    }
}

#[test]
fn tags_are_parted_by_semicolons_or_commas() {
    for cell in [
        "VIP, Hà Nội, sỉ",
        "VIP; Hà Nội;sỉ;",
        "\"VIP\",\"Hà Nội\",\"sỉ\"",
        "* VIP ::: Hà Nội ::: sỉ",
    ] {
        assert_eq!(tags(cell), ["Hà Nội", "VIP", "sỉ"], "{cell}");
    }
    assert_eq!(tags("Hà Nội, quận 1; VIP"), ["Hà Nội, quận 1", "VIP"]);
    assert_eq!(tags("\"Hà Nội, quận 1\",VIP"), ["Hà Nội, quận 1", "VIP"]);
}

#[test]
fn a_no_is_read_in_both_languages() {
    for no in [
        "không",
        "KHÔNG ",
        "unsubscribed",
        "cleaned",
        "false",
        "0",
        "Từ chối",
        "opted-out",
        "not_subscribed",
    ] {
        assert_eq!(said(no), Some(Said::No), "{no}");
    }
    for yes in ["có", "Yes", "TRUE", "1", "subscribed", "Đồng ý"] {
        assert_eq!(said(yes), Some(Said::Yes), "{yes}");
    }
    assert_eq!(
        (said("spam"), said("đang xem xét")),
        (Some(Said::Complained), None)
    );
}

proptest! {
    #[test]
    fn any_cell_is_read(cell in "\\PC{0,30}|[0-9eE+.,/ -]{0,20}") {
        let cell = plain(&cell);
        let read = phone(cell);
        prop_assert_eq!(read.value.is_none(), read.told.is_some());
        let _ = (email(cell), tags(cell), said(cell));
        if let Some(date) = birthday(cell) {
            prop_assert_eq!(birthday(&date), Some(date.clone()));
        }
    }
}
