//! The wire format of web push: requests are built and answers are read here, without I/O.
//!
//! Sources: RFC 8030 (the request), RFC 8291 (the encryption), RFC 8292 (VAPID). The encryption is the crate `web-push-native`'s.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use cloud::web::Head;
use cloud::{Guard, WebError};
use contacts::BrowserKeys;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, Request, StatusCode};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;
use web_push_native::p256::elliptic_curve::sec1::ToEncodedPoint;
use web_push_native::p256::pkcs8::EncodePrivateKey;
use web_push_native::p256::{PublicKey, SecretKey};
use web_push_native::{Auth, encrypt};

use super::store::Vapid;

/// How long a VAPID token is valid. RFC 8292 allows 24 hours.
const VALID: SignedDuration = SignedDuration::from_hours(12);
/// Characters of the name by which a push service replaces a waiting message (RFC 8030, section 5.4).
const TOPIC: usize = 32;
/// Bytes of an authentication secret.
const AUTH: usize = 16;

/// A push service's answer about one browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pushed {
    /// Taken, under this id.
    Accepted(String),
    /// The device is gone for good.
    Gone,
    /// Refused, with a stable name.
    Refused(String),
    /// Not now: nothing was taken. Seconds to wait, if the service says so.
    Later(Option<u32>),
    /// The account may not send.
    Stopped(String),
    /// No answer: the message may have been taken.
    NoAnswer,
}

/// A new pair of keys: 32 bytes of the private one, and the public one in base64url. `random` gives 32 random bytes.
pub fn new_keys(random: impl Fn() -> [u8; 32]) -> (Vec<u8>, String) {
    loop {
        // One in 2^32 texts is no key of the curve.
        if let Ok(secret) = SecretKey::from_slice(&random()) {
            let public = secret.public_key().to_encoded_point(false);
            return (
                secret.to_bytes().to_vec(),
                URL_SAFE_NO_PAD.encode(public.as_bytes()),
            );
        }
    }
}

/// The origin of an endpoint, which a token is for.
pub fn origin(endpoint: &str, guard: Guard) -> Option<String> {
    let url = guard.read(endpoint).ok()?;
    Some(url.origin().ascii_serialization())
}

/// The value of `Authorization` for the push services of an origin.
pub fn authorization(vapid: &Vapid, origin: &str, now: Timestamp) -> Option<String> {
    let secret = SecretKey::from_slice(&vapid.private).ok()?;
    let key = secret.to_pkcs8_der().ok()?;
    let claims = json!({
        "aud": origin,
        "exp": (now + VALID).as_second(),
        "sub": vapid.contact,
    });
    let key = EncodingKey::from_ec_der(key.as_bytes());
    let token = jsonwebtoken::encode(&Header::new(Algorithm::ES256), &claims, &key).ok()?;
    Some(format!("vapid t={token}, k={}", vapid.public_key))
}

/// The encrypted message. `None`: the keys are none of a browser.
pub fn sealed(plain: &str, keys: &BrowserKeys) -> Option<Vec<u8>> {
    let public = URL_SAFE_NO_PAD.decode(&keys.p256dh).ok()?;
    let auth = URL_SAFE_NO_PAD.decode(&keys.auth).ok()?;
    if auth.len() != AUTH {
        return None;
    }
    let public = PublicKey::from_sec1_bytes(&public).ok()?;
    encrypt(plain.into(), &public, Auth::from_slice(&auth)).ok()
}

/// The request of one push. `id` names the message: a repeated one replaces the first while it waits.
pub fn request(
    endpoint: &str,
    authorization: &str,
    (id, ttl): (&str, u32),
    sealed: Vec<u8>,
) -> Option<Request<Bytes>> {
    Request::post(endpoint)
        .header("TTL", ttl)
        .header("Urgency", "normal")
        .header("Topic", id.get(..TOPIC).unwrap_or(id))
        .header(CONTENT_ENCODING, "aes128gcm")
        .header(CONTENT_TYPE, "application/octet-stream")
        .header(AUTHORIZATION, authorization)
        .body(Bytes::from(sealed))
        .ok()
}

/// Seconds of `Retry-After`. A date is not read: push services give seconds.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<u32> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?;
    value.trim().parse().ok()
}

/// The answer of a push service.
pub fn answer(answer: &Result<Head, WebError>, id: &str) -> Pushed {
    let head = match answer {
        Ok(head) => head,
        // The subscription names a place of our own network: no browser has it.
        Err(WebError::Forbidden) => return Pushed::Gone,
        Err(WebError::NoHost) => return Pushed::Refused("no_such_host".into()),
        Err(_) => return Pushed::NoAnswer,
    };
    match head.status {
        StatusCode::NOT_FOUND | StatusCode::GONE => Pushed::Gone,
        StatusCode::PAYLOAD_TOO_LARGE => Pushed::Refused("too_large".into()),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            Pushed::Later(retry_after(&head.headers))
        }
        status if status.is_success() => {
            let place = head.headers.get(http::header::LOCATION);
            let place = place.and_then(|place| place.to_str().ok());
            let name = place.and_then(|place| place.rsplit('/').next());
            let name = name.filter(|name| !name.is_empty() && name.len() <= 200);
            Pushed::Accepted(name.unwrap_or(id).to_owned())
        }
        // The key differs from the one of the subscription, or the token is wrong.
        status if status.is_client_error() => Pushed::Refused(format!("http_{}", status.as_u16())),
        _ => Pushed::NoAnswer,
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{DecodingKey, Validation};
    use web_push_native::decrypt;

    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(text).unwrap()
    }

    /// RFC 8291, section 5: the message of the example is read with the keys of its browser.
    #[test]
    fn the_example_of_rfc_8291_is_read() {
        let body = "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN";
        let browser = SecretKey::from_slice(&bytes("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"));
        let auth = bytes("BTBZMqHH6r4Tts7J_aSIgg");
        let plain = decrypt(bytes(body), &browser.unwrap(), Auth::from_slice(&auth)).unwrap();
        assert_eq!(plain, b"When I grow up, I want to be a watermelon");
    }

    #[test]
    fn a_message_is_for_its_browser_alone() {
        let browser = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94";
        let keys = BrowserKeys {
            p256dh: "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4".into(),
            auth: "BTBZMqHH6r4Tts7J_aSIgg".into(),
        };
        let plain = "đ".repeat(1_996);
        let body = sealed(&plain, &keys).unwrap();
        assert!(body.len() <= 4_096, "{}", body.len());
        let secret = SecretKey::from_slice(&bytes(browser)).unwrap();
        let auth = bytes(&keys.auth);
        let read = decrypt(body.clone(), &secret, Auth::from_slice(&auth)).unwrap();
        assert_eq!(read, plain.as_bytes());
        let (other, _) = new_keys(|| [7; 32]);
        let other = SecretKey::from_slice(&other).unwrap();
        assert!(decrypt(body, &other, Auth::from_slice(&auth)).is_err());
        let short = BrowserKeys {
            auth: "BTBZ".into(),
            ..keys
        };
        assert!(sealed("x", &short).is_none());
    }

    /// RFC 8292, section 2.4: the token of the example is verified with its key, as those of ours.
    #[test]
    fn tokens_are_verified_with_the_public_key() {
        let example = "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJhdWQiOiJodHRwczovL3B1c2guZXhhbXBsZS5uZXQiLCJleHAiOjE0NTM1MjM3NjgsInN1YiI6Im1haWx0bzpwdXNoQGV4YW1wbGUuY29tIn0.i3CYb7t4xfxCDquptFOepC9GAu_HLGkMlMuCGSK2rpiUfnK9ojFwDXb1JrErtmysazNjjvW2L9OkSSHzvoD1oA";
        let key = "BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAIxHF6YK5h4SDYic-dRuU_RCPCfA5aq9ojSwk5Y2EmClBPs";
        assert_eq!(verified(example, key)["sub"], "mailto:push@example.com");
        let (private, public_key) = new_keys(|| [9; 32]);
        let vapid = Vapid {
            private,
            public_key,
            contact: "mailto:shop@example.vn".into(),
        };
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let header = authorization(&vapid, "https://push.example.net", now).unwrap();
        let (token, key) = header
            .strip_prefix("vapid t=")
            .unwrap()
            .split_once(", k=")
            .unwrap();
        let claims = verified(token, key);
        assert_eq!(claims["aud"], "https://push.example.net");
        assert_eq!(claims["exp"], 1_800_000_000 + 12 * 3600);
        assert_eq!(claims["sub"], "mailto:shop@example.vn");
    }

    fn verified(token: &str, key: &str) -> serde_json::Value {
        let key = bytes(key);
        let (x, y) = key[1..].split_at(32);
        let coordinate = |part: &[u8]| URL_SAFE_NO_PAD.encode(part);
        let key = DecodingKey::from_ec_components(&coordinate(x), &coordinate(y)).unwrap();
        let mut rules = Validation::new(Algorithm::ES256);
        rules.validate_exp = false;
        rules.validate_aud = false;
        jsonwebtoken::decode(token, &key, &rules).unwrap().claims
    }

    #[test]
    fn each_answer_has_its_meaning() {
        let head = |status: u16| {
            Ok(Head {
                status: StatusCode::from_u16(status).unwrap(),
                headers: HeaderMap::from_iter([(RETRY_AFTER, "120".parse().unwrap())]),
                body: Bytes::new(),
            })
        };
        let refused = |code: &str| Pushed::Refused(code.into());
        for (status, expected) in [
            (201, Pushed::Accepted("id".into())),
            (404, Pushed::Gone),
            (410, Pushed::Gone),
            (413, refused("too_large")),
            (403, refused("http_403")),
            (429, Pushed::Later(Some(120))),
            (503, Pushed::Later(Some(120))),
            (500, Pushed::NoAnswer),
        ] {
            assert_eq!(answer(&head(status), "id"), expected, "{status}");
        }
        assert_eq!(answer(&Err(WebError::Forbidden), "id"), Pushed::Gone);
        assert_eq!(answer(&Err(WebError::Timeout), "id"), Pushed::NoAnswer);
    }
}
