//! Imports that are taken back. The contacts that the file made are gone, replaced values are back, and newer edits stay.

use std::cell::RefCell;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::Feature;
use crate::shop::Shop;
use crate::sim::Sim;

/// Seeds of a hundred that take imports back.
const SEEDS_WITH: u32 = 20;
/// The clocks of two processes differ by less, milliseconds.
const APART_MS: u64 = 5_000;

/// Deliveries while an import runs.
const ROUNDS: usize = 6;

/// An answer of the API, as far as a client has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// Nobody asked.
    None,
    /// No definite answer.
    Unclear,
    /// It was accepted.
    Accepted,
}

/// A file of two rows: the first about a contact of before, the second about a new one.
#[derive(Debug, Clone)]
struct File {
    shop: usize,
    id: String,
    undone: Answer,
    edited: [Answer; 2],
}

/// Takes imports back.
#[derive(Default)]
pub struct Undo {
    is_on: RefCell<bool>,
    files: RefCell<Vec<File>>,
}

/// Address of a row; the same in each shop.
fn email(file: usize, row: usize) -> String {
    format!("undo{file}r{row}@example.com")
}

fn name(shop: &Shop, what: &str, file: usize, row: usize) -> String {
    shop.mark(&format!("{what}-{file}-{row}"))
}

impl Undo {
    async fn import(&self, sim: &Sim) {
        let (shop, n) = (sim.shop(), self.files.borrow().len());
        // The number is used up, whatever the answers are.
        self.files.borrow_mut().push(File {
            shop: shop.n,
            id: String::new(),
            undone: Answer::None,
            edited: [Answer::None; 2],
        });
        let known = json!({ "email": email(n, 0), "full_name": name(shop, "was", n, 0) });
        let key = shop.mark(&format!("undo-known-{n}"));
        let made = shop.post_once(sim, "api-contacts", "/v1/contacts", &known, &key);
        if !made.await.is_ok() {
            return;
        }
        sim.sleep_ms(APART_MS).await;
        let row = |row| format!("{};{}\n", name(shop, "file", n, row), email(n, row));
        let file = format!("Họ và tên;Email\n{}{}", row(0), row(1));
        let mut event = shop.request("POST", "/v1/imports?duplicate_rule=update", None);
        event["headers"]["content-type"] = "text/csv".into();
        event["headers"]["idempotency-key"] = shop.mark(&format!("undo-file-{n}")).into();
        event["body"] = file.into();
        sim.note(format!("  T{} imports file {n}", shop.n));
        let reply = shop.until_definite(sim, "api-contacts", event).await;
        if reply.is_ok() {
            sim.accepted("imports to take back");
            self.files.borrow_mut()[n].id = reply.text("id");
            self.run_it(sim, n).await;
        }
    }

    /// The import runs. If a process dies within a slice, staff corrects a row before the slice is redelivered.
    async fn run_it(&self, sim: &Sim, n: usize) {
        for _ in 0..ROUNDS {
            if sim.percent(30) && sim.deliver_killed("contact-import").await {
                self.edit(sim, n).await;
            } else {
                sim.hurry(&["contact-import"], 1).await;
            }
        }
    }

    /// The number of a file whose import was accepted.
    fn some(&self, sim: &Sim) -> Option<usize> {
        let files = self.files.borrow();
        let known: Vec<usize> = (0..files.len())
            .filter(|n| !files[*n].id.is_empty())
            .collect();
        known.get(sim.below(known.len())).copied()
    }

    /// Staff corrects the contact of a row.
    async fn edit(&self, sim: &Sim, n: usize) {
        let file = self.files.borrow()[n].clone();
        let (shop, row) = (&sim.shops[file.shop], sim.below(2));
        if file.edited[row] != Answer::None {
            return;
        }
        sim.sleep_ms(APART_MS).await;
        let name = name(shop, "kept", n, row);
        let body = json!({ "email": email(n, row), "full_name": name, "overwrite": true });
        sim.note(format!("  T{} corrects row {row} of file {n}", shop.n));
        self.files.borrow_mut()[n].edited[row] = Answer::Unclear;
        let reply = shop
            .api(sim, "api-contacts", "POST", "/v1/contacts", Some(body))
            .await;
        if reply.is_ok() {
            self.files.borrow_mut()[n].edited[row] = Answer::Accepted;
        }
    }

    async fn undo(&self, sim: &Sim, n: usize) {
        let file = self.files.borrow()[n].clone();
        let shop = &sim.shops[file.shop];
        let event = shop.request("POST", &format!("/v1/imports/{}/undo", file.id), None);
        sim.note(format!("  T{} takes file {n} back", shop.n));
        let reply = shop.until_definite(sim, "api-contacts", event).await;
        let answer = match file.undone {
            Answer::Accepted => Answer::Accepted,
            _ if reply.is_ok() => Answer::Accepted,
            _ if reply.wants_repeat() => Answer::Unclear,
            before => before,
        };
        self.files.borrow_mut()[n].undone = answer;
        if answer == Answer::Accepted {
            sim.accepted("imports taken back");
        }
    }

    async fn check_file(&self, sim: &Sim, n: usize, file: &File, rows: &[Value]) {
        let shop = &sim.shops[file.shop];
        let path = format!("/v1/imports/{}", file.id);
        let job = shop.api(sim, "api-contacts", "GET", &path, None).await.body;
        if job["status"] != "completed" {
            sim.broken("import not finished", format!("T{} {job}", shop.n));
            return;
        }
        if file.undone == Answer::Accepted {
            let count = |name: &str| job["undo"][name].as_u64().unwrap_or_default();
            let all = count("removed") + count("restored") + count("kept");
            let untouched = file.edited == [Answer::None; 2];
            if job["undo"]["finished_at"].is_null() || all > 2 || (untouched && all != 2) {
                sim.broken("undo", format!("T{} {job}", shop.n));
            }
        }
        for row in 0..2 {
            let expected = match (file.edited[row], file.undone) {
                (Answer::Unclear, _) | (Answer::None, Answer::Unclear) => continue,
                (Answer::Accepted, _) => Some(name(shop, "kept", n, row)),
                (Answer::None, Answer::None) => Some(name(shop, "file", n, row)),
                (Answer::None, Answer::Accepted) => (row == 0).then(|| name(shop, "was", n, 0)),
            };
            let own = format!("{}#", shop.tenant);
            let is_own =
                |value: &&Value| value["pk"].as_str().is_some_and(|pk| pk.starts_with(&own));
            let address = email(n, row);
            let is = |value: &&Value| value["sk"] == "PROFILE" && value["email"] == address;
            let found = rows.iter().filter(is_own).filter(is);
            let names: Vec<&str> = found.filter_map(|row| row["full_name"].as_str()).collect();
            if names != expected.iter().map(String::as_str).collect::<Vec<_>>() {
                let text = format!(
                    "T{} {address} is {names:?}, not {expected:?}: {job}",
                    shop.n
                );
                sim.broken("undo", text);
            }
            if expected.is_none() {
                // A claim that nobody has keeps its mark.
                let is_free = |value: &Value| {
                    let pk = value["pk"].as_str().unwrap_or_default();
                    pk.contains("#I#") && value["contact"].is_null()
                };
                let left = |value: &&Value| value.to_string().contains(&address) && !is_free(value);
                for one in rows.iter().filter(is_own).filter(left) {
                    sim.broken("undo", format!("T{} left of {address}: {one}", shop.n));
                }
            }
        }
    }
}

#[async_trait(?Send)]
impl Feature for Undo {
    fn actions(&self) -> &'static [(&'static str, u32)] {
        if !*self.is_on.borrow() {
            return &[];
        }
        &[
            ("import a file", 3),
            ("correct a row", 3),
            ("take an import back", 4),
        ]
    }

    async fn prepare(&self, sim: &Sim) {
        *self.is_on.borrow_mut() = sim.percent(SEEDS_WITH);
    }

    async fn act(&self, sim: &Sim, action: &'static str) {
        match action {
            "import a file" => self.import(sim).await,
            "correct a row" => {
                if let Some(n) = self.some(sim) {
                    self.edit(sim, n).await;
                }
            }
            _ => {
                if let Some(n) = self.some(sim) {
                    self.undo(sim, n).await;
                    sim.hurry(&["contact-import"], 2).await;
                }
            }
        }
    }

    async fn calm(&self, sim: &Sim) {
        let count = self.files.borrow().len();
        if count == 0 {
            return;
        }
        sim.rest(0).await;
        for n in 0..count {
            let file = self.files.borrow()[n].clone();
            if !file.id.is_empty() && file.undone == Answer::None && sim.percent(50) {
                self.undo(sim, n).await;
            }
        }
    }

    async fn check(&self, sim: &Sim) {
        let files = self.files.borrow().clone();
        if files.is_empty() {
            return;
        }
        let rows = sim.world.dump("Contacts").await;
        for (n, file) in files
            .iter()
            .enumerate()
            .filter(|(_, file)| !file.id.is_empty())
        {
            self.check_file(sim, n, file, &rows).await;
        }
    }
}
