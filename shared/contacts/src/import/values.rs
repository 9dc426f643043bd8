//! The values of cells: addresses, numbers, dates, tags and consent, as spreadsheets and other products write them. Pure.

use jiff::ToSpan;
use jiff::civil::{Date, date};
use kernel::text::{fold, parts};
use kernel::{EmailAddress, Phone};

/// Mailboxes of machines and offices. Nobody who agreed to mail reads them, and some are traps for spam.
const ROLES: [&str; 14] = [
    "abuse",
    "postmaster",
    "hostmaster",
    "webmaster",
    "mailer-daemon",
    "mailerdaemon",
    "noreply",
    "no-reply",
    "no_reply",
    "donotreply",
    "do-not-reply",
    "spam",
    "root",
    "listserv",
];
/// The first day whose number spreadsheets write, 0. It makes all numbers from March 1900 on right.
const FIRST_DAY: Date = date(1899, 12, 30);

/// The value of a cell, and the note about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading<T> {
    /// The value, if the cell has one.
    pub value: Option<T>,
    /// The part of the cell that is not the value, as typed.
    pub rest: Option<String>,
    /// Why there is no value. Never the cell's text, which may be personal.
    pub told: Option<String>,
}

impl<T> Reading<T> {
    #[expect(clippy::needless_pass_by_value, reason = "errors and texts")]
    fn refused(cell: &str, why: impl ToString) -> Self {
        let (value, rest) = (None, Some(cell.to_owned()));
        Self {
            value,
            rest,
            told: Some(why.to_string()),
        }
    }
}

/// The text of a cell without the marks that keep spreadsheets from reading it as a number or a formula: `'0903…`,
/// `="0903…"`.
pub fn plain(cell: &str) -> &str {
    let cell = cell.trim();
    let formula = cell
        .strip_prefix("=\"")
        .and_then(|rest| rest.strip_suffix('"'));
    let cell = formula.unwrap_or(cell);
    match cell.strip_prefix('\'') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_digit() || "=+-@\t".contains(c)) => {
            rest
        }
        _ => cell,
    }
}

/// The first part that `read` takes, and the other parts.
fn first_of<T, E: ToString>(cell: &str, read: impl Fn(&str) -> Result<T, E>) -> Reading<T> {
    let whole = match read(cell) {
        Ok(value) => {
            return Reading {
                value: Some(value),
                rest: None,
                told: None,
            };
        }
        Err(error) => error,
    };
    let parts = parts(cell);
    let found = parts
        .iter()
        .enumerate()
        .find_map(|(n, part)| Some((n, read(part).ok()?)));
    match found {
        Some((n, value)) => {
            let rest: Vec<&str> = parts
                .iter()
                .enumerate()
                .filter(|(m, _)| *m != n)
                .map(|(_, part)| *part)
                .collect();
            let rest = (!rest.is_empty()).then(|| rest.join("; "));
            Reading {
                value: Some(value),
                rest,
                told: None,
            }
        }
        None => Reading::refused(cell, whole),
    }
}

/// The mobile number of a cell. Of two numbers the first mobile one counts.
pub fn phone(cell: &str) -> Reading<Phone> {
    match unscientific(cell) {
        Some(None) => Reading::refused(cell, "the spreadsheet has shortened the number"),
        Some(Some(digits)) => first_of(&digits, str::parse::<Phone>),
        None => first_of(cell, str::parse::<Phone>),
    }
}

/// The digits of a number that a spreadsheet wrote with a fraction or an exponent: `903222303.0`, `9.03222303E+08`.
/// `Some(None)`: some of its digits are gone.
#[expect(
    clippy::option_option,
    reason = "the inner one is a number that has lost digits"
)]
fn unscientific(cell: &str) -> Option<Option<String>> {
    let (number, exponent) = match cell.split_once(['e', 'E']) {
        Some((number, exponent)) => {
            let exponent = exponent.strip_prefix('+').unwrap_or(exponent);
            (number, exponent.parse::<usize>().ok()?)
        }
        None => (cell, 0),
    };
    let (whole, fraction) = number.split_once(['.', ',']).unwrap_or((number, ""));
    let are_digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    if whole.is_empty() || !are_digits(whole) || !are_digits(fraction) {
        return None;
    }
    let cut = fraction.split_at_checked(exponent);
    match cut {
        // No digit is known to be missing, so dots may part the digits: `0912.345`.
        Some((_, rest)) if rest.chars().any(|c| c != '0') => None,
        Some(_) if exponent == 0 && (fraction.is_empty() || whole.len() < 9) => None,
        Some((digits, _)) => Some(Some(format!("{whole}{digits}"))),
        None => Some(None),
    }
}

/// The address of a cell. Of two addresses the first good one counts.
pub fn email(cell: &str) -> Reading<EmailAddress> {
    let cell = cell.trim_start_matches("mailto:");
    let found = first_of(cell, |part| {
        let inner = part
            .rsplit_once('<')
            .and_then(|(_, rest)| rest.strip_suffix('>'));
        inner.unwrap_or(part).parse::<EmailAddress>()
    });
    match &found.value {
        Some(address) if is_role(address) => Reading::refused(
            cell,
            "the address of a machine or an office, such as noreply@ or abuse@, is not taken",
        ),
        _ => found,
    }
}

fn is_role(address: &EmailAddress) -> bool {
    let local = address.as_str().split('@').next().unwrap_or_default();
    ROLES.contains(&local.split('+').next().unwrap_or_default())
}

/// A birthday as `yyyy-mm-dd`, or `--mm-dd` without a year. Vietnamese order; a time after the date is left out.
pub fn birthday(cell: &str) -> Option<String> {
    let cell = cell.trim();
    if let Some(day) = cell.strip_prefix("--") {
        let (month, day) = day.split_once('-')?;
        return without_year(day, month);
    }
    let part = cell.split([' ', 'T']).next().unwrap_or_default();
    let numbers: Vec<&str> = part.split(['/', '-', '.']).collect();
    let found = match numbers.as_slice() {
        [days] => return serial(days),
        [days, zeros] if days.len() == 5 && zeros.chars().all(|c| c == '0') => return serial(days),
        [day, month] => return without_year(day, month),
        [year, month, day] if year.len() == 4 => whole(year, month, day),
        [day, month, year] if year.len() == 4 => whole(year, month, day),
        _ => None,
    };
    found.map(|date| date.to_string())
}

/// The day of a cell, in the forms of [`birthday`], with its year.
pub fn day(cell: &str) -> Option<Date> {
    birthday(cell)?.parse().ok()
}

fn whole(year: &str, month: &str, day: &str) -> Option<Date> {
    let date = Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()?;
    (1900..2100).contains(&date.year()).then_some(date)
}

fn without_year(day: &str, month: &str) -> Option<String> {
    // 2000 has 29 February.
    let date = whole("2000", month, day)?;
    Some(format!("--{:02}-{:02}", date.month(), date.day()))
}

/// The date of a spreadsheet's day number: 32995 is 1990-05-02.
fn serial(days: &str) -> Option<String> {
    let days: i64 = days
        .parse()
        .ok()
        .filter(|days| (1_000..73_000).contains(days))?;
    FIRST_DAY
        .checked_add(days.days())
        .ok()
        .map(|date| date.to_string())
}

/// The tags of a cell, separated by semicolons, or by commas where there is no semicolon; each may be quoted.
pub fn tags(cell: &str) -> Vec<String> {
    let separator = [" ::: ", ";", ","]
        .into_iter()
        .find(|one| cell.contains(one));
    let mut parts = vec![String::new()];
    let mut is_quoted = false;
    let mut rest = cell;
    while let Some(c) = rest.chars().next() {
        if c == '"' {
            is_quoted = !is_quoted;
        } else if let Some(after) = separator
            .filter(|_| !is_quoted)
            .and_then(|one| rest.strip_prefix(one))
        {
            parts.push(String::new());
            rest = after;
            continue;
        } else if let Some(part) = parts.last_mut() {
            part.push(c);
        }
        rest = &rest[c.len_utf8()..];
    }
    let tags = parts.iter().map(|tag| tag.trim().trim_start_matches("* "));
    let mut tags: Vec<String> = tags
        .filter(|tag| !tag.is_empty())
        .map(str::to_owned)
        .collect();
    tags.sort_unstable();
    tags.dedup();
    tags
}

/// The answer of a cell about consent. The greater value wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Said {
    /// The person agreed.
    Yes,
    /// The person did not agree, or agreed and withdrew.
    No,
    /// The person reported spam.
    Complained,
}

/// The answer of a cell; `None` if the text is neither yes nor no.
pub fn said(cell: &str) -> Option<Said> {
    const YES: [&str; 19] = [
        "co",
        "yes",
        "true",
        "1",
        "y",
        "x",
        "v",
        "ok",
        "dong y",
        "da dong y",
        "subscribed",
        "subscribe",
        "opted in",
        "opt in",
        "active",
        "confirmed",
        "da dang ky",
        "dang ky",
        "duoc",
    ];
    const NO: [&str; 31] = [
        "khong",
        "ko",
        "k",
        "no",
        "false",
        "0",
        "n",
        "khong dong y",
        "chua",
        "chua dong y",
        "tu choi",
        "da tu choi",
        "huy",
        "da huy",
        "huy dang ky",
        "da huy dang ky",
        "bo dang ky",
        "unsubscribed",
        "unsubscribe",
        "not subscribed",
        "nonsubscribed",
        "non subscribed",
        "opted out",
        "opt out",
        "cleaned",
        "bounced",
        "invalid",
        "inactive",
        "suppressed",
        "blocked",
        "never",
    ];
    let text = fold(cell).replace(['-', '_'], " ");
    let text = text.trim();
    match text {
        "complained" | "complaint" | "spam" | "abuse" | "bao spam" | "marked as spam" => {
            Some(Said::Complained)
        }
        _ if NO.contains(&text) => Some(Said::No),
        _ if YES.contains(&text) => Some(Said::Yes),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
