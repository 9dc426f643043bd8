//! The sample of a file: headings that an import knows, and one row of an invented person. Pure.

use kernel::commerce::Sheet;
use kernel::person;
use serde_json::Value;

use super::columns::CUSTOM;
use crate::csv_out::{MARK, line};
use crate::fields::{self, Definition, Kind};

/// The text of a sample file with the fields of every contact and the workspace's own, as UTF-8 with a mark. Fields of
/// files are left out, since an import cannot take any. A field that no example fits has an empty cell.
pub fn sample<'a>(own: impl IntoIterator<Item = &'a Definition>) -> String {
    let known = person::known().map(|known| (known.label_vi.to_owned(), plain(known.name)));
    let own = own.into_iter().filter(|field| field.kind != Kind::File);
    let own = own.map(|field| (format!("{CUSTOM}{}", field.key), cell(field)));
    let (headings, cells): (Vec<_>, Vec<_>) = known.chain(own).unzip();
    format!("{MARK}{}{}", line(headings), line(cells))
}

/// The text of a sample file of orders or products: a heading for each column, and one row.
pub fn sample_of_goods(sheet: Sheet) -> String {
    let columns = sheet.columns();
    let headings = columns.iter().map(|column| column.label);
    let cells = columns.iter().map(|column| column.sample);
    format!("{MARK}{}{}", line(headings), line(cells))
}

/// The cell of a field that every contact has.
fn plain(name: &str) -> String {
    let cell = match name {
        "external_id" => "KH001",
        "email" => "an.tran@example.vn",
        "phone" => "0912 345 678",
        "tags" => "VIP; sỉ",
        "full_name" => "Trần Thị An",
        "first_name" => "An",
        "last_name" => "Trần Thị",
        "gender" => "nữ",
        "birthday" => "02/03/1990",
        "address" => "12 Hàng Bạc",
        "ward" => "Hoàn Kiếm",
        "province" => "Hà Nội",
        "country" => "Việt Nam",
        "postal_code" => "100000",
        "company" => "Gốm Chu Đậu",
        "job_title" => "Quản lý",
        "language" => "vi",
        "timezone" => "Asia/Ho_Chi_Minh",
        // A district exists only in old data, and a picture has an address of the shop's own.
        _ => "",
    };
    cell.to_owned()
}

/// A cell that the field takes; empty if none of the examples fits.
fn cell(field: &Definition) -> String {
    let offered = field.options.iter().find(|option| !option.archived);
    let examples = match field.kind {
        Kind::Choice | Kind::MultiChoice => vec![offered.map_or("", |option| option.key.as_str())],
        Kind::Text | Kind::LongText => vec!["Ví dụ", "12345"],
        Kind::Number | Kind::Currency | Kind::Percent => vec!["1", "10", "100000"],
        Kind::Date => vec!["2026-03-02"],
        Kind::Datetime => vec!["2026-03-02T09:00:00+07:00"],
        Kind::Boolean => vec!["có"],
        Kind::Link => vec!["https://example.vn"],
        Kind::Email => vec!["an.tran@example.vn"],
        Kind::Phone => vec!["0912345678"],
        Kind::Province => vec!["Hà Nội"],
        Kind::File => vec![],
    };
    let fitting = examples.into_iter().find(|example| {
        let value = Value::from(*example);
        fields::check(field, &value).is_ok()
    });
    fitting.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::Column;
    use super::*;

    #[test]
    fn every_heading_means_its_field() {
        let text = sample([]);
        let headings = text.lines().next().unwrap().trim_start_matches(MARK);
        let meant = headings
            .split(',')
            .map(|heading| Column::of_heading(heading).unwrap().name());
        let fields: Vec<_> = person::known().map(|known| known.name.to_owned()).collect();
        assert_eq!(meant.collect::<Vec<_>>(), fields);
    }
}
