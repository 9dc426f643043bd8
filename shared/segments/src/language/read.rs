//! Strict reading of JSON objects: every fault with its place, all at once. Pure.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::str::FromStr;

use jiff::civil::Date;
use serde_json::{Map, Value};

use super::{Bounds, Fault};

/// Most faults that are named.
const MAX_FAULTS: usize = 50;
/// Largest number: JavaScript holds all integers up to it exactly.
const MAX_NUMBER: f64 = 9_007_199_254_740_991.0;

/// The faults so far, and the number of conditions so far.
pub(super) struct Faults {
    pub(super) bounds: Bounds,
    pub(super) conditions: usize,
    found: Vec<Fault>,
}

impl Faults {
    pub(super) fn new(bounds: &Bounds) -> Self {
        Self {
            bounds: *bounds,
            conditions: 0,
            found: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        if self.found.len() < MAX_FAULTS {
            self.found.push(Fault {
                pointer: pointer.into(),
                message: message.into(),
            });
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.found.len() >= MAX_FAULTS
    }

    pub(super) fn end(mut self) -> Vec<Fault> {
        if self.conditions > self.bounds.conditions {
            let most = self.bounds.conditions;
            let message = format!("must have at most {most} conditions in all");
            self.found.insert(
                0,
                Fault {
                    pointer: String::new(),
                    message,
                },
            );
        }
        self.found
    }
}

/// One part of a JSON pointer.
fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// An object that is read key by key. [`Reader::end`] refuses the keys that were not read.
pub(super) struct Reader<'j, 'f> {
    map: &'j Map<String, Value>,
    pub(super) at: String,
    pub(super) faults: &'f mut Faults,
    read: BTreeSet<&'static str>,
}

impl<'j, 'f> Reader<'j, 'f> {
    pub(super) fn new(map: &'j Map<String, Value>, at: String, faults: &'f mut Faults) -> Self {
        Self {
            map,
            at,
            faults,
            read: BTreeSet::new(),
        }
    }

    /// The place of a key.
    pub(super) fn place(&self, key: &str) -> String {
        format!("{}/{}", self.at, escape(key))
    }

    pub(super) fn fault(&mut self, key: &str, message: impl Into<String>) {
        let place = self.place(key);
        self.faults.add(place, message);
    }

    /// The value of a key that may be absent.
    pub(super) fn may(&mut self, key: &'static str) -> Option<&'j Value> {
        self.read.insert(key);
        self.map.get(key)
    }

    /// The value of a key that must be there.
    pub(super) fn must(&mut self, key: &'static str) -> Option<&'j Value> {
        let value = self.may(key);
        if value.is_none() {
            self.fault(key, "is missing");
        }
        value
    }

    /// A text of a key that must be there.
    pub(super) fn text(&mut self, key: &'static str) -> Option<&'j str> {
        let value = self.must(key)?;
        let place = self.place(key);
        text(value, &place, self.faults)
    }

    /// One of these words, of a key that must be there.
    pub(super) fn word<'w>(&mut self, key: &'static str, words: &[&'w str]) -> Option<&'w str> {
        let value = self.must(key)?;
        let place = self.place(key);
        word(value, words, &place, self.faults)
    }

    /// A number of a key that must be there.
    pub(super) fn number(&mut self, key: &'static str) -> Option<f64> {
        let number = self.must(key)?.as_f64();
        let number = number.filter(|number| number.abs() <= MAX_NUMBER);
        if number.is_none() {
            self.fault(key, "must be a number up to 9007199254740991");
        }
        number
    }

    /// A whole number within bounds, of a key that must be there.
    pub(super) fn whole(&mut self, key: &'static str, least: u16, most: u16) -> Option<u16> {
        let number = self.must(key)?.as_u64();
        let number = number.and_then(|number| u16::try_from(number).ok());
        let number = number.filter(|number| (least..=most).contains(number));
        if number.is_none() {
            self.fault(
                key,
                format!("must be a whole number from {least} to {most}"),
            );
        }
        number
    }

    /// A day `yyyy-mm-dd` of a key that must be there.
    pub(super) fn date(&mut self, key: &'static str) -> Option<Date> {
        let text = self.must(key)?.as_str();
        let date = text.and_then(day);
        if date.is_none() {
            self.fault(key, "must be a day such as 2026-03-02");
        }
        date
    }

    /// The values of a list that must be there and must not be empty, each read by `one`.
    pub(super) fn list<T>(
        &mut self,
        key: &'static str,
        most: usize,
        one: impl Fn(&'j Value, &str, &mut Faults) -> Option<T>,
    ) -> Option<Vec<T>> {
        let values = self.must(key)?;
        let place = self.place(key);
        let Some(values) = values
            .as_array()
            .filter(|values| (1..=most).contains(&values.len()))
        else {
            self.faults
                .add(place, format!("must be a list of 1 to {most} values"));
            return None;
        };
        let read = |(at, value)| one(value, &format!("{place}/{at}"), self.faults);
        let read: Vec<Option<T>> = values.iter().enumerate().map(read).collect();
        read.into_iter().collect()
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, key: &'static str) -> Option<Vec<String>> {
        let most = self.faults.bounds.values;
        self.list(key, most, |value, place, faults| {
            text(value, place, faults).map(str::to_owned)
        })
    }

    /// A list of ids.
    pub(super) fn ids<T: FromStr<Err: Display>>(&mut self, key: &'static str) -> Option<Vec<T>> {
        let most = self.faults.bounds.values;
        self.list(key, most, id)
    }

    /// Refuses the keys that were not read.
    pub(super) fn end(self) {
        for key in self.map.keys() {
            if !self.read.contains(key.as_str()) {
                let known: Vec<&str> = self.read.iter().copied().collect();
                let known = known.join(", ");
                let place = self.place(key);
                self.faults
                    .add(place, format!("unknown field; known here: {known}"));
            }
        }
    }
}

/// A text with at least one visible character.
pub(super) fn text<'j>(value: &'j Value, place: &str, faults: &mut Faults) -> Option<&'j str> {
    let most = faults.bounds.text;
    let text = value.as_str().filter(|text| {
        !text.trim().is_empty()
            && text.chars().count() <= most
            && !text.chars().any(char::is_control)
    });
    if text.is_none() {
        faults.add(
            place,
            format!("must be a text of 1 to {most} characters without control characters"),
        );
    }
    text
}

/// One of these words.
pub(super) fn word<'w>(
    value: &Value,
    words: &[&'w str],
    place: &str,
    faults: &mut Faults,
) -> Option<&'w str> {
    let text = value.as_str();
    let word = text.and_then(|text| words.iter().find(|word| **word == text));
    if word.is_none() {
        faults.add(place, format!("must be one of: {}", words.join(", ")));
    }
    word.copied()
}

/// An id.
pub(super) fn id<T: FromStr<Err: Display>>(
    value: &Value,
    place: &str,
    faults: &mut Faults,
) -> Option<T> {
    let id = value.as_str().unwrap_or_default().parse();
    id.map_err(|error: T::Err| faults.add(place, error.to_string()))
        .ok()
}

/// A day `yyyy-mm-dd`, from 1900 to 2199.
fn day(text: &str) -> Option<Date> {
    let date: Date = text.parse().ok()?;
    let is_plain = text.len() == 10 && (1900..2200).contains(&date.year());
    is_plain.then_some(date)
}
