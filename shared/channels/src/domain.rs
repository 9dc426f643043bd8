//! The groups of mailbox providers by which a report shows its figures. Pure.
//!
//! The groups are fixed, so a row of counts has a bounded size whatever addresses a shop has.

use kernel::EmailAddress;
use serde::{Deserialize, Serialize};

/// The provider of a mailbox.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
#[schema(as = MailboxProvider)]
pub enum Domain {
    /// `gmail.com`, `googlemail.com`.
    Gmail,
    /// `yahoo.*`, `ymail.com`, `rocketmail.com`.
    Yahoo,
    /// `outlook.*`, `hotmail.*`, `live.*`, `msn.com`.
    Outlook,
    /// `icloud.com`, `me.com`, `mac.com`.
    Icloud,
    /// Every other domain.
    Other,
}

impl Domain {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Gmail,
        Self::Yahoo,
        Self::Outlook,
        Self::Icloud,
        Self::Other,
    ];
    /// Each figure that is counted by provider, with the letter of its counter.
    pub const FIGURES: [(&'static str, &'static str); 5] = [
        ("delivered", "d"),
        ("bounced", "b"),
        ("complained", "s"),
        ("opened", "o"),
        ("clicked", "c"),
    ];

    /// The provider of an address.
    pub fn of(address: &EmailAddress) -> Self {
        let address = address.as_str();
        let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
        let domain = domain.to_ascii_lowercase();
        match domain.as_str() {
            "gmail.com" | "googlemail.com" => return Self::Gmail,
            "ymail.com" | "rocketmail.com" => return Self::Yahoo,
            "msn.com" => return Self::Outlook,
            "icloud.com" | "me.com" | "mac.com" => return Self::Icloud,
            _ => {}
        }
        match domain.split('.').next() {
            Some("yahoo") => Self::Yahoo,
            Some("outlook" | "hotmail" | "live") => Self::Outlook,
            _ => Self::Other,
        }
    }

    /// The name of the counter of one of [`Domain::FIGURES`]. Short, so that the row of an hour stays one write unit.
    pub fn counter(self, letter: &str) -> String {
        let code = match self {
            Self::Gmail => 'g',
            Self::Yahoo => 'y',
            Self::Outlook => 'o',
            Self::Icloud => 'i',
            Self::Other => 'x',
        };
        format!("{code}.{letter}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mailboxes_are_of_their_provider() {
        for (address, expected) in [
            ("an@gmail.com", Domain::Gmail),
            ("an@yahoo.com.vn", Domain::Yahoo),
            ("an@hotmail.com", Domain::Outlook),
            ("an@me.com", Domain::Icloud),
            ("an@gmail.com.example.vn", Domain::Other),
        ] {
            assert_eq!(Domain::of(&address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn counters_have_names_of_their_own() {
        let names = Domain::ALL.iter().flat_map(|domain| {
            let letters = Domain::FIGURES.iter();
            letters.map(|(_, letter)| domain.counter(letter))
        });
        let names: std::collections::BTreeSet<String> = names.collect();
        assert_eq!(names.len(), 25);
    }
}
