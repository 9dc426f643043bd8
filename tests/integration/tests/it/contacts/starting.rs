//! Changes of contacts that start workflows: new contacts, tags and lists, by every door. An import asks for it.

use contacts::{Contacts, Incoming, Source};
use serde_json::{Value, json};

use super::life::survives_kills;
use super::page::{ask, entered, waiting};
use super::shop::{Page, Shop, email, form, person};

async fn tagged(shop: &Shop, tag: &str) -> String {
    waiting(shop, json!({ "type": "contact.tag_added", "tag": tag })).await
}

#[tokio::test]
async fn every_door_that_adds_a_tag_starts_the_workflow() {
    let shop = Shop::new().await;
    let added = tagged(&shop, "VIP").await;
    let removed = waiting(
        &shop,
        json!({ "type": "contact.tag_removed", "tag": "vip" }),
    )
    .await;
    let an = person("Trần Thị An", &[email("an@example.vn")]);
    let an = shop.upsert(an).await.contact;
    assert_eq!(entered(&shop, &added).await, 0, "a contact without the tag");
    let path = format!("/v1/contacts/{an}/tags");
    // The API, in another spelling and beside another tag.
    let tags = json!({ "tags": ["sỉ", "Vip"] });
    assert_eq!(shop.api("POST", &path, Some(&tags)).await.0, 200);
    assert_eq!(entered(&shop, &added).await, 1);
    // The same tag again is no change.
    assert_eq!(shop.api("POST", &path, Some(&tags)).await.0, 200);
    assert_eq!(
        (entered(&shop, &added).await, entered(&shop, &removed).await),
        (1, 0)
    );
    let one = format!("{path}/VIP");
    assert_eq!(shop.api("DELETE", &one, None).await.0, 204);
    assert_eq!(
        (entered(&shop, &added).await, entered(&shop, &removed).await),
        (1, 1)
    );
    // A bulk job.
    let body = json!({ "change": { "add_tags": ["VIP"] }, "selection": { "contact_ids": [an] } });
    assert_eq!(
        ask(&shop, "POST", "/v1/contacts/bulk", Some(body)).await.0,
        202
    );
    shop.world.settle_twice().await;
    assert_eq!(entered(&shop, &added).await, 2);
    // A new contact with the tag, and a form.
    let new = json!({ "email": "binh@example.vn", "tags": ["VIP"] });
    assert_eq!(shop.api("POST", "/v1/contacts", Some(&new)).await.0, 201);
    assert_eq!(entered(&shop, &added).await, 3);
    let page = Page::of(&shop, &["VIP"]).await;
    page.post(&shop, &form()).await;
    shop.world.settle().await;
    assert_eq!(entered(&shop, &added).await, 4);
    // A chat of a known contact.
    let cuc = [email("cuc@example.vn")];
    shop.upsert(person("Phạm Cúc", &cuc)).await;
    let chat = Incoming {
        tags: vec!["VIP".into()],
        source: Source::Chat,
        ..person("Phạm Cúc", &cuc)
    };
    shop.upsert(chat).await;
    assert_eq!(entered(&shop, &added).await, 5);
    // A step of a workflow.
    let own = Contacts::over(&shop.world.resources()).by("workflow");
    let dung = shop
        .upsert(person("Lê Dung", &[email("dung@example.vn")]))
        .await;
    own.add_tags(shop.tenant, dung.contact, &["VIP".into()])
        .await
        .unwrap();
    assert_eq!(entered(&shop, &added).await, 5);
}

#[tokio::test]
async fn a_new_name_of_a_tag_starts_nothing() {
    let shop = Shop::new().await;
    let added = tagged(&shop, "thân thiết").await;
    let new = json!({ "email": "an@example.vn", "tags": ["VIP"] });
    assert_eq!(shop.api("POST", "/v1/contacts", Some(&new)).await.0, 201);
    shop.world.settle().await;
    let body = json!({ "name": "thân thiết" });
    let (status, job) = ask(&shop, "POST", "/v1/tags/VIP/rename", Some(body)).await;
    assert_eq!(status, 202, "{job}");
    shop.world.settle_twice().await;
    assert_eq!(entered(&shop, &added).await, 0);
}

#[tokio::test]
async fn new_contacts_and_lists_start_workflows() {
    let shop = Shop::new().await;
    let name = json!({ "name": "Khách quen" });
    let (_, list) = shop.api("POST", "/v1/lists", Some(&name)).await;
    let list = list["id"].as_str().unwrap();
    let joined = waiting(
        &shop,
        json!({ "type": "contact.list_joined", "list_id": list }),
    )
    .await;
    let left = waiting(&shop, json!({ "type": "contact.list_left" })).await;
    let made = waiting(&shop, json!({ "type": "contact.created", "source": "api" })).await;
    let on_list = json!({ "type": "contact.created", "list_id": list });
    let on_list = waiting(&shop, on_list).await;
    let draft = json!({ "email": "an@example.vn", "list_ids": [list] });
    let (_, an) = shop.api("POST", "/v1/contacts", Some(&draft)).await;
    let all = async || {
        let mut counts = Vec::new();
        for id in [&made, &on_list, &joined, &left] {
            counts.push(entered(&shop, id).await);
        }
        counts
    };
    assert_eq!(all().await, [1, 1, 1, 0]);
    // Known now.
    shop.api("POST", "/v1/contacts", Some(&draft)).await;
    let path = format!("/v1/contacts/{}/lists/{list}", an["id"].as_str().unwrap());
    assert_eq!(shop.api("DELETE", &path, None).await.0, 204);
    assert_eq!(all().await, [1, 1, 1, 1]);
    let (_, other) = shop
        .api(
            "POST",
            "/v1/contacts",
            Some(&json!({ "email": "b@example.vn" })),
        )
        .await;
    let path = format!("/v1/contacts/{}/lists", other["id"].as_str().unwrap());
    let body = json!({ "list_id": list });
    assert_eq!(shop.api("POST", &path, Some(&body)).await.0, 200);
    assert_eq!(all().await, [2, 1, 2, 1]);
    // A list that does not exist is refused.
    let wrong = json!({
        "name": "Sai", "trigger": { "type": "contact.list_joined", "list_id": "lst_00000000009" },
        "graph": { "start": "wait", "nodes": { "wait": { "type": "wait_duration", "days": 1 } } },
    });
    let (status, problem) = ask(&shop, "POST", "/v1/workflows", Some(wrong)).await;
    assert_eq!(
        (status, &problem["errors"][0]["pointer"]),
        (400, &json!("/trigger/list_id"))
    );
}

const FILE: &str = "Họ và tên;Email;Thẻ\nTrần An;an@i.example.vn;VIP\nLê Bình;binh@i.example.vn;\nLê Bình;binh@i.example.vn;VIP\n";

#[tokio::test]
async fn an_import_starts_workflows_only_if_it_says_so() {
    let shop = Shop::new().await;
    let (made, added) = (
        waiting(
            &shop,
            json!({ "type": "contact.created", "source": "import" }),
        )
        .await,
        tagged(&shop, "vip").await,
    );
    let known = person("An", &[email("an@i.example.vn")]);
    let known = shop.upsert(known).await.contact;
    let quiet = shop.upload("/v1/imports", FILE).await;
    shop.world.settle_twice().await;
    assert_eq!(shop.job(&quiet).await["request"]["start_workflows"], false);
    assert_eq!(
        (entered(&shop, &made).await, entered(&shop, &added).await),
        (0, 0)
    );
    let (_, timeline) = shop
        .api("GET", &format!("/v1/contacts/{known}/timeline"), None)
        .await;
    let told: Vec<&Value> = timeline["data"].as_array().unwrap().iter().collect();
    assert_eq!(told.len(), 1, "{timeline}");
    assert_eq!(told[0]["source"], "import");
    assert_eq!(told[0]["data"]["import_id"], json!(quiet));
    assert_eq!(told[0]["data"]["tags_added"], json!(["VIP"]));
    // Only the changed contact is told, and the import can still be undone.
    let undo = format!("/v1/imports/{quiet}/undo");
    assert_eq!(shop.api("POST", &undo, None).await.0, 202);
    shop.world.settle_twice().await;
    let undone = shop.job(&quiet).await;
    assert_eq!(
        (&undone["undo"]["removed"], &undone["undo"]["kept"]),
        (&json!(2), &json!(0)),
        "{undone}"
    );
    assert_eq!(entered(&shop, &added).await, 0);

    let loud = shop.upload("/v1/imports?start_workflows=true", FILE).await;
    shop.world.settle_twice().await;
    assert_eq!(shop.job(&loud).await["request"]["start_workflows"], true);
    assert_eq!(
        (entered(&shop, &made).await, entered(&shop, &added).await),
        (1, 2)
    );
    let undo = format!("/v1/imports/{loud}/undo");
    assert_eq!(shop.api("POST", &undo, None).await.0, 202);
    shop.world.settle_twice().await;
    assert_eq!(
        (entered(&shop, &made).await, entered(&shop, &added).await),
        (1, 2)
    );
}

#[tokio::test]
async fn a_heard_change_may_be_killed_at_any_call() {
    let prepare = async |shop: &Shop| {
        tagged(shop, "VIP").await;
        let an = person("Trần Thị An", &[email("an@example.vn")]);
        let id = shop.upsert(an).await.contact;
        (
            format!("/v1/contacts/{id}/tags"),
            Some(json!({ "tags": ["VIP"] })),
        )
    };
    survives_kills("POST", prepare, 4).await;
}

#[tokio::test]
async fn a_heard_new_contact_is_made_and_told_in_one() {
    let shop = Shop::new().await;
    let quiet = person("Lê Bình", &[email("binh@example.vn")]);
    let units = async |incoming: Incoming| {
        let before = shop.world.aws.meter().snapshot();
        shop.upsert(incoming).await;
        let names = ["Contacts", "Timeline"];
        names.map(|name| shop.world.writes_since(&before, name))
    };
    let unheard = units(quiet).await;
    let made = waiting(&shop, json!({ "type": "contact.created" })).await;
    let heard = units(person("Trần An", &[email("an@example.vn")])).await;
    eprintln!("units of a new contact: unheard {unheard:?}, heard {heard:?}");
    assert!(unheard[1] <= 0.0, "{unheard:?}");
    assert!(heard[0] <= unheard[0] + 1.5 && heard[1] <= 3.0, "{heard:?}");
    assert_eq!(entered(&shop, &made).await, 1);
}
