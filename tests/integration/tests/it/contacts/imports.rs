//! Files of contacts.

use contacts::ChannelStatus;
use serde_json::{Value, json};

use super::shop::{Shop, members};
use crate::support::Kill;

/// Five good rows about two contacts, and two wrong ones.
const FILE: &str = "Họ và tên;SĐT;Email;Thẻ\n\
    Trần An;0912345678;an@example.vn;cũ\n\
    Lê Bình;0912345679;binh@example.vn;VIP\n\
    Nguyễn Chi;;chi@;\n\
    Trần Thị An;0912345678;AN@example.vn;VIP; \n\
    Nguyễn Dung;;;\n\
    Trần Thị An;0912345678;an@example.vn;VIP\n\
    Phạm Em;0912345679;;\n";

fn counts(job: &Value) -> [u64; 6] {
    [
        "total",
        "created",
        "updated",
        "skipped",
        "failed",
        "processed",
    ]
    .map(|name| job[name].as_u64().unwrap())
}

#[tokio::test]
async fn a_file_is_taken_in_and_each_row_counted() {
    for twice in [false, true] {
        let shop = Shop::new().await;
        let (_, list) = shop
            .api("POST", "/v1/lists", Some(&json!({ "name": "Tết" })))
            .await;
        let list_id = list["id"].as_str().unwrap();
        let id = shop
            .upload(
                &format!(
                    "/v1/imports?list_id={list_id}&tags=t%E1%BA%BFt,m%E1%BB%9Bi&{}",
                    super::files::STATEMENT
                ),
                FILE,
            )
            .await;
        if twice {
            shop.world.settle_twice().await;
        } else {
            shop.world.settle().await;
        }
        let job = shop.job(&id).await;
        assert_eq!(job["status"], "completed", "{job}");
        assert_eq!(counts(&job), [7, 2, 3, 0, 2, 7], "{job}");
        let lines: Vec<_> = job["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|e| e["line"].clone())
            .collect();
        assert_eq!(lines, [4, 6]);
        // The third row with this phone number is the same person: the last name is kept.
        assert_eq!(shop.found("an@").await, ["Trần Thị An"]);
        assert_eq!(shop.found("0912345679").await, ["Phạm Em"]);
        let members = members(&shop, list_id.parse().unwrap()).await;
        assert_eq!(members.len(), 2);
        for id in members {
            let contact = shop.contact(id).await;
            assert!(
                ["VIP", "mới", "tết"]
                    .iter()
                    .all(|tag| contact.tags.contains(*tag))
            );
            assert_eq!(contact.sms_status, ChannelStatus::Subscribed);
        }
    }
}

#[tokio::test]
async fn a_file_that_is_no_table_fails_with_its_reason() {
    let shop = Shop::new().await;
    for (file, reason) in [
        ("Họ và tên\nAn\n", "email address"),
        ("Email,email\n", "no rows"),
    ] {
        let id = shop.upload("/v1/imports", file).await;
        shop.world.settle().await;
        let job = shop.job(&id).await;
        assert_eq!(job["status"], "failed");
        assert!(job["problem"].as_str().unwrap().contains(reason), "{job}");
    }
}

#[tokio::test]
async fn an_import_may_be_killed_at_any_call() {
    for step in 0..3 {
        for call in 0.. {
            let mut finished = false;
            for kill in [Kill::Before(call), Kill::After(call)] {
                let shop = Shop::new().await;
                let id = shop.upload("/v1/imports", FILE).await;
                for _ in 0..step {
                    shop.world
                        .deliver("contact-import", false)
                        .await
                        .unwrap()
                        .unwrap();
                }
                let batch = shop.world.take("contact-import").unwrap();
                let event = batch.event.clone();
                finished = shop
                    .world
                    .invoke_and_kill("contact-import", event, kill)
                    .await
                    .is_some();
                shop.world.release(&batch);
                shop.world.settle().await;
                let job = shop.job(&id).await;
                assert_eq!(job["status"], "completed", "step {step} {kill:?}");
                assert_eq!(
                    counts(&job),
                    [7, 2, 3, 0, 2, 7],
                    "step {step} {kill:?} {job}"
                );
                assert_eq!(shop.found("").await.len(), 2);
            }
            if finished {
                break;
            }
        }
    }
}

#[tokio::test]
async fn an_import_whose_function_dies_five_times_goes_on() {
    let shop = Shop::new().await;
    let id = shop.upload("/v1/imports", FILE).await;
    // The first attempt does the step and crashes before it sends; the later attempts reach the same point.
    for sent in [13, 5, 5, 5, 5] {
        let batch = shop.world.take("contact-import").unwrap();
        let event = batch.event.clone();
        let died = shop
            .world
            .invoke_and_kill("contact-import", event, Kill::Before(sent))
            .await;
        assert!(died.is_none(), "killed before call {sent}");
        shop.world.release(&batch);
    }
    assert_eq!(shop.world.dead_letters(), Vec::<String>::new());
    assert_eq!(shop.job(&id).await["status"], "processing");
    shop.world.settle().await;
    let job = shop.job(&id).await;
    assert_eq!(job["status"], "completed", "{job}");
    assert_eq!(counts(&job), [7, 2, 3, 0, 2, 7], "{job}");
}

#[tokio::test]
async fn whoever_loses_a_step_goes_on_if_the_winner_dies_before_it_sends() {
    let mut lost = 0;
    for call in 0.. {
        let shop = Shop::new().await;
        let id = shop.upload("/v1/imports", FILE).await;
        let batch = shop.world.take("contact-import").unwrap();
        let invoke = || shop.world.invoke("contact-import", batch.event.clone());
        let (first, _, calls) = shop.world.interleave(call, invoke(), invoke()).await;
        let failed = first.unwrap()["batchItemFailures"].clone();
        if failed == json!([]) {
            shop.world.acknowledge(&batch, &Ok(json!({})));
        } else {
            lost += 1;
            // The winner crashes before its send: only the loser's message is on the queue.
            let sent = shop.world.take("contact-import").unwrap();
            shop.world.acknowledge(&sent, &Ok(json!({})));
            shop.world.release(&batch);
        }
        shop.world.settle().await;
        let job = shop.job(&id).await;
        assert_eq!(job["status"], "completed", "call {call}");
        assert_eq!(counts(&job), [7, 2, 3, 0, 2, 7], "call {call} {job}");
        if calls.is_none() {
            break;
        }
    }
    assert!(lost > 0, "no call lost its step");
}

#[tokio::test]
async fn a_step_that_comes_again_keeps_what_was_edited_since() {
    let shop = Shop::new().await;
    let known = super::shop::person("Cũ", &[super::shop::email("binh@example.vn")]);
    shop.upsert(known).await;
    let file = "Họ và tên;SĐT;Email;Ghi chú\nTrần An;0912345678;an@example.vn;a\nLê Bình;;binh@example.vn;b\n";
    let id = shop.upload("/v1/imports", file).await;
    shop.world
        .deliver("contact-import", false)
        .await
        .unwrap()
        .unwrap();
    // The step writes its rows and is killed before it moves the job.
    let batch = shop.world.take("contact-import").unwrap();
    let calls = 2..;
    for call in calls {
        let killed =
            shop.world
                .invoke_and_kill("contact-import", batch.event.clone(), Kill::Before(call));
        assert!(killed.await.is_none(), "the step was done");
        if shop.found("Lê").await == ["Lê Bình"] && shop.found("Trần").await == ["Trần An"] {
            break;
        }
    }
    shop.world.advance(std::time::Duration::from_mins(3));
    for (email, name) in [
        ("an@example.vn", "Trần Thị An"),
        ("binh@example.vn", "Lê Văn Bình"),
    ] {
        let edit = json!({ "email": email, "full_name": name, "custom": { "ghi_chu": "sửa" }, "overwrite": true });
        assert_eq!(shop.api("POST", "/v1/contacts", Some(&edit)).await.0, 200);
    }
    shop.world.advance(std::time::Duration::from_mins(12));
    shop.world.release(&batch);
    shop.world.settle().await;
    assert_eq!(shop.job(&id).await["status"], "completed");
    assert_eq!(shop.found("an@").await, ["Trần Thị An"]);
    assert_eq!(shop.found("binh@").await, ["Lê Văn Bình"]);
    let contact = shop
        .owner(&super::shop::email("an@example.vn"))
        .await
        .unwrap();
    assert_eq!(shop.contact(contact).await.custom["ghi_chu"], "sửa");
    // A later import replaces the edits.
    shop.upload("/v1/imports", file).await;
    shop.world.settle().await;
    assert_eq!(shop.found("an@").await, ["Trần An"]);
}
