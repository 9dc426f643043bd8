use proptest::prelude::*;

use super::*;

const EMAIL: Channel = Channel::Email;

fn mark(kind: Kind) -> Mark {
    match kind {
        Kind::Complained | Kind::Suppressed | Kind::Lifted => Mark::whole(EMAIL, kind),
        _ => Mark::of(EMAIL, Purpose::Marketing, kind),
    }
}

fn after(decisions: &[(Kind, i64)]) -> Consents {
    let mut consents = Consents::default();
    for (kind, at) in decisions {
        consents.raise(mark(*kind), *at);
    }
    consents
}

fn status(decisions: &[(Kind, i64)]) -> ChannelStatus {
    after(decisions).marketing(EMAIL)
}

#[test]
fn a_late_repetition_of_an_old_grant_changes_nothing_and_a_new_opt_in_does() {
    use ChannelStatus as S;
    let left = [(Kind::Granted, 1), (Kind::Withdrawn, 5)];
    assert_eq!(status(&left), S::Unsubscribed);
    for late in [
        (Kind::Granted, 1),
        (Kind::Granted, 9),
        (Kind::Assumed, 9),
        (Kind::Pending, 9),
    ] {
        assert_eq!(status(&[left[0], left[1], late]), S::Unsubscribed);
        assert_eq!(status(&[late, left[1], left[0]]), S::Unsubscribed);
    }
    let back = [left[0], left[1], (Kind::Verified, 8)];
    assert_eq!(status(&back), S::Subscribed);
    // The old withdrawal is delivered again, and then the person leaves again.
    assert_eq!(
        status(&[back[0], back[1], back[2], (Kind::Withdrawn, 5)]),
        S::Subscribed
    );
    assert_eq!(
        status(&[back[0], back[1], back[2], (Kind::Withdrawn, 9)]),
        S::Unsubscribed
    );
}

#[test]
fn a_complaint_needs_the_person_and_an_administrator() {
    use ChannelStatus as S;
    for (kind, blocked) in [
        (Kind::Complained, S::Complained),
        (Kind::Suppressed, S::Suppressed),
    ] {
        let said = [(Kind::Granted, 1), (kind, 5)];
        assert_eq!(status(&said), blocked);
        assert_eq!(status(&[said[0], said[1], (Kind::Verified, 7)]), blocked);
        assert_eq!(
            status(&[said[0], said[1], (Kind::Lifted, 7)]),
            S::Unsubscribed
        );
        let both = [said[0], said[1], (Kind::Lifted, 7), (Kind::Verified, 6)];
        assert_eq!(status(&both), S::Subscribed);
        // Service messages were not refused.
        let lifted = after(&[said[1], (Kind::Lifted, 7)]);
        assert_eq!(lifted.state(EMAIL, Purpose::Service).status, S::None);
    }
}

#[test]
fn an_assumed_consent_is_marked_and_ends_with_a_refusal() {
    let assumed = after(&[(Kind::Assumed, 1)]).state(EMAIL, Purpose::Marketing);
    assert!(assumed.is_assumed && assumed.status == ChannelStatus::Subscribed);
    assert_eq!(
        status(&[(Kind::Assumed, 3), (Kind::Refused, 1)]),
        ChannelStatus::None
    );
    let proven = after(&[(Kind::Assumed, 3), (Kind::Granted, 1)]);
    assert!(!proven.state(EMAIL, Purpose::Marketing).is_assumed);
}

#[test]
fn an_attribute_names_its_mark() {
    for channel in Channel::ALL {
        for purpose in [None].into_iter().chain(Purpose::ALL.map(Some)) {
            for kind in Kind::ALL {
                let mark = Mark {
                    channel,
                    purpose,
                    kind,
                };
                assert_eq!(Mark::parse(&mark.attribute()), Some(mark));
            }
        }
    }
    assert_eq!(
        mark(Kind::Withdrawn).attribute(),
        "c.email.marketing.withdrawn"
    );
    assert_eq!(Mark::parse("c.email.marketing.x"), None);
    assert_eq!(Mark::parse("custom.c.email.marketing.granted"), None);
}

fn decisions() -> impl Strategy<Value = Vec<(Kind, i64)>> {
    let kind = prop::sample::select(Kind::ALL.to_vec());
    prop::collection::vec((kind, 1..20i64), 0..12)
}

proptest! {
    #[test]
    fn any_order_and_repetition_ends_in_the_same_state(
        said in decisions(),
        order in any::<prop::sample::Index>(),
        again in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        shuffled in decisions().prop_shuffle(),
    ) {
        let mut all = said.clone();
        all.extend(shuffled);
        let mut other = all.clone();
        if !other.is_empty() {
            let middle = order.index(other.len());
            other.rotate_left(middle);
            other.reverse();
            for one in again {
                let repeated = other[one.index(other.len())];
                other.push(repeated);
            }
        }
        prop_assert_eq!(after(&all), after(&other));
    }

    #[test]
    fn after_a_withdrawal_only_a_later_verified_act_subscribes(
        said in decisions(),
        at in 1..20i64,
    ) {
        let mut all = said.clone();
        all.push((Kind::Withdrawn, at));
        let verified = said.iter().any(|(kind, when)| *kind == Kind::Verified && *when > at);
        if status(&all) == ChannelStatus::Subscribed {
            prop_assert!(verified, "{:?}", all);
        }
    }

    #[test]
    fn the_law_of_the_marks_is_the_law_of_the_history(said in decisions()) {
        // The same rules, read from the whole history instead of the marks.
        let last = |kinds: &[Kind]| {
            said.iter().filter(|(kind, _)| kinds.contains(kind)).map(|(_, at)| *at).max()
        };
        let lifted = last(&[Kind::Lifted]);
        let expected = if last(&[Kind::Suppressed]).is_some_and(|at| Some(at) >= lifted) {
            ChannelStatus::Suppressed
        } else if last(&[Kind::Complained]).is_some_and(|at| Some(at) >= lifted) {
            ChannelStatus::Complained
        } else {
            let verified = last(&[Kind::Verified]);
            let no = last(&[Kind::Withdrawn, Kind::Complained, Kind::Suppressed]);
            let yes = last(&[Kind::Granted]).is_some()
                || (last(&[Kind::Assumed]).is_some() && last(&[Kind::Refused]).is_none());
            match () {
                () if no.is_some_and(|at| Some(at) >= verified) => ChannelStatus::Unsubscribed,
                () if verified.is_some() || yes => ChannelStatus::Subscribed,
                () if last(&[Kind::Pending]).is_some() => ChannelStatus::Pending,
                () => ChannelStatus::None,
            }
        };
        prop_assert_eq!(status(&said), expected);
    }
}
