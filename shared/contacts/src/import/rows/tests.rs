use super::*;
use proptest::prelude::*;

fn read_all(bytes: &[u8]) -> Vec<Read> {
    let layout = Layout::of(bytes, true, &Mapping::new()).unwrap();
    let rows = &bytes[layout.rows_at as usize..];
    read(rows, &layout, layout.rows_line).collect()
}

fn good(text: &str) -> Vec<Row> {
    let rows = read_all(text.as_bytes()).into_iter();
    rows.map(|read| read.row.unwrap()).collect()
}

fn messages(row: &Row) -> Vec<(&str, &str)> {
    let notes = row.notes.iter();
    notes
        .map(|note| {
            (
                note.column.as_deref().unwrap_or_default(),
                note.message.as_str(),
            )
        })
        .collect()
}

#[test]
fn a_shops_export_is_understood() {
    let rows = good(
        "\u{feff}Họ và tên;Số điện thoại;Email;Cỡ áo;Thẻ\r\nTrần Thị An;912345678;AN@Example.vn;\"Hà; Nội\";\"VIP; sỉ\"\r\n",
    );
    let contact = &rows[0].contact;
    let identities = [
        Identity::Email("an@example.vn".parse().unwrap()),
        Identity::Phone("0912345678".parse().unwrap()),
    ];
    assert_eq!(contact.identities, identities);
    assert_eq!(contact.custom["co_ao"], "Hà; Nội");
    assert_eq!(contact.tags, ["VIP", "sỉ"]);
    assert_eq!(rows[0].notes, []);
}

#[test]
fn a_bad_cell_costs_the_cell() {
    let rows = good("Email,SĐT,Ngày sinh\na@example.vn,024 3825 1234,x\nb@,0912345678,\n");
    assert_eq!(rows[0].contact.identities.len(), 1);
    assert_eq!(rows[0].contact.custom["sdt"], "024 3825 1234");
    assert_eq!(
        messages(&rows[0])
            .iter()
            .map(|one| one.0)
            .collect::<Vec<_>>(),
        ["phone", "birthday"]
    );
    assert_eq!(rows[1].contact.custom["email"], "b@");
}

#[test]
fn of_two_columns_the_first_good_number_counts() {
    let rows = good(
        "Điện thoại,Di động,Email\n02438251234,0903555641,lan@example.vn\n0903555641,0903555642,\n",
    );
    assert!(
        rows[0]
            .contact
            .identities
            .contains(&Identity::Phone("0903555641".parse().unwrap()))
    );
    assert_eq!(rows[0].contact.custom["dien_thoai"], "02438251234");
    assert_eq!(rows[1].contact.custom["di_dong"], "0903555642");
}

#[test]
fn a_no_wins_over_a_yes() {
    let rows = good(
        "Email,Đồng ý nhận email,Trạng thái,UNSUB_TIME,Opt out\n\
         a@example.vn,có,subscribed,,no\nb@example.vn,có,cleaned,,\nc@example.vn,yes,,2025-01-01,\nd@example.vn,không,spam,,\ne@example.vn,,khách mới,,\n",
    );
    let heard: Vec<_> = rows.iter().map(|row| row.heard.email).collect();
    assert_eq!(
        heard,
        [
            Some(Said::Yes),
            Some(Said::No),
            Some(Said::No),
            Some(Said::Complained),
            None
        ]
    );
    assert_eq!(rows[1].heard.sms, Some(Said::No));
    assert_eq!(rows[4].contact.custom["trang_thai"], "khách mới");
}

#[test]
fn damaged_lines_are_told_and_the_others_read() {
    let text = b"T\xc3\xaan,Email,S\xc4\x90T\nA,a@example.vn,0912345671\n\"B,b@example.vn,0912345672\n\"C, D,c@example.vn,0912345673\n\
        E\xea,e@example.vn,\nF,f@example.vn,\"0912345676";
    let lines: Vec<_> = read_all(text)
        .into_iter()
        .map(|read| {
            (
                read.line,
                read.row.map(|row| row.notes.len()).map_err(|e| e.line),
            )
        })
        .collect();
    assert_eq!(
        lines,
        [(2, Ok(0)), (3, Ok(1)), (4, Err(4)), (5, Err(5)), (6, Ok(2))]
    );
}

proptest! {
    /// Every record that is not blank is one row, good or wrong; any cut at records gives the same rows.
    #[test]
    fn each_row_is_accounted_for_however_the_file_is_cut(
        lines in prop::collection::vec("([a-c]{1,2}@example\\.vn|09123456[0-9]{2}|\"|,|\r|\n|;| |x|ê){0,12}", 0..12),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let text = format!("Email,SĐT,Ghi chú\n{}", lines.join("\n"));
        let bytes = text.as_bytes();
        let layout = Layout::of(bytes, true, &Mapping::new()).unwrap();
        let (body, cutter) = (&bytes[layout.rows_at as usize..], layout.cutter());
        let mut starts = vec![(0, layout.rows_line)];
        let (mut at, mut line, mut count) = (0, layout.rows_line, 0);
        while let Found::Record(record) = cutter.next(body, at, true) {
            count += u64::from(!cutter.is_blank(&body[record.start..record.end]));
            (at, line) = (record.next, line + record.lines);
            starts.push((at, line));
        }
        let whole: Vec<Read> = read(body, &layout, layout.rows_line).collect();
        prop_assert_eq!(whole.len() as u64, count);
        let mut chosen: Vec<(usize, u64)> = cuts.iter().map(|cut| *cut.get(&starts)).collect();
        chosen.push(starts[0]);
        chosen.push((body.len(), 0));
        chosen.sort_unstable();
        let parts = chosen.windows(2).flat_map(|two| {
            read(&body[two[0].0..two[1].0], &layout, two[0].1).collect::<Vec<_>>()
        });
        prop_assert_eq!(parts.collect::<Vec<_>>(), whole);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300), with_heading: bool) {
        let bytes = if with_heading { [b"email,sdt\n".as_slice(), &bytes].concat() } else { bytes };
        if let Ok(layout) = Layout::of(&bytes, true, &Mapping::new()) {
            let _ = read(&bytes[layout.rows_at as usize..], &layout, 1).count();
        }
    }
}
