//! Files of orders and of products: mapped, tried, imported; damaged, repeated, killed at any call.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::shop::Shop;
use crate::support::Kill;

/// Two orders of one customer, the first of two lines, and an order without a customer.
const ORDERS: &str = "Mã đơn hàng;Ngày đặt;Tên khách hàng;SĐT;Mã hàng;Tên hàng;Số lượng;Đơn giá;Phí vận chuyển;Trạng thái;Đã thanh toán\n\
    DH-1;02/03/2026 09:30;Trần Thị An;0912 345 678;AO;Áo thun;2;285.000;30.000;Hoàn thành;600.000\n\
    ;;;;BAT;Bát sứ;1;95.000đ;;;\n\
    DH-2;28/02/2026;Trần Thị An;912345678;AO;Áo thun;1;285000.00;;Hoàn thành;\n\
    DH-3;2026-03-01;;;AO;Áo thun;1;285,000;;Đang giao;\n";

const PRODUCTS: &str = "Mã sản phẩm,Tên sản phẩm,Giá bán,Tồn kho,Danh mục,Trạng thái\n\
    AO-TR,Áo thun trắng,285.000,12,Áo; Nữ,Đang bán\n\
    BAT,Bát sứ,x,3,,Đang bán\n\
    BAT-2,Bát lớn,95000,ba,,Ẩn\n";

impl Shop {
    async fn import(&self, query: &str, file: &str) -> String {
        let mut event = self.request("POST", &format!("/v1/imports?{query}"), None);
        event["headers"]["content-type"] = "text/csv".into();
        event["body"] = file.into();
        let (status, job) = self.world.ask("api-contacts", event).await;
        assert_eq!(status, 202, "{job}");
        self.world.relay().await;
        job["id"].as_str().unwrap().to_owned()
    }

    async fn job(&self, id: &str) -> Value {
        let (status, job) = self.ask("GET", &format!("/v1/imports/{id}"), None).await;
        assert_eq!(
            (status, &job["status"]),
            (200, &json!("completed")),
            "{job}"
        );
        job
    }

    async fn imported(&self, query: &str, file: &str) -> Value {
        let id = self.import(query, file).await;
        self.world.settle_twice().await;
        self.job(&id).await
    }

    /// Line, outcome and message of each row.
    async fn outcomes(&self, job: &Value) -> Vec<(u64, String, String)> {
        let id = job["id"].as_str().unwrap();
        let name = format!("imports/{}/{id}.outcome.csv", self.tenant);
        let files = self.world.resources().bucket("Imports");
        let file = files.range(&name, 0, 1_000_000).await.unwrap().unwrap();
        let text = String::from_utf8(file.bytes.to_vec()).unwrap();
        let text = text.trim_start_matches('\u{feff}');
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        let row = |row: &csv::StringRecord| {
            let own = row.len() - 4;
            let cell = |n: usize| row[own + n].to_owned();
            (cell(0).parse().unwrap(), cell(1), cell(3))
        };
        rows.iter().map(row).collect()
    }

    async fn order_of(&self, code: &str) -> Value {
        let (_, page) = self
            .ask("GET", &format!("/v1/orders?code={code}"), None)
            .await;
        let id = page["data"][0]["id"].as_str().unwrap();
        self.ask("GET", &format!("/v1/orders/{id}"), None).await.1
    }

    /// Number and sum of the completed orders of each contact.
    async fn totals(&self) -> Vec<(u64, i64)> {
        let rows = self.world.dump("Contacts").await.into_iter();
        let states = rows.filter(|row| row["sk"] == "STATE" && !row["ord"].is_null());
        let totals = states.map(|row| {
            let orders = &row["ord"];
            (
                orders["count"].as_u64().unwrap(),
                orders["sum"].as_i64().unwrap(),
            )
        });
        totals.collect()
    }

    async fn tables(&self) -> (Vec<Value>, Vec<Value>) {
        (
            self.world.dump("Commerce").await,
            self.world.dump("Timeline").await,
        )
    }
}

fn counts(job: &Value) -> [u64; 5] {
    ["total", "created", "updated", "skipped", "failed"].map(|name| job[name].as_u64().unwrap())
}

#[tokio::test]
async fn lines_of_a_file_become_orders_with_their_contact() {
    let shop = Shop::open().await;
    let job = shop.imported("kind=orders&tags=t%E1%BA%BFt", ORDERS).await;
    assert_eq!(counts(&job), [4, 3, 1, 0, 0], "{job}");
    assert_eq!(job["columns"][0]["field"], "order.code");
    let order = shop.order_of("DH-1").await;
    assert_eq!(order["source"], "import");
    assert_eq!(order["ordered_at"], "2026-03-02T02:30:00.000Z");
    assert_eq!(order["items"].as_array().unwrap().len(), 2, "{order}");
    let sums = ["subtotal", "total", "paid"].map(|name| order[name].as_i64().unwrap());
    assert_eq!(sums, [665_000, 695_000, 600_000]);
    assert_eq!(
        (&order["status"], &order["payment_status"]),
        (&json!("completed"), &json!("partial"))
    );
    let other = shop.order_of("DH-2").await;
    assert!(!order["contact_id"].is_null());
    assert_eq!(order["contact_id"], other["contact_id"]);
    assert_eq!(shop.order_of("DH-3").await["contact_id"], Value::Null);
    let path = format!("/v1/contacts/{}", order["contact_id"].as_str().unwrap());
    let (_, contact) = shop.ask("GET", &path, None).await;
    assert_eq!(
        (&contact["full_name"], &contact["tags"]),
        (&json!("Trần Thị An"), &json!(["tết"])),
        "{contact}"
    );
    assert_eq!(shop.totals().await, [(2, 980_000)]);

    let before = shop.tables().await;
    shop.world.advance(std::time::Duration::from_hours(1));
    let again = shop.imported("kind=orders&tags=t%E1%BA%BFt", ORDERS).await;
    assert_eq!(counts(&again), [4, 0, 0, 4, 0], "{again}");
    assert_eq!(shop.tables().await, before, "the same file changes nothing");
}

#[tokio::test]
async fn a_later_file_changes_its_orders_and_never_what_was_done_since() {
    let shop = Shop::open().await;
    shop.imported("kind=orders", ORDERS).await;
    let sent = shop.order_of("DH-3").await;
    shop.world.advance(std::time::Duration::from_hours(1));
    let late = "code,status\nDH-3,completed\nDH-1,shipping\nDH-9,new\n";
    let waits = shop.import("kind=orders", late).await;
    shop.world.advance(std::time::Duration::from_mins(5));
    let path = format!("/v1/orders/{}", sent["id"].as_str().unwrap());
    let change = json!({ "status": "delivered" });
    assert_eq!(shop.ask("PATCH", &path, Some(change)).await.0, 200);
    shop.world.settle_twice().await;
    let job = shop.job(&waits).await;
    assert_eq!(shop.order_of("DH-3").await["status"], "delivered");
    let first = shop.order_of("DH-1").await;
    assert_eq!(
        (&first["status"], first["items"].as_array().unwrap().len()),
        (&json!("completed"), 2)
    );
    let outcomes = shop.outcomes(&job).await;
    let outcomes: Vec<(u64, &str, &str)> = outcomes
        .iter()
        .map(|(line, outcome, told)| (*line, outcome.as_str(), told.as_str()))
        .collect();
    assert_eq!(
        outcomes,
        [
            (
                2,
                "skipped",
                "it was changed after the import was requested"
            ),
            (
                3,
                "updated",
                "the status of an order only moves forward: it stays"
            ),
            (
                4,
                "failed",
                "a new order needs the time at which it was ordered"
            ),
        ]
    );
}

#[tokio::test]
async fn a_wrong_cell_costs_the_cell_and_a_wrong_sum_the_order() {
    let shop = Shop::open().await;
    let file = "code,ordered_at,phone,status,sku,quantity,price\n\
        AAA,2026-03-01,12,lạ,AO,1,1000\n\
        BBB,2026-03-01,,,AO,1.000,1000\n\
        CCC,2026-03-01,,,AO,1,1000\n\
        \"CCC,2026-03-01,,,AO,1\n\
        CCC,2026-03-01,,,BAT,1,2000\n\
        DDD,31/02/2026,,,AO,1,1000\n\
        AAA,2026-03-01,,,AO,1,5000\n\
        ,,,,,,\n\
        ,2026-03-01,,,AO,1,1000,nhiều\n";
    let job = shop.imported("kind=orders", file).await;
    let outcomes = shop.outcomes(&job).await;
    let fates: Vec<(u64, &str)> = outcomes.iter().map(|one| (one.0, one.1.as_str())).collect();
    assert_eq!(fates[0], (2, "created"), "{outcomes:?}");
    assert!(
        fates[1..].iter().all(|one| one.1 == "failed"),
        "{outcomes:?}"
    );
    assert!(
        outcomes[0].2.contains("order.customer_phone: ")
            && outcomes[0].2.contains("order.status: ")
    );
    assert!(outcomes[2].2.contains("another line"), "{outcomes:?}");
    assert!(outcomes[3].2.contains("does not close"), "{outcomes:?}");
    assert!(
        outcomes[6]
            .2
            .contains("line 2 of the file has this code too"),
        "{outcomes:?}"
    );
    let order = shop.order_of("AAA").await;
    assert_eq!(
        (&order["total"], &order["status"]),
        (&json!(1000), &json!("new")),
        "{order}"
    );
}

#[tokio::test]
async fn an_import_of_orders_may_be_killed_at_any_call() {
    let whole = Shop::open().await;
    whole.imported("kind=orders", ORDERS).await;
    for call in 0.. {
        let mut finished = false;
        for kill in [Kill::Before(call), Kill::After(call)] {
            let shop = Shop::open().await;
            let id = shop.import("kind=orders", ORDERS).await;
            // The step that imports the slice.
            shop.world
                .deliver("contact-import", false)
                .await
                .unwrap()
                .unwrap();
            let batch = shop.world.take("contact-import").unwrap();
            let event = batch.event.clone();
            let ended = shop
                .world
                .invoke_and_kill("contact-import", event, kill)
                .await;
            finished = ended.is_some();
            shop.world.release(&batch);
            shop.world.settle().await;
            let job = shop.job(&id).await;
            assert_eq!(counts(&job), [4, 3, 1, 0, 0], "{kill:?} {job}");
            assert_eq!(shop.totals().await, [(2, 980_000)], "{kill:?}");
            let [orders, events] = [shop.tables().await, whole.tables().await]
                .map(|(orders, events)| (orders.len(), events.len()));
            assert_eq!(orders, events, "{kill:?}");
        }
        if finished {
            break;
        }
    }
}

#[tokio::test]
async fn products_are_made_and_changed_by_their_code() {
    let shop = Shop::open().await;
    let staff = json!({ "code": "bat-2", "name": "Bát", "price": 1, "description": "Men xanh" });
    assert_eq!(shop.ask("POST", "/v1/products", Some(staff)).await.0, 201);
    shop.world.advance(std::time::Duration::from_mins(1));
    let job = shop.imported("kind=products", PRODUCTS).await;
    assert_eq!(counts(&job), [3, 1, 1, 0, 1], "{job}");
    let outcomes = shop.outcomes(&job).await;
    assert!(
        outcomes[1]
            .2
            .contains("a new product needs a name and a price"),
        "{outcomes:?}"
    );
    assert!(outcomes[2].2.contains("product.stock: "), "{outcomes:?}");
    let find = async |code: &str| {
        let (_, page) = shop
            .ask("GET", &format!("/v1/products?code={code}"), None)
            .await;
        let id = page["data"][0]["id"].as_str().unwrap().to_owned();
        shop.ask("GET", &format!("/v1/products/{id}"), None).await.1
    };
    let made = find("AO-TR").await;
    assert_eq!(
        (
            &made["source"],
            &made["price"],
            &made["stock"],
            &made["categories"]
        ),
        (
            &json!("import"),
            &json!(285_000),
            &json!(12),
            &json!(["Nữ", "Áo"])
        ),
    );
    let changed = find("bat-2").await;
    assert_eq!(
        (
            &changed["source"],
            &changed["name"],
            &changed["status"],
            &changed["description"]
        ),
        (
            &json!("manual"),
            &json!("Bát lớn"),
            &json!("hidden"),
            &json!("Men xanh")
        ),
    );
    let before = shop.tables().await;
    shop.world.advance(std::time::Duration::from_hours(1));
    let again = shop.imported("kind=products", PRODUCTS).await;
    assert_eq!(counts(&again), [3, 0, 0, 2, 1], "{again}");
    assert_eq!(shop.tables().await, before);
    let skip = "code,price\nAO-TR,1\n";
    let job = shop
        .imported("kind=products&duplicate_rule=skip", skip)
        .await;
    assert_eq!(counts(&job), [1, 0, 0, 1, 0], "{job}");
}

#[tokio::test]
async fn the_files_of_the_product_itself_and_its_samples_are_understood() {
    let shop = Shop::open().await;
    for kind in ["orders", "products"] {
        let event = shop.request("GET", &format!("/v1/imports/sample?kind={kind}"), None);
        let answer = shop.world.invoke("api-contacts", event).await.unwrap();
        assert_eq!(answer["statusCode"], 200, "{answer}");
        let text = answer["body"].as_str().unwrap().to_owned();
        let text = if answer["isBase64Encoded"] == true {
            String::from_utf8(STANDARD.decode(text).unwrap()).unwrap()
        } else {
            text
        };
        let job = shop.imported(&format!("kind={kind}"), &text).await;
        assert_eq!(
            (counts(&job), &job["errors"]),
            ([1, 1, 0, 0, 0], &json!([])),
            "{job}"
        );
    }
    let theirs = "order_id,code,source,ordered_at,total\nord_1,#7,haravan,2026-03-01,1000\n";
    let job = shop.imported("kind=orders", theirs).await;
    let outcomes = shop.outcomes(&job).await;
    assert_eq!(outcomes[0].1, "skipped");
    assert!(outcomes[0].2.contains("comes from haravan"), "{outcomes:?}");
}

#[tokio::test]
async fn settings_and_files_of_goods_are_judged_at_the_door() {
    let shop = Shop::open().await;
    let wrong = json!({
        "kind": "products", "tags": ["tết"], "duplicate_rule": "fill_empty", "mapping": { "a": "order.code", "b": "email" },
    });
    let (status, problem) = shop.ask("POST", "/v1/imports", Some(wrong)).await;
    let errors = problem["errors"].as_array().unwrap().iter();
    let places: Vec<&Value> = errors.map(|one| &one["pointer"]).collect();
    assert_eq!(status, 400);
    assert_eq!(
        places,
        ["/mapping/a", "/mapping/b", "/duplicate_rule", "/tags"]
    );
    let id = shop.import("kind=orders", "email\na@example.vn\n").await;
    shop.world.settle().await;
    let (_, job) = shop.ask("GET", &format!("/v1/imports/{id}"), None).await;
    assert_eq!(
        job["problem"],
        "no column is the code of an order or a product"
    );
    let job = shop.imported("kind=orders", ORDERS).await;
    let undo = format!("/v1/imports/{}/undo", job["id"].as_str().unwrap());
    assert_eq!(shop.ask("POST", &undo, None).await.0, 409);
}

#[tokio::test]
async fn an_order_stays_in_one_slice() {
    let shop = Shop::open().await;
    let mut file = "code,ordered_at,sku,price\n".to_owned();
    for n in 0..1_400 {
        let (code, line) = (n / 7, n % 7);
        writeln!(file, "DH{code},2026-03-01,SKU{line},1000").unwrap();
    }
    let job = shop.imported("kind=orders", &file).await;
    assert_eq!(counts(&job), [1_400, 200, 1_200, 0, 0], "{}", job["errors"]);
    let order = shop.order_of("DH142").await;
    assert_eq!(
        (order["items"].as_array().unwrap().len(), &order["total"]),
        (7, &json!(7000))
    );
}

#[tokio::test]
async fn a_preview_shows_what_each_column_is_and_writes_nothing() {
    let shop = Shop::open().await;
    shop.imported("kind=orders", ORDERS).await;
    let settings =
        json!({ "kind": "orders", "mapping": { "Đơn": "order.code", "Khách trả": "order.paid" } });
    let (status, job) = shop.ask("POST", "/v1/imports", Some(settings)).await;
    assert_eq!((status, &job["status"]), (201, &json!("draft")), "{job}");
    let id = job["id"].as_str().unwrap();
    let file = "Đơn,Ngày đặt,Tổng tiền,Khách trả,Cỡ\nDH-1,,1000,x,M\nDH-8,01/03/2026,5.000,0,L\n";
    let name = format!("imports/{}/{id}.csv", shop.tenant);
    let files = shop.world.resources().bucket("Imports");
    files.put(&name, "text/csv", file.into()).await.unwrap();
    let before = shop.tables().await;
    let path = format!("/v1/imports/{id}/preview");
    let (status, preview) = shop.ask("GET", &path, None).await;
    assert_eq!(status, 200, "{preview}");
    let columns = preview["columns"].as_array().unwrap().iter();
    let fields: Vec<&Value> = columns.map(|one| &one["field"]).collect();
    let wanted = [
        "order.code",
        "order.ordered_at",
        "order.total",
        "order.paid",
        "skip",
    ];
    assert_eq!(fields, wanted);
    assert_eq!(preview["columns"][3]["examples"][0]["cell"], "x");
    let trial = &preview["dry_run"];
    let counts = ["rows", "created", "updated", "failed"].map(|name| &trial[name]);
    assert_eq!(counts, [2, 1, 0, 1], "{trial}");
    assert_eq!(shop.tables().await, before);
}
