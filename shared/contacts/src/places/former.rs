//! The wards of before 2025-07-01, each with the ward of today that holds it. Pure.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::{COUNTRY, Named, key, letters};

/// Words for the kind of a district, folded.
const DISTRICTS: [&str; 5] = ["thanhpho", "thixa", "huyen", "quan", "tp"];
/// Words for the kind of a ward, folded.
const WARDS: [&str; 4] = ["phuong", "thitran", "xa", "tt"];

/// Words for a kind that people shorten, before a full stop.
const SHORT: [&str; 7] = ["p", "q", "h", "x", "tt", "tx", "tp"];

/// The code of a ward of today; none where two former wards of a district have the name.
type Codes = HashMap<String, Option<&'static str>>;

struct Table {
    /// By district.
    wards: Vec<Codes>,
    /// Districts by the former province and the name.
    exact: HashMap<(String, String), usize>,
    /// Districts by the code of the province of today and the name; none where two have the name.
    today: HashMap<(&'static str, String), Option<usize>>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut table = Table {
        wards: Vec::new(),
        exact: HashMap::new(),
        today: HashMap::new(),
    };
    let lines = include_str!("../../data/wards-before-2025-07-01.txt").lines();
    for line in lines.filter(|line| !line.starts_with('#')) {
        let parts = line.split_once(':');
        let place = parts.and_then(|(place, _)| place.split_once('/'));
        if let (Some((_, units)), Some((province, district))) = (parts, place) {
            table.enter(province, district, units);
        }
    }
    table
});

impl Table {
    fn enter(&mut self, province: &str, district: &str, units: &'static str) {
        let mut codes = Codes::new();
        for unit in units.split('|') {
            let Some((code, rest)) = unit.split_at_checked(5) else {
                continue;
            };
            let Some((kind, name)) = rest.split_at_checked(1) else {
                continue;
            };
            let kind = match kind {
                "p" => "phường",
                "x" => "xã",
                _ => "thị trấn",
            };
            for name in names(&format!("{kind} {name}"), &WARDS) {
                let found = codes.entry(name).or_insert(Some(code));
                if *found != Some(code) {
                    *found = None;
                }
            }
        }
        let place = self.wards.len();
        self.wards.push(codes);
        let today = super::province(province).map(|named| named.province.code);
        for name in names(district, &DISTRICTS) {
            if let Some(today) = today {
                let found = self.today.entry((today, name.clone()));
                let found = found.or_insert(Some(place));
                if *found != Some(place) {
                    *found = None;
                }
            }
            self.exact.insert((key(province), name), place);
        }
    }
}

/// The name with the word for its kind, and without the word. `Q.1` and `Quận 01` are the same.
fn names(text: &str, kinds: &[&str]) -> [String; 2] {
    let whole = letters(text);
    let cut = kinds.iter().find_map(|kind| whole.strip_prefix(kind));
    let short = || {
        let rest = whole.strip_prefix(['p', 'q', 'x', 'h'])?;
        rest.bytes()
            .all(|byte| byte.is_ascii_digit())
            .then_some(rest)
    };
    let dotted = text.split_once('.').filter(|(kind, _)| {
        let kind = letters(kind);
        SHORT.contains(&kind.as_str())
    });
    let dotted = dotted.map(|(_, rest)| letters(rest));
    let bare = dotted.as_deref().or(cut).or_else(short).unwrap_or(&whole);
    let number = bare.trim_start_matches('0');
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let bare = if is_number { number } else { bare };
    [whole.clone(), bare.to_owned()]
}

/// The code of the ward of today that holds a former ward. `province` is the text that names `named`.
pub(super) fn ward(
    province: &str,
    named: Named,
    district: &str,
    ward: &str,
) -> Option<&'static str> {
    let mut parts = province.rsplit([',', ';']).map(key);
    let last = parts.find(|part| !part.is_empty() && !COUNTRY.contains(&part.as_str()));
    let today = (!named.is_former).then(|| key(named.province.name));
    let provinces: Vec<String> = [last, today].into_iter().flatten().collect();
    let districts = names(district, &DISTRICTS);
    let exact = provinces.iter().find_map(|province| {
        let mut names = districts.iter();
        names.find_map(|name| TABLE.exact.get(&(province.clone(), name.clone())))
    });
    let place = exact.copied().or_else(|| {
        // People write a former district beside the province of today.
        let mut names = districts.iter().filter(|_| !named.is_former);
        names.find_map(|name| *TABLE.today.get(&(named.province.code, name.clone()))?)
    });
    let codes = TABLE.wards.get(place?)?;
    names(ward, &WARDS)
        .iter()
        .find_map(|name| *codes.get(name)?)
}

#[cfg(test)]
mod tests {
    use super::super::{by_code, locate, units};
    use super::*;

    #[test]
    fn every_row_names_a_ward_of_today() {
        let known: std::collections::BTreeSet<&str> = units().map(|(_, code, ..)| code).collect();
        let mut rows = 0;
        for codes in &TABLE.wards {
            for code in codes.values().flatten() {
                assert!(known.contains(code), "{code}");
                rows += 1;
            }
        }
        assert!(rows > 9_000, "{rows}");
        assert_eq!(TABLE.wards.len(), 687);
    }

    #[test]
    fn a_former_ward_has_the_code_of_the_ward_that_holds_it() {
        let name = |province: &str, district: &str, ward: &str| {
            let found = locate(Some(province), Some(district), Some(ward));
            assert!(found.is_legacy);
            let code = found.ward_code?;
            let unit = units().find(|(_, own, ..)| *own == code).unwrap();
            assert_eq!(by_code(unit.0).map(|one| one.code), found.province_code);
            Some(unit.3)
        };
        assert_eq!(
            name("Hà Nội", "Quận Ba Đình", "Phường Quán Thánh"),
            Some("Ba Đình")
        );
        assert_eq!(
            name("Hà Nội", "Quận Ba Đình", "Phường Điện Biên"),
            None,
            "divided"
        );
        assert_eq!(
            name("TP. Hà Nội, Việt Nam", "ba dinh", "quan thanh"),
            Some("Ba Đình")
        );
        let one = name("TP.HCM", "Quận 1", "Phường Bến Nghé");
        assert_eq!(one, Some("Sài Gòn"));
        assert_eq!(name("Hồ Chí Minh", "Q.1", "P. Bến Nghé"), one);
        assert!(name("Bình Dương", "Thành phố Thuận An", "Phường Lái Thiêu").is_some());
        assert_eq!(
            name("Hồ Chí Minh", "TP Thuận An", "Lái Thiêu"),
            name("Bình Dương", "Thành phố Thuận An", "Phường Lái Thiêu")
        );
        assert_eq!(name("Hà Nội", "Quận Không Có", "Quán Thánh"), None);
        assert_eq!(names("Phường 05", &WARDS)[1], names("P.5", &WARDS)[1]);
    }
}
