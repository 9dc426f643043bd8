//! Provinces and wards of Viet Nam as they are since 2025-07-01, and the names of the 63 provinces before. Pure.
//!
//! The table has the 34 provinces of Resolution 202/2025/QH15 with the codes of Decision 19/2025/QD-TTg. The resolution ended 29
//! names; each has the province that holds it now. Wards come from `data/wards-2025-07-01.txt`, former ones from
//! `data/wards-before-2025-07-01.txt`. Nothing here refuses an
//! address: a text that is no name of the table has no code.

mod former;

use std::collections::HashMap;
use std::sync::LazyLock;

use kernel::text::fold;

/// A province or a city under the central government.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Province {
    /// Two digits, such as `79`.
    pub code: &'static str,
    /// Name without its kind.
    pub name: &'static str,
    /// Whether it is a city under the central government.
    pub is_city: bool,
}

/// A province that a text names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named {
    /// The province of today.
    pub province: &'static Province,
    /// Whether the text is a name that ended with 2025-06-30.
    pub is_former: bool,
}

/// A ward, commune or special zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ward {
    /// Five digits; absent where the sources of the table disagree.
    pub code: Option<&'static str>,
    /// Name without its kind.
    pub name: &'static str,
}

/// The codes of an address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Located {
    /// Code of the province of today.
    pub province_code: Option<&'static str>,
    /// Code of the ward of today.
    pub ward_code: Option<&'static str>,
    /// Whether the address is of before 2025-07-01: it names a district or a former province.
    pub is_legacy: bool,
}

const fn city(code: &'static str, name: &'static str) -> Province {
    Province {
        code,
        name,
        is_city: true,
    }
}

const fn land(code: &'static str, name: &'static str) -> Province {
    Province {
        code,
        name,
        is_city: false,
    }
}

/// The provinces since 2025-07-01, by code.
pub static PROVINCES: [Province; 34] = [
    city("01", "Hà Nội"),
    land("04", "Cao Bằng"),
    land("08", "Tuyên Quang"),
    land("11", "Điện Biên"),
    land("12", "Lai Châu"),
    land("14", "Sơn La"),
    land("15", "Lào Cai"),
    land("19", "Thái Nguyên"),
    land("20", "Lạng Sơn"),
    land("22", "Quảng Ninh"),
    land("24", "Bắc Ninh"),
    land("25", "Phú Thọ"),
    city("31", "Hải Phòng"),
    land("33", "Hưng Yên"),
    land("37", "Ninh Bình"),
    land("38", "Thanh Hóa"),
    land("40", "Nghệ An"),
    land("42", "Hà Tĩnh"),
    land("44", "Quảng Trị"),
    city("46", "Huế"),
    city("48", "Đà Nẵng"),
    land("51", "Quảng Ngãi"),
    land("52", "Gia Lai"),
    land("56", "Khánh Hòa"),
    land("66", "Đắk Lắk"),
    land("68", "Lâm Đồng"),
    land("75", "Đồng Nai"),
    city("79", "Hồ Chí Minh"),
    land("80", "Tây Ninh"),
    land("82", "Đồng Tháp"),
    land("86", "Vĩnh Long"),
    land("91", "An Giang"),
    city("92", "Cần Thơ"),
    land("96", "Cà Mau"),
];

/// Names of provinces that ended with 2025-06-30, and the code of the province that holds them now.
pub const FORMER: [(&str, &str); 29] = [
    ("Bà Rịa - Vũng Tàu", "79"),
    ("Bạc Liêu", "96"),
    ("Bắc Giang", "24"),
    ("Bắc Kạn", "19"),
    ("Bến Tre", "86"),
    ("Bình Dương", "79"),
    ("Bình Định", "52"),
    ("Bình Phước", "75"),
    ("Bình Thuận", "68"),
    ("Đắk Nông", "68"),
    ("Hà Giang", "08"),
    ("Hà Nam", "37"),
    ("Hải Dương", "31"),
    ("Hậu Giang", "92"),
    ("Hòa Bình", "25"),
    ("Kiên Giang", "91"),
    ("Kon Tum", "51"),
    ("Long An", "80"),
    ("Nam Định", "37"),
    ("Ninh Thuận", "56"),
    ("Phú Yên", "66"),
    ("Quảng Bình", "44"),
    ("Quảng Nam", "48"),
    ("Sóc Trăng", "92"),
    ("Thái Bình", "33"),
    ("Tiền Giang", "82"),
    ("Trà Vinh", "86"),
    ("Vĩnh Phúc", "25"),
    ("Yên Bái", "15"),
];

/// Other spellings, as [`key`] gives them: the code, and whether the name is a former one.
const SPELLINGS: [(&str, &str, bool); 27] = [
    ("hn", "01", false),
    ("hanoi", "01", false),
    ("hcm", "79", false),
    ("hcmc", "79", false),
    ("saigon", "79", false),
    ("sg", "79", false),
    ("sghcm", "79", false),
    ("hcmsaigon", "79", false),
    ("danang", "48", false),
    ("haiphong", "31", false),
    ("cantho", "92", false),
    ("thuathienhue", "46", false),
    ("tthue", "46", false),
    ("daclac", "66", false),
    ("daclak", "66", false),
    ("darlac", "66", false),
    ("doclac", "66", false),
    ("baria", "79", true),
    ("vungtau", "79", true),
    ("brvt", "79", true),
    ("vungtaubaria", "79", true),
    ("baccan", "19", true),
    ("dacnong", "68", true),
    ("daknong", "68", true),
    ("contum", "51", true),
    ("haugiangcantho", "92", true),
    ("hatay", "01", true),
];

/// Names of the country, as [`key`] gives them; they may end a text.
const COUNTRY: [&str; 3] = ["vietnam", "vn", "chxhcnvietnam"];

/// Letters and digits of the folded text.
fn letters(text: &str) -> String {
    let folded = fold(text);
    folded.chars().filter(char::is_ascii_alphanumeric).collect()
}

/// A name of a province as it is compared: folded letters, without the words for its kind.
fn key(text: &str) -> String {
    let all = letters(text);
    let mut rest = all.as_str();
    for kind in ["thanhpho", "tinh", "tp"] {
        rest = rest.strip_prefix(kind).unwrap_or(rest);
    }
    for kind in ["province", "city"] {
        rest = rest.strip_suffix(kind).unwrap_or(rest);
    }
    rest.to_owned()
}

static BY_NAME: LazyLock<HashMap<String, Named>> = LazyLock::new(|| {
    let today = PROVINCES
        .iter()
        .map(|province| (key(province.name), province.code, false));
    let former = FORMER.iter().map(|(name, code)| (key(name), *code, true));
    let other = SPELLINGS
        .iter()
        .map(|&(name, code, is_former)| (name.to_owned(), code, is_former));
    let named = other.chain(former).chain(today);
    named
        .filter_map(|(name, code, is_former)| {
            let province = by_code(code)?;
            Some((
                name,
                Named {
                    province,
                    is_former,
                },
            ))
        })
        .collect()
});

/// The province of a code.
pub fn by_code(code: &str) -> Option<&'static Province> {
    PROVINCES.iter().find(|province| province.code == code)
}

/// The province that a text names, in any usual spelling: `TP.HCM`, `Tỉnh Bình Dương`, `Sài Gòn, Việt Nam`. Of a text with
/// commas the last part counts, since a province ends an address.
pub fn province(text: &str) -> Option<Named> {
    let whole = BY_NAME.get(&key(text)).copied();
    whole.or_else(|| {
        let mut parts = text.rsplit([',', ';']).map(key);
        let last = parts.find(|part| !part.is_empty() && !COUNTRY.contains(&part.as_str()))?;
        BY_NAME.get(&last).copied()
    })
}

/// Wards by the code of their province and their name.
type Wards = HashMap<(&'static str, String), Option<Ward>>;

static WARDS: LazyLock<Wards> = LazyLock::new(|| {
    let mut wards = Wards::new();
    for (province, code, kind, name) in units() {
        let ward = Ward {
            code: Some(code).filter(|code| code.starts_with(|c: char| c.is_ascii_digit())),
            name,
        };
        let (plain, name) = (letters(name), name.to_lowercase());
        for exact in [format!("{kind} {name}"), name] {
            enter(&mut wards, (province, exact), ward);
        }
        enter(
            &mut wards,
            (province, format!("{}{plain}", letters(kind))),
            ward,
        );
        enter(&mut wards, (province, plain), ward);
    }
    wards
});

/// Enters a name; two wards with one name leave none.
fn enter(wards: &mut Wards, name: (&'static str, String), ward: Ward) {
    let place = wards.entry(name).or_insert(Some(ward));
    if *place != Some(ward) {
        *place = None;
    }
}

/// The rows of the file: code of the province, code, kind and name.
fn units() -> impl Iterator<Item = (&'static str, &'static str, &'static str, &'static str)> {
    let lines = include_str!("../data/wards-2025-07-01.txt").lines();
    let lines = lines.filter_map(|line| line.split_once(':').filter(|_| !line.starts_with('#')));
    lines.flat_map(|(province, units)| {
        units.split('|').filter_map(move |unit| {
            let (code, rest) = unit.split_at_checked(5)?;
            let (kind, name) = rest.split_at_checked(1)?;
            let kind = match kind {
                "p" => "phường",
                "x" => "xã",
                _ => "đặc khu",
            };
            Some((province, code, kind, name))
        })
    })
}

/// The ward of a province that a text names, with or without its kind, with or without diacritics. `None` where two
/// wards have that name.
pub fn ward(province: &Province, text: &str) -> Option<Ward> {
    let exact = kernel::text::nfc(text).to_lowercase();
    let exact = exact.split_whitespace().collect::<Vec<_>>().join(" ");
    let plain = letters(text);
    let short = ["phuong", "xa", "dackhu", "p"];
    let short = short.iter().find_map(|kind| plain.strip_prefix(kind));
    let names = [Some(exact), Some(plain.clone()), short.map(str::to_owned)];
    names.into_iter().flatten().find_map(|name| {
        let found = WARDS.get(&(by_code(province.code)?.code, name))?;
        *found
    })
}

/// The codes of an address. A former ward may have the name of another one of today. So an address with a district is looked
/// up among the former wards only. An address of a former province without a district has no ward.
pub fn locate(province: Option<&str>, district: Option<&str>, ward: Option<&str>) -> Located {
    let has_district = district.is_some_and(|district| !district.trim().is_empty());
    let named = province.and_then(self::province);
    let is_legacy = has_district || named.is_some_and(|named| named.is_former);
    let of_today = named.filter(|_| !is_legacy);
    let now = of_today
        .zip(ward)
        .and_then(|(named, ward)| self::ward(named.province, ward))
        .and_then(|ward| ward.code);
    let before = || former::ward(province?, named?, district?, ward?);
    Located {
        province_code: named.map(|named| named.province.code),
        ward_code: now.or_else(before),
        is_legacy,
    }
}

#[cfg(test)]
mod tests;
