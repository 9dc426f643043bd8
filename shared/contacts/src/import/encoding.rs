//! From the bytes of a file to text: which encoding it has, and the text of a part of it. Pure.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1258};
use kernel::text::nfc;
use serde::{Deserialize, Serialize};

use super::legacy;

/// The encoding of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = ImportEncoding)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are those of the encodings")]
pub enum Encoding {
    Utf8,
    Utf16Le,
    Utf16Be,
    Windows1258,
    /// TCVN 5712, the fonts named `.Vn…`.
    Tcvn3,
    /// VNI for Windows, the fonts named `VNI-…`.
    Vni,
    /// ISO 8859-1 with the additions of Windows.
    Windows1252,
}

/// Bytes that are read to detect UTF-16 without a byte order mark.
const SAMPLE: usize = 4096;

impl Encoding {
    /// The encoding of a file that begins with `sample`, and the length of its mark. `None`: the file is no text.
    ///
    /// A file is UTF-8 if it has more letters that only UTF-8 explains than bytes that UTF-8 does not have. So one
    /// bad byte never makes a file of UTF-8 a file of another encoding.
    pub fn guess(sample: &[u8]) -> Option<(Self, usize)> {
        match encoding_rs::Encoding::for_bom(sample) {
            Some((encoding, mark)) if encoding == UTF_8 => return Some((Self::Utf8, mark)),
            Some((encoding, mark)) if encoding == UTF_16LE => return Some((Self::Utf16Le, mark)),
            Some((_, mark)) => return Some((Self::Utf16Be, mark)),
            None => {}
        }
        if let Some(wide) = wide(sample) {
            return Some((wide, 0));
        }
        if sample.contains(&0) {
            return None;
        }
        let (mut letters, mut bad) = (0, 0);
        for chunk in sample.utf8_chunks() {
            letters += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
            bad += usize::from(!chunk.invalid().is_empty());
        }
        // The one bad byte of a long text without other letters is told, and not explained by another encoding.
        let is_alone = bad == 1 && sample.len() >= SAMPLE / 4;
        if bad == 0 || letters >= bad || is_alone {
            return Some((Self::Utf8, 0));
        }
        Some((Self::single_byte(sample), 0))
    }

    /// The Vietnamese encoding under which the most words are Vietnamese.
    fn single_byte(sample: &[u8]) -> Self {
        let candidates = [Self::Windows1258, Self::Tcvn3, Self::Vni];
        let scored = candidates.map(|one| {
            let text = one.decode(sample).unwrap_or_default();
            (legacy::score(&text), one)
        });
        // Of equal scores the first candidate wins.
        let best = scored.into_iter().rev().max_by_key(|(score, _)| *score);
        match best {
            Some((score, encoding)) if score > 0 => encoding,
            _ => {
                let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
                detector.feed(sample, true);
                match detector.guess(Some(b"vn"), Utf8Detection::Deny) {
                    found if found == encoding_rs::WINDOWS_1252 => Self::Windows1252,
                    _ => Self::Windows1258,
                }
            }
        }
    }

    /// Bytes of one unit: the characters that part cells and records take one unit each.
    pub fn width(self) -> usize {
        match self {
            Self::Utf16Le | Self::Utf16Be => 2,
            _ => 1,
        }
    }

    /// The text of whole characters, in NFC. `None`: the bytes are no text in this encoding.
    pub fn decode(self, bytes: &[u8]) -> Option<String> {
        let text = match self {
            Self::Utf8 => std::str::from_utf8(bytes).ok().map(str::to_owned),
            Self::Utf16Le => known(UTF_16LE, bytes),
            Self::Utf16Be => known(UTF_16BE, bytes),
            Self::Windows1258 => known(WINDOWS_1258, bytes),
            Self::Windows1252 => known(encoding_rs::WINDOWS_1252, bytes),
            Self::Tcvn3 => Some(legacy::tcvn3(bytes)),
            Self::Vni => Some(legacy::vni(bytes)),
        }?;
        (!text.contains('\0')).then(|| nfc(&text))
    }
}

fn known(encoding: &'static encoding_rs::Encoding, bytes: &[u8]) -> Option<String> {
    encoding
        .decode_without_bom_handling_and_without_replacement(bytes)
        .map(std::borrow::Cow::into_owned)
}

/// Half of the bytes of Latin text in UTF-16 are zero, at even or at odd places.
fn wide(sample: &[u8]) -> Option<Encoding> {
    let sample = &sample[..sample.len().min(SAMPLE)];
    let zeros = |at: usize| {
        let bytes = sample.iter().skip(at).step_by(2);
        bytes.filter(|byte| **byte == 0).count()
    };
    match (zeros(0) * 4 > sample.len(), zeros(1) * 4 > sample.len()) {
        (true, false) => Some(Encoding::Utf16Be),
        (false, true) => Some(Encoding::Utf16Le),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Họ và tên,Email\nTrần Thị Ánh,anh@example.vn\n";

    fn read(bytes: &[u8]) -> Option<String> {
        let (encoding, mark) = Encoding::guess(bytes)?;
        encoding.decode(&bytes[mark..])
    }

    #[test]
    fn reads_what_spreadsheets_write() {
        let marked = [b"\xef\xbb\xbf".as_slice(), TEXT.as_bytes()].concat();
        let little: Vec<u8> = TEXT.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let marked_little = [b"\xff\xfe".as_slice(), &little].concat();
        let big: Vec<u8> = TEXT.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let marked_big = [b"\xfe\xff".as_slice(), &big].concat();
        let plain = TEXT.as_bytes().to_vec();
        for bytes in [plain, marked, little, marked_little, big, marked_big] {
            assert_eq!(read(&bytes).as_deref(), Some(TEXT));
        }
    }

    #[test]
    fn windows_1258_becomes_composed_letters() {
        // Windows-1258 writes tones as combining marks after the letters.
        let bytes = b"Ho\xf2 va\xcc t\xean,Email\n\
            Tr\xe2\xccn Thi\xf2 A\xecnh,anh@example.vn\n\
            Nguy\xea\xden V\xe3n \xd0\xfd\xecc,duc@example.vn\n";
        assert_eq!(Encoding::guess(bytes), Some((Encoding::Windows1258, 0)));
        let text = read(bytes).unwrap();
        for name in ["Họ và tên", "Trần Thị Ánh", "Nguyễn Văn Đức"] {
            assert!(text.contains(name), "{text}");
        }
    }

    #[test]
    fn the_fonts_before_unicode_are_detected() {
        let tcvn3 = b"H\xe4 v\xb5 t\xaan,Email\nNguy\xd4n V\xa8n An,a@example.vn\nTr\xc7n Th\xde B\xd7nh,b@example.vn\n";
        assert_eq!(Encoding::guess(tcvn3), Some((Encoding::Tcvn3, 0)));
        let text = read(tcvn3).unwrap();
        for name in ["Họ và tên", "Nguyễn Văn An", "Trần Thị Bình"] {
            assert!(text.contains(name), "{text}");
        }
        let vni = b"Ho\xef va\xf8 te\xe2n,Email\nNguye\xe3n Va\xean \xd1\xf6\xf9c,a@example.vn\nTra\xe0n Th\xf2 B\xecnh,b@example.vn\n";
        assert_eq!(Encoding::guess(vni), Some((Encoding::Vni, 0)));
        let text = read(vni).unwrap();
        for name in ["Họ và tên", "Nguyễn Văn Đức", "Trần Thị Bình"] {
            assert!(text.contains(name), "{text}");
        }
    }

    #[test]
    fn one_bad_byte_does_not_change_the_encoding() {
        let bytes = b"H\xe1\xbb\x8d v\xc3\xa0 t\xc3\xaan,Email\nL\xea Minh,b3@example.vn\n";
        assert_eq!(Encoding::guess(bytes), Some((Encoding::Utf8, 0)));
        let ascii = [
            b"Email\n".as_slice(),
            &b"a@example.vn\n".repeat(200),
            b"\xea\n",
        ]
        .concat();
        assert_eq!(Encoding::guess(&ascii), Some((Encoding::Utf8, 0)));
    }

    #[test]
    fn binary_is_refused() {
        assert_eq!(read(b"PK\x03\x04\0\0\0\0\0\0"), None);
    }
}
