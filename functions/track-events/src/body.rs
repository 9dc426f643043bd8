//! The bytes of a body, unpacked, and the key in a header.

use std::io::Read;

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::MultiGzDecoder;
use tracking::{MAX_BODY, Unreadable};

/// The first bytes of a gzip file. Some proxies unpack a body and leave its header.
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The body, unpacked if it is packed. No more than the most bytes of a request are unpacked.
pub fn unpacked(body: &[u8]) -> Result<Vec<u8>, Unreadable> {
    if !body.starts_with(&GZIP) {
        return Ok(body.to_vec());
    }
    let mut text = Vec::new();
    let mut bounded = MultiGzDecoder::new(body).take(MAX_BODY as u64 + 1);
    let read = bounded.read_to_end(&mut text);
    read.map_err(|_| Unreadable::Syntax)?;
    if text.len() > MAX_BODY {
        return Err(Unreadable::TooLarge);
    }
    Ok(text)
}

/// The key of the header `Authorization`: the user name of Basic, or a bearer token.
pub fn key(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, credential) = text.split_once(' ')?;
    let credential = credential.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(credential.to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = STANDARD.decode(credential).ok()?;
    let pair = String::from_utf8(pair).ok()?;
    let user = pair.split_once(':').map_or(pair.as_str(), |(user, _)| user);
    (!user.is_empty()).then(|| user.to_owned())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    fn packed(text: &[u8]) -> Vec<u8> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::best());
        packer.write_all(text).unwrap();
        packer.finish().unwrap()
    }

    #[test]
    fn a_packed_body_has_the_same_bound() {
        assert_eq!(unpacked(&packed(b"{}")).unwrap(), b"{}");
        assert_eq!(unpacked(b"{}").unwrap(), b"{}");
        let bomb = packed(&vec![b' '; 50_000_000]);
        assert!(bomb.len() < MAX_BODY);
        assert_eq!(unpacked(&bomb), Err(Unreadable::TooLarge));
        let cut = &packed(b"{\"batch\":[]}")[..12];
        assert_eq!(unpacked(cut), Err(Unreadable::Syntax));
    }

    #[test]
    fn a_key_is_a_user_name_or_a_bearer_token() {
        let key_of = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            key(&headers)
        };
        assert_eq!(key_of("Basic dG5nX2E6"), Some("tng_a".into()));
        assert_eq!(key_of("basic dG5nX2E="), Some("tng_a".into()));
        assert_eq!(key_of("Bearer tng_a"), Some("tng_a".into()));
        for none in ["Basic", "Basic ?", "Basic Og==", "Digest x"] {
            assert_eq!(key_of(none), None, "{none}");
        }
    }
}
