//! The query of the list of orders, and its checks.

use commerce::bounds::MAX_CODE;
use commerce::{Asked, OrderStatus, PaymentMethod, PaymentStatus, Source};
use jiff::Timestamp;
use kernel::{ContactId, Cursor, Limit, Phone, UserId};
use lambda::http::{Flaws, Problem};
use serde::Deserialize;

/// Fewest characters of a code that is looked for.
pub const LEAST_CODE: usize = 3;

/// Query of the list of orders.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct OrderQuery {
    /// The tab. Without it the list leaves out cancelled and returned orders.
    pub status: Option<OrderStatus>,
    pub source: Option<Source>,
    pub payment_method: Option<PaymentMethod>,
    pub payment_status: Option<PaymentStatus>,
    /// Entered by this person.
    pub staff_id: Option<UserId>,
    /// With this product: the shop's code of the article, or the id at the source. The first 20 items count.
    #[param(min_length = 1, max_length = 100)]
    pub product: Option<String>,
    /// Ordered at this time or later.
    pub from: Option<Timestamp>,
    /// Ordered before this time.
    pub before: Option<Timestamp>,
    /// With at least this total.
    #[param(minimum = 0, maximum = 1_000_000_000_000_i64)]
    pub min_total: Option<i64>,
    /// With at most this total.
    #[param(minimum = 0, maximum = 1_000_000_000_000_i64)]
    pub max_total: Option<i64>,
    /// The orders whose code ends like this, in every status; without other filters.
    #[param(min_length = 3, max_length = 100)]
    pub code: Option<String>,
    /// The orders of a contact, in every status; without other filters.
    pub contact_id: Option<ContactId>,
    /// The orders of the contact with this number, in every status; without other filters.
    pub phone: Option<Phone>,
    #[serde(default)]
    #[param(value_type = Option<Limit>)]
    pub limit: Limit,
    pub cursor: Option<Cursor>,
}

impl OrderQuery {
    /// The filters of a tab.
    pub fn asked(&self) -> Asked {
        Asked {
            status: self.status,
            source: self.source,
            payment_method: self.payment_method,
            payment_status: self.payment_status,
            staff_id: self.staff_id,
            product: self.product.clone(),
            from: self.from,
            before: self.before,
            min_total: self.min_total,
            max_total: self.max_total,
        }
    }

    /// Refuses filters that exclude each other.
    pub fn check(&self) -> Result<(), Problem> {
        let mut flaws = Flaws::default();
        let is_filtered = self.asked() != Asked::default();
        let alone = "may not be given with other filters";
        let people = [
            ("?code", self.code.is_some()),
            ("?contact_id", self.contact_id.is_some()),
            ("?phone", self.phone.is_some()),
        ];
        let given = people.iter().filter(|(_, is_given)| *is_given).count();
        for (pointer, is_given) in people {
            flaws.check(is_given && (is_filtered || given > 1), pointer, alone);
        }
        let length = self
            .code
            .as_ref()
            .map_or(LEAST_CODE, |code| code.trim().chars().count());
        flaws.check(
            !(LEAST_CODE..=MAX_CODE).contains(&length),
            "?code",
            "must have 3 to 100 characters",
        );
        check_range(&self.asked(), &mut flaws);
        flaws.refuse()
    }
}

/// Refuses a range of the sums without a time in it.
pub fn check(asked: &Asked) -> Result<(), Problem> {
    let mut flaws = Flaws::default();
    check_range(asked, &mut flaws);
    flaws.refuse()
}

fn check_range(asked: &Asked, flaws: &mut Flaws) {
    let product = asked.product.as_ref();
    let is_flawed =
        product.is_some_and(|text| !(1..=MAX_CODE).contains(&text.trim().chars().count()));
    flaws.check(is_flawed, "?product", "must have 1 to 100 characters");
    let range = asked.from.zip(asked.before);
    let is_empty = range.is_some_and(|(from, before)| from >= before);
    flaws.check(is_empty, "?before", "must be after from");
}
