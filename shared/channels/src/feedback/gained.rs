//! What one event or visit adds to the figures of a campaign. Pure.

use crate::domain::Domain;
use crate::ledger::Tally;
use crate::links::Click;

/// What an event or a visit adds to the figures of a campaign.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gained {
    /// The change of the share of its row.
    pub tally: Tally,
    /// The provider of the mailbox, if it is known.
    pub domain: Option<Domain>,
    /// Opens by a person, also repeated ones.
    pub opens: i64,
    /// Clicks by a person, also repeated ones.
    pub clicks: i64,
    /// The link that a person followed.
    pub click: Option<Click>,
}

impl From<Tally> for Gained {
    fn from(tally: Tally) -> Self {
        Self {
            tally,
            ..Self::default()
        }
    }
}

impl Gained {
    /// Name and number of each counter that changes.
    pub(super) fn counts(&self) -> Vec<(String, i64)> {
        let figures = self.tally.figures();
        let own = figures.iter().map(|(name, n)| ((*name).to_owned(), *n));
        let of_version = self.tally.variant.into_iter().flat_map(|variant| {
            let own = figures.iter();
            own.map(move |(name, n)| (format!("{name}_{}", variant.name()), *n))
        });
        let totals = [("opens", self.opens), ("clicks", self.clicks)];
        let totals = totals.iter().map(|(name, n)| ((*name).to_owned(), *n));
        let of_domain = self.domain.into_iter().flat_map(|domain| {
            let letters = Domain::FIGURES.iter();
            letters.filter_map(move |(figure, letter)| {
                let (_, n) = figures.iter().find(|(name, _)| name == figure)?;
                Some((domain.counter(letter), *n))
            })
        });
        let all = own.chain(of_version).chain(totals).chain(of_domain);
        all.filter(|(_, n)| *n != 0).collect()
    }
}
