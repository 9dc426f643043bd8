//! The segments that every workspace is offered. Pure.

use serde_json::{Value, json};

/// A segment that every workspace is offered.
#[derive(Debug, Clone)]
pub struct System {
    /// A stable key; the segment of a workspace remembers it.
    pub key: &'static str,
    /// Name in Vietnamese.
    pub name_vi: &'static str,
    /// Name in English.
    pub name_en: &'static str,
    /// The conditions; [`crate::parse`] accepts them.
    pub conditions: Value,
}

/// Days without any act after which a contact is long inactive.
const INACTIVE: u16 = 90;

/// The segments that every workspace is offered.
pub fn segments() -> Vec<System> {
    let older = json!({"family": "profile", "field": "created_at", "operator": "more_than_n_ago", "n": INACTIVE});
    let at = |field: &str, operator: &str, n: u16| json!({"family": "profile", "field": field, "operator": operator, "n": n});
    let email = |status: &str| json!({"family": "consent", "channel": "email", "operator": "is", "value": status});
    let unsubscribed = |channel: &str| json!({"family": "consent", "channel": channel, "operator": "is", "value": "unsubscribed"});
    let refused = ["email", "sms", "zalo", "push"].map(unsubscribed);
    let orders =
        |n: u16| json!({"family": "order", "field": "count", "operator": "gte", "value": n});
    let one = |key, name_vi, name_en, conditions| System {
        key,
        name_vi,
        name_en,
        conditions,
    };
    vec![
        one(
            "paying",
            "Khách hàng đã mua",
            "Paying customers",
            json!({"all": [orders(1)]}),
        ),
        one(
            "inactive",
            "Lâu không hoạt động",
            "Long inactive",
            json!({"all": [older, at("last_activity_at", "not_in_last_n", INACTIVE)]}),
        ),
        one(
            "unsubscribed",
            "Đã hủy đăng ký",
            "Unsubscribed",
            json!({"any": refused}),
        ),
        one(
            "new",
            "Mới trong 7 ngày",
            "New in 7 days",
            json!({"all": [at("created_at", "in_last_n", 7)]}),
        ),
        one(
            "not_opened",
            "Không mở thư trong 90 ngày",
            "Never opened in 90 days",
            json!({"all": [older, email("subscribed"), at("last_opened_at", "not_in_last_n", 90)]}),
        ),
        one(
            "engaged",
            "Mở hoặc nhấp trong 30 ngày",
            "Opened or clicked in 30 days",
            json!({"any": [at("last_opened_at", "in_last_n", 30), at("last_clicked_at", "in_last_n", 30)]}),
        ),
        one(
            "birthday",
            "Sinh nhật trong tháng",
            "Birthday this month",
            json!({"all": [{"family": "profile", "field": "birthday", "operator": "month_is", "value": "current"}]}),
        ),
        one(
            "repeat",
            "Mua từ hai lần",
            "Bought twice or more",
            json!({"all": [orders(2)]}),
        ),
        one(
            "bounced",
            "Địa chỉ thư bị trả lại",
            "Bounced",
            json!({"all": [email("bounced")]}),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::language::{Bounds, parse};

    #[test]
    fn each_has_its_own_key_and_name_and_parses() {
        let (mut keys, mut names) = (BTreeSet::new(), BTreeSet::new());
        for segment in segments() {
            parse(&segment.conditions, &Bounds::default()).unwrap();
            assert!(keys.insert(segment.key));
            assert!(names.insert(segment.name_vi) && names.insert(segment.name_en));
        }
    }
}
