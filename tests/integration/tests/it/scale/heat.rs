//! No partition uses more than half of DynamoDB's limit, at the load of the largest customer.

use std::collections::BTreeSet;

use tanigo_local::aws::{MOST_READS, MOST_WRITES};

use super::run::Run;

/// Partitions over the limit today: scenario, kind, and the change that will cool it. A partition that is hot
/// and not listed fails the test; a listed partition that is no longer hot also fails the test.
const EXPECTED: &[(&str, &str, &str)] = &[
    (
        "mails",
        "Reports ws_#cmp_#c0",
        "a campaign counts in one partition at first, and in sixteen once it is busy; this run is too short for that",
    ),
    (
        "mails",
        "Campaigns ws_#cmp_",
        "the progress and the acknowledged messages of all chunks lie in the campaign's partition, not one for each shard",
    ),
    (
        "events",
        "Reports ws_#SRC#src_#c0",
        "the counts of a source lie in one partition in its first second, until they spread",
    ),
    (
        "plan",
        "Campaigns ws_#cmp_",
        "all chunks of a campaign lie in one partition, not one for each shard",
    ),
    (
        "talks",
        "Chat.ByAssignee ws_/*/*",
        "the index has no shard, and moves with each message",
    ),
    (
        "talks",
        "Chat.ByInbox ws_/inb_/*",
        "the index has no shard, and moves with each message",
    ),
    (
        "talks",
        "Chat.ByStatus ws_/*",
        "the index has no shard, and moves with each message",
    ),
    (
        "talks",
        "Directory ws_",
        "the credential behind each agent's socket is read for each batch",
    ),
];

/// Fails if a partition is over the limit at this number of operations a second.
pub fn check(scenario: &str, run: &Run, rate: f64) {
    let loads = run.at(rate);
    assert!(loads.len() > 1, "{scenario} was not counted: {loads:?}");
    let hot = loads.iter();
    let hot = hot.filter(|(_, load)| load.writes > MOST_WRITES || load.reads > MOST_READS);
    let hot: BTreeSet<&str> = hot.map(|(kind, _)| kind.as_str()).collect();
    let listed = EXPECTED.iter().filter(|(of, ..)| *of == scenario);
    let listed: BTreeSet<&str> = listed.map(|(_, kind, _)| *kind).collect();
    let figure = |kind: &&str| {
        let (writes, reads) = (loads[*kind].writes, loads[*kind].reads);
        format!("{kind}: {writes:.0} write and {reads:.0} read units a second")
    };
    let new: Vec<String> = hot.difference(&listed).map(figure).collect();
    let new = new.join("\n");
    assert!(
        new.is_empty(),
        "{scenario} at {rate} a second, over the limit:\n{new}"
    );
    let cooled: Vec<_> = listed.difference(&hot).collect();
    assert!(
        cooled.is_empty(),
        "{scenario}: take off EXPECTED what has cooled: {cooled:?}"
    );
}
