//! Signed tokens in tracked links: the event, the recipient, and the target.
//!
//! A token carries all data that the link endpoint needs, the target of a click included, under an HMAC. The
//! endpoint accepts only valid tokens, so it never redirects to an attacker's address. Tokens are signed, not
//! secret; they hold ids and the link, no personal data of ours.
//!
//! The layout is URL-safe base64 without padding: version, kind, the first letter of the channel, four parts each with
//! a length byte, the URL of a click. The first 16 bytes of HMAC-SHA256 over a label and all of it follow. Version 1
//! had no channel: its tokens are in mails.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use kernel::Channel;
use sha2::Sha256;

const VERSION: u8 = 2;
/// The version without a channel.
const OF_MAIL: u8 = 1;
const LABEL: &[u8] = b"tanigo link token\0";
const MAC_BYTES: usize = 16;
const MAX_PART: usize = 64;
/// Characters of the mark of an address.
const MARK: usize = 16;
/// Longest target of a click, in bytes.
pub const MAX_URL_BYTES: usize = 2_000;
/// Longest token.
pub const MAX_TOKEN_CHARS: usize = (3 + 4 * (MAX_PART + 1) + MAX_URL_BYTES + MAC_BYTES) * 4 / 3 + 2;

/// The key that signs tokens.
#[derive(Clone)]
pub struct TokenKey(Hmac<Sha256>);

impl TokenKey {
    /// A key from the deployment's secret.
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    pub fn new(secret: &str) -> TokenKey {
        let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes());
        let mut mac = mac.expect("a key of any length");
        mac.update(LABEL);
        TokenKey(mac)
    }
}

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenKey(..)")
    }
}

/// The purpose of a token's link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenKind {
    /// The open pixel was loaded.
    Open,
    /// A link was followed.
    Click {
        /// Its target: an `http` or `https` URL.
        url: String,
    },
    /// The contact unsubscribes, or sets what it wants to receive.
    Unsubscribe {
        /// The mark of the address that the mail went to ([`address_mark`]); empty if it is not known.
        address: String,
    },
    /// The provider reports what became of the message. The contact is empty for a group of messages.
    Report,
}

/// Names an address in a token, without showing it: its holder has read mail of this address.
pub fn address_mark(address: &str) -> String {
    let mut mark = kernel::hash::name(&["address", address]);
    mark.truncate(MARK);
    mark
}

/// A decoded token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The purpose of the link.
    pub kind: TokenKind,
    /// The channel of the message.
    pub channel: Channel,
    /// Workspace the mail belongs to.
    pub workspace: String,
    /// Campaign or enrollment.
    pub scope: String,
    /// The recipient of the mail.
    pub contact: String,
    /// The mail's step in the scope.
    pub step: String,
}

/// Why a token was not made or not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// A part is over 64 bytes, or the URL over [`MAX_URL_BYTES`].
    #[error("a part of the token is too long")]
    TooLong,
    /// The target of a click is not an `http` or `https` URL.
    #[error("the link is not an http address")]
    NotHttp,
    /// Not a token of ours.
    #[error("the token is not valid")]
    Invalid,
}

impl Token {
    /// Signs and writes the token.
    pub fn encode(&self, key: &TokenKey) -> Result<String, TokenError> {
        let parts = [&self.workspace, &self.scope, &self.contact, &self.step];
        let parts = Parts::new(self.channel, parts.map(String::as_str))?;
        match &self.kind {
            TokenKind::Open => Ok(parts.open(key)),
            TokenKind::Report => Ok(parts.seal(b'r', "", key)),
            TokenKind::Unsubscribe { address } => Ok(parts.unsubscribe(address, key)),
            TokenKind::Click { url } => parts.click(url, key),
        }
    }

    /// Reads a token, if it was signed with `key`. Compares in constant time.
    pub fn decode(text: &str, key: &TokenKey) -> Result<Token, TokenError> {
        if text.len() > MAX_TOKEN_CHARS {
            return Err(TokenError::Invalid);
        }
        let bytes = URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|_| TokenError::Invalid)?;
        let cut = bytes
            .len()
            .checked_sub(MAC_BYTES)
            .ok_or(TokenError::Invalid)?;
        let (signed, mac) = bytes.split_at(cut);
        let mut expected = key.0.clone();
        expected.update(signed);
        expected
            .verify_truncated_left(mac)
            .map_err(|_| TokenError::Invalid)?;
        read(signed).ok_or(TokenError::Invalid)
    }
}

fn read(signed: &[u8]) -> Option<Token> {
    let (kind, channel, mut rest) = match signed {
        [VERSION, kind, letter, rest @ ..] => (kind, channel_of(*letter)?, rest),
        [OF_MAIL, kind, rest @ ..] => (kind, Channel::Email, rest),
        _ => return None,
    };
    let mut part = || {
        let (length, tail) = rest.split_first()?;
        let (part, tail) = tail.split_at_checked(usize::from(*length))?;
        rest = tail;
        String::from_utf8(part.to_vec()).ok()
    };
    let (workspace, scope, contact, step) = (part()?, part()?, part()?, part()?);
    let url = String::from_utf8(rest.to_vec()).ok()?;
    let kind = match kind {
        b'o' if url.is_empty() => TokenKind::Open,
        b'u' if url.len() <= MARK => TokenKind::Unsubscribe { address: url },
        b'c' => TokenKind::Click { url },
        b'r' if url.is_empty() => TokenKind::Report,
        _ => return None,
    };
    Some(Token {
        kind,
        channel,
        workspace,
        scope,
        contact,
        step,
    })
}

/// The first letter of the channel's name. No two channels share it.
fn letter_of(channel: Channel) -> u8 {
    channel.name().as_bytes()[0]
}

fn channel_of(letter: u8) -> Option<Channel> {
    let mut all = Channel::ALL.into_iter();
    all.find(|channel| letter_of(*channel) == letter)
}

/// The checked parts that all tokens of one mail share, ready to be signed.
#[derive(Debug, Clone)]
pub(crate) struct Parts(Vec<u8>);

impl Parts {
    pub fn new(channel: Channel, parts: [&str; 4]) -> Result<Parts, TokenError> {
        let mut bytes = Vec::with_capacity(80);
        bytes.push(letter_of(channel));
        for part in parts {
            let length = u8::try_from(part.len()).map_err(|_| TokenError::TooLong)?;
            if part.len() > MAX_PART {
                return Err(TokenError::TooLong);
            }
            bytes.push(length);
            bytes.extend_from_slice(part.as_bytes());
        }
        Ok(Parts(bytes))
    }

    pub fn open(&self, key: &TokenKey) -> String {
        self.seal(b'o', "", key)
    }

    pub fn unsubscribe(&self, address: &str, key: &TokenKey) -> String {
        self.seal(b'u', address, key)
    }

    pub fn click(&self, url: &str, key: &TokenKey) -> Result<String, TokenError> {
        if url.len() > MAX_URL_BYTES {
            return Err(TokenError::TooLong);
        }
        if !is_http(url) {
            return Err(TokenError::NotHttp);
        }
        Ok(self.seal(b'c', url, key))
    }

    fn seal(&self, kind: u8, url: &str, key: &TokenKey) -> String {
        let mut bytes = Vec::with_capacity(2 + self.0.len() + url.len() + MAC_BYTES);
        bytes.extend([VERSION, kind]);
        bytes.extend_from_slice(&self.0);
        bytes.extend_from_slice(url.as_bytes());
        let mut mac = key.0.clone();
        mac.update(&bytes);
        bytes.extend_from_slice(&mac.finalize().into_bytes()[..MAC_BYTES]);
        URL_SAFE_NO_PAD.encode(bytes)
    }
}

/// Printable ASCII with an http scheme: valid in a `Location` header.
fn is_http(url: &str) -> bool {
    (url.starts_with("http://") || url.starts_with("https://"))
        && url.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> TokenKey {
        TokenKey::new("0123456789abcdef0123456789abcdef")
    }

    fn token(kind: TokenKind) -> Token {
        Token {
            kind,
            channel: Channel::Email,
            workspace: "ws_0123456789a".to_owned(),
            scope: "cmp_0123456789a".to_owned(),
            contact: "con_0123456789a".to_owned(),
            step: "0".to_owned(),
        }
    }

    fn any_token() -> impl Strategy<Value = Token> {
        let kind = prop_oneof![
            Just(TokenKind::Open),
            Just(TokenKind::Report),
            "([0-9a-f]{16})?".prop_map(|address| TokenKind::Unsubscribe { address }),
            "https?://[!-~]{1,300}".prop_map(|url| TokenKind::Click { url }),
        ];
        (
            kind,
            prop::sample::select(&Channel::ALL[..]),
            "\\PC{0,16}",
            "[a-z_0-9]{0,64}",
            "[a-z]{0,64}",
            ".{0,16}",
        )
            .prop_map(|(kind, channel, workspace, scope, contact, step)| Token {
                kind,
                channel,
                workspace,
                scope,
                contact,
                step,
            })
    }

    #[test]
    fn tokens_are_short_and_safe_in_urls() {
        let open = token(TokenKind::Open).encode(&key()).unwrap();
        assert!(open.len() < 100, "{}", open.len());
        assert!(
            open.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        );
    }

    #[test]
    fn the_written_form_does_not_change() {
        // Sent mails carry tokens in these forms.
        let token = token(TokenKind::Unsubscribe {
            address: String::new(),
        });
        let written = "AnVlDndzXzAxMjM0NTY3ODlhD2NtcF8wMTIzNDU2Nzg5YQ9jb25fMDEyMzQ1Njc4OWEBMAJ49xEyBFQGYHz1xmmgbDE";
        assert_eq!(token.encode(&key()).unwrap(), written);
        let before = "AXUOd3NfMDEyMzQ1Njc4OWEPY21wXzAxMjM0NTY3ODlhD2Nvbl8wMTIzNDU2Nzg5YQEwgdC9q27iR-DcQEy1W3Xftw";
        for text in [written, before] {
            assert_eq!(Token::decode(text, &key()).as_ref(), Ok(&token));
        }
    }

    #[test]
    fn other_keys_and_foreign_texts_are_refused() {
        let text = token(TokenKind::Open).encode(&key()).unwrap();
        let other = TokenKey::new("another secret of good length");
        assert_eq!(Token::decode(&text, &other), Err(TokenError::Invalid));
        for text in [
            "",
            "a",
            "AQ",
            "????",
            &text[1..],
            &format!("{text}="),
            &"A".repeat(100_000),
        ] {
            assert_eq!(Token::decode(text, &key()), Err(TokenError::Invalid));
        }
    }

    #[test]
    fn only_http_links_and_bounded_parts_are_signed() {
        for (url, error) in [
            ("javascript:alert(1)", TokenError::NotHttp),
            ("//example.com", TokenError::NotHttp),
            (
                "https://example.com/\r\nSet-Cookie: a=b",
                TokenError::NotHttp,
            ),
            ("https://example.com/ô", TokenError::NotHttp),
            (
                &format!("https://example.com/{}", "a".repeat(2_000)),
                TokenError::TooLong,
            ),
        ] {
            let url = url.to_owned();
            assert_eq!(token(TokenKind::Click { url }).encode(&key()), Err(error));
        }
        let mut long = token(TokenKind::Open);
        long.step = "x".repeat(65);
        assert_eq!(long.encode(&key()), Err(TokenError::TooLong));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(token in any_token()) {
            prop_assume!(token.step.len() <= 64 && token.workspace.len() <= 64);
            let text = token.encode(&key()).unwrap();
            prop_assert!(text.len() <= MAX_TOKEN_CHARS);
            prop_assert_eq!(Token::decode(&text, &key()), Ok(token));
        }

        #[test]
        fn any_flipped_bit_is_refused(token in any_token(), at in any::<prop::sample::Index>(), bit in 0..8u8) {
            prop_assume!(token.step.len() <= 64 && token.workspace.len() <= 64);
            let text = token.encode(&key()).unwrap();
            let mut bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let forged = URL_SAFE_NO_PAD.encode(bytes);
            prop_assert_eq!(Token::decode(&forged, &key()), Err(TokenError::Invalid));
        }

        #[test]
        fn any_changed_letter_is_refused(token in any_token(), at in any::<prop::sample::Index>(), letter in "[A-Za-z0-9_-]") {
            prop_assume!(token.step.len() <= 64 && token.workspace.len() <= 64);
            let text = token.encode(&key()).unwrap();
            let at = at.index(text.len());
            let mut forged = text.clone();
            forged.replace_range(at..=at, &letter);
            prop_assume!(forged != text);
            prop_assert_eq!(Token::decode(&forged, &key()), Err(TokenError::Invalid));
        }

        #[test]
        fn any_text_is_answered(text in "[A-Za-z0-9_=-]{0,200}") {
            prop_assert!(Token::decode(&text, &key()).is_err());
        }
    }
}
