//! Search by the beginning of names, addresses and numbers: what finds whom, and its cost.

use std::time::Duration;

use contacts::{ContactStatus, Identity};
use kernel::Limit;
use serde_json::Value;

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

/// Ids of all pages of this list, in order.
async fn pages(shop: &Shop, path: &str) -> Vec<String> {
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let (status, page) = shop.api("GET", &format!("{path}{cursor}"), None).await;
        assert_eq!(status, 200, "{page}");
        let found = page["data"].as_array().unwrap().iter();
        ids.extend(found.map(|one| one["id"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return ids,
        }
    }
}

#[tokio::test]
async fn all_contacts_are_shown_newest_first() {
    let shop = Shop::new().await;
    let mut made = Vec::new();
    for n in 0..90 {
        let new = person("Khách", &[email(&format!("k{n}@moi.example.vn"))]);
        made.insert(0, shop.upsert(new).await.contact.to_string());
        shop.world.advance(Duration::from_millis(300));
    }
    for limit in [1, 7, 25, 100] {
        let path = format!("/v1/contacts?order=created&limit={limit}");
        assert_eq!(pages(&shop, &path).await, made, "{limit}");
    }
    for n in [3, 40] {
        let path = format!("/v1/contacts/{}/archive", made[n]);
        assert_eq!(shop.api("POST", &path, None).await.0, 200);
    }
    let archived = "/v1/contacts?order=created&status=archived&limit=1";
    assert_eq!(
        pages(&shop, archived).await,
        [made[3].clone(), made[40].clone()]
    );
    made.remove(40);
    made.remove(3);
    assert_eq!(pages(&shop, "/v1/contacts?order=created").await, made);
    for more in ["query=an", "owner_id=usr_00000000001"] {
        let path = format!("/v1/contacts?order=created&{more}");
        let (status, problem) = shop.api("GET", &path, None).await;
        let pointer = &problem["errors"][0]["pointer"];
        assert_eq!((status, pointer), (400, &Value::from("?order")));
    }
    let meter = shop.world.aws.meter();
    let before = meter.snapshot();
    let profiles = shop.contacts().profiles();
    let page = profiles.newest(shop.tenant, ContactStatus::Active, Limit::default(), None);
    assert_eq!(page.await.unwrap().data.len(), 25);
    let units = meter.since(&before).read_units();
    assert!(units <= 20.5, "{units} read units");
}
