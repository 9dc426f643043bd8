//! The phases of a test under random orders of everything that may happen: deliveries once, twice or killed, commands,
//! choices, the end of the wait. Whatever the order, nobody gets two mails or none, and one winner is final.

use std::time::Duration;

use channels::Variant;
use kernel::Entropy;
use serde_json::{Value, json};

use super::Trial;
use crate::campaigns::shop::Shop;
use crate::support::{Kill, World};

const SEEDS: u64 = 12;
/// 70 percent of them are a test.
const PEOPLE: u32 = 150;
const STEPS: u32 = 90;
const WORKERS: [&str; 2] = ["campaign-planner", "campaign-sender-email"];

/// One run of a seed.
struct Run<'w> {
    trial: Trial<'w>,
    dice: Entropy,
    /// The winner, once one was seen.
    winner: Option<String>,
    /// Mails that had left when the winner was first seen.
    known_after: usize,
}

impl Run<'_> {
    fn below(&self, n: u64) -> u64 {
        self.dice.u64() % n
    }

    async fn step(&mut self) {
        let world = self.trial.world;
        match self.below(20) {
            0 => drop(self.trial.command("pause").await),
            1..=3 => drop(self.trial.command("resume").await),
            4 if self.below(6) == 0 => {
                let variant = ["a", "b"][self.below(2) as usize];
                let (status, body) = self.trial.choose(variant).await;
                assert!(matches!(status, 200 | 409), "{body}");
            }
            5 => {
                world.advance(Duration::from_mins(self.below(90)));
                // Tells the operator of items that the stream has not relayed yet, after its work.
                drop(world.invoke("due-timer", json!({})).await);
            }
            6 => drop(world.deliver("delivery-status", self.below(2) == 0).await),
            7 => world.advance(Duration::from_secs(400)),
            8..=11 => drop(world.relay().await),
            12 | 13 => self.kill().await,
            _ => {
                let worker = WORKERS[self.below(2) as usize];
                world.deliver(worker, self.below(3) == 0).await;
            }
        }
    }

    /// A worker dies somewhere in its work; its messages come back later.
    async fn kill(&self) {
        let world = self.trial.world;
        let worker = WORKERS[self.below(2) as usize];
        if let Some(batch) = world.take(worker) {
            let call = self.below(40);
            let kill = if self.below(2) == 0 {
                Kill::Before(call)
            } else {
                Kill::After(call)
            };
            let run = world.invoke_and_kill(worker, batch.event.clone(), kill);
            if let Some(answer) = run.await {
                world.acknowledge(&batch, &answer);
            }
        }
    }

    /// A winner never changes, and the phases show in their order.
    async fn look(&mut self) {
        let report = self.trial.report().await;
        let winner = report["ab"]["winner"]["variant"]
            .as_str()
            .map(str::to_owned);
        match (&self.winner, &winner) {
            (Some(known), now) => assert_eq!(Some(known), now.as_ref(), "{report}"),
            (None, Some(_)) => {
                self.known_after = self.trial.mails().len();
                self.winner = winner;
            }
            (None, None) => {}
        }
        if winner_of(&report).is_none() {
            let early = self.trial.mails();
            let early = early.iter().find(|mail| !self.trial.is_test(mail.contact));
            assert!(
                early.is_none(),
                "the rest got a mail before the winner: {early:?}"
            );
        }
        self.trial.assert_once();
    }

    /// Everything that was begun comes to its end.
    async fn finish(&mut self) -> Value {
        for _ in 0..6 {
            self.trial.command("resume").await;
            self.trial.world.advance(Duration::from_secs(400));
            self.trial.pass(2).await;
        }
        self.look().await;
        self.trial.assert_sums().await
    }
}

fn winner_of(report: &Value) -> Option<&str> {
    report["ab"]["winner"]["variant"].as_str()
}

#[tokio::test]
async fn whatever_happens_nobody_gets_two_mails_or_none_and_one_winner_is_final() {
    let (mut manual, mut ruled) = (0, 0);
    for seed in 0..SEEDS {
        let world = World::new();
        let shop = Shop::open(&world, PEOPLE).await;
        let changes = json!({ "test_percent": 70, "wait_hours": 1 });
        let trial = Trial::sent(&world, &shop, changes).await;
        let mut run = Run {
            trial,
            dice: Entropy::seeded(seed),
            winner: None,
            known_after: 0,
        };
        for _ in 0..STEPS {
            run.step().await;
            if run.below(8) == 0 {
                run.look().await;
            }
        }
        let report = run.finish().await;
        assert_eq!(report["status"], "sent", "seed {seed}: {report}");
        let winner = match winner_of(&report) {
            Some("b") => Variant::B,
            Some(_) => Variant::A,
            None => panic!("seed {seed}: no winner in {report}"),
        };
        if report["ab"]["winner"]["reason"] == "manual" {
            manual += 1;
        } else {
            ruled += 1;
        }
        for (n, mail) in run.trial.mails().iter().enumerate() {
            let is_rest = !run.trial.is_test(mail.contact);
            assert!(!is_rest || mail.variant == winner, "seed {seed}: {mail:?}");
            // A run that read the campaign before the choice may still send a sub-batch.
            let is_late = n >= run.known_after + 100;
            assert!(!is_late || mail.variant == winner, "seed {seed}: {mail:?}");
        }
        assert!(world.dead_letters().is_empty(), "seed {seed}");
    }
    assert!(
        manual > 0 && ruled > 0,
        "{manual} chosen, {ruled} by the rule"
    );
}
