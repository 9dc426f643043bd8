//! Segments over the stack: built, kept current by changes, events and time, and right after every kill.

mod histories;
mod kills;
mod shop;
mod time;
mod units;

use std::time::Duration;

use serde_json::json;

use crate::support::Kill;
use shop::{Shop, set, tagged};

#[tokio::test]
async fn a_segment_is_built_and_follows_each_change() {
    let shop = Shop::new().await;
    let an = shop.contact("an@example.vn", &["VIP"]).await;
    let binh = shop.contact("binh@example.vn", &[]).await;
    let id = shop.segment("Khách VIP", tagged("vip")).await;
    assert_eq!(shop.show(&id).await["status"], "building");
    shop.built().await;
    let shown = shop.show(&id).await;
    assert_eq!(
        (&shown["status"], &shown["count"]),
        (&json!("ready"), &json!(1))
    );
    assert_eq!(shop.members(&id).await, set([an]));

    let tags = ["Vip".to_owned()];
    shop.contacts()
        .add_tags(shop.tenant, binh, &tags)
        .await
        .unwrap();
    let chi = shop.contact("chi@example.vn", &["vip"]).await;
    shop.world.settle().await;
    assert_eq!(shop.members(&id).await, set([an, binh, chi]));
    let tags = ["VIP".to_owned()];
    shop.contacts()
        .remove_tags(shop.tenant, an, &tags)
        .await
        .unwrap();
    shop.world.settle_twice().await;
    assert_eq!(shop.members(&id).await, set([binh, chi]));

    // New conditions: the old members are shown until the new ones are found.
    let update = json!({ "conditions": tagged("mới") });
    let path = format!("/v1/segments/{id}");
    assert_eq!(shop.ask("PATCH", &path, Some(update)).await.0, 200);
    let tags = ["mới".to_owned()];
    shop.contacts()
        .add_tags(shop.tenant, an, &tags)
        .await
        .unwrap();
    shop.world.settle().await;
    assert_eq!(shop.members(&id).await, set([binh, chi]));
    shop.built().await;
    assert_eq!(shop.members(&id).await, set([an]));
    assert!(shop.world.dead_letters().is_empty());
}

#[tokio::test]
async fn a_change_that_no_segment_mentions_costs_nothing() {
    let shop = Shop::new().await;
    let an = shop.contact("an@example.vn", &[]).await;
    shop.segment("VIP", tagged("vip")).await;
    shop.built().await;
    // The tag is in the vocabulary already.
    shop.contact("binh@example.vn", &["khác"]).await;
    shop.world.settle().await;
    let before = shop.world.aws.meter().snapshot();
    let tags = ["khác".to_owned()];
    shop.contacts()
        .add_tags(shop.tenant, an, &tags)
        .await
        .unwrap();
    shop.world.settle().await;
    // The change and its entry on the timeline are one transaction.
    assert!(shop.world.writes_since(&before, "Contacts") <= 2.0);
    assert!(shop.world.writes_since(&before, "Segments") <= 0.0);
}

#[tokio::test]
async fn time_alone_moves_a_contact_at_that_second() {
    let shop = Shop::new().await;
    let an = shop.contact("an@example.vn", &[]).await;
    let conditions = json!({"all": [
        {"family": "event", "event": "form.submitted", "operator": "at_least", "times": 1,
         "within": {"last_days": 2}},
    ]});
    let id = shop.segment("Vừa gửi", conditions).await;
    shop.built().await;
    assert!(shop.members(&id).await.is_empty());
    shop.submitted(an, 1).await;
    shop.world.settle_twice().await;
    assert_eq!(shop.members(&id).await, set([an]));
    for _ in 0..(3 * 24 * 6) {
        shop.world.advance(Duration::from_mins(10));
        shop.world.invoke("due-timer", json!({})).await.unwrap();
        shop.world.settle().await;
    }
    assert!(shop.members(&id).await.is_empty());
}

#[tokio::test]
async fn a_killed_run_is_made_good_by_the_next_delivery() {
    for n in 0..40 {
        let shop = Shop::new().await;
        let an = shop.contact("an@example.vn", &[]).await;
        let id = shop.segment("VIP", tagged("vip")).await;
        shop.built().await;
        let tags = ["vip".to_owned()];
        shop.contacts()
            .add_tags(shop.tenant, an, &tags)
            .await
            .unwrap();
        shop.world.relay().await;
        let batch = shop.world.take("segment-updater").unwrap();
        let killed = shop
            .world
            .invoke_and_kill("segment-updater", batch.event.clone(), Kill::After(n))
            .await;
        shop.world.release(&batch);
        shop.world.advance(Duration::from_mins(20));
        shop.world.settle().await;
        assert_eq!(shop.members(&id).await, set([an]), "killed after call {n}");
        if killed.is_some() {
            assert!(n > 2);
            return;
        }
    }
    panic!("a run makes fewer calls");
}

#[tokio::test]
async fn a_segment_may_name_another_but_not_itself() {
    let shop = Shop::new().await;
    let an = shop.contact("an@example.vn", &["vip"]).await;
    let vip = shop.segment("VIP", tagged("vip")).await;
    shop.built().await;
    let of = |id: &str| {
        json!({"all": [
            {"family": "segment", "operator": "in", "segment_ids": [id]},
        ]})
    };
    let both = shop.segment("Trong VIP", of(&vip)).await;
    shop.built().await;
    assert_eq!(shop.members(&both).await, set([an]));
    let tags = ["vip".to_owned()];
    shop.contacts()
        .remove_tags(shop.tenant, an, &tags)
        .await
        .unwrap();
    shop.world.settle().await;
    assert!(shop.members(&both).await.is_empty());

    let path = format!("/v1/segments/{vip}");
    let update = json!({ "conditions": of(&both) });
    assert_eq!(shop.ask("PATCH", &path, Some(update)).await.0, 400);
    let (status, problem) = shop.ask("DELETE", &path, None).await;
    assert_eq!(status, 409);
    assert!(
        problem["detail"].as_str().unwrap().contains(&both),
        "{problem}"
    );
    let path = format!("/v1/segments/{both}");
    assert_eq!(shop.ask("DELETE", &path, None).await.0, 204);
    let path = format!("/v1/segments/{vip}");
    assert_eq!(shop.ask("DELETE", &path, None).await.0, 204);
}

#[tokio::test]
async fn a_static_segment_has_the_members_that_it_was_given() {
    let shop = Shop::new().await;
    let an = shop.contact("an@example.vn", &[]).await;
    let binh = shop.contact("binh@example.vn", &[]).await;
    let body = json!({ "name": "Tay", "kind": "static" });
    let (_, made) = shop.ask("POST", "/v1/segments", Some(body.clone())).await;
    let id = made["id"].as_str().unwrap().to_owned();
    let of = json!({"all": [{"family": "segment", "operator": "in", "segment_ids": [id]}]});
    let follows = shop.segment("Theo", of).await;
    let entered = json!({"all": [
        {"family": "event", "event": "segment.entered", "operator": "exactly", "times": 1,
         "where": [{"property": "segment_id", "operator": "is", "value": id}]},
    ]});
    let entered = shop.segment("Vừa vào", entered).await;
    shop.built().await;
    let path = format!("/v1/segments/{id}/members");
    let add = json!({ "add_contact_ids": [an, binh] });
    let remove = json!({ "remove_contact_ids": [an] });
    for ids in [set([an, binh]), set([an, binh])] {
        assert_eq!(shop.ask("POST", &path, Some(add.clone())).await.0, 202);
        shop.world.settle_twice().await;
        assert_eq!(shop.members(&id).await, ids);
        assert_eq!(shop.members(&follows).await, ids);
        assert_eq!(shop.members(&entered).await, ids, "entered once");
        shop.world.advance(Duration::from_secs(1));
    }
    // The removal is delivered first; the earlier request does not undo it.
    assert_eq!(shop.ask("POST", &path, Some(add)).await.0, 202);
    let early = shop.world.take("segment-updater").unwrap();
    shop.world.advance(Duration::from_secs(1));
    assert_eq!(shop.ask("POST", &path, Some(remove)).await.0, 202);
    shop.world.settle_twice().await;
    shop.world.release(&early);
    shop.world.settle_twice().await;
    assert_eq!(shop.members(&id).await, set([binh]));
    assert_eq!(shop.members(&follows).await, set([binh]));
    assert_eq!(shop.ask("POST", "/v1/segments", Some(body)).await.0, 409);
    assert!(shop.world.dead_letters().is_empty());
}

#[tokio::test]
async fn a_merged_contact_is_in_the_segments_of_both() {
    let shop = Shop::new().await;
    let stays = shop.contact("an@example.vn", &[]).await;
    let goes = shop.contact("binh@example.vn", &["VIP"]).await;
    let body = json!({ "name": "Tay", "kind": "static" });
    let (_, made) = shop.ask("POST", "/v1/segments", Some(body)).await;
    let by_hand = made["id"].as_str().unwrap().to_owned();
    let tagged = shop.segment("VIP", tagged("VIP")).await;
    let twice = json!({"all": [
        {"family": "event", "event": "form.submitted", "operator": "at_least", "times": 2,
         "within": {"last_days": 30}},
    ]});
    let twice = shop.segment("Hai lần", twice).await;
    shop.built().await;
    let path = format!("/v1/segments/{by_hand}/members");
    let add = json!({ "add_contact_ids": [goes] });
    assert_eq!(shop.ask("POST", &path, Some(add)).await.0, 202);
    shop.submitted(stays, 1).await;
    shop.world.settle_twice().await;
    shop.submitted(goes, 2).await;
    shop.world.settle_twice().await;
    assert_eq!(shop.members(&tagged).await, set([goes]));
    assert_eq!(shop.members(&twice).await, set([]));
    let merged = shop
        .contacts()
        .merge(shop.tenant, stays, goes, "usr_1")
        .await;
    assert_eq!(merged.unwrap(), contacts::merge::Merged::Yes);
    shop.world.settle_twice().await;
    for segment in [&by_hand, &tagged, &twice] {
        assert_eq!(shop.members(segment).await, set([stays]));
    }
    // An event that names the former contact counts for the survivor.
    let thrice = json!({"all": [
        {"family": "event", "event": "form.submitted", "operator": "at_least", "times": 3,
         "within": {"last_days": 30}},
    ]});
    let thrice = shop.segment("Ba lần", thrice).await;
    shop.built().await;
    shop.submitted(goes, 3).await;
    shop.world.settle_twice().await;
    assert_eq!(shop.members(&thrice).await, set([stays]));
    assert!(shop.world.dead_letters().is_empty());
}

#[tokio::test]
async fn a_preview_counts_and_shows_members() {
    let shop = Shop::new().await;
    for n in 0..15 {
        shop.contact(&format!("an{n}@example.vn"), &["vip"]).await;
    }
    let body = json!({ "conditions": tagged("vip") });
    let (status, preview) = shop.ask("POST", "/v1/segments/preview", Some(body)).await;
    assert_eq!(status, 200, "{preview}");
    assert_eq!(
        (&preview["count"], &preview["is_estimate"]),
        (&json!(15), &json!(false))
    );
    assert_eq!(preview["contacts"].as_array().unwrap().len(), 10);
}
