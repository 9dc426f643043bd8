//! Imports whose file is uploaded: settings, preview, turns, outcomes, and files of several slices.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use contacts::import::SLICE_ROWS;
use serde_json::{Value, json};

use super::shop::{Shop, email};
use crate::support::{Kill, World, http_event};

/// A shop whose links to files can be followed.
pub async fn shop() -> Shop {
    let world = World::new();
    world.aws.set_endpoint("http://127.0.0.1:4000");
    Shop::in_world(&Arc::new(world)).await
}

/// A draft with its file.
pub async fn draft(shop: &Shop, settings: &Value, file: &str) -> String {
    let (status, job) = shop.api("POST", "/v1/imports", Some(settings)).await;
    assert_eq!((status, &job["status"]), (201, &json!("draft")), "{job}");
    let link = job["upload_url"].as_str().unwrap();
    let put = http::Request::put(link).header("content-length", file.len());
    let put = put
        .header("host", host_of(link))
        .body(Bytes::from(file.to_owned()))
        .unwrap();
    assert_eq!(shop.world.aws.handle(put).await.status(), 200);
    job["id"].as_str().unwrap().to_owned()
}

pub fn host_of(link: &str) -> String {
    let uri: http::Uri = link.parse().unwrap();
    uri.authority().unwrap().to_string()
}

pub async fn begin(shop: &Shop, id: &str) -> (u64, Value) {
    let path = format!("/v1/imports/{id}/start");
    let answer = shop.api("POST", &path, None).await;
    shop.world.relay().await;
    answer
}

/// The text behind a link.
pub async fn got(shop: &Shop, link: &Value) -> String {
    let link = link.as_str().unwrap();
    let get = http::Request::get(link)
        .header("host", host_of(link))
        .body(Bytes::new())
        .unwrap();
    let answer = shop.world.aws.handle(get).await;
    assert_eq!(answer.status(), 200);
    String::from_utf8(answer.into_body().to_vec()).unwrap()
}

fn counts(job: &Value) -> [u64; 5] {
    ["total", "created", "updated", "skipped", "failed"].map(|name| job[name].as_u64().unwrap())
}

#[tokio::test]
async fn a_file_is_uploaded_looked_at_mapped_and_imported() {
    let shop = shop().await;
    shop.upsert(super::shop::person("Cũ", &[email("cu@up.example.vn")]))
        .await;
    let file =
        "Khách;Thư;Cỡ áo;=x\nLan;lan@up.example.vn;M;=1+1\nCũ mới;cu@up.example.vn;L;\nHỏng;x;S;\n";
    let id = draft(&shop, &json!({ "name": "Tết" }), file).await;
    let (status, problem) = shop
        .api("GET", &format!("/v1/imports/{id}/preview"), None)
        .await;
    assert_eq!(
        (status, problem["detail"].as_str()),
        (422, Some("no column is an email address or a phone number"))
    );
    let mapping = json!({ "Thư": "email", "Khách": "full_name", "Cỡ áo": "custom.size" });
    let settings = json!({ "mapping": mapping, "duplicate_rule": "fill_empty" });
    let (status, job) = shop
        .api("PUT", &format!("/v1/imports/{id}"), Some(&settings))
        .await;
    assert_eq!(
        (status, &job["request"]["mapping"]["thu"]),
        (200, &json!("email")),
        "{job}"
    );
    let (status, preview) = shop
        .api("GET", &format!("/v1/imports/{id}/preview"), None)
        .await;
    assert_eq!(status, 200, "{preview}");
    assert_eq!(
        preview["rows"][0]["cells"],
        json!(["Lan", "lan@up.example.vn", "M", "=1+1"])
    );
    let fields: Vec<&Value> = preview["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["field"])
        .collect();
    assert_eq!(fields, ["full_name", "email", "custom.size", "custom.x"]);
    let trial = &preview["dry_run"];
    assert_eq!(
        [
            &trial["rows"],
            &trial["created"],
            &trial["updated"],
            &trial["failed"]
        ],
        [3, 1, 1, 1]
    );
    assert!(shop.owner(&email("lan@up.example.vn")).await.is_none());
    assert_eq!(begin(&shop, &id).await.0, 202);
    shop.world.settle().await;
    let job = shop.job(&id).await;
    assert_eq!(
        (&job["status"], counts(&job)),
        (&json!("completed"), [3, 1, 1, 0, 1]),
        "{job}"
    );
    let known = shop.owner(&email("cu@up.example.vn")).await.unwrap();
    let known = shop.contact(known).await;
    assert_eq!(
        (known.person.full_name.as_deref(), &known.custom["size"]),
        (Some("Cũ"), &json!("L"))
    );
    let text = got(&shop, &job["outcome_url"]).await;
    let mut reader = csv::Reader::from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    assert_eq!(reader.headers().unwrap().iter().nth(3), Some("'=x"));
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let outcomes: Vec<&str> = rows.iter().map(|row| &row[5]).collect();
    assert_eq!(outcomes, ["created", "updated", "failed"]);
    assert_eq!(
        (&rows[0][3], &rows[1][6]),
        ("'=1+1", known.id.to_string().as_str())
    );
    assert!(
        rows[2][7].starts_with("email: expected one email"),
        "{text}"
    );
    assert_eq!(
        begin(&shop, &id).await.0,
        202,
        "a repetition changes nothing"
    );
    let (status, _) = shop
        .api("PUT", &format!("/v1/imports/{id}"), Some(&settings))
        .await;
    assert_eq!(status, 409);
}

#[tokio::test]
async fn a_start_needs_the_file_and_good_settings() {
    let shop = shop().await;
    let (_, job) = shop.api("POST", "/v1/imports", Some(&json!({}))).await;
    assert_eq!(begin(&shop, job["id"].as_str().unwrap()).await.0, 409);
    let bad = json!({
        "name": "", "tags": [""], "mapping": { "a/b": "nothing" },
        "consent": { "way": "paper", "text": " ", "channels": [], "at": "2026-01-01T00:00:00Z" },
    });
    let (status, problem) = shop.api("POST", "/v1/imports", Some(&bad)).await;
    let errors = problem["errors"].as_array().unwrap().iter();
    let places: Vec<&str> = errors
        .map(|error| error["pointer"].as_str().unwrap())
        .collect();
    assert_eq!(status, 400);
    assert_eq!(
        places,
        [
            "/name",
            "/tags/0",
            "/mapping/a~1b",
            "/consent/text",
            "/consent/channels"
        ]
    );
}

#[tokio::test]
async fn rows_about_known_contacts_are_skipped_if_asked() {
    let shop = shop().await;
    shop.upsert(super::shop::person("Cũ", &[email("cu@s.example.vn")]))
        .await;
    let file =
        "Họ tên,Email\nMới,moi@s.example.vn\nKhác,cu@s.example.vn\nMới hai,moi@s.example.vn\n";
    let id = draft(
        &shop,
        &json!({ "duplicate_rule": "skip", "tags": ["tết"] }),
        file,
    )
    .await;
    begin(&shop, &id).await;
    shop.world.settle_twice().await;
    let job = shop.job(&id).await;
    assert_eq!(counts(&job), [3, 1, 0, 2, 0], "{job}");
    let known = shop.owner(&email("cu@s.example.vn")).await.unwrap();
    assert!(shop.contact(known).await.tags.is_empty());
}

/// Rows of two slices and a bit, of which every tenth is wrong.
fn long_file() -> (String, u64) {
    let rows = SLICE_ROWS * 2 + 40;
    let row = |n: u64| match n % 10 {
        0 => format!("Hỏng {n},x\n"),
        _ => format!("\"Tên\n{n}\",n{n}@long.example.vn\n"),
    };
    (
        (0..rows)
            .map(row)
            .fold("Họ tên,Email\n".to_owned(), |all, row| all + &row),
        rows,
    )
}

#[tokio::test]
async fn a_file_of_several_slices_is_imported_whole() {
    let shop = shop().await;
    let (file, rows) = long_file();
    let id = draft(&shop, &json!({}), &file).await;
    begin(&shop, &id).await;
    shop.world.settle().await;
    let job = shop.job(&id).await;
    assert_eq!(counts(&job), [rows, rows - rows / 10, 0, 0, rows / 10]);
    let text = got(&shop, &job["outcome_url"]).await;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let lines: Vec<u64> = reader
        .records()
        .map(|row| row.unwrap()[2].parse().unwrap())
        .collect();
    assert_eq!(lines.len() as u64, rows);
    assert!(lines.is_sorted());
}

#[tokio::test]
async fn four_imports_run_and_the_others_wait() {
    let shop = shop().await;
    let mut ids = Vec::new();
    for n in 0..7 {
        let id = draft(&shop, &json!({}), &format!("email\nn{n}@turn.example.vn\n")).await;
        assert_eq!(begin(&shop, &id).await.0, 202);
        ids.push(id);
    }
    for _ in 0..ids.len() {
        shop.world
            .deliver("contact-import", false)
            .await
            .unwrap()
            .unwrap();
    }
    let mut waiting = 0;
    for id in &ids {
        waiting += u32::from(shop.job(id).await["status"] == "pending");
    }
    assert_eq!(waiting, 3);
    shop.world.settle_twice().await;
    for id in &ids {
        assert_eq!(shop.job(id).await["status"], "completed");
    }
}

#[tokio::test]
async fn an_import_whose_request_was_interrupted_runs_and_gives_its_turn_back() {
    for call in 0.. {
        let shop = shop().await;
        let id = draft(&shop, &json!({}), "email\nan@turn.example.vn\n").await;
        let path = format!("/v1/imports/{id}/start");
        let event = http_event("POST", &path, None, Some(&shop.grant()));
        let killed = shop
            .world
            .invoke_and_kill("api-contacts", event, Kill::Before(call));
        let is_over = killed.await.is_some();
        // The client never asks again.
        shop.world.settle_twice().await;
        let status = shop.job(&id).await["status"].clone();
        assert!(
            status == "draft" || status == "completed",
            "{call}: {status}"
        );
        let rows = shop.world.dump("Contacts").await;
        let turns = rows.iter().find(|row| !row["running"].is_null());
        assert!(
            turns.is_none_or(|row| row["running"] == json!([])),
            "{call}: {turns:?}"
        );
        if is_over {
            assert_eq!(status, "completed");
            break;
        }
    }
}

#[tokio::test]
async fn rows_of_a_slice_that_was_interrupted_have_outcomes_though_the_file_changed() {
    let file = "Email\nmot@k.example.vn\nhai@k.example.vn\nba@k.example.vn\n";
    let mut met = 0;
    for call in 0.. {
        let shop = shop().await;
        let id = draft(&shop, &json!({}), file).await;
        begin(&shop, &id).await;
        shop.world
            .deliver("contact-import", false)
            .await
            .unwrap()
            .unwrap();
        let batch = shop.world.take("contact-import").unwrap();
        let event = batch.event.clone();
        let killed = shop
            .world
            .invoke_and_kill("contact-import", event, Kill::Before(call));
        if killed.await.is_some() {
            break;
        }
        let stored = shop.found("").await.len();
        let name = format!("imports/{}/{id}.csv", shop.tenant);
        let files = shop.world.resources().bucket("Imports");
        let other = Bytes::from_static(b"Email\nkhac@k.example.vn\n");
        files.put(&name, "text/csv", other).await.unwrap();
        shop.world.release(&batch);
        shop.world.settle().await;
        let job = shop.job(&id).await;
        assert_eq!(job["created"], shop.found("").await.len(), "{call}: {job}");
        if stored > 0 {
            met += 1;
            assert_eq!(job["created"], 3, "{call}: {job}");
        }
        shop.world.advance(Duration::from_mins(16));
        let path = format!("/v1/imports/{id}/undo");
        assert_eq!(shop.api("POST", &path, None).await.0, 202);
        shop.world.settle_twice().await;
        assert!(shop.job(&id).await["undo"]["finished_at"].is_string());
        assert_eq!(shop.found("").await, Vec::<String>::new(), "{call}");
    }
    assert!(met > 0, "no row was stored before a kill");
}

#[tokio::test]
async fn an_upload_may_be_killed_at_any_call_of_any_step() {
    let file = "Họ tên,Email\nMột,mot@k.example.vn\nHai,hai@k.example.vn\nx,x\n";
    for step in 0.. {
        let mut is_over = false;
        for call in 0.. {
            let mut finished = false;
            for kill in [Kill::Before(call), Kill::After(call)] {
                let shop = shop().await;
                let id = draft(&shop, &json!({}), file).await;
                begin(&shop, &id).await;
                for _ in 0..step {
                    shop.world.deliver("contact-import", false).await;
                }
                let Some(batch) = shop.world.take("contact-import") else {
                    is_over = true;
                    break;
                };
                let killed =
                    shop.world
                        .invoke_and_kill("contact-import", batch.event.clone(), kill);
                finished = killed.await.is_some();
                shop.world.release(&batch);
                shop.world.settle().await;
                let job = shop.job(&id).await;
                assert_eq!(
                    (&job["status"], counts(&job)),
                    (&json!("completed"), [3, 2, 0, 0, 1]),
                    "step {step} {kill:?}"
                );
                let text = got(&shop, &job["outcome_url"]).await;
                assert_eq!(text.lines().count(), 4);
                assert_eq!(shop.found("").await.len(), 2);
            }
            if finished || is_over {
                break;
            }
        }
        if is_over {
            assert!(step >= 3, "{step}");
            break;
        }
    }
}

#[tokio::test]
async fn an_import_costs_little_more_than_its_contacts() {
    const ROWS: u64 = 400;
    let units = async |is_import: bool| {
        let shop = shop().await;
        let before = shop.world.aws.meter().snapshot();
        if is_import {
            let rows = (0..ROWS).map(|n| format!("Tên {n},n{n}@cost.example.vn\n"));
            let id = draft(
                &shop,
                &json!({}),
                &("Họ tên,Email\n".to_owned() + &rows.collect::<String>()),
            )
            .await;
            begin(&shop, &id).await;
            shop.world.settle().await;
            assert_eq!(shop.job(&id).await["created"], ROWS);
        } else {
            for n in 0..ROWS {
                shop.upsert(super::shop::person(
                    &format!("Tên {n}"),
                    &[email(&format!("n{n}@cost.example.vn"))],
                ))
                .await;
            }
        }
        shop.world.writes_since(&before, "Contacts") / ROWS as f64
    };
    let (import, contacts) = (units(true).await, units(false).await);
    eprintln!("write units a row: {import:.2}, of the contact alone {contacts:.2}");
    assert!(import - contacts < 0.25, "{import} {contacts}");
}
