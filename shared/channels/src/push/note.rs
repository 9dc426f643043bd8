//! A notification with its merge fields unfilled, and its check. Pure.

use std::collections::BTreeMap;

use content::check::{self, Name};
use content::mail::Part;
use content::template::{Scope, Template};
use jiff::Zoned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::payload::{self, Rendered};
use crate::mail_check::names;

/// Most buttons of a notification.
pub const MAX_ACTIONS: usize = 2;
/// Longest title and body, in characters of their templates.
pub const LONGEST: (usize, usize) = (500, 2_000);
/// Longest title of a button, in characters.
pub const MAX_ACTION: usize = 40;
/// Longest URL, in bytes.
pub const MAX_URL: usize = 1_000;
/// Most entries of the payload.
pub const MAX_DATA: usize = 20;
/// How long a push service keeps a message for a device that is off, in seconds: four weeks is FCM's bound.
pub const MAX_TTL: u32 = 28 * 24 * 3600;
/// A day.
pub const USUAL_TTL: u32 = 24 * 3600;
/// Names of the payload that FCM or the product uses.
const RESERVED: [&str; 6] = [
    "from",
    "message_type",
    "collapse_key",
    "id",
    "link",
    "actions",
];

/// Longest value of the payload, in characters.
pub const MAX_DATUM: usize = 1_000;

/// A value of the payload: its bound in the reference.
#[derive(Debug, utoipa::ToSchema)]
#[schema(as = PushDatum, max_length = 1000)]
pub struct Datum(pub String);

/// A button of a notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = PushNoteAction)]
pub struct Action {
    /// Its words.
    pub title: String,
    /// The page that it opens.
    pub link: String,
}

/// A notification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = PushNote)]
pub struct Note {
    /// Template of the title.
    pub title: String,
    /// Template of the text.
    pub body: String,
    /// Picture beside the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icon: Option<String>,
    /// Large picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The page that a click opens. Its clicks are counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Buttons; browsers show them, and apps get them as data.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<Action>,
    /// Seconds for which the push service keeps it.
    pub ttl: u32,
    /// Data for the app or the service worker.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, Datum>)]
    pub data: BTreeMap<String, String>,
}

/// The templates of a notification.
#[derive(Debug)]
pub(crate) struct Templates {
    title: Template,
    body: Template,
}

impl Templates {
    /// Parses both; the error names no data.
    pub fn parse(note: &Note) -> Result<Self, String> {
        let parse = |text: &str| Template::parse(text).map_err(|error| error.to_string());
        Ok(Self {
            title: parse(&note.title)?,
            body: parse(&note.body)?,
        })
    }

    /// Title and text for some data.
    pub fn render(&self, data: &Value, now: &Zoned) -> Result<(String, String), String> {
        let scope = Scope {
            data,
            reserved: &[],
            now,
        };
        let one = |template: &Template| template.render(&scope).map_err(|_| "template".to_owned());
        let title = one(&self.title)?.trim().to_owned();
        if title.is_empty() {
            return Err("empty".to_owned());
        }
        Ok((title, one(&self.body)?.trim().to_owned()))
    }
}

impl Note {
    /// The faults, each with its place below the notification and its words.
    ///
    /// `trigger` is [`TRIGGER`](crate::mail_check::TRIGGER) for a workflow.
    pub fn faults(&self, trigger: Option<Name>) -> Vec<(String, String)> {
        // A notification has no footer, so it has none of the footer's names.
        let own = names().filter(|name| name.path.starts_with("contact."));
        let names: Vec<Name> = own.chain(trigger).collect();
        let mut faults = Vec::new();
        let mut add = |place: &str, words: String| faults.push((place.to_owned(), words));
        for (place, text, most) in [
            ("/title", &self.title, LONGEST.0),
            ("/body", &self.body, LONGEST.1),
        ] {
            if text.trim().is_empty() || text.chars().count() > most {
                add(place, format!("expected 1 to {most} characters"));
            } else {
                for error in check::flaws(&[(Part::Text, text.as_str())], &names) {
                    add(place, error.to_string());
                }
            }
        }
        let urls = [
            ("/icon", self.icon.as_deref(), true),
            ("/image", self.image.as_deref(), true),
            ("/link", self.link.as_deref(), false),
        ];
        for (place, url, is_picture) in urls {
            if url.is_some_and(|url| !is_url(url, is_picture)) {
                add(
                    place,
                    format!("expected an https URL of at most {MAX_URL} bytes"),
                );
            }
        }
        if self.actions.len() > MAX_ACTIONS {
            add("/actions", format!("holds at most {MAX_ACTIONS} buttons"));
        }
        for (n, action) in self.actions.iter().enumerate() {
            if action.title.trim().is_empty() || action.title.chars().count() > MAX_ACTION {
                add(
                    &format!("/actions/{n}/title"),
                    format!("expected 1 to {MAX_ACTION} characters"),
                );
            }
            if !is_url(&action.link, false) {
                add(
                    &format!("/actions/{n}/link"),
                    format!("expected an https URL of at most {MAX_URL} bytes"),
                );
            }
        }
        if self.ttl > MAX_TTL {
            add("/ttl", format!("expected 0 to {MAX_TTL} seconds"));
        }
        if self.data.len() > MAX_DATA {
            add("/data", format!("holds at most {MAX_DATA} entries"));
        }
        for (name, value) in &self.data {
            let place = format!("/data/{}", name.replace('~', "~0").replace('/', "~1"));
            if value.chars().count() > MAX_DATUM {
                add(&place, format!("expected up to {MAX_DATUM} characters"));
            }
            if name.is_empty() || is_reserved(name) {
                add(&place, "this name is used by FCM or by the product".into());
            }
        }
        if faults.is_empty() && self.least_bytes() > payload::MAX_PLAIN {
            let words = format!(
                "has more than {} bytes; push services take no more",
                payload::MAX_PLAIN
            );
            faults.push((String::new(), words));
        }
        faults
    }

    /// Bytes that every message of it has, before merge fields are filled and links are signed.
    fn least_bytes(&self) -> usize {
        let fixed = |text: &str| {
            let has_fields = text.contains("{{") || text.contains("{%");
            if has_fields {
                String::new()
            } else {
                text.to_owned()
            }
        };
        let rendered = Rendered {
            title: fixed(&self.title),
            body: fixed(&self.body),
        };
        payload::browser(self, &rendered, "", str::to_owned).len()
    }
}

/// Whether FCM or the product uses the name (firebase.google.com/docs/reference/fcm/rest/v1/projects.messages).
fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name) || name.starts_with("google") || name.starts_with("gcm")
}

fn is_url(text: &str, is_picture: bool) -> bool {
    text.len() <= MAX_URL
        && Url::parse(text)
            .is_ok_and(|url| url.scheme() == "https" || (url.scheme() == "http" && !is_picture))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note() -> Note {
        Note {
            title: "Chào {{ contact.first_name }}".into(),
            body: "Giảm 50%".into(),
            icon: Some("https://shop.example/icon.png".into()),
            image: None,
            link: Some("https://shop.example/sale".into()),
            actions: vec![Action {
                title: "Xem".into(),
                link: "https://shop.example/a".into(),
            }],
            ttl: USUAL_TTL,
            data: BTreeMap::new(),
        }
    }

    #[test]
    fn each_fault_has_its_place() {
        assert!(note().faults(None).is_empty());
        let mut bad = note();
        bad.title = " ".into();
        bad.body = "{{".into();
        bad.icon = Some("http://shop.example/icon.png".into());
        bad.link = Some("javascript:alert(1)".into());
        bad.actions = vec![bad.actions[0].clone(); 3];
        bad.actions[1].link = "x".into();
        bad.ttl = MAX_TTL + 1;
        let mut strange = note();
        strange.title = "{{ contact.secret }}".into();
        assert_eq!(strange.faults(None)[0].0, "/title");
        bad.data.insert("google.x".into(), "1".into());
        let places: Vec<String> = bad
            .faults(None)
            .into_iter()
            .map(|(place, _)| place)
            .collect();
        let expected = [
            "/title",
            "/body",
            "/icon",
            "/link",
            "/actions",
            "/actions/1/link",
            "/ttl",
            "/data/google.x",
        ];
        assert_eq!(places, expected);
    }

    #[test]
    fn a_note_that_no_push_service_takes_is_refused() {
        let mut long = note();
        long.body = "đ".repeat(2_000);
        let faults = long.faults(None);
        assert_eq!(faults.len(), 1);
        assert!(faults[0].1.contains("3993"), "{faults:?}");
    }
}
