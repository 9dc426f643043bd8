//! Random histories: the members that follow from the changes are those of a rebuild, and those that the test expects.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use kernel::{ContactId, Entropy};
use serde_json::{Value, json};

use super::shop::{Shop, tagged, visited};

const CONTACTS: usize = 5;
const STEPS: u32 = 40;
const TAGS: [&str; 2] = ["vip", "khách sỉ"];

/// The test's own record of a contact.
#[derive(Default)]
struct Person {
    tags: BTreeSet<&'static str>,
    /// The events by their numbers.
    forms: BTreeMap<u32, Timestamp>,
}

impl Person {
    fn forms_since(&self, first: Date, zone: &TimeZone) -> usize {
        let days = self.forms.values();
        days.filter(|at| at.to_zoned(zone.clone()).date() >= first)
            .count()
    }
}

/// The question of a segment.
#[derive(Clone, Copy)]
enum Asks {
    Tag(&'static str),
    /// So many forms in so many days.
    Forms(u32, u32),
    /// Not in the first segment.
    NotFirst,
}

impl Asks {
    fn conditions(self, first: Option<&String>) -> Value {
        match self {
            Self::Tag(tag) => tagged(tag),
            Self::Forms(times, days) => visited(times, days),
            Self::NotFirst => json!({"all": [
                {"family": "segment", "operator": "not_in", "segment_ids": [first]},
            ]}),
        }
    }
}

struct History {
    shop: Shop,
    random: Entropy,
    people: BTreeMap<ContactId, Person>,
    segments: Vec<(String, Asks)>,
    forms: u32,
}

impl History {
    async fn begin(seed: u64) -> Self {
        let shop = Shop::new().await;
        let mut people = BTreeMap::new();
        for n in 0..CONTACTS {
            let id = shop.contact(&format!("khach{n}@example.vn"), &[]).await;
            people.insert(id, Person::default());
        }
        let mut history = Self {
            shop,
            random: Entropy::seeded(seed),
            people,
            segments: Vec::new(),
            forms: 0,
        };
        let asked = [
            Asks::Tag(TAGS[0]),
            Asks::Forms(2, 3),
            Asks::Forms(1, 2),
            Asks::NotFirst,
        ];
        for (n, asks) in asked.into_iter().enumerate() {
            let first = history.segments.first().map(|(id, _)| id);
            let conditions = asks.conditions(first);
            let id = history.shop.segment(&format!("S{n}"), conditions).await;
            history.segments.push((id, asks));
            history.shop.built().await;
        }
        history
    }

    fn below(&self, n: u64) -> u64 {
        self.random.u64() % n
    }

    fn someone(&self) -> ContactId {
        let n = self.below(self.people.len() as u64) as usize;
        *self.people.keys().nth(n).unwrap()
    }

    async fn step(&mut self) {
        let id = self.someone();
        match self.below(12) {
            0..=3 => {
                let tag = TAGS[self.below(2) as usize];
                let has = self.below(2) == 0;
                self.shop.tag(id, tag, has).await;
                let person = self.people.get_mut(&id).unwrap();
                if has {
                    person.tags.insert(tag);
                } else {
                    person.tags.remove(tag);
                }
            }
            4..=6 => {
                let hours = self.below(100);
                let at = self.shop.world.now() - Duration::from_hours(hours);
                self.forms += 1;
                self.shop.submitted_at(id, self.forms, at).await;
                let person = self.people.get_mut(&id).unwrap();
                person.forms.insert(self.forms, at);
            }
            7 => {
                // The same event once more.
                let known = self.people[&id].forms.iter().next_back();
                if let Some((n, at)) = known.map(|(n, at)| (*n, *at)) {
                    self.shop.submitted_at(id, n, at).await;
                }
            }
            8 => self.change_conditions().await,
            9 => {
                let hours = 1 + self.below(30);
                // The stream is never days late; the queue may be.
                self.shop.world.relay().await;
                self.shop.world.advance(Duration::from_hours(hours));
                self.shop.tick().await;
            }
            10 => self.shop.world.settle_twice().await,
            _ => {
                // Some messages are delivered, others wait: the order of their causes is lost.
                self.shop.world.relay().await;
                self.shop.world.deliver("segment-updater", true).await;
            }
        }
    }

    async fn change_conditions(&mut self) {
        let (n, asks) = match self.below(3) {
            0 => (0, Asks::Tag(TAGS[self.below(2) as usize])),
            1 => {
                let (times, days) = (1 + self.below(2) as u32, 1 + self.below(4) as u32);
                (1, Asks::Forms(times, days))
            }
            _ => (2, Asks::Forms(1, 1 + self.below(3) as u32)),
        };
        let update = json!({ "conditions": asks.conditions(None) });
        let path = format!("/v1/segments/{}", self.segments[n].0);
        let (status, answer) = self.shop.ask("PATCH", &path, Some(update)).await;
        assert_eq!(status, 200, "{answer}");
        self.segments[n].1 = asks;
        if self.below(2) == 0 {
            self.shop.built().await;
        }
    }

    /// Until nothing moves, at local noon: every day has begun for every contact.
    async fn rest(&self) {
        let noon = self.shop.world.now().to_zoned(zone());
        let noon = noon.tomorrow().unwrap().date().at(12, 0, 0, 0);
        let noon = noon.to_zoned(zone()).unwrap().timestamp();
        let left = noon.duration_since(self.shop.world.now());
        self.shop.built().await;
        self.shop.world.advance(left.unsigned_abs());
        for _ in 0..4 {
            self.shop.tick().await;
            self.shop.world.advance(Duration::from_mins(2));
        }
        self.shop.built().await;
    }

    fn expected(&self, asks: Asks) -> BTreeSet<ContactId> {
        let today = self.shop.world.now().to_zoned(zone()).date();
        let holds = |person: &Person| match asks {
            Asks::Tag(tag) => person.tags.contains(tag),
            Asks::Forms(times, days) => {
                let first = today
                    .checked_sub(jiff::Span::new().days(i64::from(days) - 1))
                    .unwrap();
                person.forms_since(first, &zone()) >= times as usize
            }
            Asks::NotFirst => unreachable!("follows from the first segment"),
        };
        if let Asks::NotFirst = asks {
            let first = self.expected(self.segments[0].1);
            let others = self.people.keys().filter(|id| !first.contains(id));
            return others.copied().collect();
        }
        let people = self.people.iter().filter(|(_, person)| holds(person));
        people.map(|(id, _)| *id).collect()
    }
}

fn zone() -> TimeZone {
    TimeZone::get("Asia/Ho_Chi_Minh").unwrap()
}

#[tokio::test]
async fn members_after_any_history_are_those_of_a_rebuild() {
    for seed in 0..4 {
        let mut history = History::begin(seed).await;
        for _ in 0..STEPS {
            history.step().await;
        }
        history.rest().await;
        let mut rebuilt = Vec::new();
        for (n, (_, asks)) in history.segments.iter().enumerate() {
            let first = history.segments.first().map(|(id, _)| id);
            let conditions = asks.conditions(first);
            rebuilt.push(history.shop.segment(&format!("N{n}"), conditions).await);
            history.shop.built().await;
        }
        for ((id, asks), new) in history.segments.iter().zip(&rebuilt) {
            let members = history.shop.members(id).await;
            let place = format!("seed {seed}, {}", history.shop.show(id).await);
            assert_eq!(members, history.expected(*asks), "{place}");
            assert_eq!(members, history.shop.members(new).await, "{place}");
        }
        assert!(history.shop.world.dead_letters().is_empty(), "seed {seed}");
    }
}
