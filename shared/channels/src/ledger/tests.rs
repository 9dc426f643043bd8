//! The merge property: the same facts in any order, any number of times, give the same row. The counted
//! differences add up to the row's totals.

use jiff::Timestamp;
use proptest::prelude::*;

use super::facts::Facts;
use super::{Fact, MessageStatus, Row, State, Tally};

fn row(unknown: bool) -> Row {
    let at = Timestamp::from_second(1_772_438_400).unwrap();
    Row {
        claim: "c".into(),
        claimed_at: at,
        attempt: 1,
        later: 0,
        released: false,
        provider_id: None,
        reason: None,
        failed_at: None,
        unknown_at: unknown.then_some(at),
        clicked_link: None,
        domain: None,
        variant: None,
        facts: Facts::default(),
        ttl: 0,
    }
}

fn add(a: Tally, b: Tally) -> Tally {
    a - (Tally::default() - b)
}

/// The row after these facts, and the sum of what each winner added.
fn run(unknown: bool, facts: &[Fact]) -> (Row, Tally) {
    let mut row = row(unknown);
    let mut sum = Tally::default();
    for (second, &fact) in facts.iter().enumerate() {
        let at = Timestamp::from_second(1_772_438_400 + second as i64).unwrap();
        if row.learn(fact, at) {
            sum = add(sum, row.gained_by(fact));
        }
    }
    (row, sum)
}

fn known(row: &Row) -> Vec<bool> {
    Fact::ALL.iter().map(|&fact| row.facts.has(fact)).collect()
}

fn shuffled() -> impl Strategy<Value = (Vec<Fact>, Vec<Fact>)> {
    let facts = prop::collection::vec(prop::sample::select(&Fact::ALL[..]), 0..8);
    facts.prop_flat_map(|facts| {
        let twice: Vec<Fact> = facts.iter().chain(&facts).copied().collect();
        (Just(facts), Just(twice).prop_shuffle())
    })
}

proptest! {
    #[test]
    fn order_and_repetition_change_nothing((facts, shuffled) in shuffled(), unknown: bool) {
        let (one, sum) = run(unknown, &facts);
        let (other, other_sum) = run(unknown, &shuffled);
        prop_assert_eq!(known(&one), known(&other));
        prop_assert_eq!(one.state(), other.state());
        prop_assert_eq!(one.status(), other.status());
        prop_assert_eq!(one.is_opened(), other.is_opened());
        prop_assert_eq!(sum, other_sum);
        // The tally of a row without facts is zero, so the sum equals the tally.
        prop_assert_eq!(sum, one.tally());
    }

    #[test]
    fn figures_never_exceed_one_send((facts, _) in shuffled(), unknown: bool) {
        let (row, sum) = run(unknown, &facts);
        prop_assert!(sum.delivered + sum.bounced + sum.soft_bounced + sum.rejected <= 1);
        prop_assert!(sum.figures().iter().all(|(_, n)| (0..=1).contains(n)));
        prop_assert_eq!(row.state() == State::Bounced || row.state() == State::Complained || sum.bounced == 0, true);
    }

    #[test]
    fn states_only_rise((facts, _) in shuffled()) {
        let mut row = row(false);
        for fact in facts {
            let before = row.state();
            row.learn(fact, Timestamp::UNIX_EPOCH);
            prop_assert!(row.state() >= before, "{:?} -> {:?}", before, row.state());
        }
    }
}

proptest! {
    /// A status falls only when a machine turns out to have followed the links.
    #[test]
    fn statuses_only_rise((facts, _) in shuffled(), unknown: bool) {
        let mut row = row(unknown);
        for fact in facts.into_iter().filter(|fact| *fact != Fact::ClickBurst) {
            let before = row.status();
            row.learn(fact, Timestamp::UNIX_EPOCH);
            prop_assert!(row.status() >= before, "{:?} -> {:?}", before, row.status());
        }
        prop_assert_eq!(row.status() == MessageStatus::Complained, row.facts.has(Fact::Complained));
    }
}

#[test]
fn the_provider_outranks_suppositions() {
    let mut row = row(true);
    assert_eq!(row.state(), State::Unknown);
    row.learn(Fact::Accepted, Timestamp::UNIX_EPOCH);
    assert_eq!(row.state(), State::Sent);
    assert_eq!(row.gained_by(Fact::Accepted).resolved, 1);
    row.learn(Fact::SoftBounced, Timestamp::UNIX_EPOCH);
    assert_eq!(
        (row.state(), row.tally().soft_bounced),
        (State::SoftBounced, 1)
    );
    row.learn(Fact::Clicked, Timestamp::UNIX_EPOCH);
    assert_eq!(row.state(), State::Delivered);
    assert_eq!((row.tally().delivered, row.tally().soft_bounced), (1, 0));
    row.learn(Fact::ClickBurst, Timestamp::UNIX_EPOCH);
    assert_eq!(row.gained_by(Fact::ClickBurst).clicked, -1);
    row.learn(Fact::HardBounced, Timestamp::UNIX_EPOCH);
    assert_eq!((row.state(), row.tally().delivered), (State::Bounced, 0));
    row.learn(Fact::Complained, Timestamp::UNIX_EPOCH);
    assert_eq!(row.state(), State::Complained);
}
