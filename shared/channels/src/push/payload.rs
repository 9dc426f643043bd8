//! The payloads of a notification: for the service worker of browsers, and for FCM. Pure.

use serde_json::{Value, json};

use super::note::Note;

/// Most bytes of a web push before its encryption: 4,096 without the header, the tag and the delimiter (RFC 8291).
pub const MAX_PLAIN: usize = 3_993;
/// Most bytes of a message to FCM.
pub const MAX_FCM: usize = 4_096;

/// The words of one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The title.
    pub title: String,
    /// The text.
    pub body: String,
}

/// The payload of a browser. `tracked` makes the address of a link.
pub fn browser(
    note: &Note,
    words: &Rendered,
    id: &str,
    tracked: impl Fn(&str) -> String,
) -> String {
    let mut payload = json!({ "title": words.title, "body": words.body, "id": id });
    for (name, value) in [("icon", &note.icon), ("image", &note.image)] {
        if let Some(value) = value {
            payload[name] = value.as_str().into();
        }
    }
    if let Some(link) = &note.link {
        payload["link"] = tracked(link).into();
    }
    if !note.actions.is_empty() {
        payload["actions"] = actions(note, &tracked);
    }
    if !note.data.is_empty() {
        payload["data"] = json!(note.data);
    }
    payload.to_string()
}

fn actions(note: &Note, tracked: &impl Fn(&str) -> String) -> Value {
    let one =
        |action: &super::Action| json!({ "title": action.title, "link": tracked(&action.link) });
    note.actions.iter().map(one).collect()
}

/// The message of FCM for one token. `expires` is seconds since the epoch.
pub fn app(
    note: &Note,
    words: &Rendered,
    id: &str,
    (token, expires): (&str, i64),
    tracked: impl Fn(&str) -> String,
) -> Value {
    let mut data = json!(note.data);
    data["id"] = id.into();
    let mut notification = json!({ "title": words.title, "body": words.body });
    if let Some(image) = &note.image {
        notification["image"] = image.as_str().into();
    }
    let mut webpush = json!({ "headers": { "TTL": note.ttl.to_string() } });
    if let Some(link) = &note.link {
        let link = tracked(link);
        data["link"] = link.as_str().into();
        // FCM takes https only here.
        if link.starts_with("https://") {
            webpush["fcm_options"] = json!({ "link": link });
        }
    }
    if !note.actions.is_empty() {
        // Values of the data are texts.
        data["actions"] = actions(note, &tracked).to_string().into();
    }
    json!({
        "token": token,
        "notification": notification,
        "data": data,
        "android": { "priority": "high", "ttl": format!("{}s", note.ttl), "collapse_key": id },
        "apns": {
            "headers": { "apns-priority": "10", "apns-expiration": expires.to_string(), "apns-collapse-id": id },
            "payload": { "aps": { "sound": "default" } },
        },
        "webpush": webpush,
    })
}
