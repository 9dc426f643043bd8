//! Following a conversation forward: a reader that follows the cursors misses no message, and reaches an end.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::shop::{Browser, DONE, SECOND, Shop};
use crate::support::{Kill, grant_of, http_event};

/// A visitor's browser that follows its conversation.
struct Follower<'a> {
    shop: &'a Shop,
    browser: &'a Browser,
    place: Option<String>,
    /// The last page was the end.
    ended: bool,
}

impl<'a> Follower<'a> {
    fn new(shop: &'a Shop, browser: &'a Browser) -> Self {
        Self {
            shop,
            browser,
            place: None,
            ended: false,
        }
    }

    /// One page of two messages at most.
    async fn page(&mut self) -> Vec<String> {
        let after = self.place.as_ref().map(|place| format!("&after={place}"));
        let query = format!("?limit=2{}", after.unwrap_or_default());
        let (lines, next, sync) = self.shop.reads_page(self.browser, &query).await;
        self.ended = next.is_null();
        let place = if self.ended { sync } else { next };
        self.place = place.as_str().map(str::to_owned);
        lines.into_iter().map(|(_, text)| text).collect()
    }

    /// Pages until there is no next one.
    async fn rest(&mut self) -> Vec<String> {
        let mut seen = Vec::new();
        for _ in 0..20 {
            let page = self.page().await;
            seen.extend(page);
            if self.ended {
                return seen;
            }
        }
        panic!("no end: {seen:?}");
    }
}

/// Receives the message's batch and does not delete it, as a failed first attempt does.
async fn first_try_fails(shop: &Shop, browser: &Browser, id: &str) -> Value {
    shop.say(browser, id, id).await;
    shop.world.take("chat-inbound").unwrap().event
}

async fn try_again(shop: &Shop, event: Value) -> Value {
    shop.world.invoke("chat-inbound", event).await.unwrap()
}

#[tokio::test]
async fn a_reader_comes_rest_of_a_full_page() {
    let shop = Shop::new().await;
    let browser = shop.browser().await;
    for id in ["một", "hai"] {
        shop.say(&browser, id, id).await;
        shop.run(1).await;
        shop.world.advance(SECOND);
    }
    let mut follower = Follower::new(&shop, &browser);
    assert_eq!(follower.rest().await, ["một", "hai"]);
    // The reader rereads messages that can still change, and reaches the end again.
    assert_eq!(follower.rest().await, ["một", "hai"]);
    shop.world.advance(Duration::from_mins(7));
    follower.rest().await;
    assert!(follower.rest().await.is_empty());
}

#[tokio::test]
async fn a_message_that_is_stored_behind_a_full_page_is_not_missed() {
    let shop = Shop::new().await;
    let browser = shop.browser().await;
    let late = first_try_fails(&shop, &browser, "muộn").await;
    for id in ["một", "hai", "ba"] {
        shop.world.advance(SECOND);
        shop.say(&browser, id, id).await;
        shop.run(1).await;
    }
    let mut follower = Follower::new(&shop, &browser);
    assert_eq!(follower.page().await, ["một", "hai"]);
    assert_eq!(follower.page().await, ["ba"]);
    shop.world.advance(Duration::from_mins(1));
    try_again(&shop, late).await;
    let seen = follower.rest().await;
    assert!(seen.contains(&"muộn".to_owned()), "{seen:?}");
}

#[tokio::test]
async fn nor_by_a_reader_who_rests_between_two_pages() {
    let shop = Shop::new().await;
    let browser = shop.browser().await;
    let late = first_try_fails(&shop, &browser, "muộn").await;
    for id in ["một", "hai", "ba"] {
        shop.world.advance(SECOND);
        shop.say(&browser, id, id).await;
        shop.run(1).await;
    }
    let mut follower = Follower::new(&shop, &browser);
    assert_eq!(follower.page().await, ["một", "hai"]);
    shop.world.advance(Duration::from_mins(4));
    try_again(&shop, late).await;
    shop.world.advance(Duration::from_mins(10));
    assert_eq!(follower.page().await, ["ba"]);
    let seen = follower.rest().await;
    assert!(seen.contains(&"muộn".to_owned()), "{seen:?}");
}

/// Kills a function at later and later calls, until it has claimed a message's place and not written the message.
async fn dies_after_its_claim(shop: &Shop, browser: &Browser, function: &str, event: &Value) {
    let claims = async || shop.stored(browser).await["claims"].clone();
    let before = claims().await;
    for n in 0.. {
        let kill = Kill::After(n);
        let killed = shop.world.invoke_and_kill(function, event.clone(), kill);
        assert!(killed.await.is_none(), "no claim in {n} calls");
        if claims().await != before {
            return;
        }
    }
}

/// A visitor has written, and staff sees its conversation.
async fn begun() -> (Shop, Browser, String) {
    let shop = Shop::new().await;
    let browser = shop.browser().await;
    shop.say(&browser, "một", "một").await;
    shop.run(1).await;
    shop.world.advance(SECOND);
    let conversation = shop.conversation().await;
    (shop, browser, conversation)
}

#[tokio::test]
async fn a_message_that_comes_an_hour_later_is_found_by_who_follows() {
    for claimed in [false, true] {
        let (shop, browser, conversation) = begun().await;
        let sent_at = kernel::clock::sortable(shop.world.now());
        let late = first_try_fails(&shop, &browser, "muộn").await;
        if claimed {
            dies_after_its_claim(&shop, &browser, "chat-inbound", &late).await;
        }
        shop.world.advance(Duration::from_hours(1));
        shop.say(&browser, "hai", "hai").await;
        shop.run(1).await;
        let mut follower = Follower::new(&shop, &browser);
        follower.rest().await;
        for _ in 0..2 {
            assert_eq!(try_again(&shop, late.clone()).await.to_string(), DONE);
        }
        let seen = follower.rest().await;
        assert!(seen.contains(&"muộn".to_owned()), "{seen:?}");
        // The message is among the newest, once, and shows its real time.
        let path = format!("/v1/conversations/{conversation}/messages");
        let page = shop.get(&path).await;
        let lines = page["data"].as_array().unwrap().iter();
        let lines: Vec<_> = lines
            .map(|line| json!([line["content"], line["sent_at"]]))
            .collect();
        let expected = [
            json!(["hai", null]),
            json!(["muộn", sent_at]),
            json!(["một", null]),
        ];
        assert_eq!(lines, expected);
    }
}

#[tokio::test]
async fn a_place_that_another_run_may_still_come_to_is_left_alone() {
    let (shop, browser, conversation) = begun().await;
    let late = first_try_fails(&shop, &browser, "muộn").await;
    dies_after_its_claim(&shop, &browser, "chat-inbound", &late).await;
    // The other run has read the claim in time. A minute later it has either written the message or ended.
    shop.world.advance(Duration::from_secs(5 * 60 + 1));
    let answer = try_again(&shop, late.clone()).await;
    assert_eq!(answer["batchItemFailures"].as_array().unwrap().len(), 1);
    shop.world.advance(Duration::from_mins(1));
    assert_eq!(try_again(&shop, late).await.to_string(), DONE);
    assert_eq!(shop.talk(&conversation).await.len(), 2);
}

#[tokio::test]
async fn a_message_of_the_fifth_try_has_the_place_of_its_first() {
    let (shop, browser, conversation) = begun().await;
    let late = first_try_fails(&shop, &browser, "muộn").await;
    dies_after_its_claim(&shop, &browser, "chat-inbound", &late).await;
    let sent_at = shop.world.now();
    shop.world.advance(Duration::from_mins(5));
    assert_eq!(try_again(&shop, late).await.to_string(), DONE);
    let path = format!("/v1/conversations/{conversation}/messages");
    let newest = &shop.get(&path).await["data"][0];
    assert_eq!(newest["created_at"], kernel::clock::sortable(sent_at));
    assert_eq!(newest["sent_at"], Value::Null);
}

#[tokio::test]
async fn an_answer_that_is_sent_again_much_later_is_found_by_who_follows() {
    let (shop, browser, conversation) = begun().await;
    let body = json!({ "content": "Dạ", "client_msg_id": "a-1" });
    let path = format!("/v1/conversations/{conversation}/messages");
    let grant = grant_of(shop.tenant.workspace(), "read write");
    let event = http_event("POST", &path, Some(&body), Some(&grant));
    dies_after_its_claim(&shop, &browser, "api-chat", &event).await;
    shop.world.advance(SECOND);
    shop.say(&browser, "hai", "hai").await;
    shop.run(1).await;
    shop.world.advance(Duration::from_mins(10));
    let mut follower = Follower::new(&shop, &browser);
    follower.rest().await;
    for _ in 0..2 {
        let answer = shop.world.invoke("api-chat", event.clone()).await.unwrap();
        assert_eq!(answer["statusCode"], 201);
    }
    shop.run(1).await;
    assert_eq!(follower.rest().await, ["Dạ"]);
    assert_eq!(shop.talk(&conversation).await.len(), 3);
}

#[tokio::test]
async fn a_forged_place_is_refused() {
    let shop = Shop::new().await;
    let browser = shop.browser().await;
    shop.say(&browser, "c-1", "Shop ơi").await;
    shop.run(1).await;
    let conversation = shop.conversation().await;
    let bearer = format!("Bearer {}", browser.token);
    let headers = [("authorization", bearer.as_str())];
    for key in ["M#~", "M#~x", "M#\u{7f}", "M#|M#~", "HEADER", ""] {
        let place = URL_SAFE_NO_PAD.encode(key);
        let path = format!("/messages?after={place}");
        let (status, problem, _) = shop.widget("GET", &path, &headers, None).await;
        assert_eq!(
            (status, &problem["errors"][0]["pointer"]),
            (400, &"?after".into()),
            "{key}"
        );
        for name in ["after", "cursor"] {
            let path = format!("/v1/conversations/{conversation}/messages?{name}={place}");
            assert_eq!(shop.api("GET", &path, None).await.0, 400, "{key}");
        }
    }
}

#[tokio::test]
async fn an_agent_who_follows_next_reaches_the_end_and_goes_on_from_there() {
    let (shop, browser, conversation) = begun().await;
    for n in 0..9 {
        shop.say(&browser, &format!("c-{n}"), "x").await;
        shop.run(1).await;
        shop.world.advance(SECOND);
    }
    let path = format!("/v1/conversations/{conversation}/messages");
    // The newest messages give the place from which to go forward.
    let newest = shop.get(&path).await;
    assert!(newest["next"].is_null(), "{newest}");
    let mut place = newest["sync"].as_str().unwrap().to_owned();
    let mut pages = 0;
    loop {
        let page = shop.get(&format!("{path}?limit=4&after={place}")).await;
        pages += 1;
        assert!(pages < 9, "no end");
        assert_ne!(page["next"].is_null(), page["sync"].is_null());
        let Some(next) = page["next"].as_str() else {
            page["sync"].as_str().unwrap().clone_into(&mut place);
            break;
        };
        next.clone_into(&mut place);
    }
    assert_eq!(pages, 3);
    shop.world.advance(Duration::from_mins(7));
    shop.say(&browser, "late", "sau").await;
    shop.run(1).await;
    let page = shop.get(&format!("{path}?limit=100&after={place}")).await;
    let data = page["data"].as_array().unwrap();
    assert!(data.iter().any(|one| one["content"] == "sau"), "{page}");
}
