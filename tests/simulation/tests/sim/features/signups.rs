//! Signup forms with double opt-in. An accepted submission is an event once. A confirmation that was accepted is one
//! consent with its proof, however often and late the button was pressed. Nobody is subscribed without one.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use mail_parser::MessageParser;
use serde_json::{Value, json};
use tanigo_local::aws::{Kind, OutboxMessage};
use tests_world::http_event;

use super::{Feature, tag};
use crate::sim::Sim;

/// Seeds of a hundred that have signup forms.
const SEEDS_WITH: u32 = 20;
/// People who sign up. No list has them, so nobody writes to them but the form.
const PEOPLE: usize = 3;
/// A mail of the form is transactional: an unknown answer of the provider is tried once more (ADR 0003).
const MAILS_AT_MOST: u32 = 2;

/// A submission.
#[derive(Debug, Clone)]
struct Signed {
    shop: usize,
    mark: String,
    accepted: bool,
}

/// The request of a mail: shop, contact and id.
type Request = (usize, String, String);

/// Visitors sign up and confirm.
#[derive(Default)]
pub struct Signups {
    /// The form of each shop; none in most seeds.
    forms: RefCell<Vec<String>>,
    signed: RefCell<Vec<Signed>>,
    /// Requests whose button was pressed, and whether a press was answered.
    pressed: RefCell<BTreeMap<Request, bool>>,
}

fn address(person: usize) -> String {
    format!("signup{person}@example.com")
}

fn settings(name: &str) -> Value {
    json!({
        "name": name, "title": "Nhận bản tin",
        "fields": [{ "key": "email", "required": true }, { "key": "full_name" }],
        "consent": { "email": { "text": "Tôi đồng ý nhận email ưu đãi mỗi tuần một lần." } },
        "double_opt_in": {
            "from_name": "Shop", "from_email": "chao@example.vn", "reminder": true,
        },
    })
}

impl Signups {
    /// A page that is sent once or several times. The same page is the same submission for a day.
    async fn sign_up(&self, sim: &Sim) {
        let (shop, person) = (sim.shop(), sim.below(PEOPLE));
        let n = self.signed.borrow().len();
        let mark = shop.mark(&format!("signup-{n}"));
        self.signed.borrow_mut().push(Signed {
            shop: shop.n,
            mark: mark.clone(),
            accepted: false,
        });
        let form = self.forms.borrow()[shop.n].clone();
        let mut event = http_event("POST", &format!("/f/{form}"), None, None);
        event["headers"]["content-type"] = "application/x-www-form-urlencoded".into();
        let email = address(person).replace('@', "%40");
        event["body"] = format!(
            "_submission={:016x}&_homepage=&email={email}&full_name={mark}&consent.email=yes&utm_term={mark}",
            sim.draw()
        )
        .into();
        sim.note(format!("  person {person} signs up as {mark}"));
        let mut accepted = sim.ask("form-submit", event.clone()).await.is_ok();
        while sim.percent(if accepted { 30 } else { 60 }) {
            sim.sleep_ms(sim.below(1_200_000) as u64).await;
            accepted |= sim.ask("form-submit", event.clone()).await.is_ok();
        }
        if accepted {
            sim.accepted("signups");
            self.signed.borrow_mut()[n].accepted = true;
        }
        if sim.percent(60) {
            sim.hurry(&["ingest", "message-sender"], 3).await;
        }
    }

    /// Mails of the forms so far.
    fn mails(sim: &Sim) -> Vec<OutboxMessage> {
        let mut mails = sim.world.aws.outbox().all(Kind::Mail);
        mails.retain(|mail| tag(mail, "scope").starts_with("frm_"));
        mails
    }

    /// The request that a mail is about.
    fn request(sim: &Sim, mail: &OutboxMessage) -> Option<Request> {
        let tenant = tag(mail, "tenant");
        let mut shops = sim.shops.iter();
        let shop = shops.find(|shop| shop.tenant.to_string() == tenant)?;
        let step = tag(mail, "step");
        let (_, id) = step.split_once('-')?;
        Some((shop.n, tag(mail, "contact"), id.to_owned()))
    }

    /// Somebody follows the link of a mail, and presses the button once or twice.
    async fn confirm(&self, sim: &Sim) {
        let mut mails = Self::mails(sim);
        if mails.is_empty() {
            return;
        }
        let mail = mails.swap_remove(sim.below(mails.len()));
        let request = Self::request(sim, &mail).expect("a mail of a shop");
        let raw = sim.world.aws.outbox().mime(mail.id).expect("the mail");
        let parsed = MessageParser::default().parse(&raw).expect("a mail");
        let text = parsed.body_text(0).expect("a text").into_owned();
        let link = &text[text.find("/f/frm_").expect("a link")..];
        let link = link.split_whitespace().next().unwrap_or_default();
        let (contact, id) = (&request.1, &request.2);
        sim.note(format!("  {contact} of T{} confirms {id}", request.0));
        if sim.percent(30) {
            sim.ask("form-submit", http_event("GET", link, None, None))
                .await;
        }
        let presses = 1 + sim.below(2);
        for _ in 0..presses {
            let press = http_event("POST", link, None, None);
            let reply = sim.ask("form-submit", press).await;
            // A link that has ended confirms nothing.
            if reply.is_ok() || reply.wants_repeat() {
                let mut pressed = self.pressed.borrow_mut();
                *pressed.entry(request.clone()).or_default() |= reply.is_ok();
                if reply.is_ok() {
                    sim.accepted("confirmations");
                }
            }
            sim.sleep_ms(sim.below(3_000_000) as u64).await;
        }
        if sim.percent(50) {
            sim.hurry(&["ingest"], 2).await;
        }
    }

    async fn check_submissions(&self, sim: &Sim) {
        let mut found: BTreeMap<(String, String), u32> = BTreeMap::new();
        for row in sim.world.dump("Timeline").await {
            if row["name"] == "form.submitted"
                && let Some(mark) = row["data"]["utm_term"].as_str()
            {
                let pk = row["pk"].as_str().unwrap_or_default();
                let tenant = pk.split('#').next().unwrap_or_default();
                let key = (tenant.to_owned(), mark.to_owned());
                *found.entry(key).or_default() += 1;
            }
        }
        for signed in self.signed.borrow().iter() {
            let tenant = sim.shops[signed.shop].tenant.to_string();
            let count = found.get(&(tenant, signed.mark.clone()));
            match count.copied().unwrap_or_default() {
                0 if signed.accepted => sim.broken("signup lost", format!("{signed:?}")),
                0 | 1 => {}
                count => sim.broken("signup doubled", format!("{signed:?} x{count}")),
            }
        }
    }

    fn check_mails(sim: &Sim) {
        let mut seen: BTreeMap<[String; 3], u32> = BTreeMap::new();
        for mail in Self::mails(sim) {
            let key = ["tenant", "contact", "step"].map(|name| tag(&mail, name));
            *seen.entry(key).or_default() += 1;
        }
        for (key, count) in seen.iter().filter(|(_, count)| **count > MAILS_AT_MOST) {
            sim.broken("mail doubled", format!("{key:?} x{count}"));
        }
    }

    /// Each confirmation is one record of consent, and the contacts of an address are one.
    async fn check_consent(&self, sim: &Sim) {
        let rows = sim.world.dump("Contacts").await;
        for (request, accepted) in self.pressed.borrow().iter() {
            let (shop, contact, id) = request;
            let partition = format!("{}#{contact}", sim.shops[*shop].tenant);
            let proof = format!("{}#c-{id}", self.forms.borrow()[*shop]);
            let is = |row: &&Value| {
                row["pk"] == partition
                    && row["method"] == "double_opt_in"
                    && row["evidence"]["message_id"] == proof
            };
            match rows.iter().filter(is).count() {
                0 if *accepted => sim.broken("confirmation lost", format!("{request:?}")),
                0 | 1 => {}
                count => sim.broken("confirmation doubled", format!("{request:?} x{count}")),
            }
        }
        let pressed: BTreeSet<_> = self.pressed.borrow().keys().cloned().collect();
        let accepted: BTreeSet<_> = {
            let pressed = self.pressed.borrow();
            let accepted = pressed.iter().filter(|(_, accepted)| **accepted);
            accepted
                .map(|((shop, id, _), _)| (*shop, id.clone()))
                .collect()
        };
        for shop in &sim.shops {
            for person in 0..PEOPLE {
                let own = format!("{}#", shop.tenant);
                let is = |row: &&Value| {
                    let pk = row["pk"].as_str().unwrap_or_default();
                    row["sk"] == "PROFILE"
                        && row["email"] == address(person)
                        && pk.starts_with(&own)
                };
                let found: Vec<&Value> = rows.iter().filter(is).collect();
                if found.len() > 1 {
                    let text = format!("T{} has {found:?}", shop.n);
                    sim.broken("contact doubled", text);
                }
                let Some(row) = found.first() else { continue };
                let contact = row["pk"].as_str().unwrap_or_default()[own.len()..].to_owned();
                let path = format!("/v1/contacts/{contact}");
                let shown = shop.api(sim, "api-contacts", "GET", &path, None).await;
                let status = shown.text("email_status");
                let has_confirmed = accepted.contains(&(shop.n, contact.clone()));
                let may_have = pressed
                    .iter()
                    .any(|(n, id, _)| (*n, id) == (shop.n, &contact));
                if (has_confirmed && status != "subscribed")
                    || (!may_have && status == "subscribed")
                {
                    let text = format!("T{} {contact} is {status}", shop.n);
                    sim.broken("consent", text);
                }
            }
        }
    }
}

#[async_trait(?Send)]
impl Feature for Signups {
    fn actions(&self) -> &'static [(&'static str, u32)] {
        if self.forms.borrow().is_empty() {
            return &[];
        }
        &[("sign up", 6), ("confirm", 5)]
    }

    async fn prepare(&self, sim: &Sim) {
        if !sim.percent(SEEDS_WITH) {
            return;
        }
        for shop in &sim.shops {
            let body = settings(&shop.mark("signup form"));
            let made = shop
                .api(sim, "api-forms", "POST", "/v1/forms", Some(body))
                .await;
            assert_eq!(made.status, 201, "{made:?}");
            let id = made.text("id");
            let path = format!("/v1/forms/{id}/publish");
            let open = shop.api(sim, "api-forms", "POST", &path, None).await;
            assert_eq!(open.status, 200, "{open:?}");
            self.forms.borrow_mut().push(id);
        }
    }

    async fn act(&self, sim: &Sim, action: &'static str) {
        match action {
            "sign up" => self.sign_up(sim).await,
            _ => self.confirm(sim).await,
        }
    }

    async fn check(&self, sim: &Sim) {
        if self.forms.borrow().is_empty() {
            return;
        }
        self.check_submissions(sim).await;
        Self::check_mails(sim);
        self.check_consent(sim).await;
    }
}
