//! The undo of an import, and step messages that arrive twice.

use std::time::Duration;

use cloud::SendOptions;
use contacts::import::Step;
use contacts::{Event, Merge};
use kernel::ContactId;
use serde_json::{Value, json};

use super::shop::{Shop, email, person, phone};
use super::uploads::got;
use crate::support::Kill;

/// A new contact in two rows, a new contact, a known one, and a wrong row.
const FILE: &str = "Họ và tên,Email,SĐT,Cỡ áo,Thẻ\n\
    Trần An,an@u.example.vn,0912345678,M,mới\n\
    Lê Bình,binh@u.example.vn,,L,\n\
    Phạm Cúc,cuc@u.example.vn,0912345670,XL,VIP\n\
    Trần Thị An,an@u.example.vn,,S,\n\
    Hỏng,x,,,\n";

struct Done {
    shop: Shop,
    import: String,
    known: ContactId,
}

/// A shop after the import. Its known contact had the name "Cúc" and the size S.
async fn imported() -> Done {
    let shop = super::uploads::shop().await;
    let mut cuc = person("Cúc", &[email("cuc@u.example.vn")]);
    cuc.custom.insert("co_ao".into(), json!("S"));
    let known = shop.upsert(cuc).await.contact;
    shop.world.advance(Duration::from_secs(5));
    let (_, list) = shop
        .api("POST", "/v1/lists", Some(&json!({ "name": "Tết" })))
        .await;
    let path = format!(
        "/v1/imports?list_id={}&duplicate_rule=update",
        list["id"].as_str().unwrap()
    );
    let import = shop.upload(&path, FILE).await;
    shop.world.settle().await;
    let job = shop.job(&import).await;
    assert_eq!(
        (&job["created"], &job["updated"]),
        (&json!(2), &json!(2)),
        "{job}"
    );
    shop.world.advance(Duration::from_secs(5));
    Done {
        shop,
        import,
        known,
    }
}

async fn undo(done: &Done) -> (u64, Value) {
    let path = format!("/v1/imports/{}/undo", done.import);
    done.shop.api("POST", &path, None).await
}

fn counts(job: &Value) -> [u64; 3] {
    ["removed", "restored", "kept"].map(|name| job["undo"][name].as_u64().unwrap())
}

/// The state after an undo that nobody disturbed.
async fn check(done: &Done) {
    let shop = &done.shop;
    let job = shop.job(&done.import).await;
    assert!(job["undo"]["finished_at"].is_string(), "{job}");
    // The two rows of one contact, and the other new contact; the phone number of the known one stays.
    assert_eq!(counts(&job), [3, 0, 1], "{job}");
    let text = got(shop, &job["undo"]["outcome_url"]).await;
    assert_eq!(text.lines().count(), 5, "{text}");
    assert!(text.contains("phone stays"), "{text}");
    assert_eq!(shop.found("").await, ["Cúc"]);
    assert!(shop.found("tran").await.is_empty() && shop.found("binh@u").await.is_empty());
    for gone in [
        email("an@u.example.vn"),
        phone("0912345678"),
        email("binh@u.example.vn"),
    ] {
        assert_eq!(shop.owner(&gone).await, None, "{gone:?}");
    }
    let cuc = shop.contact(done.known).await;
    assert_eq!(
        (cuc.person.full_name.as_deref(), &cuc.custom["co_ao"]),
        (Some("Cúc"), &json!("S"))
    );
    assert!(cuc.tags.is_empty() && cuc.lists.is_empty());
    assert!(shop.found("pham").await.is_empty());
    let rows = shop.world.dump("Contacts").await;
    let left = rows.iter().filter(|row| {
        let (pk, sk) = (row["pk"].as_str().unwrap(), row["sk"].as_str().unwrap());
        let is_name = pk.contains("#N#") && !sk.starts_with("cuc#");
        (is_name || sk.starts_with("LIST#")) && pk.starts_with(&shop.tenant.to_string())
    });
    assert_eq!(left.collect::<Vec<_>>(), Vec::<&Value>::new());
    // No row of a released identity is left either.
    for released in ["an@u.example.vn", "+84912345678", "binh@u.example.vn"] {
        let left = rows.iter().find(|row| row["sk"] == released);
        assert_eq!(left, None);
    }
    let personal = ["Trần", "an@u", "0912345678", "binh@u"];
    let has = |row: &&Value| {
        row["undone"].is_string() && personal.iter().any(|text| row.to_string().contains(text))
    };
    assert!(
        !rows.iter().any(|row| has(&row)),
        "nothing personal is left of a removed contact"
    );
}

#[tokio::test]
async fn an_undone_import_leaves_what_was_there_before() {
    for twice in [false, true] {
        let done = imported().await;
        let (status, job) = undo(&done).await;
        assert_eq!(
            (status, job["undo"]["finished_at"].is_null()),
            (202, true),
            "{job}"
        );
        if twice {
            assert_eq!(undo(&done).await.0, 202);
            done.shop.world.settle_twice().await;
        } else {
            done.shop.world.settle().await;
        }
        check(&done).await;
        assert_eq!(undo(&done).await.0, 202, "a repetition changes nothing");
        done.shop.world.settle().await;
        check(&done).await;
        // The corrected file is imported as if the first one had never been there.
        let again = done.shop.upload("/v1/imports", FILE).await;
        done.shop.world.settle().await;
        assert_eq!(done.shop.job(&again).await["created"], 2);
        let (_, page) = done.shop.api("GET", "/v1/imports?limit=5", None).await;
        let ids: Vec<&Value> = page["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| &one["id"])
            .collect();
        assert_eq!(ids, [&json!(again), &json!(done.import)]);
    }
}

#[tokio::test]
async fn what_somebody_touched_since_stays() {
    let done = imported().await;
    let shop = &done.shop;
    // An wrote to the shop, Bình got another size, Cúc another name.
    let an = shop.owner(&email("an@u.example.vn")).await.unwrap();
    let event = Event {
        id: "e1".into(),
        name: "form.submitted".into(),
        at: shop.world.now(),
        source: "test".into(),
        data: Value::Null,
    };
    shop.contacts()
        .record(shop.tenant, an, &event)
        .await
        .unwrap();
    let mut binh = person("Lê Bình", &[email("binh@u.example.vn")]);
    binh.custom.insert("co_ao".into(), json!("XXL"));
    binh.merge = Merge::Overwrite;
    shop.upsert(binh).await;
    let mut cuc = person("Cúc Phương", &[email("cuc@u.example.vn")]);
    cuc.merge = Merge::Overwrite;
    shop.upsert(cuc).await;
    undo(&done).await;
    shop.world.settle().await;
    let job = shop.job(&done.import).await;
    assert_eq!(counts(&job), [0, 0, 4], "{job}");
    let text = got(shop, &job["undo"]["outcome_url"]).await;
    for told in [
        "has notes or events",
        "was changed since",
        "full_name was changed since; phone stays",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
    assert_eq!(shop.found("").await.len(), 3);
    let cuc = shop.contact(done.known).await;
    assert_eq!(
        (cuc.person.full_name.as_deref(), &cuc.custom["co_ao"]),
        (Some("Cúc Phương"), &json!("S"))
    );
    assert_eq!(shop.found("phuong").await, ["Cúc Phương"]);
}

#[tokio::test]
async fn an_import_is_undone_only_when_it_is_over_and_within_a_day() {
    let done = imported().await;
    let path = "/v1/imports/imp_00000000000/undo";
    assert_eq!(done.shop.api("POST", path, None).await.0, 404);
    let (_, draft) = done.shop.api("POST", "/v1/imports", Some(&json!({}))).await;
    let path = format!("/v1/imports/{}/undo", draft["id"].as_str().unwrap());
    assert_eq!(done.shop.api("POST", &path, None).await.0, 409);
    done.shop.world.advance(Duration::from_hours(24));
    let (status, problem) = undo(&done).await;
    assert_eq!(status, 409, "{problem}");
}

#[tokio::test]
async fn an_undo_may_be_killed_at_any_call() {
    for step in 0..2 {
        for call in 0.. {
            let mut finished = false;
            for kill in [Kill::Before(call), Kill::After(call)] {
                let done = imported().await;
                let world = &done.shop.world;
                undo(&done).await;
                for _ in 0..step {
                    world
                        .deliver("contact-import", false)
                        .await
                        .unwrap()
                        .unwrap();
                }
                let batch = world.take("contact-import").unwrap();
                let event = batch.event.clone();
                let run = world.invoke_and_kill("contact-import", event, kill).await;
                finished = run.is_some();
                world.release(&batch);
                world.settle().await;
                check(&done).await;
            }
            if finished {
                break;
            }
        }
    }
}

#[tokio::test]
async fn two_messages_of_one_step_go_on_as_one_chain() {
    let shop = Shop::new().await;
    let id = shop.upload("/v1/imports", FILE).await;
    let queue = shop.world.resources().queue_of::<Step>();
    let step = Step::V1 {
        import: id.parse().unwrap(),
        version: 0,
    };
    queue
        .send(shop.tenant, &step, SendOptions::default())
        .await
        .unwrap();
    let mut steps = 0;
    while let Some(run) = shop.world.deliver("contact-import", false).await {
        run.unwrap();
        steps += 1;
    }
    // Cut, the slice, the end; and the second message of the first step, which sends nothing.
    assert_eq!(
        (steps, &shop.job(&id).await["status"]),
        (4, &json!("completed"))
    );
}
