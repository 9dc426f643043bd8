//! Cuts the inside of a tag into tokens. Evaluates nothing.

use crate::TemplateError;

/// The kind of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Name,
    Text,
    Number,
    Mark,
    End,
}

/// A token. `text` is its slice of the source, so it also tells the place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token<'s> {
    pub kind: Kind,
    pub text: &'s str,
}

/// The tokens of one tag, read from the left.
pub(crate) struct Tokens<'s> {
    pub source: &'s str,
    tokens: Vec<Token<'s>>,
    at: usize,
}

const MARKS: &[&str] = &[
    "..", "==", "!=", "<>", "<=", ">=", "<", ">", "=", "|", ":", ",", ".", "[", "]", "(", ")",
];

impl<'s> Tokens<'s> {
    /// Cuts `text`, a slice of `source`.
    pub fn new(source: &'s str, text: &'s str) -> Result<Tokens<'s>, TemplateError> {
        let mut tokens = Vec::new();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let (kind, length) =
                token(rest).map_err(|flaw| TemplateError::at(source, rest, flaw))?;
            tokens.push(Token {
                kind,
                text: &rest[..length],
            });
            rest = rest[length..].trim_start();
        }
        tokens.push(Token {
            kind: Kind::End,
            text: rest,
        });
        Ok(Tokens {
            source,
            tokens,
            at: 0,
        })
    }

    pub fn peek(&self) -> Token<'s> {
        self.tokens[self.at]
    }

    pub fn next(&mut self) -> Token<'s> {
        let token = self.peek();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    /// Whether the next token is `text`.
    pub fn is(&self, text: &str) -> bool {
        let token = self.peek();
        token.text == text && matches!(token.kind, Kind::Name | Kind::Mark)
    }

    /// Takes the next token if it is `text`.
    pub fn eat(&mut self, text: &str) -> bool {
        let found = self.is(text);
        if found {
            self.next();
        }
        found
    }

    /// Takes `name:`, and returns the name.
    pub fn eat_keyword(&mut self) -> Option<Token<'s>> {
        let name = self.peek();
        let is_keyword = name.kind == Kind::Name
            && self
                .tokens
                .get(self.at + 1)
                .is_some_and(|next| next.text == ":");
        if is_keyword {
            self.at += 2;
        }
        is_keyword.then_some(name)
    }

    pub fn expect(&mut self, text: &str) -> Result<(), TemplateError> {
        if self.eat(text) {
            Ok(())
        } else {
            Err(self.unexpected(&format!("{text:?}")))
        }
    }

    /// Refuses further tokens.
    pub fn finish(&self) -> Result<(), TemplateError> {
        if self.peek().kind == Kind::End {
            Ok(())
        } else {
            Err(self.unexpected("the end of the tag"))
        }
    }

    /// The error at the next token, where `wanted` should stand.
    pub fn unexpected(&self, wanted: &str) -> TemplateError {
        let found = match self.peek() {
            Token {
                kind: Kind::End, ..
            } => "the end of the tag".to_owned(),
            token => token.text.to_owned(),
        };
        self.error(format!("expected {wanted}, found {found}"))
    }

    /// An error at the next token.
    pub fn error(&self, message: impl Into<String>) -> TemplateError {
        TemplateError::at(self.source, self.peek().text, message)
    }

    /// The source from `start` to the next token, without the blank between.
    pub fn since(&self, start: Token<'s>) -> &'s str {
        let from = crate::offset(self.source, start.text);
        let end = crate::offset(self.source, self.peek().text);
        self.source[from..end].trim_end()
    }
}

/// Kind and length of the token at the start of `rest`.
fn token(rest: &str) -> Result<(Kind, usize), String> {
    let bytes = rest.as_bytes();
    let run = |from: usize, is_part: fn(u8) -> bool| {
        from + bytes[from..]
            .iter()
            .take_while(|byte| is_part(**byte))
            .count()
    };
    match bytes[0] {
        quote @ (b'"' | b'\'') => {
            let inner = bytes[1..].iter().position(|byte| *byte == quote);
            Ok((
                Kind::Text,
                inner.ok_or("a quote is opened but never closed")? + 2,
            ))
        }
        byte if byte.is_ascii_alphabetic() || byte == b'_' => {
            let end = run(0, |b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
            Ok((Kind::Name, end + usize::from(bytes.get(end) == Some(&b'?'))))
        }
        byte if byte.is_ascii_digit()
            || (byte == b'-' && bytes.get(1).is_some_and(u8::is_ascii_digit)) =>
        {
            let whole = run(1, |b| b.is_ascii_digit());
            let is_fraction = bytes.get(whole) == Some(&b'.')
                && bytes.get(whole + 1).is_some_and(u8::is_ascii_digit);
            Ok((
                Kind::Number,
                if is_fraction {
                    run(whole + 1, |b| b.is_ascii_digit())
                } else {
                    whole
                },
            ))
        }
        _ => {
            if let Some(mark) = MARKS.iter().find(|mark| rest.starts_with(**mark)) {
                return Ok((Kind::Mark, mark.len()));
            }
            let shown = rest.chars().next().unwrap_or('?');
            Err(format!("unexpected character {shown:?} in a tag"))
        }
    }
}
