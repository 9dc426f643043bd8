//! The numbers that DynamoDB stores. Pure.

use serde_json::Number;

/// Whether DynamoDB stores the number: zero, or a magnitude from 1e-130 to below 1e126. DynamoDB keeps 38 digits, and
/// a JSON number in memory has at most 20. The limits are in the page *Constraints* of DynamoDB's developer guide.
pub fn is_storable(number: &Number) -> bool {
    let magnitude = number.as_f64().map_or(f64::INFINITY, f64::abs);
    magnitude == 0.0 || (1e-130..1e126).contains(&magnitude)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_is_that_of_dynamodb() {
        let is = |text: &str| is_storable(&text.parse().unwrap());
        for good in [
            "0",
            "-0.0",
            "1",
            "18446744073709551615",
            "9.9e125",
            "-1.1e-130",
            "0.1",
        ] {
            assert!(is(good), "{good}");
        }
        for bad in ["1e126", "-1e300", "9e-131", "1e-200"] {
            assert!(!is(bad), "{bad}");
        }
    }
}
