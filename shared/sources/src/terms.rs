//! The terms that the parsers of several shops read: fields of a person, tags, payment methods, sums.

use kernel::commerce::{Item, PaymentMethod};
use kernel::{Money, Person, person};
use serde_json::Value;

use crate::json;

/// The plain fields; a value that is none of its field is left out.
pub fn person(values: &[(&str, Option<String>)]) -> Person {
    let mut person = Person::default();
    for (name, value) in values {
        let field = person::FIELDS.iter().find(|field| field.name() == *name);
        if let (Some(field), Some(value)) = (field, value) {
            *field.slot(&mut person) = field.fit(value);
        }
    }
    person
}

/// Tags in one text with commas, or in a list.
pub fn tags(value: &Value) -> Vec<String> {
    let listed = json::list(value, "tags").iter().filter_map(json::text);
    let text = value.get("tags").and_then(Value::as_str);
    let named = text.into_iter().flat_map(|text| text.split(','));
    let named = named.map(|tag| tag.trim().to_owned());
    let named = named.filter(|tag| !tag.is_empty());
    listed.chain(named).collect()
}

/// The text of a short piece of HTML: no tags, the common entities as characters, single spaces.
pub fn plain(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut is_in_tag = false;
    for c in html.chars() {
        match c {
            '<' => is_in_tag = true,
            '>' if is_in_tag => {
                is_in_tag = false;
                text.push(' ');
            }
            _ if is_in_tag => {}
            c => text.push(c),
        }
    }
    let entities = [
        ("&nbsp;", " "),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ];
    for (entity, character) in entities {
        text = text.replace(entity, character);
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ")
}

/// Words of payment methods: the first that a gateway's folded name holds decides.
const METHODS: [(&str, PaymentMethod); 16] = [
    ("cod", PaymentMethod::Cod),
    ("khi giao hang", PaymentMethod::Cod),
    ("khi nhan hang", PaymentMethod::Cod),
    ("thu ho", PaymentMethod::Cod),
    ("chuyen khoan", PaymentMethod::BankTransfer),
    ("bank", PaymentMethod::BankTransfer),
    ("transfer", PaymentMethod::BankTransfer),
    ("momo", PaymentMethod::EWallet),
    ("zalopay", PaymentMethod::EWallet),
    ("vnpay", PaymentMethod::EWallet),
    ("shopeepay", PaymentMethod::EWallet),
    ("wallet", PaymentMethod::EWallet),
    ("card", PaymentMethod::Card),
    ("the tin dung", PaymentMethod::Card),
    ("tien mat", PaymentMethod::Cash),
    ("cash", PaymentMethod::Cash),
];

/// The method that a provider's text means.
pub fn method(text: &str) -> PaymentMethod {
    let text = kernel::text::fold(text);
    let known = METHODS.iter().find(|(word, _)| text.contains(word));
    known.map_or(PaymentMethod::Other, |(_, method)| *method)
}

/// The price of the items, before discounts.
pub fn subtotal(items: &[Item]) -> Money {
    let of = |item: &Item| {
        let dong = i128::from(item.price.amount()) * i128::from(item.quantity.thousandths());
        i64::try_from(dong / 1_000).unwrap_or(i64::MAX)
    };
    let all = items.iter().map(of);
    Money::vnd(all.fold(0, i64::saturating_add))
}

/// The sum of an amount over a list.
pub fn sum(values: &[Value], name: &str) -> Money {
    let amounts = values.iter().filter_map(|value| json::money(value, name));
    let amounts = amounts.map(Money::amount);
    Money::vnd(amounts.fold(0, i64::saturating_add))
}
