//! The rules that the settings of a form must follow. Pure.

use std::collections::BTreeSet;

use contacts::{Definitions, Tags};
use kernel::{Channel, EmailAddress, Phone, person};
use serde_json::Value;
use url::Url;

use crate::design::Design;
use crate::model::{Field, Frequency, Kind, Popup, Settings};

/// A wrong part of the settings: its JSON pointer, and the rule.
pub type Flaw = (String, String);

const MAX_FIELDS: usize = 30;
const MAX_TAGS: usize = 50;
const MAX_LISTS: usize = 20;
const MAX_HOSTS: usize = 20;
const MAX_PATHS: usize = 20;
const MAX_URL: usize = 2_000;
/// Most bytes of the settings, as JSON. Each process keeps many forms in memory.
const MAX_BYTES: usize = 32 * 1024;

struct Flaws(Vec<Flaw>);

impl Flaws {
    fn check(&mut self, is_flawed: bool, pointer: impl Into<String>, message: impl Into<String>) {
        if is_flawed {
            self.0.push((pointer.into(), message.into()));
        }
    }

    fn text(&mut self, text: Option<&String>, most: usize, pointer: impl Into<String>) {
        let is_flawed = text.is_some_and(|text| !is_text(text, most));
        self.check(
            is_flawed,
            pointer,
            format!("must have 1 to {most} characters"),
        );
    }
}

fn is_text(text: &str, most: usize) -> bool {
    !text.trim().is_empty() && text.chars().count() <= most
}

impl Settings {
    /// All flaws. `definitions` holds the workspace's custom fields. The caller checks that the lists exist.
    pub fn flaws(&self, definitions: &Definitions) -> Vec<Flaw> {
        let mut flaws = Flaws(Vec::new());
        flaws.text(Some(&self.name), 255, "/name");
        flaws.text(self.title.as_ref(), 255, "/title");
        flaws.text(self.intro.as_ref(), 2_000, "/intro");
        flaws.text(self.button.as_ref(), 100, "/button");
        flaws.text(self.success_message.as_ref(), 2_000, "/success_message");
        self.check_fields(definitions, &mut flaws);
        self.check_consent(&mut flaws);
        let are_bad =
            self.tags.len() > MAX_TAGS || self.tags.iter().any(|tag| Tags::parse(tag).is_err());
        let message = "holds at most 50 tags of 1 to 255 characters";
        flaws.check(are_bad, "/tags", message);
        let are_many = self.list_ids.len() > MAX_LISTS;
        flaws.check(are_many, "/list_ids", "holds at most 20 lists");
        for (name, message) in self.design.iter().flat_map(Design::flaws) {
            flaws.check(true, format!("/design/{name}"), message);
        }
        let logo = self.design.as_ref().and_then(|one| one.logo_url.as_ref());
        let is_bad = logo.is_some_and(|text| !is_page(text));
        let message = "expected an address that begins with https://, without a password";
        flaws.check(is_bad, "/design/logo_url", message);
        let is_bad = self
            .redirect_url
            .as_ref()
            .is_some_and(|text| !is_page(text));
        let message = "expected an address that begins with https://, without a password";
        flaws.check(is_bad, "/redirect_url", message);
        self.check_popup(&mut flaws);
        flaws.check(
            self.allowed_hosts.len() > MAX_HOSTS,
            "/allowed_hosts",
            "holds at most 20 hosts",
        );
        for (n, host) in self.allowed_hosts.iter().enumerate() {
            let message = "expected a host such as shop.example.vn or *.example.vn";
            flaws.check(!is_host(host), format!("/allowed_hosts/{n}"), message);
        }
        let bytes = serde_json::to_vec(self).map_or(usize::MAX, |json| json.len());
        flaws.check(
            bytes > MAX_BYTES,
            "",
            format!("holds at most {MAX_BYTES} bytes"),
        );
        flaws.0
    }

    fn check_fields(&self, definitions: &Definitions, flaws: &mut Flaws) {
        let is_bad = self.fields.is_empty() || self.fields.len() > MAX_FIELDS;
        flaws.check(is_bad, "/fields", "holds 1 to 30 fields");
        let mut keys = BTreeSet::new();
        for (n, field) in self.fields.iter().enumerate() {
            let at = |name: &str| format!("/fields/{n}/{name}");
            flaws.text(field.label_vi.as_ref(), 200, at("label_vi"));
            flaws.text(field.label_en.as_ref(), 200, at("label_en"));
            flaws.text(field.placeholder.as_ref(), 200, at("placeholder"));
            flaws.text(field.help.as_ref(), 500, at("help"));
            flaws.text(field.default.as_ref(), 500, at("default"));
            flaws.check(!keys.insert(&field.key), at("key"), "is asked twice");
            let unknown = "expected email, phone, a plain field, or custom. with the key of a custom field that is no file";
            flaws.check(!is_known(field, definitions), at("key"), unknown);
            let is_lost = field.hidden && (field.default.is_none() || field.required);
            let message = "a hidden field has a default and is not required";
            flaws.check(is_lost, at("hidden"), message);
            if let (Some(default), true) = (&field.default, is_known(field, definitions)) {
                let fault = unusable(field, default, definitions);
                flaws.check(fault.is_some(), at("default"), fault.unwrap_or_default());
            }
        }
        let is_address = |field: &&Field| field.key == "email" || field.key == "phone";
        let asks = self
            .fields
            .iter()
            .filter(is_address)
            .any(|field| field.required);
        flaws.check(
            !asks,
            "/fields",
            "must ask for email or phone as a required field",
        );
    }

    fn check_consent(&self, flaws: &mut Flaws) {
        for (channel, question) in &self.consent {
            let pointer = format!("/consent/{}", channel.name());
            let address = match channel {
                Channel::Email => "email",
                Channel::Sms | Channel::Zalo => "phone",
                Channel::Push => {
                    let message = "a form cannot ask for push notifications";
                    flaws.check(true, pointer, message);
                    continue;
                }
            };
            let asks = self.fields.iter().any(|field| field.key == address);
            let message = format!("the form must ask for {address} too");
            flaws.check(!asks, pointer.clone(), message);
            flaws.text(Some(&question.text), 1_000, format!("{pointer}/text"));
        }
        if let Some(double) = &self.double_opt_in {
            let is_idle = !self.consent.contains_key(&Channel::Email);
            let message = "confirms the consent to mails: the form must ask for it";
            flaws.check(is_idle, "/double_opt_in", message);
            flaws.text(Some(&double.from_name), 100, "/double_opt_in/from_name");
        }
    }

    fn check_popup(&self, flaws: &mut Flaws) {
        let Some(popup) = &self.popup else { return };
        let is_window = matches!(self.kind, Kind::Popup | Kind::SlideIn);
        let message = "is for the kinds popup and slide_in";
        flaws.check(!is_window, "/popup", message);
        let Popup {
            delay_seconds,
            scroll_percent,
            frequency,
            every_days,
            ..
        } = popup;
        let is_bad = delay_seconds.is_some_and(|seconds| seconds > 3_600);
        flaws.check(is_bad, "/popup/delay_seconds", "must be at most 3600");
        let is_bad = scroll_percent.is_some_and(|percent| !(1..=100).contains(&percent));
        flaws.check(is_bad, "/popup/scroll_percent", "must be between 1 and 100");
        let is_bad = match (frequency, every_days) {
            (Frequency::Days, days) => !days.is_some_and(|days| (1..=365).contains(&days)),
            (_, days) => days.is_some(),
        };
        let are_many = popup.devices.len() > 3;
        flaws.check(are_many, "/popup/devices", "holds at most 3 devices");
        let is_never =
            matches!((popup.from, popup.until), (Some(from), Some(until)) if from >= until);
        flaws.check(is_never, "/popup/until", "must be later than from");
        let message = "must be between 1 and 365 for the frequency days, and absent otherwise";
        flaws.check(is_bad, "/popup/every_days", message);
        for (name, paths) in [("include", &popup.include), ("exclude", &popup.exclude)] {
            let is_bad = paths.len() > MAX_PATHS
                || paths
                    .iter()
                    .any(|path| !path.starts_with('/') || !is_text(path, 200));
            let message = "holds at most 20 paths of 1 to 200 characters that begin with /";
            flaws.check(is_bad, format!("/popup/{name}"), message);
        }
    }
}

fn is_known(field: &Field, definitions: &Definitions) -> bool {
    match field.custom() {
        // A visitor cannot upload files.
        Some(key) => definitions
            .get(key)
            .is_some_and(|own| own.kind != contacts::fields::Kind::File),
        None => {
            ["email", "phone"].contains(&field.key.as_str()) || person::field(&field.key).is_some()
        }
    }
}

/// Why the field does not take the text.
pub fn unusable(field: &Field, text: &str, definitions: &Definitions) -> Option<String> {
    if let Some(key) = field.custom() {
        let checked = definitions.check(key, &Value::from(text));
        return checked.err().map(|fault| fault.message);
    }
    match field.key.as_str() {
        "email" => text.parse::<EmailAddress>().err().map(|e| e.to_string()),
        "phone" => text.parse::<Phone>().err().map(|e| e.to_string()),
        key => person::field(key)?.parse(text).err(),
    }
}

/// An address that a browser may be sent to.
fn is_page(text: &str) -> bool {
    let is_plain =
        |url: Url| url.scheme() == "https" && url.username().is_empty() && url.password().is_none();
    let is_ascii = text.bytes().all(|byte| byte.is_ascii_graphic());
    is_ascii && text.len() <= MAX_URL && Url::parse(text).is_ok_and(is_plain)
}

/// A name of a host in its ASCII form, in lower case. It goes into a header.
fn is_host(text: &str) -> bool {
    let name = text.strip_prefix("*.").unwrap_or(text);
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '.' || c == '-';
    name.len() <= 253
        && name.split('.').count() >= 2
        && name.split('.').all(|label| (1..=63).contains(&label.len()))
        && name.chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn flaws(settings: Value) -> Vec<String> {
        let settings: Settings = serde_json::from_value(settings).unwrap();
        let flaws = settings.flaws(&Definitions::default()).into_iter();
        flaws.map(|(pointer, _)| pointer).collect()
    }

    #[test]
    fn the_smallest_form_asks_for_an_address() {
        let field = json!({"key": "email", "required": true});
        assert!(flaws(json!({"name": "Bản tin", "fields": [field]})).is_empty());
        let field = json!({"key": "email"});
        assert_eq!(
            flaws(json!({"name": "Bản tin", "fields": [field]})),
            ["/fields"]
        );
    }

    #[test]
    fn every_flaw_is_named() {
        let bad = json!({
            "name": " ", "kind": "embedded",
            "fields": [
                {"key": "phone", "required": true},
                {"key": "phone"},
                {"key": "custom.khong_co", "hidden": true},
                {"key": "birthday", "default": "hôm qua"},
            ],
            "consent": {"email": {"text": "Tôi đồng ý"}, "push": {"text": "x"}, "sms": {"text": ""}},
            "tags": [""],
            "redirect_url": "javascript:alert(1)",
            "design": {"text_color": "#999999", "logo_url": "http://shop.example.vn/logo.png"},
            "popup": {"delay_seconds": 9999, "frequency": "once", "every_days": 2, "include": ["x"]},
            "allowed_hosts": ["shop.example.vn", "https://shop.example.vn", "a.vn; script-src *"],
        });
        let expected = [
            "/name",
            "/fields/1/key",
            "/fields/2/key",
            "/fields/2/hidden",
            "/fields/3/default",
            "/consent/email",
            "/consent/sms/text",
            "/consent/push",
            "/tags",
            "/design/text_color",
            "/design/logo_url",
            "/redirect_url",
            "/popup",
            "/popup/delay_seconds",
            "/popup/every_days",
            "/popup/include",
            "/allowed_hosts/1",
            "/allowed_hosts/2",
        ];
        assert_eq!(flaws(bad), expected);
    }

    #[test]
    fn a_form_has_a_bound_in_bytes() {
        let field = |n: usize| {
            let key = if n == 0 {
                "email"
            } else {
                person::FIELDS[n].name()
            };
            json!({"key": key, "required": n == 0, "help": "ư".repeat(500), "label_vi": "ư".repeat(200),
                   "placeholder": "ư".repeat(200), "label_en": "ư".repeat(200)})
        };
        let fields: Vec<Value> = (0..15).map(field).collect();
        let long = json!({"name": "x", "fields": fields, "intro": "ư".repeat(2_000)});
        assert_eq!(flaws(long), [""]);
    }
}
