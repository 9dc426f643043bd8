//! Files without headings, cells that are not taken, and files that change while they are imported.

use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use super::jobs::admin;
use super::shop::{Shop, email};
use super::uploads::{begin, draft, got};
use crate::support::Kill;

#[tokio::test]
async fn a_file_without_headings_is_understood_by_its_cells() {
    let shop = super::uploads::shop().await;
    let file = "Trần Thị An;0912345678;an@h.example.vn;M;Hà Nội\n\
        Lê Văn Bình;;binh@h.example.vn;L;Đà Nẵng\n";
    let settings = json!({ "has_header": false, "mapping": { "D": "custom.size" } });
    let id = draft(&shop, &settings, file).await;
    let path = format!("/v1/imports/{id}/preview");
    let (status, preview) = shop.api("GET", &path, None).await;
    assert_eq!(status, 200, "{preview}");
    let columns = preview["columns"].as_array().unwrap().iter();
    let columns: Vec<(&str, &str)> = columns
        .map(|one| {
            (
                one["heading"].as_str().unwrap(),
                one["field"].as_str().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("A", "full_name"),
        ("B", "phone"),
        ("C", "email"),
        ("D", "custom.size"),
        ("E", "custom.cot_e"),
    ];
    assert_eq!(columns, expected);
    assert_eq!(preview["headings_line"], 0);
    begin(&shop, &id).await;
    shop.world.settle().await;
    let job = shop.job(&id).await;
    assert_eq!(
        (
            &job["total"],
            &job["created"],
            &job["request"]["has_header"]
        ),
        (&json!(2), &json!(2), &json!(false)),
        "{job}"
    );
    let an = shop.owner(&email("an@h.example.vn")).await.unwrap();
    let an = shop.contact(an).await;
    assert_eq!(an.person.full_name.as_deref(), Some("Trần Thị An"));
    assert_eq!(
        (&an.custom["size"], &an.custom["cot_e"]),
        (&json!("M"), &json!("Hà Nội"))
    );
    let text = got(&shop, &job["outcome_url"]).await;
    assert!(text.starts_with("\u{feff}A,B,C,D,E,import_line"), "{text}");
}

#[tokio::test]
async fn a_preview_counts_the_cells_that_are_not_taken() {
    let shop = super::uploads::shop().await;
    let field = json!({ "key": "diem", "label": "Điểm", "type": "number" });
    let (status, made) = admin(&shop, "POST", "/v1/fields", Some(&field)).await;
    assert_eq!(status, 201, "{made}");
    let mut file = "Email,SĐT,Ngày sinh,Điểm\n".to_owned();
    for n in 0..150 {
        let (phone, points) = if n < 5 {
            ("02838221234", "nhiều")
        } else {
            ("", "7")
        };
        writeln!(file, "n{n}@c.example.vn,{phone},31/02/1990,{points}").unwrap();
    }
    let id = draft(
        &shop,
        &json!({ "mapping": { "Điểm": "custom.diem" } }),
        &file,
    )
    .await;
    let path = format!("/v1/imports/{id}/preview");
    let (_, preview) = shop.api("GET", &path, None).await;
    let columns = preview["columns"].as_array().unwrap().iter();
    let left: Vec<u64> = columns
        .map(|one| one["left_out"].as_u64().unwrap())
        .collect();
    assert_eq!(left, [0, 5, 150, 5], "{preview}");
    assert_eq!(
        (&preview["checked_rows"], &preview["is_checked_whole"]),
        (&json!(150), &json!(true))
    );
    let examples = preview["columns"][1]["examples"].as_array().unwrap();
    assert_eq!(examples.len(), 3);
    assert_eq!(
        (&examples[1]["line"], &examples[1]["cell"]),
        (&json!(3), &json!("02838221234"))
    );
}

/// A file of three slices: five rows have a megabyte.
fn heavy() -> String {
    let note = "x".repeat(220_000);
    let rows = (0..12).map(|n| format!("n{n}@heavy.example.vn,{note}\n"));
    "Email,Ghi chú\n".to_owned() + &rows.collect::<String>()
}

/// An import of which one slice is stored, and whose file is another one now.
async fn changed() -> (Shop, String) {
    let shop = super::uploads::shop().await;
    let id = draft(&shop, &json!({}), &heavy()).await;
    begin(&shop, &id).await;
    for _ in 0..2 {
        let delivered = shop.world.deliver("contact-import", false).await;
        delivered.unwrap().unwrap();
    }
    let stored = shop.job(&id).await["created"].as_u64().unwrap();
    assert!((1..12).contains(&stored), "{stored}");
    let files = shop.world.resources().bucket("Imports");
    let name = format!("imports/{}/{id}.csv", shop.tenant);
    files
        .put(&name, "text/csv", "Email\n".into())
        .await
        .unwrap();
    (shop, id)
}

async fn running(shop: &Shop) -> Value {
    let rows = shop.world.dump("Contacts").await;
    let turns = rows.iter().find(|row| row["sk"] == "IMPORTS").unwrap();
    turns["running"].clone()
}

#[tokio::test]
async fn a_failed_import_frees_its_turn_and_can_be_undone() {
    for call in 0.. {
        let mut finished = true;
        for kill in [Kill::Before(call), Kill::After(call)] {
            let (shop, id) = changed().await;
            let batch = shop.world.take("contact-import").unwrap();
            let event = batch.event.clone();
            let killed = shop.world.invoke_and_kill("contact-import", event, kill);
            finished &= killed.await.is_some();
            shop.world.release(&batch);
            shop.world.settle_twice().await;
            let job = shop.job(&id).await;
            assert_eq!(
                (&job["status"], &job["problem"]),
                (
                    &json!("failed"),
                    &json!("the file changed while it was imported")
                ),
                "{kill:?}"
            );
            assert_eq!(running(&shop).await, json!([]), "{kill:?}");
            let stored = job["created"].as_u64().unwrap();
            assert_eq!(shop.found("").await.len() as u64, stored, "{kill:?}");
        }
        if finished {
            assert!(call >= 4, "the function made {call} calls");
            break;
        }
    }
    let (shop, id) = changed().await;
    shop.world.settle_twice().await;
    let stored = shop.job(&id).await["created"].clone();
    let path = format!("/v1/imports/{id}/undo");
    assert_eq!(shop.api("POST", &path, None).await.0, 409);
    shop.world.advance(Duration::from_mins(16));
    let (status, job) = shop.api("POST", &path, None).await;
    assert_eq!(status, 202, "{job}");
    shop.world.settle().await;
    let job = shop.job(&id).await;
    assert_eq!(
        (&job["undo"]["removed"], &job["undo"]["kept"]),
        (&stored, &json!(0))
    );
    assert!(
        got(&shop, &job["undo"]["outcome_url"])
            .await
            .contains("removed")
    );
    assert!(shop.found("").await.is_empty());
}
