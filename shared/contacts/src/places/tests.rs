//! Tests of the table of provinces and wards.

use std::collections::BTreeSet;

use super::*;

fn code(text: &str) -> Option<(&'static str, bool)> {
    province(text).map(|named| (named.province.code, named.is_former))
}

#[test]
fn the_table_has_34_provinces_and_63_names_of_before() {
    let codes: BTreeSet<_> = PROVINCES.iter().map(|one| one.code).collect();
    assert_eq!(codes.len(), 34);
    assert_eq!(PROVINCES.iter().filter(|one| one.is_city).count(), 6);
    let former: BTreeSet<_> = FORMER.iter().map(|(name, _)| key(name)).collect();
    assert_eq!(former.len() + PROVINCES.len(), 63);
    for (name, code) in FORMER {
        assert!(codes.contains(code), "{name}");
        assert_eq!(self::code(name), Some((code, true)), "{name}");
    }
    for one in &PROVINCES {
        assert_eq!(code(one.name), Some((one.code, false)), "{}", one.name);
        assert_eq!(by_code(one.code), Some(one));
    }
}

#[test]
fn a_name_is_read_in_every_usual_spelling() {
    for name in PROVINCES
        .iter()
        .map(|one| one.name)
        .chain(FORMER.map(|one| one.0))
    {
        let expected = code(name);
        for spelling in [
            name.to_uppercase(),
            fold(name),
            fold(name).replace(' ', ""),
            format!("Tỉnh {name}"),
            format!("TP. {name}"),
            format!("Thành phố {name}, Việt Nam"),
            format!("{} Province", fold(name)),
            format!("12 Lê Lợi, {name}"),
            format!(" {name} "),
        ] {
            assert_eq!(code(&spelling), expected, "{spelling}");
        }
    }
    for (text, expected) in [
        ("TP.HCM", Some(("79", false))),
        ("Tp HCM", Some(("79", false))),
        ("Sài Gòn", Some(("79", false))),
        ("Ho Chi Minh City", Some(("79", false))),
        ("Hoà Bình", Some(("25", true))),
        ("Thanh Hoá", Some(("38", false))),
        ("Thừa Thiên - Huế", Some(("46", false))),
        ("Bà Rịa – Vũng Tàu", Some(("79", true))),
        ("Vũng Tàu", Some(("79", true))),
        ("ĐăkLăk", Some(("66", false))),
        ("Quận 1", None),
        ("Atlantis", None),
        ("", None),
        (", ,", None),
        ("Việt Nam", None),
    ] {
        assert_eq!(code(text), expected, "{text}");
    }
}

#[test]
fn all_wards_are_read() {
    let units: Vec<_> = units().collect();
    assert_eq!(units.len(), 3_321);
    let provinces: BTreeSet<_> = units.iter().map(|unit| unit.0).collect();
    assert_eq!(provinces.len(), 34);
    let kinds = |kind| units.iter().filter(|unit| unit.2 == kind).count();
    assert_eq!((kinds("phường"), kinds("xã")), (687, 2_621));
    for (province, code, kind, name) in units {
        let province = by_code(province).unwrap();
        // The whole name names one ward of its province, but for a few pairs that differ in nothing.
        let Some(ward) = ward(province, &format!("{kind} {name}")) else {
            continue;
        };
        assert_eq!(ward.name, name);
        assert_eq!(ward.code.unwrap_or("-----"), code);
    }
}

#[test]
fn codes_follow_from_an_address() {
    let today = locate(Some("TP.HCM"), None, Some("Phường Sài Gòn"));
    assert_eq!(
        (today.province_code, today.ward_code, today.is_legacy),
        (Some("79"), Some("26740"), false)
    );
    assert_eq!(locate(Some("TPHCM"), Some(" "), Some("p. Sai Gon")), today);
    let before = locate(Some("TP.HCM"), Some("Quận 1"), Some("Phường Bến Nghé"));
    assert_eq!(
        (before.province_code, before.ward_code, before.is_legacy),
        (Some("79"), Some("26740"), true)
    );
    let former = locate(Some("Bình Dương"), None, Some("Phường Thủ Dầu Một"));
    assert_eq!((former.province_code, former.is_legacy), (Some("79"), true));
    assert_eq!(locate(None, None, None), Located::default());
    assert_eq!(locate(Some("?"), None, Some("?")), Located::default());
}

proptest::proptest! {
    #[test]
    fn no_text_is_too_strange(text in ".{0,60}") {
        let _ = province(&text);
        let _ = ward(&PROVINCES[0], &text);
    }
}
