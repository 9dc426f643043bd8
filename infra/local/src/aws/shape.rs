//! The kind of a key or of a row: `ws_0123#con_4567` is `ws_#con_`. Rows of one kind are counted together.

/// Replaces the parts that differ from row to row: ids keep their prefix, numbers are `0`, everything else that is
/// no word of the program is `*`. Capital words (`PROFILE`) and event names (`order.paid`) stay.
#[must_use]
pub fn shape(key: &str) -> String {
    let segments: Vec<String> = key.split('#').map(segment).collect();
    segments.join("#")
}

fn segment(text: &str) -> String {
    if let Some((prefix, rest)) = text.split_once('_')
        && (2..=5).contains(&prefix.len())
        && prefix.bytes().all(|b| b.is_ascii_lowercase())
        && rest.len() >= 8
        && rest.bytes().all(|b| b.is_ascii_alphanumeric())
    {
        return format!("{prefix}_");
    }
    let all = |is: fn(&u8) -> bool| text.bytes().all(|b| is(&b));
    let in_time = |b: &u8| b.is_ascii_digit() || b"-:.TZ".contains(b);
    if text.is_empty() {
        String::new()
    } else if text.starts_with(|c: char| c.is_ascii_digit()) && text.bytes().all(|b| in_time(&b)) {
        "0".to_owned()
    } else if all(|b| b.is_ascii_uppercase() || *b == b'_')
        || text.contains('.')
            && !text.ends_with('.')
            && all(|b| b.is_ascii_lowercase() || b"._".contains(b))
        || is_shard(text)
        || matches!(
            text,
            "email" | "phone" | "external" | "zalo" | "psid" | "anon" | "widget"
        )
    {
        text.to_owned()
    } else {
        "*".to_owned()
    }
}

/// A shard of a counter, `c0` to `cf`: each is a partition of its own.
fn is_shard(text: &str) -> bool {
    matches!(text.as_bytes(), [b'c', b'0'..=b'9' | b'a'..=b'f'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_one_kind_have_one_shape() {
        for (key, expected) in [
            ("ws_06b1q9m2kct3#con_06b1q9m2kcv0", "ws_#con_"),
            (
                "2026-03-02T08:00:00.000Z#form.submitted#ab12",
                "0#form.submitted#*",
            ),
            ("ws_06b1q9m2kct3#I#email#an.", "ws_#I#email#*"),
            ("T#2026-03-02T08:00#7", "T#0#0"),
            ("PROFILE", "PROFILE"),
            ("ws_06b1q9m2kct3#cmp_06b1q9m2kcv0#c0", "ws_#cmp_#c0"),
            ("nguyen van a#con_06b1q9m2kcv0", "*#con_"),
            ("", ""),
        ] {
            assert_eq!(shape(key), expected, "{key}");
        }
    }
}
