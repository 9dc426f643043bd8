//! The exact values and the laws of the kernel's types, through their public doors.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use kernel::access::Scope::{Admin, Read, Track, Write};
use kernel::access::{ChatRole, People, Permission, Role, Scope};
use kernel::page::{LimitError, Page};
use kernel::patch::Patch;
use kernel::{
    Clock, ContactId, Cursor, EmailAddress, Entropy, Grant, Limit, Money, Phone, TenantKey, hash,
    text,
};
use proptest::prelude::*;
use serde_json::json;
use utoipa::{PartialSchema, ToSchema};

fn at(ms: i64) -> Clock {
    Clock::from_fn(move || jiff::Timestamp::from_millisecond(ms).unwrap())
}

#[test]
fn an_id_is_its_milliseconds_and_twelve_random_bits() {
    const EPOCH: i64 = 1_735_689_600_000;
    let entropy = Entropy::seeded(1);
    let id = ContactId::new(&at(EPOCH + 5), &entropy);
    assert_eq!(id.number() >> 12, 5);
    let low: std::collections::BTreeSet<u64> = (0..50)
        .map(|_| ContactId::new(&at(EPOCH), &entropy).number())
        .collect();
    assert!(low.len() > 40 && low.iter().all(|number| *number < 4_096));
    assert_eq!(
        ContactId::new(&at(0), &entropy).number() >> 12,
        0,
        "before the epoch"
    );
    let id: ContactId = "con_0000000010z".parse().unwrap();
    assert_eq!(id.number(), 32 + 31 + 32 * 31);
    assert_eq!(format!("{id} {id:?}"), "con_0000000010z con_0000000010z");
    assert!(
        "con_80000000000".parse::<ContactId>().is_err(),
        "above 2^53"
    );
    let most: ContactId = "con_7zzzzzzzzzz".parse().unwrap();
    assert_eq!(most.number(), (1 << 53) - 1);
    let error = "lst_0000000010z".parse::<ContactId>().unwrap_err();
    assert_eq!(error.prefix, "con");
    assert_eq!(
        error.to_string(),
        "expected an id like con_ followed by 11 letters or digits"
    );
    assert_eq!(ContactId::PREFIX, "con");
}

#[test]
fn a_derived_id_follows_from_its_time_and_key() {
    let time = |ms| jiff::Timestamp::from_millisecond(ms).unwrap();
    let id = |ms, key: &str| ContactId::derived(time(ms), &[key]);
    let first = id(1_735_689_600_007, "a");
    assert_eq!(first, id(1_735_689_600_007, "a"));
    assert_eq!(first.number() >> 12, 7);
    assert_eq!(
        first.number() & 4_095,
        u64::from(hash::bucket(&["a"], 4_096))
    );
    assert_ne!(first, id(1_735_689_600_007, "b"));
    assert_eq!(id(0, "a").number() >> 12, 0);
}

#[test]
fn names_of_hashes_are_fixed() {
    assert_eq!(hash::name(&["a", "bc"]), "3fafa1cf2f19a7c1129beb20cf0983f7");
    assert_eq!(hash::bucket(&["x"], 0), 0);
    assert_eq!(hash::bucket(&["x"], 1), 0);
    let all: std::collections::BTreeSet<u32> = (0..500)
        .map(|n| hash::bucket(&[&n.to_string()], 16))
        .collect();
    assert_eq!(
        all.into_iter().collect::<Vec<_>>(),
        (0..16).collect::<Vec<_>>()
    );
}

#[test]
fn the_clock_gives_whole_milliseconds() {
    let clock = Clock::from_fn(|| "2026-03-02T08:00:00.123456789Z".parse().unwrap());
    assert_eq!(clock.now().to_string(), "2026-03-02T08:00:00.123Z");
    assert_eq!(clock.now_ms(), 1_772_438_400_123);
    let system = Clock::system();
    assert!(system.now_ms() > 1_735_689_600_000);
    assert_eq!(format!("{clock:?}"), "Clock(2026-03-02T08:00:00.123Z)");
}

#[test]
fn randomness_does_not_repeat() {
    for entropy in [Entropy::system(), Entropy::seeded(3)] {
        assert_ne!(entropy.bytes::<33>(), entropy.bytes::<33>());
        let numbers: std::collections::BTreeSet<u64> = (0..20).map(|_| entropy.u64()).collect();
        assert_eq!(numbers.len(), 20);
        let nonce = entropy.nonce();
        assert_eq!(nonce.len(), 32);
        assert!(nonce.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_ne!(nonce, entropy.nonce());
        assert_eq!(format!("{entropy:?}"), "Entropy");
    }
    let twice =
        [Entropy::seeded(5), Entropy::seeded(5)].map(|entropy| (entropy.u64(), entropy.nonce()));
    assert_eq!(twice[0], twice[1]);
    let block = Entropy::seeded(5).bytes::<64>();
    assert_ne!(block[..32], block[32..]);
}

#[test]
fn money_is_whole_dong() {
    assert_eq!(Money::vnd(7).amount(), 7);
    assert_eq!(
        Money::vnd(7).checked_add(Money::vnd(-9)),
        Some(Money::vnd(-2))
    );
    assert_eq!(Money::vnd(i64::MAX).checked_add(Money::vnd(1)), None);
    for (amount, written) in [
        (0, "0 ₫"),
        (999, "999 ₫"),
        (1_000, "1.000 ₫"),
        (-1_234_567, "-1.234.567 ₫"),
    ] {
        assert_eq!(Money::vnd(amount).to_string(), written);
    }
    assert_eq!(" 12.00 ".parse(), Ok(Money::vnd(12)));
    for bad in ["+5", "12.01", "1.2.0", ".5", "5.x"] {
        assert!(bad.parse::<Money>().is_err(), "{bad}");
    }
    assert_eq!(json!(Money::vnd(5)), json!(5));
    assert_eq!(Money::default(), Money::vnd(0));
}

#[test]
fn a_page_has_one_to_a_hundred_rows() {
    assert_eq!(Limit::new(0), Err(LimitError));
    assert_eq!(Limit::new(101), Err(LimitError));
    assert_eq!(Limit::new(257), Err(LimitError));
    assert_eq!(Limit::new(1).unwrap().get(), 1);
    assert_eq!(Limit::new(100).unwrap().get(), 100);
    assert_eq!(Limit::default().get(), 25);
    assert!(serde_json::from_value::<Limit>(json!(0)).is_err());
    assert_eq!(serde_json::from_value::<Limit>(json!(7)).unwrap().get(), 7);
    let page = Page {
        data: vec![1, 2],
        next: Some(Cursor("x".to_owned())),
    };
    let page = page.map(|n| n * 10);
    assert_eq!(json!(page), json!({ "data": [10, 20], "next": "x" }));
}

#[test]
fn a_patch_keeps_clears_or_sets() {
    assert_eq!(Patch::Set(1).value(), Some(&1));
    assert_eq!(Patch::<u8>::Keep.value(), None);
    assert_eq!(Patch::<u8>::Clear.value(), None);
    assert_eq!(Patch::Set(2).onto(Some(1)), Some(2));
    assert_eq!(Patch::Keep.onto(Some(1)), Some(1));
    assert_eq!(Patch::Clear.onto(Some(1)), None);
    assert_eq!(Patch::<u8>::default(), Patch::Keep);
}

#[test]
fn words_are_folded_for_search() {
    for (written, folded) in [
        ("  Đặng   Thị ÁNH ", "dang thi anh"),
        ("đĐ", "dd"),
        ("", ""),
        ("Straße", "straße"),
    ] {
        assert_eq!(text::fold(written), folded);
        assert_eq!(text::fold(&text::nfc(written)), folded);
    }
    assert_eq!(text::nfc("a\u{301}"), "á");
}

const ALL_ROLES: [Role; 4] = [
    Role::Viewer,
    Role::Contributor,
    Role::AccountManager,
    Role::AccountAdmin,
];

#[test]
fn roles_and_scopes_include_what_the_table_says() {
    for (n, least) in ALL_ROLES.into_iter().enumerate() {
        for (m, role) in ALL_ROLES.into_iter().enumerate() {
            assert_eq!(People::From(least).include(role, None), m >= n);
            assert!(People::SignedIn.include(role, None));
            let admin = role == Role::AccountAdmin;
            for (least, chat, included) in [
                (ChatRole::Agent, None, false),
                (ChatRole::Agent, Some(ChatRole::Agent), true),
                (ChatRole::Administrator, Some(ChatRole::Agent), false),
                (ChatRole::Agent, Some(ChatRole::Administrator), true),
            ] {
                assert_eq!(People::Chat(least).include(role, chat), included || admin);
            }
        }
    }
    let names: Vec<_> = Scope::ALL.iter().map(|scope| scope.name()).collect();
    assert_eq!(names, ["track", "read", "write", "admin"]);
    for (held, includes) in [
        (Track, vec![Track]),
        (Read, vec![Read]),
        (Write, vec![Read, Write]),
        (Admin, vec![Track, Read, Write, Admin]),
    ] {
        let found: Vec<_> = Scope::ALL
            .into_iter()
            .filter(|needed| held.includes(*needed))
            .collect();
        assert_eq!(found, includes, "{held:?}");
    }
}

#[test]
fn a_grant_gives_a_key_its_scopes_and_a_person_the_role() {
    let (account, workspace) = (
        "acc_00000000001".parse().unwrap(),
        "ws_00000000001".parse().unwrap(),
    );
    let key = Grant::of_key(
        account,
        workspace,
        "key_00000000001",
        &[Scope::Track, Scope::Write],
    );
    assert_eq!(
        (key.scopes.as_str(), key.actor.as_str()),
        ("track write", "key_00000000001")
    );
    assert_eq!((key.account, key.workspace), (account, Some(workspace)));
    let held: Vec<_> = Scope::ALL
        .into_iter()
        .filter(|scope| key.has(*scope))
        .collect();
    assert_eq!(held, [Scope::Track, Scope::Read, Scope::Write]);
    let needs = |people, scope| Permission {
        id: "x",
        people,
        scope,
    };
    let admins = People::From(Role::AccountAdmin);
    assert!(key.may(needs(admins, Some(Scope::Write))));
    assert!(!key.may(needs(People::SignedIn, Some(Scope::Admin))));
    assert!(!key.may(needs(People::SignedIn, None)));
    let person = Grant {
        role: Some(Role::Viewer),
        ..key
    };
    assert!(person.may(needs(People::SignedIn, None)));
    assert!(
        !person.may(needs(admins, Some(Scope::Write))),
        "a role is not a scope"
    );
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test's own tenant")]
fn a_tenant_is_written_as_its_workspace() {
    let workspace = "ws_0123456789a".parse().unwrap();
    let tenant = TenantKey::authenticated(workspace);
    assert_eq!(
        (tenant.workspace(), tenant.to_string()),
        (workspace, "ws_0123456789a".to_owned())
    );
}

#[test]
fn addresses_and_numbers_are_written_plainly_and_hidden_in_logs() {
    let email: EmailAddress = "An@Example.VN".parse().unwrap();
    assert_eq!(
        (email.to_string().as_str(), email.domain()),
        ("an@example.vn", "example.vn")
    );
    assert_eq!(json!(email), json!("an@example.vn"));
    assert_eq!(
        serde_json::from_value::<EmailAddress>(json!("AN@example.vn")).unwrap(),
        email
    );
    assert!(serde_json::from_value::<EmailAddress>(json!("an")).is_err());
    assert_eq!(format!("{email:?}"), "EmailAddress(***@example.vn)");
    let phone: Phone = "0912 345 678".parse().unwrap();
    assert_eq!(
        (phone.to_string().as_str(), phone.e164(), phone.digits()),
        ("+84912345678", "+84912345678", "84912345678")
    );
    assert_eq!(json!(phone), json!("+84912345678"));
    assert_eq!(
        serde_json::from_value::<Phone>(json!("84912345678")).unwrap(),
        phone
    );
    assert!(serde_json::from_value::<Phone>(json!("1")).is_err());
    // The longest text, and one character more.
    let padded = |length: usize| format!("0912345678{}", "-".repeat(length - 10)).parse::<Phone>();
    assert!(padded(40).is_ok() && padded(41).is_err());
}

#[test]
fn schemas_say_what_the_parsers_take() {
    let schema = |schema: utoipa::openapi::RefOr<utoipa::openapi::Schema>| json!(schema);
    let id = schema(ContactId::schema());
    assert_eq!(id["pattern"], "^con_[0-7][0-9a-hjkmnp-tv-z]{10}$");
    assert_eq!(id["description"], "Id of a record of the kind Contact.");
    assert_eq!(
        (id["type"].clone(), ContactId::name()),
        (json!("string"), "ContactId".into())
    );
    assert!(
        id["examples"][0]
            .as_str()
            .unwrap()
            .parse::<ContactId>()
            .is_ok()
    );
    let limit = schema(Limit::schema());
    assert_eq!(
        (&limit["minimum"], &limit["maximum"], &limit["default"]),
        (&json!(1), &json!(100), &json!(25))
    );
    assert_eq!(schema(EmailAddress::schema())["format"], "email");
    assert_eq!(schema(Phone::schema())["maxLength"], 32);
    assert_eq!(schema(Cursor::schema())["maxLength"], 2048);
    let names = [
        Cursor::name(),
        EmailAddress::name(),
        Limit::name(),
        Phone::name(),
    ];
    assert_eq!(names, ["Cursor", "EmailAddress", "Limit", "Phone"]);
}

proptest! {
    #[test]
    fn any_text_is_an_address_of_one_form_or_none(
        text in "([ -~]|[a-z]{1,3}|@|\\.|=\\?|\\?=|\"|[à-ỹ]|\\PC|\r|\n){0,40}",
    ) {
        if let Ok(address) = text.parse::<EmailAddress>() {
            let plain = address.as_str();
            prop_assert_eq!(plain.parse::<EmailAddress>().unwrap(), address.clone());
            prop_assert!(plain.len() <= 320 && plain.bytes().all(|byte| byte.is_ascii_graphic()), "{}", plain);
            prop_assert_eq!(plain.to_ascii_lowercase(), plain);
            prop_assert_eq!(plain.matches('@').count(), 1);
            prop_assert!(!plain.contains("=?") && !plain.contains(['<', '>', ',', ';', '"']), "{}", plain);
            prop_assert!(address.is_of(address.domain()) && address.is_of(plain));
        }
    }

    #[test]
    fn any_text_is_a_mobile_number_of_twelve_characters_or_none(
        text in "([0-9]|\\+|84|0084|[ .()-]|[０-９]|\\PC|\u{202a}|\n){0,24}",
    ) {
        if let Ok(phone) = text.parse::<Phone>() {
            prop_assert_eq!(phone.e164().len(), 12);
            prop_assert!(phone.e164().starts_with("+84"));
            prop_assert_eq!(&phone.e164()[1..], phone.digits());
            prop_assert_eq!(phone.e164().parse::<Phone>().unwrap(), phone);
        }
    }

    #[test]
    fn folding_twice_changes_nothing(text in "\\PC{0,40}") {
        let once = text::fold(&text);
        prop_assert_eq!(text::fold(&once), once);
    }
}
