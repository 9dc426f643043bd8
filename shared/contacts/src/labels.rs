//! Names that a shop invents: tags, and the names of custom fields. The only ways to either. Pure.

use std::collections::BTreeSet;

use kernel::text::{alike, is_invisible, nfc};

/// Most characters of a tag.
pub const MAX_TAG: usize = 255;
/// Most characters of a custom field's name.
pub const MAX_FIELD_NAME: usize = 100;

/// A tag: composed, without outer blanks, 1 to [`MAX_TAG`] characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(String);

/// Why a text is no tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to 255 characters")]
pub struct TagError;

/// Tags as texts.
#[derive(Debug, Clone, Copy)]
pub struct Tags;

impl Tags {
    /// The tag of a text.
    pub fn parse(text: &str) -> Result<Tag, TagError> {
        label(text, MAX_TAG).map(Tag).ok_or(TagError)
    }

    /// The distinct tags of these texts, sorted, and how many texts are none.
    pub fn all<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> (Vec<Tag>, usize) {
        let parsed: Vec<_> = texts
            .into_iter()
            .map(|text| Self::parse(text.as_ref()))
            .collect();
        let refused = parsed.iter().filter(|tag| tag.is_err()).count();
        let mut tags: Vec<Tag> = parsed.into_iter().flatten().collect();
        tags.sort_unstable();
        let mut seen = BTreeSet::new();
        tags.retain(|tag| seen.insert(tag.key()));
        (tags, refused)
    }
}

impl Tag {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form in which tags are compared: `VIP` and `vip` are one tag.
    pub fn key(&self) -> String {
        alike(&self.0)
    }
}

impl From<Tag> for String {
    fn from(tag: Tag) -> Self {
        tag.0
    }
}

/// The name of a custom field: composed, without outer blanks, 1 to [`MAX_FIELD_NAME`] characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldName(String);

/// Why a text is no name of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a field's name has 1 to 100 characters")]
pub struct FieldNameError;

impl FieldName {
    /// The name of a text.
    pub fn parse(text: &str) -> Result<Self, FieldNameError> {
        label(text, MAX_FIELD_NAME).map(Self).ok_or(FieldNameError)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form in which names are compared.
    pub fn key(&self) -> String {
        alike(&self.0)
    }
}

/// The stored form of a label, if it is one of at most so many characters.
fn label(text: &str, most: usize) -> Option<String> {
    let seen: String = text.chars().filter(|c| !is_invisible(*c)).collect();
    let words: Vec<&str> = seen.split_whitespace().collect();
    let label = nfc(&words.join(" "));
    (!label.is_empty() && label.chars().count() <= most).then_some(label)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn labels_are_composed_trimmed_and_compared_in_any_case() {
        let decomposed = "Ha\u{300} No\u{323}\u{302}i";
        let (tags, refused) =
            Tags::all([decomposed, " Hà  Nội ", "HÀ NỘI", "", "\u{200b}", "Hà Nam"]);
        let tags: Vec<&str> = tags.iter().map(Tag::as_str).collect();
        assert_eq!((tags, refused), (vec!["HÀ NỘI", "Hà Nam"], 2));
        assert!(Tags::parse(&"ặ".repeat(255)).is_ok() && Tags::parse(&"ặ".repeat(256)).is_err());
        let name = |text: &str| FieldName::parse(text).map(|name| name.key());
        assert_eq!(name("ti\u{309}nh"), name(" Tỉnh"));
        assert!(name(" ").is_err() && name(&"x".repeat(101)).is_err());
    }

    proptest! {
        #[test]
        fn a_tag_is_read_as_itself(text in "\\PC{0,300}") {
            if let Ok(tag) = Tags::parse(&text) {
                prop_assert_eq!(Tags::parse(tag.as_str()), Ok(tag));
            }
        }
    }
}
