//! A visitor's answers, judged. Pure.
//!
//! A form is refused only for a required question without a usable answer, or if no address can be read. Another
//! answer that its field does not take stays in the event, as it was typed, and is named in `_not_read`.

use std::collections::BTreeMap;

use contacts::Definitions;
use jiff::Timestamp;
use kernel::text::nfc;
use kernel::{Channel, Person, links, person};
use serde_json::{Map, Value, json};
use sources::form::{Confirming, ConsentAnswer, FormSubmission};

use crate::model::{Field, Form};
use crate::turnstile::RESPONSE;

/// Most values of a submission.
pub const MAX_PAIRS: usize = 200;
/// Characters of an answer that are kept.
const MAX_ANSWER: usize = 3_000;
/// Bytes of all answers that are kept. A message of SQS and a row of the timeline hold them.
const MAX_KEPT: usize = 32 * 1024;
/// Characters of a foreign field's name.
const MAX_NAME: usize = 100;
/// Longest texts of a proof.
const MAX_NOTE: usize = 255;

/// The field that names the page that was shown, so that a second press changes nothing.
pub const TOKEN: &str = "_submission";
/// A field that people do not see, and programs fill in.
pub const HONEYPOT: &str = "_homepage";
/// The page that holds the form.
const PAGE: &str = "_page";
/// Key in the event's data: the answers that could not be used.
const NOT_READ: &str = "_not_read";
/// Key in the event's data: the answers that were cut or left out.
const SHORTENED: &str = "_shortened";
/// Key in the event's data: Turnstile gave no answer.
const UNVERIFIED: &str = "_unverified";

/// A page that was shown is one submission for a day; answers without a page for ten minutes.
const SAME_PAGE: i64 = 24 * 3_600;
const SAME_ANSWERS: i64 = 600;

/// The values that a visitor sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given(Vec<(String, String)>);

impl Given {
    /// These values, without the blanks around them. `None`: more than [`MAX_PAIRS`].
    pub fn of(pairs: impl IntoIterator<Item = (String, String)>) -> Option<Self> {
        let pairs = pairs.into_iter().take(MAX_PAIRS + 1);
        let plain = |(name, value): (String, String)| {
            let value = value.replace("\r\n", "\n").replace('\0', "");
            (name, nfc(value.trim()))
        };
        let pairs: Vec<(String, String)> = pairs.map(plain).collect();
        (pairs.len() <= MAX_PAIRS).then_some(Self(pairs))
    }

    /// The values of a field that are not empty.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let own = self.0.iter().filter(move |(key, _)| key == name);
        own.map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// The first value of a field.
    pub fn first(&self, name: &str) -> Option<String> {
        let mut all = self.all(name);
        all.next().map(str::to_owned)
    }

    /// Whether nothing was sent.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the answer to a box is yes.
    pub fn is_ticked(&self, name: &str) -> bool {
        self.all(name)
            .any(|value| value == "yes" || value == "true")
    }
}

/// Why an answer is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// A required question has no answer.
    Missing,
    /// It is no email address.
    Email,
    /// It is no mobile number.
    Phone,
    /// Another rule of its field, in English.
    Other(String),
    /// Turnstile gave no token, or refused the token.
    Challenge,
    /// The hidden field was filled in.
    Honeypot,
}

/// An answer that is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The field's key.
    pub field: String,
    /// The rule.
    pub rule: Rule,
}

/// The circumstances of a submission.
#[derive(Debug, Clone, Default)]
pub struct Visit {
    /// The address of the visitor's network.
    pub ip: Option<String>,
    /// The visitor's browser.
    pub user_agent: Option<String>,
}

/// The name of the box that asks for consent by this channel.
pub fn consent_name(channel: Channel) -> String {
    format!("consent.{}", channel.name())
}

/// Judges the answers. All faults are named.
pub fn read(
    form: &Form,
    definitions: &Definitions,
    given: &Given,
    visit: Visit,
    now: Timestamp,
) -> Result<FormSubmission, Vec<Fault>> {
    let mut answers = Answers::default();
    if given.first(HONEYPOT).is_some() {
        answers.fault(HONEYPOT, Rule::Honeypot);
    }
    if form.guard.is_some() && given.first(RESPONSE).is_none() {
        answers.fault(RESPONSE, Rule::Challenge);
    }
    for field in &form.settings.fields {
        answers.take(field, definitions, given);
    }
    if answers.email.is_none() && answers.phone.is_none() && answers.faults.is_empty() {
        let mut fields = form.settings.fields.iter();
        let address = fields.find(|field| ["email", "phone"].contains(&field.key.as_str()));
        let key = address.map_or("email", |field| field.key.as_str());
        answers.fault(key, Rule::Missing);
    }
    if !answers.faults.is_empty() {
        return Err(answers.faults);
    }
    let (consent, said) = asked(form, given);
    let (data, id, same_within_seconds) = told(form, given, &answers.not_read, &said);
    let note = |text: String| text.chars().take(MAX_NOTE).collect();
    Ok(FormSubmission {
        form: form.id,
        id,
        received_at: now,
        same_within_seconds,
        email: answers.email,
        phone: answers.phone,
        person: answers.person,
        custom: answers.custom,
        tags: form.settings.tags.clone(),
        lists: form.settings.list_ids.clone(),
        consent,
        confirming: confirming(form),
        data,
        ip: visit.ip.map(note),
        user_agent: visit.user_agent.map(note),
    })
}

/// Marks a submission that Turnstile could not judge. Its ticks stay in the event, and are no consent: a program may have
/// sent them.
pub fn mark_unverified(submission: &mut FormSubmission) {
    submission.data[UNVERIFIED] = true.into();
    submission.consent.clear();
    submission.confirming = None;
}

/// The answers that can be used, and the faults.
#[derive(Default)]
struct Answers {
    email: Option<kernel::EmailAddress>,
    phone: Option<kernel::Phone>,
    person: Person,
    custom: BTreeMap<String, Value>,
    not_read: Vec<String>,
    faults: Vec<Fault>,
}

impl Answers {
    fn fault(&mut self, field: &str, rule: Rule) {
        self.faults.push(Fault {
            field: field.to_owned(),
            rule,
        });
    }

    fn take(&mut self, field: &Field, definitions: &Definitions, given: &Given) {
        let values: Vec<String> = if field.hidden {
            field.default.iter().cloned().collect()
        } else {
            given.all(&field.key).map(str::to_owned).collect()
        };
        let Some(first) = values.first() else {
            if field.required {
                self.fault(&field.key, Rule::Missing);
            }
            return;
        };
        let Err(rule) = self.keep(field, first, &values, definitions) else {
            return;
        };
        if field.required {
            self.fault(&field.key, rule);
        } else {
            self.not_read.push(field.key.clone());
        }
    }

    fn keep(
        &mut self,
        field: &Field,
        first: &str,
        values: &[String],
        definitions: &Definitions,
    ) -> Result<(), Rule> {
        if let Some(key) = field.custom() {
            let value = match values {
                [one] => json!(one),
                many => json!(many),
            };
            let checked = definitions.check(key, &value);
            let stored = checked.map_err(|fault| Rule::Other(fault.message))?;
            self.custom.insert(key.to_owned(), stored);
            return Ok(());
        }
        match field.key.as_str() {
            "email" => self.email = Some(first.parse().map_err(|_| Rule::Email)?),
            "phone" => self.phone = Some(usable_phone(first).ok_or(Rule::Phone)?),
            key => {
                let Some(known) = person::field(key) else {
                    return Ok(());
                };
                let is_name = ["full_name", "first_name", "last_name"].contains(&key);
                let text = if is_name {
                    links::without_links(first)
                } else {
                    first.to_owned()
                };
                let parsed = known.parse(&text).map_err(Rule::Other)?;
                *known.slot(&mut self.person) = Some(parsed);
            }
        }
        Ok(())
    }
}

/// The number, or the first number of a text such as `0904000112 / 0904000113` or `Zalo: 0904 000 111`.
fn usable_phone(text: &str) -> Option<kernel::Phone> {
    let whole = text.parse().ok();
    let is_end = |c: char| c.is_alphabetic() || "/,;:|&\n".contains(c);
    whole.or_else(|| text.split(is_end).find_map(|part| part.trim().parse().ok()))
}

fn confirming(form: &Form) -> Option<Confirming> {
    let double = form.settings.double_opt_in.as_ref()?;
    Some(Confirming {
        from_name: double.from_name.clone(),
        from_email: double.from_email.clone(),
        language: form.settings.language.tag().to_owned(),
        reminder: double.reminder,
    })
}

/// The answers about consent, and their three values by channel: ticked, left empty, not asked.
fn asked(form: &Form, given: &Given) -> (Vec<ConsentAnswer>, Map<String, Value>) {
    let (mut answers, mut said) = (Vec::new(), Map::new());
    for channel in [Channel::Email, Channel::Sms, Channel::Zalo] {
        let Some(question) = form.settings.consent.get(&channel) else {
            said.insert(channel.name().into(), "not_asked".into());
            continue;
        };
        let ticked = given.is_ticked(&consent_name(channel));
        let value = if ticked { "ticked" } else { "left_empty" };
        said.insert(channel.name().into(), value.into());
        answers.push(ConsentAnswer {
            channel,
            ticked,
            text: question.text.clone(),
            form: format!("{}#{}", form.id, form.settings_version),
        });
    }
    (answers, said)
}

/// The event's data, the name of the submission, and for how many seconds the name means the same submission.
fn told(
    form: &Form,
    given: &Given,
    not_read: &[String],
    said: &Map<String, Value>,
) -> (Value, String, i64) {
    let mut data = Map::new();
    data.insert("form_id".into(), form.id.to_string().into());
    data.insert("form_name".into(), form.settings.name.clone().into());
    data.insert("form_version".into(), form.settings_version.into());
    data.insert("consent".into(), Value::Object(said.clone()));
    let (mut left, mut shortened) = (MAX_KEPT, Vec::new());
    let mut parts = vec!["form".to_owned(), form.id.to_string()];
    for (name, value) in given.0.iter().filter(|(name, _)| name != RESPONSE) {
        parts.extend([name.clone(), value.clone()]);
        let is_ours = [TOKEN, HONEYPOT].contains(&name.as_str()) || name.starts_with("consent.");
        if is_ours
            || value.is_empty()
            || ["form_id", "form_name", "form_version", "consent"].contains(&name.as_str())
        {
            continue;
        }
        // A name of a foreign field that begins with `_` could pass for a key of ours.
        let name = match name.as_str() {
            PAGE => "page".to_owned(),
            other => other
                .trim_start_matches('_')
                .chars()
                .take(MAX_NAME)
                .collect(),
        };
        let short: String = value.chars().take(MAX_ANSWER).collect();
        let size = name.len() + short.len();
        let is_cut = short.len() < value.len() || size > left;
        if is_cut && !shortened.contains(&name) {
            shortened.push(name.clone());
        }
        if size > left {
            continue;
        }
        left -= size;
        let text = match data.get(&name).and_then(Value::as_str) {
            Some(before) => format!("{before}; {short}"),
            None => short,
        };
        data.insert(name, text.into());
    }
    if !not_read.is_empty() {
        data.insert(NOT_READ.into(), json!(not_read));
    }
    if !shortened.is_empty() {
        data.insert(SHORTENED.into(), json!(shortened));
    }
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let same = if given.first(TOKEN).is_some() {
        SAME_PAGE
    } else {
        SAME_ANSWERS
    };
    (Value::Object(data), kernel::hash::name(&parts), same)
}

#[cfg(test)]
mod tests;
