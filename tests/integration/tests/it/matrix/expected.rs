//! Differences from the run without a fault that are right. The list may only shrink.

use std::collections::BTreeSet;

use serde_json::Value;

use super::plan::{Kind, Plan};

/// A run with a fault.
pub struct Run<'a> {
    /// `function/file`.
    pub name: &'a str,
    /// The first call with a fault.
    pub call: &'a str,
    pub plan: Plan,
    /// As [`super::Picture::differences`] gives them.
    pub differences: &'a [String],
}

/// A reason, and the differences that it explains.
type Rule = (&'static str, fn(&Run<'_>, &str) -> bool);

/// Differences that are right.
const RIGHT: &[Rule] = &[
    (
        "SES may have the mail: an unknown answer is not repeated (docs/adr/0003)",
        |run, one| {
            let places = [" SendLedger:", " Campaigns:", " Reports:", " Timeline:"];
            run.any("unknown_at")
                && (one.contains(" mails:") && one.starts_with('-')
                    || places.iter().any(|place| one.contains(place)))
        },
    ),
    (
        "a device that is gone is forgotten by the next send if this one could not (docs/adr/0066)",
        |run, one| {
            run.of("campaign-sender-push")
                && one.starts_with('+')
                && one.contains(" Contacts:")
                && one.contains("DEV")
        },
    ),
    (
        "a crash between the ledger and the counters loses a count (docs/adr/0003)",
        |run, one| one.contains(" Reports:") && run.counts('+') <= run.counts('-'),
    ),
    (
        "a request that is sent again and cannot be read is listed again (docs/adr/0040)",
        |run, one| run.of("webhook-") && one.contains("#FAILED#"),
    ),
    (
        "a page that is asked for twice is two views (docs/adr/0039)",
        |run, one| run.of("form-submit/") && one.contains("\"n_view\""),
    ),
    (
        "counts of tracked calls are for people, and a repeated message counts again (docs/adr/0051)",
        |run, one| {
            (run.of("track-writer/") || run.of("track-events/")) && one.contains(" Reports:")
        },
    ),
    (
        "counts of a source's requests are for people, and a repeated message counts again (docs/sources.md)",
        |_, one| one.contains(" Reports:") && one.contains("#SRC#"),
    ),
    (
        "a call is taken although the time of the key's last use cannot be noted (functions/track-events)",
        |run, one| run.of("track-events/") && one.contains("\"sk\":\"KEY#"),
    ),
    (
        "a request that is sent again takes events of the window again (functions/track-events)",
        |run, one| run.of("track-events/") && one.contains(" Limits:"),
    ),
    (
        "a reader gets the page although the visit cannot be recorded (functions/link-tracker)",
        |run, one| {
            let places = [" SendLedger:", " Reports:", " Timeline:"];
            let kinds = [Kind::LoseAllFrom, Kind::ThrottleAllFrom];
            run.name.starts_with("link-tracker/")
                && kinds.contains(&run.plan.kind)
                && places.iter().any(|place| one.contains(place))
        },
    ),
    (
        "a choice is in force before its proof is stored; the reader who gets no answer chooses again (docs/adr/0031)",
        |run, one| run.of("link-tracker/") && one.contains("CONSENT#"),
    ),
    (
        "a repeated message makes the last transition of a contact again, under the next version (docs/adr/0029)",
        |run, one| {
            run.of("segment-updater/")
                && (one.contains(" Segments:") || one.contains("\"sk\":\"STATE\""))
                && run.counts('+') == run.counts('-')
        },
    ),
    (
        "a visit within seconds of the delivery is a machine's; repeated later it is a reader's",
        |run, one| {
            let places = [" SendLedger:", " Reports:", " Timeline:"];
            run.of("link-tracker/")
                && (run.any("machine_opened_at") || run.any("machine_clicked_at"))
                && places.iter().any(|place| one.contains(place))
        },
    ),
    (
        "the audit log has an entry for each attempt, before its change (docs/adr/0012)",
        |_, one| one.starts_with('+') && one.contains("#AUDIT"),
    ),
    ("a token of a mail that was not sent expires", |run, one| {
        run.of("account-mailer/") && one.starts_with('+') && one.contains("RESET#")
    }),
    (
        "a mail of an account whose outcome could not be stored is sent once more (docs/adr/0012)",
        |run, one| {
            let kills = [Kind::KillBefore, Kind::KillAfter, Kind::TwoKills];
            let is_repeated = one.starts_with('+') && one.contains(" mails:");
            // The code of the first try stays valid.
            let marks = ["\"is_settled\":false", "\"earlier_"];
            let is_marked = marks.iter().any(|mark| run.any(mark)) && one.contains(" Directory:");
            let is_killed = kills.contains(&run.plan.kind);
            run.of("account-mailer/") && (is_repeated && is_killed || is_marked)
        },
    ),
    (
        "an item that could not be dead-lettered stays in the index of the outbox for the sweep (docs/adr/0024)",
        |run, one| {
            run.of("change-relay/")
                && run.plan.kind == Kind::ThrottleAllFrom
                && one.starts_with("-1 ChangeRelayDlq:")
        },
    ),
    (
        "API Gateway tries a disconnect once; the rows of the connection expire",
        |run, one| run.of("chat-socket/disconnect") && one.contains(" Realtime:"),
    ),
    (
        "a reader who repeats a lost choice is recorded twice (docs/adr/0031)",
        |run, one| {
            run.of("link-tracker/preferences")
                && one.starts_with('+')
                && one.contains("\"sk\":\"CONSENT#")
        },
    ),
    (
        "a repeated request finds the contact that its first attempt made",
        |run, one| {
            run.of("api-contacts/") && one.contains(" Dedupe:") && run.any("\\\"created\\\":false")
        },
    ),
    (
        "the reserved row of a contact that was not made expires after a day",
        |_, one| {
            let is_reserved = one.contains("\"reserved\":true") && one.contains("\"ttl\":");
            one.starts_with('+') && is_reserved
        },
    ),
    (
        "a frame that was not posted is read from the API (docs/adr/0015)",
        |run, one| run.of("chat-notifier/") && one.starts_with('-') && one.contains(" posts:"),
    ),
    (
        "an answer that could not be kept reaches its caller all the same (docs/adr/0013)",
        |run, one| {
            let kinds = [Kind::LoseAllFrom, Kind::ThrottleAllFrom];
            kinds.contains(&run.plan.kind)
                && run.call.ends_with("tanigo-dedupe")
                && one.contains(" Dedupe:")
        },
    ),
];

impl Run<'_> {
    /// The differences that no rule explains. Adds the reasons of the rules that explain some.
    pub fn unexplained(&self, met: &mut BTreeSet<&'static str>) -> Vec<&str> {
        let mut left = Vec::new();
        for one in self.differences {
            match RIGHT.iter().find(|(_, explains)| explains(self, one)) {
                Some((reason, _)) => _ = met.insert(*reason),
                None => left.push(one.as_str()),
            }
        }
        left
    }

    fn of(&self, name: &str) -> bool {
        self.name.starts_with(name)
    }

    fn any(&self, text: &str) -> bool {
        self.differences.iter().any(|one| one.contains(text))
    }

    /// Sum of the counts in the rows of reports with this sign.
    fn counts(&self, sign: char) -> u64 {
        let rows = self.differences.iter();
        let rows = rows.filter(|one| one.starts_with(sign));
        let rows = rows.filter_map(|one| one.split_once(" Reports: "));
        let rows = rows.filter_map(|(_, row)| serde_json::from_str::<Value>(row).ok());
        rows.flat_map(|row| row.as_object().cloned().unwrap_or_default())
            .filter(|(name, _)| name.starts_with("n_"))
            .filter_map(|(_, count)| count.as_u64())
            .sum()
    }
}

/// Whether more of such a row does no harm.
pub fn is_hint(row: &Value) -> bool {
    // A mark says that a minute may hold timers.
    let key = row["pk"].as_str();
    key.is_some_and(|pk| pk.starts_with("T#MARKS#"))
}
