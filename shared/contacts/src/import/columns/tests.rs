use super::*;

#[test]
fn headings_of_other_products_are_known() {
    for (heading, field) in [
        ("Họ và tên *", "full_name"),
        ("Email (bắt buộc)", "email"),
        ("SĐT/Zalo", "phone"),
        ("E-mail 1 - Value", "email"),
        ("Phone 1 - Value", "phone"),
        ("E-mail Address", "email"),
        ("Mobile Phone", "phone"),
        ("Categories", "tags"),
        ("Email Address", "email"),
        ("UNSUB_TIME", "unsubscribed_at"),
        ("Mã khách hàng", "external_id"),
        ("Điện thoại", "phone"),
        ("Nhóm khách hàng", "tags"),
        ("Accepts Email Marketing", "email_consent"),
        ("Default Address Phone", "phone"),
        ("Ngày sinh [dd/mm/yyyy]", "birthday"),
    ] {
        assert_eq!(
            Column::of_heading(heading).map(|one| one.name()).as_deref(),
            Some(field),
            "{heading}"
        );
    }
    assert_eq!(Column::of_heading("Điểm tích luỹ"), None);
}

#[test]
fn every_field_is_found_by_its_name_and_no_heading_means_two() {
    let mut seen = std::collections::HashSet::new();
    for (name, headings) in headings() {
        assert_eq!(Column::of_name(name).unwrap().name(), name);
        for heading in headings {
            assert!(seen.insert(heading), "{heading}");
            assert_eq!(normal(heading), heading);
            assert_eq!(
                Column::of_heading(heading).unwrap().name(),
                name,
                "{heading}"
            );
        }
    }
    assert_eq!(
        Column::of_name("custom.size"),
        Some(Column::Custom("size".into()))
    );
    assert_eq!(
        (Column::of_name("custom."), Column::of_name("nothing")),
        (None, None)
    );
}
