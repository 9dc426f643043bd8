//! Mail: the outbox, the events played back, simulator addresses; and WebSocket posts.

use aws_sdk_sesv2::primitives::Blob;
use aws_sdk_sesv2::types::{
    Body, Content, Destination, EmailContent, Message, MessageTag, RawMessage,
};
use serde_json::{Value, json};

use super::in_memory;
use crate::aws::{Aws, Kind};

async fn send(aws: &Aws, to: &str, configuration: Option<&str>) -> String {
    let client = aws_sdk_sesv2::Client::new(&aws.sdk_config());
    let mime = format!(
        "From: Shop <shop@example.vn>\r\nTo: {to}\r\nSubject: =?utf-8?q?Xin_ch=C3=A0o?=\r\n\r\nHello\r\n"
    );
    let raw = RawMessage::builder().data(Blob::new(mime)).build().unwrap();
    let tag = MessageTag::builder()
        .name("message")
        .value("m-1")
        .build()
        .unwrap();
    let sent = client
        .send_email()
        .from_email_address("Shop <shop@example.vn>")
        .destination(Destination::builder().to_addresses(to).build())
        .content(EmailContent::builder().raw(raw).build())
        .set_configuration_set_name(configuration.map(str::to_owned))
        .email_tags(tag);
    sent.send().await.unwrap().message_id().unwrap().to_owned()
}

fn events(aws: &Aws) -> Vec<Value> {
    let received = aws.sqs().receive("mail-events", 100, None);
    let bodies = received
        .iter()
        .map(|m| serde_json::from_str(&m.body).unwrap());
    bodies.collect()
}

#[tokio::test]
async fn a_mail_is_kept_and_its_events_are_played_back() {
    let aws = in_memory();
    let id = send(&aws, "an@example.vn", Some("mkt")).await;
    let page = aws.outbox().list(Some(Kind::Mail), None);
    let mail = &page.messages[0];
    assert_eq!(
        (mail.provider_id.as_str(), mail.subject.as_str()),
        (id.as_str(), "Xin chào")
    );
    assert_eq!(mail.to, ["an@example.vn"]);
    let mime = String::from_utf8(aws.outbox().mime(mail.id).unwrap()).unwrap();
    assert!(mime.ends_with("Hello\r\n"));
    let events = events(&aws);
    let kinds: Vec<_> = events
        .iter()
        .map(|e| e["detail-type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["Email Sent", "Email Delivered"]);
    let detail = &events[1]["detail"];
    assert_eq!(events[1]["source"], "aws.ses");
    assert_eq!(detail["eventType"], "Delivery");
    assert_eq!(detail["delivery"]["recipients"], json!(["an@example.vn"]));
    assert_eq!(detail["mail"]["messageId"], json!(id));
    assert_eq!(detail["mail"]["tags"]["message"], json!(["m-1"]));
    assert_eq!(
        detail["mail"]["tags"]["ses:configuration-set"],
        json!(["mkt"])
    );
    assert_eq!(aws.meter().snapshot().mails, 1);
}

#[tokio::test]
async fn simulator_addresses_meet_their_fate_and_no_set_means_no_events() {
    let aws = in_memory();
    let kinds = |aws: &Aws| -> Vec<String> {
        let kind = |e: &Value| e["detail"]["eventType"].as_str().unwrap().to_owned();
        events(aws).iter().map(kind).collect()
    };
    send(&aws, "bounce@simulator.amazonses.com", Some("mkt")).await;
    assert_eq!(kinds(&aws), ["Send", "Bounce"]);
    send(&aws, "complaint+7@example.vn", Some("mkt")).await;
    assert_eq!(kinds(&aws), ["Send", "Delivery", "Complaint"]);
    send(&aws, "reject+7@example.vn", Some("mkt")).await;
    assert_eq!(kinds(&aws), ["Reject"]);
    send(&aws, "an@example.vn", None).await;
    assert_eq!(kinds(&aws), Vec::<String>::new());
    assert_eq!(aws.outbox().count(Some(Kind::Mail)), 4);
}

#[tokio::test]
async fn a_simple_mail_is_built_and_a_bad_one_refused() {
    let aws = in_memory();
    let client = aws_sdk_sesv2::Client::new(&aws.sdk_config());
    let text = |text: &str| Content::builder().data(text).build().unwrap();
    let message = Message::builder().subject(text("Đơn hàng")).body(
        Body::builder()
            .html(text("<p>Chào</p>"))
            .text(text("Chào"))
            .build(),
    );
    let content = EmailContent::builder().simple(message.build()).build();
    let mail = |to: &str| {
        let destination = Destination::builder().to_addresses(to).build();
        let mail = client.send_email().from_email_address("shop@example.vn");
        mail.destination(destination).content(content.clone())
    };
    mail("an@example.vn").send().await.unwrap();
    assert_eq!(aws.outbox().get(0).unwrap().subject, "Đơn hàng");
    let error = mail("no address")
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert!(error.is_bad_request_exception(), "{error:?}");
    let account = client.get_account().send().await.unwrap();
    assert!(account.production_access_enabled());
}

#[tokio::test]
async fn other_channels_share_the_outbox_and_pages_go_back_in_time() {
    let aws = in_memory();
    for n in 0..150 {
        let kind = if n % 2 == 0 { Kind::Zns } else { Kind::Sms };
        let payload = json!({"n": n});
        aws.outbox()
            .append_message(kind, n, "84900000000", "id", payload)
            .unwrap();
    }
    let page = aws.outbox().list(None, None);
    assert_eq!((page.messages.len(), page.messages[0].id), (100, 149));
    let rest = aws.outbox().list(None, page.next);
    assert_eq!((rest.messages.len(), rest.next), (50, None));
    let zns = aws.outbox().list(Some(Kind::Zns), None);
    assert_eq!((zns.messages.len(), zns.next), (75, None));
}

#[tokio::test]
async fn a_post_reaches_a_connected_socket_and_others_are_gone() {
    let aws = in_memory();
    let config = aws.sdk_config().into_builder();
    let config = config.endpoint_url("http://127.0.0.1:1/live").build();
    let client = aws_sdk_apigatewaymanagement::Client::new(&config);
    let mut socket = aws.sockets().register("L0SM9cOFvHcCIhw=");
    let post = |id: &str| {
        let data = aws_sdk_apigatewaymanagement::primitives::Blob::new("hello");
        client.post_to_connection().connection_id(id).data(data)
    };
    post("L0SM9cOFvHcCIhw=").send().await.unwrap();
    assert_eq!(socket.recv().await.unwrap(), "hello");
    let error = post("other").send().await.unwrap_err().into_service_error();
    assert!(error.is_gone_exception(), "{error:?}");
    drop(socket);
    let error = post("L0SM9cOFvHcCIhw=")
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert!(error.is_gone_exception(), "{error:?}");
}
