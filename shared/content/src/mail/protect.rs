//! Replaces template tags by placeholders while HTML tools work on a mail.
//!
//! An HTML parser moves text out of tables, escapes `>` and breaks on quotes inside quotes. So it must not see `{%
//! if a > b %}`. Between elements a tag becomes a comment, which parsers do not move. Inside a tag, a comment, a
//! stylesheet or a title it becomes a plain word.

use std::collections::BTreeSet;

use crate::mail::MailError;
use crate::template::{Kind, TemplateError, scan};

/// How tags between elements are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Between {
    /// As comments: invisible, and kept in place in tables.
    Comments,
    /// As words: visible to tools that turn HTML into text.
    Words,
}

/// HTML with placeholders, and the tags that they replace.
#[derive(Debug)]
pub(super) struct Protected {
    pub html: String,
    prefix: String,
    pieces: Vec<Stood>,
}

#[derive(Debug)]
struct Stood {
    source: String,
    is_control: bool,
}

impl Protected {
    /// Puts the placeholders in. `source` is a valid template.
    pub fn new(source: &str, between: Between) -> Result<Protected, MailError> {
        let invalid = |error: TemplateError| MailError::Html(error.to_string());
        let prefix = free_prefix(source);
        let mut protected = Protected {
            html: String::with_capacity(source.len()),
            prefix,
            pieces: Vec::new(),
        };
        let mut place = Place::default();
        for piece in scan(source).map_err(invalid)? {
            if piece.kind == Kind::Text {
                place.advance(piece.source);
                protected.html.push_str(piece.source);
                continue;
            }
            let word = protected.word(protected.pieces.len());
            protected.pieces.push(Stood {
                source: piece.source.to_owned(),
                is_control: piece.is_control(),
            });
            let html = &mut protected.html;
            match (&place.state, between) {
                (State::Between, Between::Comments) => html.extend(["<!--", &word, "-->"]),
                (State::Tag(Inside::Attributes), _) if !place.after_equals => {
                    html.extend([" ", &word, " "]);
                }
                _ => html.push_str(&word),
            }
            place.stand_in();
        }
        Ok(protected)
    }

    fn word(&self, index: usize) -> String {
        format!("{}{index}z", self.prefix)
    }

    /// The template tags of the placeholders in `text`, in order, with their places.
    pub fn found<'s>(&'s self, text: &'s str) -> impl Iterator<Item = (usize, &'s str)> + 's {
        self.places(text)
            .map(|(at, _, index)| (at, self.pieces[index].source.as_str()))
    }

    /// (start, end, index of piece)
    fn places<'s>(&'s self, text: &'s str) -> impl Iterator<Item = (usize, usize, usize)> + 's {
        text.match_indices(self.prefix.as_str())
            .filter_map(|(at, prefix)| {
                let rest = &text[at + prefix.len()..];
                let digits = rest.find('z')?;
                let index: usize = rest[..digits].parse().ok()?;
                (index < self.pieces.len()).then_some((at, at + prefix.len() + digits + 1, index))
            })
    }

    /// Whether `text` has a condition or a loop.
    pub fn has_control(&self, text: &str) -> bool {
        self.places(text)
            .any(|(.., index)| self.pieces[index].is_control)
    }

    /// Whether `html` still has each condition and loop exactly once and in order.
    pub fn keeps_control(&self, html: &str) -> bool {
        let kept = self
            .places(html)
            .map(|(.., index)| index)
            .filter(|i| self.pieces[*i].is_control);
        let all = (0..self.pieces.len()).filter(|index| self.pieces[*index].is_control);
        kept.eq(all)
    }

    /// Puts the template tags back; without `keep_control`, only the tags that print.
    pub fn restore(&self, html: &str, keep_control: bool) -> String {
        let mut restored = String::with_capacity(html.len());
        let mut copied = 0;
        for (start, end, index) in self.places(html) {
            let before = &html[copied..start];
            let after = &html[end..];
            let (before, after_length) = if let Some(before) = before.strip_suffix("<!--")
                && after.starts_with("-->")
            {
                (before, 3)
            } else if after.starts_with("=\"\"") {
                // After parsing, a word between attributes is an attribute without value.
                (before, 3)
            } else {
                (before, 0)
            };
            restored.push_str(before);
            let piece = &self.pieces[index];
            if keep_control || !piece.is_control {
                restored.push_str(&piece.source);
            }
            copied = end + after_length;
        }
        restored.push_str(&html[copied..]);
        restored
    }
}

/// The first `lq{n}q` that the source does not hold, found in one pass.
fn free_prefix(source: &str) -> String {
    let held: BTreeSet<usize> = source
        .match_indices("lq")
        .filter_map(|(at, lq)| {
            let rest = &source[at + lq.len()..];
            // The source has fewer than 10^20 prefixes.
            let number = &rest[..rest.bytes().take(20).take_while(u8::is_ascii_digit).count()];
            rest[number.len()..].starts_with('q').then_some(())?;
            number.parse().ok()
        })
        .collect();
    let free = (0..).zip(&held).take_while(|(n, held)| n == *held).count();
    format!("lq{free}q")
}

#[derive(Debug, Default, Clone, PartialEq, Eq)]
enum State {
    #[default]
    Between,
    Tag(Inside),
    Comment,
    /// Inside an element with unparsed text, until its end tag.
    Raw(&'static str),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Inside {
    Name,
    Attributes,
    Unquoted,
    Quoted(char),
}

const RAW: &[&str] = &[
    "style", "script", "title", "textarea", "xmp", "noembed", "noframes",
];

/// The scanner's current context in the HTML.
#[derive(Debug, Default)]
struct Place {
    state: State,
    name: String,
    /// The last characters, to recognise `<!--`, `-->` and end tags.
    tail: String,
    after_equals: bool,
}

impl Place {
    fn advance(&mut self, text: &str) {
        for c in text.chars() {
            self.step(c);
        }
    }

    /// A placeholder was written here.
    fn stand_in(&mut self) {
        self.tail.clear();
        if self.state == State::Tag(Inside::Attributes) && self.after_equals {
            self.state = State::Tag(Inside::Unquoted);
        }
        self.after_equals = false;
    }

    fn step(&mut self, c: char) {
        self.tail.push(c.to_ascii_lowercase());
        if self.tail.len() > 64 {
            let cut = self.tail.ceil_char_boundary(self.tail.len() - 16);
            self.tail.drain(..cut);
        }
        match &self.state {
            State::Between => self.between(c),
            State::Comment if self.tail.ends_with("-->") => self.state = State::Between,
            State::Comment => {}
            State::Raw(name) => {
                if c == '>'
                    && self
                        .tail
                        .trim_end_matches('>')
                        .trim_end()
                        .ends_with(&format!("</{name}"))
                {
                    self.state = State::Between;
                }
            }
            State::Tag(inside) => self.state = self.in_tag(&inside.clone(), c),
        }
    }

    fn between(&mut self, c: char) {
        if self.tail.ends_with("<!--") {
            self.state = State::Comment;
        } else if (c.is_ascii_alphabetic() || c == '/')
            && self.tail[..self.tail.len() - 1].ends_with('<')
        {
            self.state = State::Tag(Inside::Name);
            self.name.clear();
            self.name.push(c.to_ascii_lowercase());
        }
    }

    fn in_tag(&mut self, inside: &Inside, c: char) -> State {
        if let Inside::Quoted(quote) = inside {
            return State::Tag(if c == *quote {
                Inside::Attributes
            } else {
                inside.clone()
            });
        }
        if c == '>' {
            self.after_equals = false;
            return match RAW.iter().find(|name| **name == self.name) {
                Some(name) => State::Raw(name),
                None => State::Between,
            };
        }
        let is_blank = c.is_ascii_whitespace();
        State::Tag(match inside {
            Inside::Name | Inside::Unquoted if is_blank => Inside::Attributes,
            Inside::Name => {
                self.name.push(c.to_ascii_lowercase());
                Inside::Name
            }
            Inside::Attributes if self.after_equals && !is_blank => {
                self.after_equals = false;
                if matches!(c, '"' | '\'') {
                    Inside::Quoted(c)
                } else {
                    Inside::Unquoted
                }
            }
            Inside::Attributes => {
                self.after_equals |= c == '=';
                Inside::Attributes
            }
            Inside::Unquoted | Inside::Quoted(_) => inside.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_free_prefix_is_found_in_one_pass() {
        for (source, prefix) in [
            ("", "lq0q"),
            ("lq0q", "lq1q"),
            ("lq1q lq0q lq3q", "lq2q"),
            ("lq00q lq0 q lqq lq99999999999999999999q", "lq1q"),
            ("lqlq0q", "lq1q"),
        ] {
            assert_eq!(free_prefix(source), prefix, "{source}");
            assert!(!source.contains(prefix));
        }
        let all: String = (0..20_000).map(|n| format!("lq{n}q")).collect();
        assert_eq!(free_prefix(&all), "lq20000q");
    }

    #[test]
    fn placeholders_fit_their_place_and_come_back() {
        for (source, shown) in [
            ("<p>{{ a }}</p>", "<p><!--lq0q0z--></p>"),
            (
                "<p class=\"{{ a }}\" id={{ b }}>",
                "<p class=\"lq0q0z\" id=lq0q1z>",
            ),
            (
                "<td {% if a %}x=\"1\"{% endif %}>",
                "<td  lq0q0z x=\"1\" lq0q1z >",
            ),
            (
                "<style>a{b:{{ c }}}</style>{{ d }}",
                "<style>a{b:lq0q0z}</style><!--lq0q1z-->",
            ),
            (
                "<!--[if mso]>{{ a }}<![endif]-->{{ b }}",
                "<!--[if mso]>lq0q0z<![endif]--><!--lq0q1z-->",
            ),
            (
                "<title>{{ a }}</title >{{ b }}",
                "<title>lq0q0z</title ><!--lq0q1z-->",
            ),
            (
                "<a title='a > \"{{ b }}'>{{ c }}",
                "<a title='a > \"lq0q0z'><!--lq0q1z-->",
            ),
            ("a < b {{ c }}", "a < b <!--lq0q0z-->"),
            ("lq0q {{ c }}", "lq0q <!--lq1q0z-->"),
        ] {
            let protected = Protected::new(source, Between::Comments).unwrap();
            assert_eq!(protected.html, shown, "{source}");
            let restored = protected.restore(&protected.html, true);
            assert_eq!(
                restored.replace(' ', ""),
                source.replace(' ', ""),
                "{source}"
            );
            assert!(protected.keeps_control(&protected.html));
        }
    }
}
