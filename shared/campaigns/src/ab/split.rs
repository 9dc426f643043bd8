//! The random, stable split of an audience. Pure.
//!
//! One number follows from the campaign and the contact. Its size says whether the contact is in the test, and its last
//! digit says which half the contact belongs to. So every run of every function splits in the same way.

use channels::Variant;
use kernel::{CampaignId, ContactId};

/// Numbers of a hundredth of the audience: even, so that both halves of a test are equal.
const PERCENT: u32 = 100;

fn number(campaign: CampaignId, contact: ContactId) -> u32 {
    let parts = ["ab", &campaign.to_string(), &contact.to_string()];
    kernel::hash::bucket(&parts, 100 * PERCENT)
}

/// Whether the contact is in a test of so many percent of the audience.
pub fn in_test(campaign: CampaignId, contact: ContactId, percent: u32) -> bool {
    number(campaign, contact) < percent * PERCENT
}

/// The version of the contact's half.
pub fn variant_of(campaign: CampaignId, contact: ContactId) -> Variant {
    if number(campaign, contact).is_multiple_of(2) {
        Variant::A
    } else {
        Variant::B
    }
}

#[cfg(test)]
mod tests {
    use kernel::Entropy;
    use proptest::prelude::*;

    use super::*;

    const PEOPLE: usize = 4_000;

    fn people(seed: u64) -> (CampaignId, Vec<ContactId>) {
        let clock = kernel::Clock::from_fn(|| jiff::Timestamp::from_second(1_772_438_400).unwrap());
        let entropy = Entropy::seeded(seed);
        let campaign = CampaignId::new(&clock, &entropy);
        let contacts = (0..PEOPLE).map(|_| ContactId::new(&clock, &entropy));
        (campaign, contacts.collect())
    }

    /// Within five standard deviations of the expected count.
    fn is_near(count: usize, of: usize, share: f64) -> bool {
        let (count, of) = (count as f64, of as f64);
        let deviation = (of * share * (1.0 - share)).sqrt();
        (count - of * share).abs() <= 5.0 * deviation + 1.0
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn a_split_is_even_stable_and_of_the_right_size(seed: u64, percent in 5_u32..=100) {
            let (campaign, people) = people(seed);
            let test: Vec<ContactId> = people
                .iter()
                .copied()
                .filter(|contact| in_test(campaign, *contact, percent))
                .collect();
            prop_assert!(is_near(test.len(), PEOPLE, f64::from(percent) / 100.0));
            for group in [&test, &people] {
                let a = group.iter().filter(|one| variant_of(campaign, **one) == Variant::A);
                prop_assert!(is_near(a.count(), group.len(), 0.5));
            }
            // A larger test has the members of a smaller one, and nobody changes the version.
            for contact in &people {
                let small = in_test(campaign, *contact, 5);
                prop_assert!(!small || in_test(campaign, *contact, percent));
                prop_assert!(in_test(campaign, *contact, 100));
            }
        }

        #[test]
        fn two_campaigns_split_in_different_ways(seed: u64) {
            let (one, people_of_one) = people(seed);
            let (other, _) = people(seed ^ 1);
            let same = people_of_one
                .iter()
                .filter(|contact| variant_of(one, **contact) == variant_of(other, **contact));
            prop_assert!(is_near(same.count(), PEOPLE, 0.5));
        }
    }
}
