//! Text of CSV files that people open in a spreadsheet. Pure.

/// The mark by which spreadsheets recognise UTF-8.
pub const MARK: &str = "\u{feff}";

/// A cell that no spreadsheet takes for a formula: an apostrophe precedes `=`, `+`, `-`, `@`, a tab or a line break.
/// An import takes the apostrophe away again.
pub fn neutral(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']) {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}

/// One line of a file, with its line break.
pub fn line<S: AsRef<str>>(cells: impl IntoIterator<Item = S>) -> String {
    let mut line = String::new();
    for (n, cell) in cells.into_iter().enumerate() {
        if n > 0 {
            line.push(',');
        }
        let cell = neutral(cell.as_ref());
        if cell.contains(['"', ',', ';', '\n', '\r', '\t']) {
            line.push('"');
            line.push_str(&cell.replace('"', "\"\""));
            line.push('"');
        } else {
            line.push_str(&cell);
        }
    }
    line + "\r\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn formulas_are_texts() {
        let cells = [
            "=1+1",
            "+84912345678",
            "-x",
            "@a",
            "\t=1",
            "a;b",
            "x\"y",
            "An",
        ];
        assert_eq!(
            line(cells),
            "'=1+1,'+84912345678,'-x,'@a,\"'\t=1\",\"a;b\",\"x\"\"y\",An\r\n"
        );
    }

    proptest! {
        #[test]
        fn a_line_is_read_as_its_cells(cells in prop::collection::vec("\\PC{0,6}|[=+\"\n,;@-]{0,5}", 2..6)) {
            let text = line(&cells);
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
            let record = reader.records().next().unwrap().unwrap();
            prop_assert_eq!(record.iter().map(str::to_owned).collect::<Vec<_>>(), cells.iter().map(|cell| neutral(cell)).collect::<Vec<_>>());
            prop_assert!(record.iter().all(|cell| !cell.starts_with(['=', '+', '-', '@', '\t'])));
        }
    }
}
