use super::*;

#[expect(clippy::disallowed_methods, reason = "a test's own tenant")]
fn tenant() -> TenantKey {
    TenantKey::authenticated("ws_0123456789a".parse().unwrap())
}

fn key(key: &Key) -> (&str, &str) {
    (&key.pk, &key.sk)
}

#[test]
fn keys_have_these_exact_texts() {
    let (t, id) = (tenant(), "con_0123456789a".parse().unwrap());
    let list_id = "lst_0123456789a".parse().unwrap();
    assert_eq!(
        key(&profile(t, id)),
        ("ws_0123456789a#con_0123456789a", "PROFILE")
    );
    assert_eq!(
        key(&membership(t, id, list_id)),
        ("ws_0123456789a#con_0123456789a", "LIST#lst_0123456789a")
    );
    let at = "2026-03-02T08:00:00Z".parse().unwrap();
    assert_eq!(
        key(&consent(t, id, at, "r1")),
        (
            "ws_0123456789a#con_0123456789a",
            "CONSENT#2026-03-02T08:00:00.000Z#r1"
        )
    );
    assert_eq!(
        key(&name(t, "tran thi an", id)),
        ("ws_0123456789a#N#tra#t", "tran thi an#con_0123456789a")
    );
    assert_eq!(
        key(&name(t, "an", id)),
        ("ws_0123456789a#N#an #~", "an#con_0123456789a")
    );
    assert_eq!(
        key(&unique(t, "ma_the", "0a1b")),
        ("ws_0123456789a#U#ma_the#0a", "0a1b")
    );
    assert_eq!(
        key(&list(t, list_id)),
        ("ws_0123456789a", "LIST#lst_0123456789a")
    );
    assert_eq!(key(&sightings(t, "e1")), ("ws_0123456789a#SEEN#e1", "SEEN"));
    assert_eq!(
        key(&forgotten(t, "e1")),
        ("ws_0123456789a#SEEN#e1", "ERASED")
    );
    let import_id = "imp_0123456789a".parse().unwrap();
    assert_eq!(
        key(&import(t, import_id)),
        ("ws_0123456789a#imp_0123456789a", "IMPORT")
    );
    assert_eq!(
        key(&listener(t, "form.submitted", "wfl_0123456789a")),
        ("ws_0123456789a#TRIGGER", "form.submitted#wfl_0123456789a")
    );
    assert_eq!(
        key(&hooking(t, "whk_0123456789a".parse().unwrap())),
        ("ws_0123456789a#HOOKS", "whk_0123456789a")
    );
    assert_eq!(key(&interest(t)), ("ws_0123456789a", "INTEREST"));
    let note_id = "not_0123456789a".parse().unwrap();
    let partition = "ws_0123456789a#con_0123456789a";
    assert_eq!(
        key(&note(t, id, note_id)),
        (partition, "NOTE#not_0123456789a")
    );
    assert_eq!(key(&notes(t, id)), (partition, "NOTES"));
    assert_eq!(key(&tag(t, "VIP")), ("ws_0123456789a#TAGS", "vip"));
    assert_eq!(key(&tags_count(t)), ("ws_0123456789a#TAGS#COUNT", "COUNT"));
    let job = "blk_0123456789a".parse().unwrap();
    assert_eq!(
        key(&bulk(t, job)),
        ("ws_0123456789a#blk_0123456789a", "BULK")
    );
    assert_eq!(
        key(&bulk_listed(t, job)),
        ("ws_0123456789a#BULK", "blk_0123456789a")
    );
    assert_eq!(key(&bulk_running(t)), ("ws_0123456789a#BULK", "RUNNING"));
    assert_eq!(key(&views(t, None)), ("ws_0123456789a", "VIEWS#shared"));
    assert_eq!(
        key(&views(t, Some("usr_1"))),
        ("ws_0123456789a", "VIEWS#usr_1")
    );
    assert_eq!(
        key(&fields(t, "contact")),
        ("ws_0123456789a", "FIELDS#contact")
    );
    assert_eq!(
        key(&field_user(t, "wfl_0123456789a")),
        ("ws_0123456789a#USES#by#wfl_0123456789a", "FIELDS")
    );
    assert_eq!(
        key(&field_use(t, "hang", "wfl_0123456789a")),
        ("ws_0123456789a#USES#field#hang", "wfl_0123456789a")
    );
}

#[test]
fn identities_have_these_exact_texts() {
    let inbox = "inb_0123456789a".parse().unwrap();
    let visitor = "v1".to_owned();
    for (one, pk, sk) in [
        (Identity::own("7"), "external#fa", "7"),
        (
            Identity::External {
                scope: "haravan:a".into(),
                id: "7".into(),
            },
            "external.haravan:a#fa",
            "7",
        ),
        (
            Identity::Email("an@example.vn".parse().unwrap()),
            "email#an@",
            "an@example.vn",
        ),
        (
            Identity::Phone("0912345678".parse().unwrap()),
            "phone#912",
            "912345678",
        ),
        (Identity::Anonymous { id: "7".into() }, "anon#fa", "7"),
        (
            Identity::Visitor { inbox, visitor },
            "widget#v1@",
            "v1@inb_0123456789a",
        ),
    ] {
        let pk = format!("ws_0123456789a#I#{pk}");
        assert_eq!(key(&identity(tenant(), &one)), (pk.as_str(), sk));
    }
}

#[test]
fn an_event_is_found_by_time_and_id() {
    let one = Event {
        id: "e1".into(),
        name: "form.submitted".into(),
        at: "2026-03-02T08:00:00Z".parse().unwrap(),
        source: "api".into(),
        data: serde_json::Value::Null,
    };
    assert_eq!(
        key(&event(tenant(), "con_0123456789a".parse().unwrap(), &one)),
        (
            "ws_0123456789a#con_0123456789a",
            "2026-03-02T08:00:00.000Z#e1"
        )
    );
}
