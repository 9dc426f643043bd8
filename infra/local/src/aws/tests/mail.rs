//! Mail: the outbox, the events played back, simulator addresses; and WebSocket posts.

use aws_sdk_sesv2::error::ProvideErrorMetadata;
use aws_sdk_sesv2::primitives::Blob;
use aws_sdk_sesv2::types::{
    Attachment, AttachmentContentDisposition, Body, Content, Destination, EmailContent, Message,
    MessageTag, RawMessage, SuppressionListReason,
};
use mail_parser::MimeHeaders as _;
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
    for message in &received {
        aws.sqs().delete("mail-events", &message.receipt_handle);
    }
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

/// A mail to `to`, for tests to change.
fn plain(
    aws: &Aws,
    to: &str,
) -> aws_sdk_sesv2::operation::send_email::builders::SendEmailFluentBuilder {
    let text = |text: &str| Content::builder().data(text).build().unwrap();
    let message = Message::builder()
        .subject(text("Hi"))
        .body(Body::builder().text(text("Hi")).build());
    let content = EmailContent::builder().simple(message.build()).build();
    let client = aws_sdk_sesv2::Client::new(&aws.sdk_config());
    let mail = client
        .send_email()
        .from_email_address("shop@example.vn")
        .content(content);
    mail.destination(Destination::builder().to_addresses(to).build())
}

#[tokio::test]
async fn an_attachment_is_in_the_mail() {
    let aws = in_memory();
    let text = |text: &str| Content::builder().data(text).build().unwrap();
    let attachment = Attachment::builder()
        .raw_content(Blob::new("a,b\n"))
        .file_name("hoá đơn.csv");
    let inline = Attachment::builder()
        .raw_content(Blob::new([1, 2]))
        .file_name("logo.png");
    let inline = inline.content_disposition(AttachmentContentDisposition::Inline);
    let inline = inline.content_id("logo").content_type("image/png");
    let message = Message::builder()
        .subject(text("Hi"))
        .body(Body::builder().text(text("Hi")).build())
        .attachments(attachment.content_type("text/csv").build().unwrap())
        .attachments(inline.build().unwrap());
    let content = EmailContent::builder().simple(message.build()).build();
    plain(&aws, "an@example.vn")
        .content(content)
        .send()
        .await
        .unwrap();
    let mime = aws.outbox().mime(0).unwrap();
    let mail = mail_parser::MessageParser::default().parse(&mime).unwrap();
    let parts: Vec<_> = mail
        .attachments()
        .map(|part| (part.attachment_name(), part.contents()))
        .collect();
    assert_eq!(
        parts,
        [(Some("hoá đơn.csv"), &b"a,b\n"[..]), (None, &[1, 2][..])]
    );
    assert_eq!(mail.attachment(1).unwrap().content_id(), Some("logo"));
}

#[tokio::test]
async fn an_unknown_configuration_set_and_wrong_tags_are_refused() {
    let aws = in_memory();
    let mail = || plain(&aws, "an@example.vn");
    let error = mail()
        .configuration_set_name("nope")
        .send()
        .await
        .unwrap_err();
    assert!(error.into_service_error().is_not_found_exception());
    let tag = |name: &str, value: &str| {
        MessageTag::builder()
            .name(name)
            .value(value)
            .build()
            .unwrap()
    };
    let long = "x".repeat(257);
    for (name, value) in [("k k", "v"), ("k", "có dấu"), ("k", ""), ("k", &*long)] {
        let error = mail()
            .email_tags(tag(name, value))
            .send()
            .await
            .unwrap_err();
        assert!(
            error.into_service_error().is_bad_request_exception(),
            "{name}={value}"
        );
    }
    let tags = |count: usize| {
        (0..count).fold(mail(), |mail, n| {
            mail.email_tags(tag(&format!("k{n}"), "v_-1"))
        })
    };
    assert!(
        tags(51)
            .send()
            .await
            .unwrap_err()
            .into_service_error()
            .is_bad_request_exception()
    );
    tags(50).configuration_set_name("mkt").send().await.unwrap();
    assert_eq!(aws.outbox().count(None), 1);
}

#[tokio::test]
async fn the_quota_counts_the_recipients_of_the_last_day() {
    let hand = super::Hand::new();
    let aws = super::open(None, hand.clock());
    let sent = async || {
        let client = aws_sdk_sesv2::Client::new(&aws.sdk_config());
        client
            .get_account()
            .send()
            .await
            .unwrap()
            .send_quota
            .unwrap()
            .sent_last24_hours
    };
    let both = Destination::builder()
        .to_addresses("an@example.vn")
        .cc_addresses("binh@example.vn");
    plain(&aws, "an@example.vn")
        .destination(both.build())
        .send()
        .await
        .unwrap();
    hand.advance_seconds(24 * 3600 - 1);
    aws.outbox()
        .append_message(
            Kind::Sms,
            hand.clock().now_ms(),
            "84900000000",
            "id",
            json!({}),
        )
        .unwrap();
    assert!((sent().await - 2.0).abs() < 1e-9);
    hand.advance_seconds(1);
    assert!(sent().await.abs() < 1e-9);
}

#[tokio::test]
async fn a_suppressed_address_bounces_until_it_is_taken_off() {
    let folder = tempfile::tempdir().unwrap();
    let hand = super::Hand::new();
    let kinds = |aws: &Aws| -> Vec<String> {
        let kind = |event: &Value| {
            let bounce = event["detail"]["bounce"]["bounceSubType"].as_str();
            bounce
                .or(event["detail"]["eventType"].as_str())
                .unwrap()
                .to_owned()
        };
        events(aws).iter().map(kind).collect()
    };
    {
        let aws = super::open(Some(folder.path()), hand.clock());
        let client = aws_sdk_sesv2::Client::new(&aws.sdk_config());
        let put = client
            .put_suppressed_destination()
            .email_address("An@example.vn");
        put.reason(SuppressionListReason::Complaint)
            .send()
            .await
            .unwrap();
        send(&aws, "bounce+1@example.vn", Some("mkt")).await;
        assert_eq!(kinds(&aws), ["Send", "General"]);
        send(&aws, "bounce@simulator.amazonses.com", Some("mkt")).await;
        assert_eq!(kinds(&aws), ["Send", "General"]);
    }
    let aws = super::open(Some(folder.path()), hand.clock());
    let client = aws_sdk_sesv2::Client::new(&aws.sdk_config());
    for to in ["an@example.vn", "bounce+1@example.vn"] {
        send(&aws, to, Some("mkt")).await;
        assert_eq!(kinds(&aws), ["Send", "OnAccountSuppressionList"], "{to}");
    }
    let list = client
        .list_suppressed_destinations()
        .reasons(SuppressionListReason::Bounce);
    let list = list.send().await.unwrap();
    let listed: Vec<_> = list
        .suppressed_destination_summaries()
        .iter()
        .map(aws_sdk_sesv2::types::SuppressedDestinationSummary::email_address)
        .collect();
    assert_eq!(listed, ["bounce+1@example.vn"]);
    let first = client
        .list_suppressed_destinations()
        .page_size(1)
        .send()
        .await
        .unwrap();
    let rest = client
        .list_suppressed_destinations()
        .set_next_token(first.next_token)
        .send()
        .await
        .unwrap();
    assert_eq!(
        rest.suppressed_destination_summaries()[0].email_address(),
        "bounce+1@example.vn"
    );
    let get = || {
        client
            .get_suppressed_destination()
            .email_address("an@example.vn")
            .send()
    };
    let found = get().await.unwrap().suppressed_destination.unwrap();
    assert_eq!(found.reason(), &SuppressionListReason::Complaint);
    let delete = || {
        client
            .delete_suppressed_destination()
            .email_address("an@example.vn")
            .send()
    };
    delete().await.unwrap();
    assert!(
        delete()
            .await
            .unwrap_err()
            .into_service_error()
            .is_not_found_exception()
    );
    assert!(
        get()
            .await
            .unwrap_err()
            .into_service_error()
            .is_not_found_exception()
    );
    send(&aws, "an@example.vn", Some("mkt")).await;
    assert_eq!(kinds(&aws), ["Send", "Delivery"]);
    let error = client.list_configuration_sets().send().await.unwrap_err();
    assert_eq!(
        error.into_service_error().code(),
        Some("UnknownOperationException")
    );
}
