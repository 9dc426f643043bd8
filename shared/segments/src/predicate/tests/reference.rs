//! The predicate as docs/segments.md describes it, slowly and with the dates of `jiff`.

#![expect(
    clippy::float_cmp,
    clippy::unused_self,
    reason = "the reference compares as the guide says"
)]

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp};
use serde_json::{Value, json};

use super::given::*;
use super::*;

pub(super) struct World<'a> {
    pub(super) subject: Subject<'a>,
    pub(super) days: &'a [Days],
    pub(super) now: Timestamp,
    pub(super) zone: &'a TimeZone,
}

impl World<'_> {
    fn today(&self) -> Date {
        let delay = SignedDuration::from_secs(delay(self.subject.contact.id));
        (self.now - delay).to_zoned(self.zone.clone()).date()
    }

    /// The reference.
    pub(super) fn holds(&self, json: &Value) -> bool {
        let object = json.as_object().unwrap();
        if let Some(parts) = object.get("all") {
            return parts
                .as_array()
                .unwrap()
                .iter()
                .all(|part| self.holds(part));
        }
        if let Some(parts) = object.get("any") {
            return parts
                .as_array()
                .unwrap()
                .iter()
                .any(|part| self.holds(part));
        }
        let contact = self.subject.contact;
        let own = serde_json::to_value(contact).unwrap();
        let facts = self.subject.facts;
        let stamp = |at: Option<Timestamp>| at.map_or(Value::Null, |at| json!(at.to_string()));
        match json["family"].as_str().unwrap() {
            "profile" => match json["field"].as_str().unwrap() {
                "last_opened_at" => self.test(json, "datetime", &stamp(facts.last.opened)),
                "created_at" => self.test(json, "datetime", &stamp(Some(contact.created_at))),
                "email" => self.test(json, "text", &own["email"]),
                "birthday" => self.test(json, "date", &own["birthday"]),
                custom => {
                    let name = custom.strip_prefix("custom.").unwrap();
                    self.test(json, json["type"].as_str().unwrap(), &own["custom"][name])
                }
            },
            "order" => match json["field"].as_str().unwrap() {
                "last_at" => self.test(json, "datetime", &stamp(facts.orders.last)),
                "count" => self.test(json, "number", &json!(facts.orders.count)),
                _ => {
                    let has = |id: &Value| {
                        facts
                            .orders
                            .products
                            .contains(&product_hash(id.as_str().unwrap()))
                    };
                    let mut ids = json["values"].as_array().unwrap().iter();
                    match json["operator"].as_str().unwrap() {
                        "has_any" => ids.any(has),
                        "has_all" => ids.all(has),
                        _ => !ids.any(has),
                    }
                }
            },
            "location" => self.test(json, "text", &own["province"]),
            "tag" => self.tags(json, &own["tags"]),
            "list" => {
                let on = own["list_ids"]
                    .as_array()
                    .unwrap()
                    .contains(&json["list_ids"][0]);
                on == (json["operator"] == "in")
            }
            "segment" => facts.inside.is_empty() != (json["operator"] == "in"),
            "consent" => (own["email_status"] == json["value"]) == (json["operator"] == "is"),
            _ => self.event(json),
        }
    }

    fn tags(&self, json: &Value, tags: &Value) -> bool {
        let alike = |value: &Value| kernel::text::alike(value.as_str().unwrap());
        let own: Vec<String> = tags.as_array().unwrap().iter().map(alike).collect();
        let empty = Vec::new();
        let mut values = json["values"].as_array().unwrap_or(&empty).iter();
        match json["operator"].as_str().unwrap() {
            "is_set" => !own.is_empty(),
            "is_not_set" => own.is_empty(),
            "has_any" => values.any(|value| own.contains(&alike(value))),
            "has_all" => values.all(|value| own.contains(&alike(value))),
            _ => !values.any(|value| own.contains(&alike(value))),
        }
    }

    fn event(&self, json: &Value) -> bool {
        let at = EVENTS
            .iter()
            .position(|event| json["event"] == *event)
            .unwrap();
        let within = &json["within"];
        let kept = within["last_days"].as_i64().unwrap_or(400);
        let oldest = self.today().checked_sub(Span::new().days(kept)).unwrap();
        let count: u32 = self.days[at]
            .iter()
            .filter(|(day, _)| {
                let date = Date::constant(1970, 1, 1)
                    .checked_add(Span::new().days(*day))
                    .unwrap();
                let text = date.to_string();
                date > oldest
                    && within["from"]
                        .as_str()
                        .is_none_or(|from| text.as_str() >= from)
                    && within["to"].as_str().is_none_or(|to| text.as_str() <= to)
            })
            .map(|(_, count)| u32::from(*count))
            .sum();
        let times = json["times"].as_u64().unwrap_or(1) as u32;
        match json["operator"].as_str().unwrap() {
            "did" => count > 0,
            "did_not" => count == 0,
            "at_least" => count >= times,
            "at_most" => count <= times,
            _ => count == times,
        }
    }

    fn test(&self, json: &Value, kind: &str, value: &Value) -> bool {
        let operator = json["operator"].as_str().unwrap();
        let is_set = match value {
            Value::Null => false,
            Value::String(text) => !text.is_empty(),
            Value::Array(values) => !values.is_empty(),
            _ => true,
        };
        match operator {
            "is_set" => return is_set,
            "is_not_set" => return !is_set,
            _ if !is_set => {
                let negative = [
                    "is_not",
                    "not_contains",
                    "not_in",
                    "ne",
                    "not_in_last_n",
                    "has_none",
                ];
                return negative.contains(&operator);
            }
            _ => {}
        }
        let fold = |value: &Value| kernel::text::fold(value.as_str().unwrap());
        let number = |key: &str| json[key].as_f64().unwrap();
        match kind {
            "text" => {
                let own = fold(value);
                match operator {
                    "is" => own == fold(&json["value"]),
                    "is_not" => own != fold(&json["value"]),
                    "contains" => own.contains(&fold(&json["value"])),
                    "not_contains" => !own.contains(&fold(&json["value"])),
                    "starts_with" => own.starts_with(&fold(&json["value"])),
                    "ends_with" => own.ends_with(&fold(&json["value"])),
                    _ => {
                        let mut values = json["values"].as_array().unwrap().iter();
                        values.any(|value| fold(value) == own) == (operator == "in")
                    }
                }
            }
            "number" => {
                let own = value.as_f64().unwrap();
                match operator {
                    "between" => number("from") <= own && own <= number("to"),
                    "eq" => own == number("value"),
                    "ne" => own != number("value"),
                    "gt" => own > number("value"),
                    "gte" => own >= number("value"),
                    "lt" => own < number("value"),
                    _ => own <= number("value"),
                }
            }
            "boolean" => {
                let is = match value {
                    Value::Bool(is) => Some(*is),
                    _ => match fold(value).as_str() {
                        "co" => Some(true),
                        "khong" => Some(false),
                        _ => None,
                    },
                };
                is == Some(operator == "is_true")
            }
            "multi_choice" => {
                let own: Vec<String> = value.as_array().unwrap().iter().map(fold).collect();
                let mut values = json["values"].as_array().unwrap().iter();
                match operator {
                    "has_any" => values.any(|value| own.contains(&fold(value))),
                    "has_all" => values.all(|value| own.contains(&fold(value))),
                    _ => !values.any(|value| own.contains(&fold(value))),
                }
            }
            _ => self.date(json, operator, value.as_str().unwrap()),
        }
    }

    fn date(&self, json: &Value, operator: &str, text: &str) -> bool {
        let value = |key: &str| -> Date { json[key].as_str().unwrap().parse().unwrap() };
        let unit = if json["unit"] == "weeks" { 7 } else { 1 };
        let n = json["n"].as_i64().unwrap_or_default() * unit;
        let today = self.today();
        // Month and day, the day where the year is known, and the instant.
        let (month, day, date, instant) = if let Some(rest) = text.strip_prefix("--") {
            (
                rest[..2].parse::<i8>().unwrap(),
                rest[3..].parse::<i8>().unwrap(),
                None,
                None,
            )
        } else if text.len() == 10 {
            let date: Date = text.parse().unwrap();
            (date.month(), date.day(), Some(date), None)
        } else {
            let at: Timestamp = text.parse().unwrap();
            let date = at.to_zoned(self.zone.clone()).date();
            (date.month(), date.day(), Some(date), Some(at))
        };
        let ago = |n: i64| today.checked_sub(Span::new().days(n)).unwrap();
        let hours = SignedDuration::from_hours(24 * n);
        match operator {
            "month_is" => {
                let wanted = json["value"].as_i64().unwrap_or(i64::from(today.month()));
                return i64::from(month) == wanted;
            }
            "anniversary_today" | "anniversary_in_n_days" => {
                let aim = ago(-n);
                let is_leap = aim.in_leap_year();
                let day = if (month, day) == (2, 29) && !is_leap {
                    28
                } else {
                    day
                };
                return (aim.month(), aim.day()) == (month, day);
            }
            _ => {}
        }
        let Some(date) = date else {
            return operator == "not_in_last_n";
        };
        match (operator, instant) {
            ("on", _) => date == value("value"),
            ("before", _) => date < value("value"),
            ("after", _) => date > value("value"),
            ("between", _) => value("from") <= date && date <= value("to"),
            ("in_last_n", Some(at)) => self.now - hours < at && at <= self.now,
            ("not_in_last_n", Some(at)) => !(self.now - hours < at && at <= self.now),
            ("in_next_n", Some(at)) => self.now < at && at <= self.now + hours,
            (_, Some(at)) => at <= self.now - hours,
            ("in_last_n", None) => ago(n) < date && date <= today,
            ("not_in_last_n", None) => !(ago(n) < date && date <= today),
            ("in_next_n", None) => today < date && date <= ago(-n),
            (_, None) => date <= ago(n),
        }
    }
}
