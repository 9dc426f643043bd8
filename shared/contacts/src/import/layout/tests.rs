use super::*;

fn layout(text: &str) -> Layout {
    Layout::of(text.as_bytes(), true, &Mapping::new()).unwrap()
}

fn fields(text: &str) -> Vec<String> {
    layout(text).names().collect()
}

#[test]
fn the_separator_is_told_or_found() {
    for (text, delimiter) in [
        ("sep=;\nHọ tên;Email\n", ';'),
        ("\"sep=|\"\nHọ tên|Email\n", '|'),
        (
            "Họ tên;Email;Địa chỉ (số nhà, đường, phường, quận)\nA;a@example.vn;1, Lê Lợi, Bến Nghé\n",
            ';',
        ),
        ("Email\tName\na@example.vn\tA, B, C\n", '\t'),
        ("email\na@example.vn\n", ','),
    ] {
        assert_eq!(layout(text).delimiter, delimiter, "{text}");
    }
}

#[test]
fn titles_above_the_headings_are_passed_over() {
    let text = "DANH SÁCH KHÁCH HÀNG,,\n\nNgày xuất: 01/03/2026,,\nHọ và tên *,Email (bắt buộc),SĐT/Zalo\nA,a@example.vn,\n";
    let layout = layout(text);
    assert_eq!((layout.headings_line, layout.rows_line), (4, 5));
    assert!(text[layout.rows_at as usize..].starts_with("A,"));
    assert_eq!(
        layout.names().collect::<Vec<_>>(),
        ["full_name", "email", "phone"]
    );
}

#[test]
fn each_column_has_a_name_of_its_own() {
    assert_eq!(fields("Họ,Tên,sdt"), ["last_name", "first_name", "phone"]);
    assert_eq!(fields("Tên,sdt"), ["full_name", "phone"]);
    assert_eq!(
        fields("sdt,Ghi chú,Ghi chú,"),
        ["phone", "custom.ghi_chu", "custom.ghi_chu_2", "skip"]
    );
    let two = layout("Điện thoại,Di động,Email");
    let kept: Vec<&str> = two.columns.iter().map(|one| one.kept_as.as_str()).collect();
    assert_eq!(kept, ["dien_thoai", "di_dong", "email"]);
}

#[test]
fn a_file_without_headings_begins_with_its_first_row() {
    let request = Request {
        has_header: false,
        mapping: Mapping::from([("c".to_owned(), Column::Person("province"))]),
        ..Request::default()
    };
    let text = "\nTrần Thị An;an@example.vn;Hà Nội;x\nLê Văn Bình;;Đà Nẵng;y, z\n";
    let layout = Layout::asked(text.as_bytes(), true, &request).unwrap();
    assert_eq!((layout.delimiter, layout.rows_line), (';', 2));
    assert!(text[layout.rows_at as usize..].starts_with("Trần"));
    assert_eq!(
        layout.names().collect::<Vec<_>>(),
        ["full_name", "email", "province", "custom.cot_d"]
    );
    let refused = Layout::asked("Hà Nội;1\n".as_bytes(), true, &request);
    assert_eq!(refused, Err(FileError::NoAddress));
}

#[test]
fn a_mapping_decides() {
    let mapping = Mapping::from([
        ("lien_he".to_owned(), Column::Phone),
        ("ten".to_owned(), Column::Custom("biet_danh".into())),
        ("email".to_owned(), Column::Skipped),
    ]);
    let text = "Báo cáo\nTên;Liên hệ;Email\nA;0912345678;x\n";
    let layout = Layout::of(text.as_bytes(), true, &mapping).unwrap();
    assert_eq!(
        layout.names().collect::<Vec<_>>(),
        ["custom.biet_danh", "phone", "skip"]
    );
    assert_eq!(layout.headings_line, 2);
}

#[test]
fn a_file_without_an_address_is_refused() {
    let refused = |text: &str| Layout::of(text.as_bytes(), true, &Mapping::new());
    assert_eq!(refused("Họ và tên,Điểm\nA,1\n"), Err(FileError::NoAddress));
    assert_eq!(refused(""), Err(FileError::Empty));
    let many = format!("email{}\n", ",x".repeat(200));
    assert_eq!(refused(&many), Err(FileError::TooManyColumns { most: 200 }));
}
