use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::task::Poll;

use futures::executor::block_on;
use futures::future::{join_all, poll_immediate};
use proptest::prelude::*;

use super::*;

type Answers = Recent<u8, u64>;

/// A clock that the test moves, in milliseconds.
fn clock() -> (Clock, Arc<AtomicI64>) {
    let now = Arc::new(AtomicI64::new(1_772_438_400_000));
    let own = now.clone();
    let clock =
        Clock::from_fn(move || Timestamp::from_millisecond(own.load(Ordering::SeqCst)).unwrap());
    (clock, now)
}

fn answer(value: u64) -> std::future::Ready<Result<u64, Error>> {
    std::future::ready(Ok(value))
}

/// Answers only after each of ten callers has polled it.
async fn slow(value: Result<u64, Error>) -> Result<u64, Error> {
    let mut polls = 0;
    std::future::poll_fn(|context| {
        polls += 1;
        if polls > 20 {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
    value
}

/// Gets `key` while its stored value is `value`; returns whether it was read.
fn get(recent: &Answers, key: u8, value: u64) -> (u64, bool) {
    let mut read = false;
    let got = block_on(recent.get(key, || {
        read = true;
        answer(value)
    }));
    (got.unwrap(), read)
}

#[test]
fn an_answer_is_read_again_after_ten_seconds() {
    let (clock, now) = clock();
    let recent = Answers::new(&clock, 9);
    assert_eq!(get(&recent, 1, 10), (10, true));
    now.fetch_add(9_999, Ordering::SeqCst);
    assert_eq!(get(&recent, 1, 11), (10, false));
    now.fetch_add(1, Ordering::SeqCst);
    assert_eq!(get(&recent, 1, 12), (12, true));
    now.fetch_add(-1, Ordering::SeqCst);
    assert_eq!(get(&recent, 1, 13), (13, true), "the clock was set back");

    let kept = Answers::kept(&clock, 9);
    assert_eq!(get(&kept, 1, 10), (10, true));
    now.fetch_add(1_000_000_000, Ordering::SeqCst);
    assert_eq!(get(&kept, 1, 11), (10, false));
}

#[test]
fn callers_at_the_same_time_share_one_read_and_its_failure() {
    let recent = Answers::new(&clock().0, 9);
    let reads = AtomicU64::new(0);
    let ask = |value: Result<u64, Error>| {
        recent.get(1, || {
            reads.fetch_add(1, Ordering::SeqCst);
            slow(value)
        })
    };
    let failed = block_on(join_all((0..10).map(|_| ask(Err(Error::Conflict)))));
    assert!(failed.iter().all(|one| matches!(one, Err(Error::Conflict))));
    assert_eq!(reads.load(Ordering::SeqCst), 1);
    let answered = block_on(join_all((0..10).map(|n| ask(Ok(n)))));
    let answered: Vec<u64> = answered.into_iter().map(Result::unwrap).collect();
    assert_eq!(answered, [0; 10], "the failure was not remembered");
    assert_eq!(reads.load(Ordering::SeqCst), 2);
    assert_eq!(block_on(ask(Ok(7))).unwrap(), 0);
    assert_eq!(reads.load(Ordering::SeqCst), 2);
    assert!(lock(&recent.state).flights.is_empty());
}

#[test]
fn a_read_that_was_dropped_or_takes_too_long_holds_up_nobody() {
    let (clock, now) = clock();
    let recent = Answers::new(&clock, 9);
    let never = || std::future::pending::<Result<u64, Error>>();
    {
        let mut first = Box::pin(recent.get(1, never));
        assert!(block_on(poll_immediate(&mut first)).is_none());
        let mut joined = Box::pin(recent.get(1, || answer(1)));
        assert!(block_on(poll_immediate(&mut joined)).is_none());
        // Ten seconds later its answer would be too old.
        now.fetch_add(10_000, Ordering::SeqCst);
        assert_eq!(get(&recent, 1, 2), (2, true));
    }
    {
        let mut killed = Box::pin(recent.get(3, never));
        assert!(block_on(poll_immediate(&mut killed)).is_none());
    }
    assert!(lock(&recent.state).flights.is_empty());
    assert_eq!(get(&recent, 3, 4), (4, true));
}

#[test]
fn an_older_read_that_ends_later_is_not_remembered() {
    let (clock, now) = clock();
    let recent = Answers::new(&clock, 9);
    let mut old = Box::pin(recent.get(1, || slow(Ok(1))));
    assert!(block_on(poll_immediate(&mut old)).is_none());
    now.fetch_add(10_000, Ordering::SeqCst);
    assert_eq!(get(&recent, 1, 2), (2, true));
    assert_eq!(block_on(old).unwrap(), 1);
    assert_eq!(get(&recent, 1, 3), (2, false));
}

#[test]
fn the_answer_asked_for_longest_ago_makes_room() {
    let recent = Answers::new(&clock().0, 2);
    for key in [1, 2, 1, 3] {
        get(&recent, key, 0);
    }
    let read: Vec<bool> = [1, 3, 2].map(|key| get(&recent, key, 0).1).into();
    assert_eq!(read, [false, false, true]);
}

proptest! {
    /// For any order of changes: an answer was true within the ten seconds before the call. The cache never holds
    /// more answers than the bound. A key is read at most once in ten seconds.
    #[test]
    fn no_answer_is_older_than_ten_seconds(
        steps in prop::collection::vec((0u8..6, 0i64..8_000, any::<bool>()), 1..200),
    ) {
        let (clock, now) = clock();
        let recent = Answers::new(&clock, 4);
        // Stored values of each key, with the time from which each holds.
        let mut truths = vec![VecDeque::from([(i64::MIN, 0u64)]); 6];
        for (n, (key, pause, changes)) in steps.into_iter().enumerate() {
            let at = now.fetch_add(pause, Ordering::SeqCst) + pause;
            let history = &mut truths[usize::from(key)];
            if changes {
                history.push_back((at, n as u64 + 1));
            }
            let truth = history.back().unwrap().1;
            let (got, _) = get(&recent, key, truth);
            let begun = history.iter().position(|(_, value)| *value == got).unwrap();
            let ended = history.get(begun + 1).map_or(i64::MAX, |(at, _)| *at);
            prop_assert!(ended > at - 10_000, "{got} ended at {ended}, asked at {at}");
            prop_assert!(lock(&recent.state).known.len() <= 4);
        }
    }
}
