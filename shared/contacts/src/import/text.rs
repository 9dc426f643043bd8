//! From a file's bytes to its text, and the character between its fields. Pure.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_16BE, UTF_16LE};
use kernel::text::nfc;

/// Bytes that are read to detect UTF-16 without a byte order mark.
const SAMPLE: usize = 4096;

/// The text in NFC. The file may be UTF-8 or UTF-16, with or without a byte order mark, Windows-1258, or another
/// encoding that browsers know. `None` if the bytes do not fit the encoding.
pub fn decode(bytes: &[u8]) -> Option<String> {
    let encoding = match Encoding::for_bom(bytes) {
        Some((encoding, _)) => encoding,
        None => match std::str::from_utf8(bytes) {
            Ok(text) if !text.contains('\0') => return Some(nfc(text)),
            _ => guess(bytes),
        },
    };
    let (text, _, damaged) = encoding.decode(bytes);
    (!damaged && !text.contains('\0')).then(|| nfc(&text))
}

fn guess(bytes: &[u8]) -> &'static Encoding {
    let sample = &bytes[..bytes.len().min(SAMPLE)];
    let zeros = |at: usize| {
        sample
            .iter()
            .skip(at)
            .step_by(2)
            .filter(|byte| **byte == 0)
            .count()
    };
    // Half of the bytes of Latin text in UTF-16 are zero, at even or at odd places.
    match (zeros(0) * 4 > sample.len(), zeros(1) * 4 > sample.len()) {
        (true, false) => return UTF_16BE,
        (false, true) => return UTF_16LE,
        _ => {}
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(bytes, true);
    detector.guess(Some(b"vn"), Utf8Detection::Deny)
}

/// The separator of the fields: the candidate that occurs most often in the first line, outside quotes.
pub fn delimiter(text: &str) -> u8 {
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
    let mut quoted = false;
    for byte in text.bytes() {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' if !quoted => break,
            _ if !quoted => {
                for (candidate, count) in &mut counts {
                    *count += usize::from(*candidate == byte);
                }
            }
            _ => {}
        }
    }
    // If counts are equal the first candidate wins: a comma.
    let best = counts.into_iter().rev().max_by_key(|(_, count)| *count);
    best.map_or(b',', |(candidate, _)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Họ và tên,Email\nTrần Thị Ánh,anh@example.vn\n";

    #[test]
    fn reads_what_spreadsheets_write() {
        let marked = [b"\xef\xbb\xbf".as_slice(), TEXT.as_bytes()].concat();
        let little: Vec<u8> = TEXT.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let marked_little = [b"\xff\xfe".as_slice(), &little].concat();
        let big: Vec<u8> = TEXT.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let marked_big = [b"\xfe\xff".as_slice(), &big].concat();
        for bytes in [
            TEXT.as_bytes(),
            &marked,
            &little,
            &marked_little,
            &big,
            &marked_big,
        ] {
            assert_eq!(decode(bytes).as_deref(), Some(TEXT));
        }
    }

    #[test]
    fn windows_1258_becomes_composed_letters() {
        // Windows-1258 writes tones as combining marks after the letters.
        let bytes = b"Ho\xf2 va\xcc t\xean,Email\n\
            Tr\xe2\xccn Thi\xf2 A\xecnh,anh@example.vn\n\
            Nguy\xea\xden V\xe3n \xd0\xfd\xecc,duc@example.vn\n\
            Pha\xf2m H\xf4\xccng Nhung,nhung@example.vn\n\
            \xd0\xe3\xf2ng Qu\xf4\xecc C\xfd\xf5\xccng,cuong@example.vn\n";
        let text = decode(bytes).unwrap();
        for name in [
            "Trần Thị Ánh",
            "Nguyễn Văn Đức",
            "Phạm Hồng Nhung",
            "Đặng Quốc Cường",
        ] {
            assert!(text.contains(name), "{text}");
        }
    }

    #[test]
    fn binary_is_refused() {
        assert_eq!(decode(b"PK\x03\x04\0\0\0\0\0\0"), None);
    }

    #[test]
    fn the_first_line_tells_the_delimiter() {
        assert_eq!(delimiter("a;b;c\n1,5;2;3"), b';');
        assert_eq!(delimiter("a\tb\n"), b'\t');
        assert_eq!(delimiter("\"a;b;c;d\",b\n"), b',');
        assert_eq!(delimiter("email\n"), b',');
    }
}
