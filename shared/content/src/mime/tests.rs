use mail_parser::{MessageParser, MimeHeaders};
use proptest::prelude::*;

use super::*;

fn mailbox(name: &str, address: &str) -> Mailbox {
    Mailbox {
        name: Some(name.to_owned()),
        address: address.to_owned(),
    }
}

fn sample() -> (Mailbox, Mailbox, Mailbox) {
    (
        mailbox("Cửa hàng Ánh Dương, \"Q.1\"", "shop@example.vn"),
        mailbox("Nguye\u{302}\u{303}n Thị Ánh", "anh@example.com"),
        mailbox("", "reply@example.vn"),
    )
}

fn message((from, to, reply): &(Mailbox, Mailbox, Mailbox)) -> Message<'_> {
    Message {
        from,
        to,
        reply_to: Some(reply),
        subject: "Khuyến mãi 🎉 50% cho bạn",
        message_id: "msg-1@mail.example.vn",
        date: "2026-11-22T02:30:00Z".parse().unwrap(),
        unsubscribe_url: Some("https://t.example.vn/u/AXUOd3NfMDEy"),
        html: Some("<p>Chào bạn, áo dài <b>giảm giá</b></p>"),
        text: "Chào bạn,\náo dài giảm giá",
    }
}

#[test]
fn another_library_reads_what_was_written() {
    let people = sample();
    let message = message(&people);
    let bytes = build(&message).unwrap();
    assert!(bytes.is_ascii());
    assert!(
        String::from_utf8_lossy(&bytes)
            .lines()
            .all(|line| line.len() <= 998)
    );
    let parsed = MessageParser::default().parse(&bytes).unwrap();
    let from = parsed.from().unwrap().first().unwrap();
    assert_eq!(from.name(), people.0.name.as_deref());
    assert_eq!(from.address(), Some("shop@example.vn"));
    let to = parsed.to().unwrap().first().unwrap();
    assert_eq!(
        (to.name(), to.address()),
        (people.1.name.as_deref(), Some("anh@example.com"))
    );
    assert_eq!(
        parsed.reply_to().unwrap().first().unwrap().address(),
        Some("reply@example.vn")
    );
    assert_eq!(parsed.subject(), Some(message.subject));
    assert_eq!(parsed.message_id(), Some(message.message_id));
    assert_eq!(
        parsed.date().unwrap().to_timestamp(),
        message.date.as_second()
    );
    assert_eq!(parsed.body_html(0).unwrap(), message.html.unwrap());
    assert_eq!(
        parsed.body_text(0).unwrap().replace("\r\n", "\n"),
        message.text
    );
    assert_eq!(parsed.content_type().unwrap().ctype(), "multipart");
    assert_eq!(
        parsed.content_type().unwrap().subtype(),
        Some("alternative")
    );
    assert_eq!(
        parsed.header_raw("List-Unsubscribe").unwrap().trim(),
        format!("<{}>", message.unsubscribe_url.unwrap())
    );
    assert_eq!(
        parsed.header_raw("List-Unsubscribe-Post").unwrap().trim(),
        "List-Unsubscribe=One-Click"
    );
}

#[test]
fn a_second_attempt_is_the_same_message() {
    let people = sample();
    assert_eq!(build(&message(&people)), build(&message(&people)));
}

#[test]
fn text_alone_is_one_part_without_unsubscribe() {
    let people = sample();
    let mut message = message(&people);
    (message.html, message.unsubscribe_url) = (None, None);
    let bytes = build(&message).unwrap();
    let parsed = MessageParser::default().parse(&bytes).unwrap();
    assert_eq!(parsed.parts.len(), 1);
    assert!(parsed.header_raw("List-Unsubscribe").is_none());
}

#[test]
fn headers_cannot_be_injected() {
    let people = sample();
    for evil in [
        "a\r\nBcc: x@example.com",
        "a\nb",
        "a\rb",
        "a\u{0}",
        "a\u{85}",
        "a\u{2028}b",
    ] {
        let mut changed = message(&people);
        changed.subject = evil;
        let header = "Subject";
        assert_eq!(build(&changed), Err(MimeError::ControlCharacter { header }));
        for (header, which) in [("From", 0), ("To", 1), ("Reply-To", 2)] {
            for is_name in [true, false] {
                let mut people = sample();
                let person = match which {
                    0 => &mut people.0,
                    1 => &mut people.1,
                    _ => &mut people.2,
                };
                if is_name {
                    person.name = Some(evil.to_owned());
                } else {
                    person.address = format!("{evil}@example.com");
                }
                let result = build(&message(&people)).unwrap_err();
                assert_eq!(result, MimeError::ControlCharacter { header });
            }
        }
        let mut changed = message(&people);
        changed.message_id = evil;
        assert!(build(&changed).is_err());
        let url = format!("https://example.com/{evil}");
        let mut changed = message(&people);
        changed.unsubscribe_url = Some(&url);
        assert_eq!(build(&changed), Err(MimeError::InvalidUnsubscribe));
    }
    for address in [
        "",
        "a",
        "a@",
        "@b",
        "a@b@c",
        "a b@c",
        "<a@b>",
        "a@b>,<c@d",
        "á@example.vn",
        "=?utf-8?q?a=40evil.vn=3e=00?=@example.vn",
    ] {
        let mut people = sample();
        people.1.address = address.to_owned();
        let header = "To";
        assert_eq!(
            build(&message(&people)),
            Err(MimeError::InvalidAddress { header })
        );
    }
    let mut changed = message(&people);
    changed.unsubscribe_url = Some("http://example.com");
    assert_eq!(build(&changed), Err(MimeError::InvalidUnsubscribe));
}

/// Texts that a reader would decode to a header of its own, if they were passed on.
const ENCODED_TEXTS: [&str; 7] = [
    "Hi =?utf-8?q?=0d=0aBcc:_evil@evil.vn=0d=0a=0d=0a<h1>x?= you",
    "=?utf-8?q?a?=",
    "=?UTF-8?B?DQpCY2M6IGV2aWxAZXZpbC52bg0K?=",
    "áo =?iso-8859-1?Q?dai?= =?utf-8?b?w6E=?=",
    "=?utf-8?q?ceo=40evil.com=3e=2c?= <x",
    "=?x",
    "a =?utf-8?q?very?= long text with words, and áàảãạ more than one encoded word can hold =?x?= 0123456789",
];

#[test]
fn text_like_an_encoded_word_reaches_the_reader_as_it_is() {
    for text in ENCODED_TEXTS {
        let mut people = sample();
        people.0.name = Some(text.to_owned());
        people.1.name = Some(text.to_owned());
        people.2.name = Some(text.to_owned());
        let mut message = message(&people);
        message.subject = text;
        let bytes = build(&message).unwrap();
        let parsed = MessageParser::default().parse(&bytes).unwrap();
        assert_eq!(parsed.subject(), Some(text));
        for (list, address) in [
            (parsed.from(), "shop@example.vn"),
            (parsed.to(), "anh@example.com"),
            (parsed.reply_to(), "reply@example.vn"),
        ] {
            let list: Vec<_> = list.unwrap().iter().collect();
            assert_eq!(list.len(), 1, "{text}");
            assert_eq!(
                (list[0].name(), list[0].address()),
                (Some(text), Some(address))
            );
        }
        assert!(parsed.bcc().is_none() && parsed.body_html(0).is_some());
        assert!(bytes.is_ascii());
    }
}

/// Prints what Python's reader of mails finds, one JSON text a line.
const PYTHON: &str = "import email, email.policy, json, sys\n\
    m = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)\n\
    one = lambda h: [[a.display_name, a.addr_spec] for a in m[h].addresses]\n\
    print(json.dumps([str(m['Subject']), one('From'), one('To'), one('Reply-To'), m['Bcc'], sorted(set(m.keys()))]))\n";

#[test]
fn python_reads_the_same_headers() {
    use std::io::{Read as _, Write as _};
    use std::process::{Command, Stdio};

    for text in ENCODED_TEXTS
        .into_iter()
        .chain(["Khuyến mãi 🎉 50%", "a, \"b\" <c@d>"])
    {
        let mut people = sample();
        people.1.name = Some(text.to_owned());
        let mut message = message(&people);
        message.subject = text;
        let bytes = build(&message).unwrap();
        let python = Command::new("python3")
            .args(["-c", PYTHON])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut python = match python {
            Ok(python) => python,
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
                return; // Python is not installed; mail-parser reads the same texts above.
            }
        };
        python.stdin.take().unwrap().write_all(&bytes).unwrap();
        let mut answer = String::new();
        python
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut answer)
            .unwrap();
        assert!(python.wait().unwrap().success(), "{text}");
        let read: serde_json::Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(read[0], text);
        assert_eq!(read[1][0][1], "shop@example.vn");
        // Python keeps the space between two encoded words of a name.
        let plain = |text: &str| text.replace(' ', "");
        assert_eq!(plain(read[2][0][0].as_str().unwrap()), plain(text));
        assert_eq!(read[2][0][1], "anh@example.com");
        assert_eq!(read[2].as_array().unwrap().len(), 1);
        assert_eq!(read[4], serde_json::Value::Null);
        let names = [
            "Content-Type",
            "Date",
            "From",
            "List-Unsubscribe",
            "List-Unsubscribe-Post",
            "MIME-Version",
            "Message-ID",
            "Reply-To",
            "Subject",
            "To",
        ];
        assert_eq!(read[5], serde_json::json!(names), "{text}");
    }
}

proptest! {
    #[test]
    fn any_content_survives(
        subject in "([^\\p{Cc}\u{2028}\u{2029}]|=\\?utf-8\\?[bq]\\?[a-zA-Z0-9=]{0,12}\\?=){0,100}",
        name in "([^\\p{Cc}\u{2028}\u{2029}]|=\\?utf-8\\?[bq]\\?[a-zA-Z0-9=]{0,12}\\?=){0,30}",
        text in "([^\\p{Cc}]|\n){0,300}",
    ) {
        let mut people = sample();
        people.1.name = Some(name.clone());
        let mut message = message(&people);
        (message.subject, message.text) = (&subject, &text);
        let bytes = build(&message).unwrap();
        let parsed = MessageParser::default().parse(&bytes).unwrap();
        prop_assert_eq!(parsed.subject().unwrap_or("").trim(), subject.trim());
        let body = parsed.body_text(0).unwrap_or_default().replace("\r\n", "\n");
        prop_assert_eq!(body.trim_end(), text.trim_end());
        prop_assert_eq!(parsed.to().unwrap().first().unwrap().address(), Some("anh@example.com"));
        prop_assert!(parsed.bcc().is_none());
    }
}
