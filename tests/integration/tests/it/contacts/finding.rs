//! Search by the beginning of names, addresses and numbers: what finds whom, and its cost.

use contacts::Identity;
use kernel::Limit;

use super::shop::{Shop, email, person, phone};

/// Requests and read units of one page of 25.
async fn cost(shop: &Shop, query: &str) -> (usize, u64, f64) {
    let meter = shop.world.aws.meter();
    let before = meter.snapshot();
    let profiles = shop.contacts().profiles();
    let page = profiles.search(shop.tenant, query, Limit::default(), None);
    let found = page.await.unwrap().data.len();
    let used = meter.since(&before);
    let requests = used.tables.values().map(|table| table.requests).sum();
    (found, requests, used.read_units())
}

#[tokio::test]
async fn a_page_costs_three_queries_and_its_profiles() {
    let shop = Shop::new().await;
    let given = ["An", "Anh", "Bảo", "Chi"];
    for n in 0..120_usize {
        let name = format!("Nguyễn {} {n}", given[n % given.len()]);
        let address = format!("khach{n}@tim.example.vn");
        let identities = [
            email(&address),
            phone(&format!("09870{n:05}")),
            Identity::own(format!("KH{n:04}")),
        ];
        shop.upsert(person(&name, &identities)).await;
    }
    // A page that the first ranges fill: at any larger number of contacts they fill it as well.
    for query in ["nguyen", "Nguyễn A", "khach", "0987", "+84 987"] {
        let (found, requests, units) = cost(&shop, query).await;
        assert_eq!(found, 25, "{query}");
        // One request reads the profiles.
        assert!(requests <= 3 + 1, "{query}: {requests} requests");
        assert!(units <= 13.0 + 1.0, "{query}: {units} read units");
    }
    // An exact id, and a name that is rare: half a unit for each range, and the profile.
    for (query, most) in [
        ("KH0007", 30),
        ("nguyen bao 2", 4),
        ("khach7@tim.example.vn", 3),
    ] {
        let (found, requests, units) = cost(&shop, query).await;
        assert!(found >= 1, "{query}");
        assert!(
            requests <= most + 1 && units <= 15.0,
            "{query}: {requests} requests, {units}"
        );
    }
}

#[tokio::test]
async fn a_contact_is_found_by_whatever_names_it() {
    let shop = Shop::new().await;
    let all = [
        email("an.tran@tim.example.vn"),
        phone("0912345678"),
        Identity::own("KH000123"),
    ];
    shop.upsert(person("Trần Thị Ánh", &all)).await;
    shop.upsert(person(
        "Anh",
        &[email("khac@tim.example.vn"), Identity::own("KH000124")],
    ))
    .await;
    shop.upsert(person("李 小龍", &[email("ly@tim.example.vn")]))
        .await;
    for query in [
        "tran",
        "Trần Th",
        "thi anh",
        "Ánh trần",
        "AN.TRAN@",
        "an.tr",
        "0912 345",
        "+84 912345678",
        "84912",
        "KH000123",
    ] {
        assert_eq!(shop.found(query).await, ["Trần Thị Ánh"], "{query}");
    }
    assert_eq!(
        shop.found("anh").await,
        ["Trần Thị Ánh", "Anh"],
        "both words and single names"
    );
    assert_eq!(shop.found("小龍").await, ["李 小龍"]);
    assert!(
        shop.found("KH00012").await.is_empty(),
        "an id is found whole"
    );
    // A new name is found by its words, an old one by none.
    let mut renamed = person("Lê Thị Ánh", &[Identity::own("KH000123")]);
    renamed.merge = contacts::Merge::Overwrite;
    shop.upsert(renamed).await;
    assert!(shop.found("tran").await.is_empty());
    assert_eq!(shop.found("le thi").await, ["Lê Thị Ánh"]);
}
