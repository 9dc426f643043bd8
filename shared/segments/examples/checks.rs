//! Checks a segment of ten conditions for many contacts on one core, and prints the checks a second.
//!
//! `cargo run --release -p segments --example checks`

use std::io::Write as _;
use std::time::Instant;

use contacts::Contact;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use segments::{Bounds, Facts, Predicate, Subject, parse};
use serde_json::{Value, json};

const CONTACTS: u64 = 20_000;
const ROUNDS: u64 = 50;
/// 2026-11-28T00:00:00Z in seconds.
const NOW: i64 = 1_795_824_000;
const DAY: i64 = 24 * 3600;

/// Ten conditions of which each is asked for each contact: the false one of a group comes last, or there is none.
fn ten(word: &str) -> Value {
    json!({ word: [
        {"family": "profile", "field": "email", "operator": "ends_with", "value": "@example.vn"},
        {"family": "profile", "field": "custom.city", "type": "text", "operator": "in", "values": ["Hà Nội", "Đà Nẵng"]},
        {"family": "profile", "field": "custom.size", "type": "number", "operator": "between", "from": 1, "to": 9},
        {"family": "profile", "field": "custom.birthday", "type": "date", "operator": "month_is", "value": "current"},
        {"family": "profile", "field": "created_at", "operator": "more_than_n_ago", "n": 30},
        {"family": "tag", "operator": "has_any", "values": ["vip", "khách sỉ", "hội viên"]},
        {"family": "list", "operator": "in", "list_ids": ["lst_00000000001"]},
        {"family": "consent", "channel": "email", "operator": "is", "value": "subscribed"},
        {"family": "order", "field": "last_at", "operator": "in_last_n", "n": 60},
        {"family": "event", "event": "vip.visited", "operator": "at_least", "times": 2, "within": {"last_days": 90}},
    ]})
}

fn contact(number: u64, matches: bool) -> Result<Contact, serde_json::Error> {
    let size = if matches { 5 } else { 12 };
    let alphabet: Vec<char> = "0123456789abcdefghjkmnpqrstvwxyz".chars().collect();
    let digit = |place: u32| alphabet[(number >> (5 * (10 - place))) as usize & 31];
    let id: String = (0..11).map(digit).collect();
    serde_json::from_value(json!({
        "id": format!("con_{id}"),
        "email": format!("an.tran{number}@{}.vn", if matches { "example" } else { "shop" }),
        "full_name": "Trần Thị An", "tags": if matches { ["mới", "Khách sỉ"] } else { ["mới", "cũ"] },
        "list_ids": if matches { ["lst_00000000001"] } else { ["lst_00000000002"] },
        "custom": {
            "city": if matches { "Hà Nội" } else { "Cần Thơ" }, "size": size,
            "birthday": if matches { "1990-11-28" } else { "1990-05-02" },
        },
        "email_status": if matches { "subscribed" } else { "none" },
        "sms_status": "none", "zalo_status": "none", "push_status": "none", "source": "form",
        "created_at": if matches { "2026-01-01T00:00:00Z" } else { "2026-11-20T00:00:00Z" },
        "updated_at": "2026-11-20T00:00:00Z",
    }))
}

fn facts(predicate: &Predicate, number: u64, matches: bool) -> Facts {
    let mut facts = Facts::default();
    let today = NOW / DAY;
    for event in &predicate.mentions().events {
        for day in (0..8).filter(|_| matches) {
            facts
                .ring
                .set(event.hash, (today - day * 9) as u16, 1, today as u16);
        }
    }
    let ago = if matches { 20 + number as i64 % 7 } else { 200 };
    facts.orders.last = Timestamp::from_second(NOW - ago * DAY).ok();
    facts
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let zone = TimeZone::get("Asia/Ho_Chi_Minh")?;
    let mut out = std::io::stdout();
    for (title, word, matches) in [
        ("all of ten, each holds", "all", true),
        ("any of ten, none holds", "any", false),
        ("all of ten, none holds", "all", false),
    ] {
        let conditions =
            parse(&ten(word), &Bounds::default()).map_err(|faults| faults[0].to_string())?;
        let predicate = Predicate::compile(&conditions, &zone);
        let mut rows = Vec::new();
        for number in 0..CONTACTS {
            rows.push((
                contact(number, matches)?,
                facts(&predicate, number, matches),
            ));
        }
        let now = Timestamp::from_second(NOW)?;
        let start = Instant::now();
        let mut inside = 0u64;
        for _ in 0..ROUNDS {
            for (contact, facts) in &rows {
                inside += u64::from(predicate.check(&Subject::new(contact, facts), now).is_in);
            }
        }
        let seconds = start.elapsed().as_secs_f64();
        let rate = (CONTACTS * ROUNDS) as f64 / seconds;
        writeln!(
            out,
            "{title}: {rate:.0} contacts a second, {:.0} conditions a second, {inside} inside",
            rate * 10.0
        )?;
    }
    Ok(())
}
