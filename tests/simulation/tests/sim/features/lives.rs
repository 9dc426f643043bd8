//! People whose data the shop enters, changes, shows to them and erases. A late message brings nothing of an erased
//! contact back. A request about data is entered once, and its run is in force.

use std::cell::RefCell;

use async_trait::async_trait;
use serde_json::{Value, json};
use tanigo_local::aws::Kind;

use super::requests::Requests;
use super::{Feature, tag};
use crate::shop::Shop;
use crate::sim::Sim;

/// Seeds of a hundred that have such people.
const SEEDS_WITH: u32 = 20;
/// The clocks of two processes differ by less, milliseconds.
const APART_MS: u64 = 5_000;
/// A mail may still leave this long after the erasure was answered, milliseconds: a sub-batch had read the contact.
const STOP_MS: i64 = 60_000;
/// Attributes that may be left of an erased contact's profile.
const BARE: &[&str] = &[
    "contact",
    "erased_at",
    "identity_version",
    "pk",
    "sk",
    "ttl",
    "updated_at",
];

/// A person.
#[derive(Debug, Clone)]
pub struct Person {
    /// Number of the shop.
    pub shop: usize,
    /// Number of the person.
    pub n: usize,
    /// The contact.
    pub id: String,
    /// Whether campaigns write to the person.
    pub listed: bool,
    /// Whether an erasure was asked for.
    pub asked: bool,
    /// When an erasure was answered, epoch milliseconds.
    pub erased: Option<i64>,
    /// Forms of the person: each may make a new contact after the erasure.
    forms: u32,
    /// Whether the person is archived, as far as staff knows.
    archive: Archive,
    /// When the person was archived, epoch milliseconds, and that ended.
    quiet: Vec<(i64, i64)>,
}

/// An archived contact gets no mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Archive {
    /// In use.
    No,
    /// Since then, epoch milliseconds.
    Since(i64),
    /// A request is under way, or has no definite answer.
    Unclear,
}

impl Person {
    /// Address of the person; the same in each shop.
    pub fn email(&self) -> String {
        email(self.n)
    }

    /// The beginning of every text about the person.
    fn mark(&self, shop: &Shop) -> String {
        shop.mark(&format!("life-{}-", self.n))
    }
}

fn email(n: usize) -> String {
    format!("life{n}@example.com")
}

fn phone(n: usize) -> String {
    format!("09876543{n:02}")
}

/// Enters, changes and erases people.
#[derive(Default)]
pub struct Lives {
    is_on: RefCell<bool>,
    people: RefCell<Vec<Person>>,
    requests: Requests,
}

impl Lives {
    async fn enter(&self, sim: &Sim) {
        let shop = sim.shop();
        let n = self.people.borrow().len();
        let mut person = Person {
            shop: shop.n,
            n,
            id: String::new(),
            listed: n.is_multiple_of(2),
            asked: false,
            erased: None,
            forms: 0,
            archive: Archive::No,
            quiet: Vec::new(),
        };
        let mark = person.mark(shop);
        let lists: Vec<&String> = person.listed.then_some(&shop.list).into_iter().collect();
        let body = json!({
            "email": email(n), "phone": phone(n), "full_name": format!("{mark}0"),
            "list_ids": lists, "email_status": "subscribed",
        });
        let key = format!("{mark}key");
        let made = shop.post_once(sim, "api-contacts", "/v1/contacts", &body, &key);
        let made = made.await;
        person.id = made.text("id");
        if !made.is_ok() {
            // The number is used up: the contact may exist.
            person.asked = true;
        }
        self.people.borrow_mut().push(person);
        sim.accepted("people");
    }

    fn some(&self, sim: &Sim) -> Option<Person> {
        let people = self.people.borrow();
        let known: Vec<&Person> = people.iter().filter(|one| !one.id.is_empty()).collect();
        known.get(sim.below(known.len())).map(|one| (*one).clone())
    }

    /// A change of a contact that may be erased.
    async fn change(&self, sim: &Sim) {
        let Some(person) = self.some(sim) else { return };
        let shop = &sim.shops[person.shop];
        let (path, mark) = (format!("/v1/contacts/{}", person.id), person.mark(shop));
        let text = format!("{mark}{}", sim.below(1_000));
        let (method, path, body) = match sim.below(6) {
            0 => ("PATCH", path, json!({ "full_name": text })),
            1 => ("POST", format!("{path}/tags"), json!({ "tags": ["vip"] })),
            2 => ("POST", format!("{path}/notes"), json!({ "text": text })),
            3 => return self.post_form(sim, &person, &text).await,
            _ => return self.archive(sim, &person).await,
        };
        sim.note(format!("  T{} {method} {path}", shop.n));
        let reply = shop
            .api(sim, "api-contacts", method, &path, Some(body))
            .await;
        if reply.is_ok() && person.erased.is_some() {
            sim.broken("erased", format!("{person:?} was changed: {}", reply.body));
        }
    }

    /// Archives the person, or takes the person back into use.
    async fn archive(&self, sim: &Sim, person: &Person) {
        let (shop, n) = (&sim.shops[person.shop], person.n);
        let (word, since) = match person.archive {
            Archive::No => ("archive", None),
            Archive::Since(at) => ("restore", Some(at)),
            Archive::Unclear => return,
        };
        let begun = sim.now_ms();
        self.people.borrow_mut()[n].archive = Archive::Unclear;
        let path = format!("/v1/contacts/{}/{word}", person.id);
        sim.note(format!("  T{} {word}s {n}", shop.n));
        let event = shop.request("POST", &path, None);
        let reply = shop.until_definite(sim, "api-contacts", event).await;
        let mut people = self.people.borrow_mut();
        people[n].quiet.extend(since.map(|since| (since, begun)));
        if reply.is_ok() {
            sim.accepted("archivings");
            people[n].archive = match since {
                None => Archive::Since(sim.now_ms()),
                Some(_) => Archive::No,
            };
        }
    }

    async fn post_form(&self, sim: &Sim, person: &Person, text: &str) {
        let shop = &sim.shops[person.shop];
        self.people.borrow_mut()[person.n].forms += 1;
        let body = json!({
            "Họ và tên": text, "email": person.email(), "message": text, "ladi_form_id": "F1",
        });
        sim.note(format!("  T{} form of life {}", shop.n, person.n));
        sim.ask("webhook-ladipage", shop.form(&body)).await;
    }

    async fn erase(&self, sim: &Sim) {
        let Some(person) = self.some(sim) else { return };
        let shop = &sim.shops[person.shop];
        self.people.borrow_mut()[person.n].asked = true;
        sim.note(format!("  T{} erases {} {}", shop.n, person.n, person.id));
        let is_done = if sim.percent(40) {
            sim.sleep_ms(APART_MS).await;
            self.requests.run(sim, &person, "erase").await
        } else {
            let path = format!("/v1/contacts/{}", person.id);
            let event = shop.admin_request("DELETE", &path, None);
            shop.until_definite(sim, "api-contacts", event)
                .await
                .is_ok()
        };
        if is_done {
            sim.accepted("erasures");
            let mut people = self.people.borrow_mut();
            people[person.n].erased.get_or_insert(sim.now_ms());
        }
        if sim.percent(50) {
            sim.hurry(&["contact-bulk", "segment-updater"], 2).await;
        }
    }

    async fn ask(&self, sim: &Sim) {
        let Some(person) = self.some(sim) else { return };
        let kind = ["access", "withdraw"][sim.below(2)];
        sim.sleep_ms(APART_MS).await;
        self.requests.run(sim, &person, kind).await;
    }

    fn check_archive(sim: &Sim, person: &Person, shown: &Value) {
        let mut quiet = person.quiet.clone();
        if let Archive::Since(at) = person.archive {
            quiet.push((at, i64::MAX));
        }
        let tenant = sim.shops[person.shop].tenant.to_string();
        for mail in sim.world.aws.outbox().all(Kind::Mail) {
            let is_own = tag(&mail, "tenant") == tenant && tag(&mail, "contact") == person.id;
            let late = |(from, to): &(i64, i64)| mail.at > from + STOP_MS && mail.at < *to;
            if is_own && quiet.iter().any(late) {
                sim.broken("archived", format!("{person:?} got a mail at {}", mail.at));
            }
        }
        let is_archived = shown["archived_at"].is_string();
        if !person.asked
            && person.archive != Archive::Unclear
            && is_archived == (person.archive == Archive::No)
        {
            sim.broken("archived", format!("{person:?} is {shown}"));
        }
    }

    async fn check_person(&self, sim: &Sim, person: &Person, rows: &[(&str, Value)]) {
        let shop = &sim.shops[person.shop];
        let path = format!("/v1/contacts/{}", person.id);
        let shown = shop.api(sim, "api-contacts", "GET", &path, None).await;
        if !person.asked && shown.status != 200 {
            sim.broken("contact lost", format!("{person:?}: {shown:?}"));
        }
        Self::check_archive(sim, person, &shown.body);
        let Some(at) = person.erased else { return };
        if shown.status != 404 {
            sim.broken("erased", format!("{person:?} is shown: {shown:?}"));
        }
        let (tenant, own) = (
            shop.tenant.to_string(),
            format!("{}#{}", shop.tenant, person.id),
        );
        let mark = person.mark(shop).to_lowercase();
        let digits = phone(person.n)[1..].to_owned();
        for (table, row) in rows {
            let pk = row["pk"].as_str().unwrap_or_default();
            let left = if pk == own {
                !is_bare(row)
            } else if pk.starts_with(&tenant) && person.forms == 0 {
                let text = row.to_string().to_lowercase();
                [&mark, &digits, &person.email()]
                    .iter()
                    .any(|one| text.contains(one.as_str()))
            } else {
                false
            };
            if left {
                sim.broken("erased", format!("{person:?} left in {table}: {row}"));
            }
        }
        for mail in sim.world.aws.outbox().all(Kind::Mail) {
            let is_own = tag(&mail, "tenant") == tenant && tag(&mail, "contact") == person.id;
            if is_own && mail.at > at + STOP_MS {
                let late = (mail.at - at) / 1000;
                sim.broken("erased", format!("{person:?} got a mail {late} s later"));
            }
        }
    }
}

fn is_bare(row: &Value) -> bool {
    let names = row.as_object().into_iter().flatten().map(|(name, _)| name);
    row["sk"] == "PROFILE" && names.into_iter().all(|name| BARE.contains(&name.as_str()))
}

#[async_trait(?Send)]
impl Feature for Lives {
    fn actions(&self) -> &'static [(&'static str, u32)] {
        if !*self.is_on.borrow() {
            return &[];
        }
        &[
            ("enter a person", 5),
            ("change a person", 7),
            ("erase a person", 6),
            ("request about data", 3),
        ]
    }

    async fn prepare(&self, sim: &Sim) {
        *self.is_on.borrow_mut() = sim.percent(SEEDS_WITH);
    }

    async fn act(&self, sim: &Sim, action: &'static str) {
        match action {
            "enter a person" => self.enter(sim).await,
            "change a person" => self.change(sim).await,
            "erase a person" => self.erase(sim).await,
            _ => self.ask(sim).await,
        }
    }

    async fn check(&self, sim: &Sim) {
        let people = self.people.borrow().clone();
        if people.is_empty() {
            return;
        }
        let mut rows = Vec::new();
        for table in ["Contacts", "Timeline", "Segments"] {
            let all = sim.world.dump(table).await;
            rows.extend(all.into_iter().map(|row| (table, row)));
        }
        for person in people.iter().filter(|one| !one.id.is_empty()) {
            self.check_person(sim, person, &rows).await;
        }
        self.requests.check(sim, &people).await;
    }
}
