//! Reads the inside of a tag: values, paths and filter chains. Knows the allowed filters and how far each can
//! enlarge its input. Evaluates nothing.

use super::TemplateError;

/// A path such as `contact.first_name`, as a span of the tag's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path {
    pub start: usize,
    pub end: usize,
    pub root: String,
    /// Root and the plain names after it: the variable's name for people.
    pub dotted: String,
    pub is_bare: bool,
}

/// A parsed `value | filter: argument | ...`.
#[derive(Debug, Default)]
pub(super) struct Chain {
    pub paths: Vec<Path>,
    pub filters: Vec<String>,
    /// Where the first `| date` starts.
    pub date_at: Option<usize>,
    /// Whether the chain starts with a literal.
    pub literal: bool,
}

/// A lexical token with its place.
#[derive(Debug, Clone, Copy)]
struct Token<'a> {
    text: &'a str,
    start: usize,
}

impl Token<'_> {
    fn is_name(self) -> bool {
        self.text
            .starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
    }

    fn is_string(self) -> bool {
        self.text.starts_with(['"', '\''])
    }

    fn end(self) -> usize {
        self.start + self.text.len()
    }
}

/// The filters that a template may use. Each enlarges its input by a small sum or factor at most.
pub const FILTERS: &[&str] = &[
    "abs",
    "append",
    "at_least",
    "at_most",
    "capitalize",
    "ceil",
    "compact",
    "date",
    "default",
    "divided_by",
    "downcase",
    "escape",
    "escape_once",
    "first",
    "floor",
    "join",
    "last",
    "lstrip",
    "map",
    "minus",
    "modulo",
    "newline_to_br",
    "plus",
    "prepend",
    "remove",
    "remove_first",
    "replace",
    "replace_first",
    "reverse",
    "round",
    "rstrip",
    "size",
    "slice",
    "sort",
    "sort_natural",
    "split",
    "strip",
    "strip_html",
    "strip_newlines",
    "times",
    "truncate",
    "truncatewords",
    "upcase",
    "url_encode",
    "where",
];

/// Most filters in one chain.
const MAX_FILTERS: usize = 20;
/// Largest factor by which one chain may lengthen its input.
const MAX_GROWTH: usize = 128;
/// Words that are values or operators, not variables.
const WORDS: &[&str] = &[
    "true", "false", "nil", "null", "empty", "blank", "and", "or", "contains", "in", "reversed",
    "limit", "offset",
];

/// Reads `text` (the inside of a `{{ }}` or the right side of an assign) as a filter chain.
pub(super) fn chain(text: &str, line: usize) -> Result<Chain, TemplateError> {
    let tokens = tokens(text);
    let mut chain = Chain::default();
    let mut at = 0;
    chain.literal = tokens
        .first()
        .is_some_and(|token| !token.is_name() || WORDS.contains(&token.text));
    value(text, &tokens, &mut at, &mut chain.paths);
    let mut growth = 1usize;
    while let Some(token) = tokens.get(at) {
        if token.text != "|" {
            return Err(TemplateError::new(
                line,
                format!("unexpected {}", token.text),
            ));
        }
        let name = tokens.get(at + 1).map_or("", |token| token.text);
        if !FILTERS.contains(&name) {
            return Err(TemplateError::new(line, format!("unknown filter {name:?}")));
        }
        if name == "date" && chain.date_at.is_none() {
            chain.date_at = Some(token.start);
        }
        at += 2;
        let first_argument = at;
        while tokens.get(at).is_some_and(|token| token.text != "|") {
            argument(text, &tokens, &mut at, &mut chain.paths);
        }
        growth = growth.saturating_mul(filter_growth(
            name,
            &tokens[first_argument..at],
            chain.literal,
            line,
        )?);
        chain.filters.push(name.to_owned());
    }
    if chain.filters.len() > MAX_FILTERS || growth > MAX_GROWTH {
        return Err(TemplateError::new(
            line,
            "this expression could grow too large",
        ));
    }
    Ok(chain)
}

/// The paths that a tag other than an output or an assign reads.
pub(super) fn paths(text: &str) -> Vec<Path> {
    let tokens = tokens(text);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        argument(text, &tokens, &mut at, &mut found);
    }
    found
}

/// Takes one argument token; `name:` is a keyword, not a variable.
fn argument(text: &str, tokens: &[Token<'_>], at: &mut usize, found: &mut Vec<Path>) {
    let is_keyword =
        tokens[*at].is_name() && tokens.get(*at + 1).is_some_and(|next| next.text == ":");
    if is_keyword {
        *at += 2;
    } else {
        value(text, tokens, at, found);
    }
}

/// Takes one value; a path is recorded together with the paths inside its brackets.
fn value(text: &str, tokens: &[Token<'_>], at: &mut usize, found: &mut Vec<Path>) {
    let Some(head) = tokens.get(*at).copied() else {
        return;
    };
    *at += 1;
    if !head.is_name() || WORDS.contains(&head.text) {
        return;
    }
    let (mut end, mut dotted, mut plain) = (head.end(), head.text.to_owned(), true);
    let mut depth = 0usize;
    while let Some(token) = tokens.get(*at).copied() {
        match token.text {
            "." if depth == 0 => {
                if let Some(name) = tokens.get(*at + 1).filter(|next| next.is_name()) {
                    if plain {
                        dotted.push('.');
                        dotted.push_str(name.text);
                    }
                    end = name.end();
                    *at += 2;
                    continue;
                }
                break;
            }
            "[" => {
                depth += 1;
                plain = false;
            }
            "]" if depth > 0 => {
                depth -= 1;
                end = token.end();
            }
            _ if depth == 0 => break,
            _ if token.is_name() => {
                // The root of an index is a variable of its own. Names after a dot are not.
                let after_dot = *at > 0 && tokens[*at - 1].text == ".";
                if !after_dot && !WORDS.contains(&token.text) {
                    found.push(Path {
                        start: token.start,
                        end: token.end(),
                        root: token.text.to_owned(),
                        dotted: token.text.to_owned(),
                        is_bare: true,
                    });
                }
            }
            _ => {}
        }
        *at += 1;
    }
    found.push(Path {
        start: head.start,
        end,
        root: head.text.to_owned(),
        dotted,
        is_bare: end == head.end(),
    });
    debug_assert!(end <= text.len());
}

/// The factor by which a filter can lengthen its input.
fn filter_growth(
    name: &str,
    arguments: &[Token<'_>],
    on_literal: bool,
    line: usize,
) -> Result<usize, TemplateError> {
    let refuse = |message: &str| Err(TemplateError::new(line, message));
    let quoted = |token: &Token<'_>| token.text.len().saturating_sub(2);
    let values: Vec<_> = arguments
        .iter()
        .filter(|token| !matches!(token.text, ":" | ","))
        .collect();
    match name {
        "replace" | "replace_first" => match values.as_slice() {
            [from, to] if from.is_string() && to.is_string() => {
                Ok(1 + quoted(to) / quoted(from).max(1))
            }
            _ => refuse("replace takes two quoted texts"),
        },
        "join" => match values.as_slice() {
            [] => Ok(2),
            [separator] if separator.is_string() => Ok(1 + quoted(separator)),
            _ => refuse("join takes a quoted text"),
        },
        "date" if on_literal => refuse("date needs a variable, there is no clock in a template"),
        "date" => match values.as_slice() {
            // A width such as %999999d would be printed at full length.
            [format]
                if format.is_string()
                    && !format
                        .text
                        .as_bytes()
                        .windows(3)
                        .any(|run| run.iter().all(u8::is_ascii_digit)) =>
            {
                Ok(1)
            }
            _ => refuse("date takes a quoted format such as \"%d/%m/%Y\""),
        },
        "newline_to_br" | "escape" | "escape_once" => Ok(6),
        "url_encode" => Ok(3),
        _ => Ok(1),
    }
}

/// Checks the bounds of `(from..to)` in a `for`: whole numbers at most 1,000 apart.
pub(super) fn check_range(text: &str, line: usize) -> Result<(), TemplateError> {
    let Some(open) = text.find('(') else {
        return Ok(());
    };
    let refused = || {
        TemplateError::new(
            line,
            "a range takes two whole numbers at most 1,000 apart, as in (1..10)",
        )
    };
    let inner = text[open + 1..].split(')').next().ok_or_else(refused)?;
    let (from, to) = inner.split_once("..").ok_or_else(refused)?;
    let from: i64 = from.trim().parse().map_err(|_| refused())?;
    let to: i64 = to.trim().parse().map_err(|_| refused())?;
    if to - from > 1_000 {
        return Err(refused());
    }
    Ok(())
}

/// Cuts the inside of a tag, which the scanner has checked, into tokens.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        let rest = &bytes[at..];
        let run = |is_part: fn(u8) -> bool, from: usize| {
            rest[from..].iter().take_while(|b| is_part(**b)).count() + from
        };
        at += match bytes[at] {
            b' ' | b'\t' | b'\r' | b'\n' => {
                at += 1;
                continue;
            }
            quote @ (b'"' | b'\'') => {
                2 + rest[1..].iter().take_while(|byte| **byte != quote).count()
            }
            byte if byte.is_ascii_alphabetic() || byte == b'_' => {
                run(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-', 0)
            }
            byte if byte.is_ascii_digit() || matches!(byte, b'+' | b'-') => {
                let whole = run(|b| b.is_ascii_digit(), 1);
                if rest.get(whole) == Some(&b'.')
                    && rest.get(whole + 1).is_some_and(u8::is_ascii_digit)
                {
                    run(|b| b.is_ascii_digit(), whole + 1)
                } else {
                    whole
                }
            }
            _ => 1,
        };
        tokens.push(Token {
            text: &text[start..at.min(text.len())],
            start,
        });
    }
    tokens.retain(|token| !token.text.is_empty());
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_cut_as_liquid_cuts_them() {
        let shown: Vec<_> = tokens("a.b[ 'x y' ] | f: -1.5, (1..3)")
            .into_iter()
            .map(|token| token.text)
            .collect();
        assert_eq!(
            shown,
            [
                "a", ".", "b", "[", "'x y'", "]", "|", "f", ":", "-1.5", ",", "(", "1", ".", ".",
                "3", ")"
            ]
        );
    }

    #[test]
    fn paths_are_found_in_values_arguments_and_indexes() {
        let chain = chain("a.b[c].d | append: e.f | where: key: g", 1).unwrap();
        let mut roots: Vec<_> = chain
            .paths
            .iter()
            .map(|path| path.dotted.as_str())
            .collect();
        roots.sort_unstable();
        assert_eq!(roots, ["a.b", "c", "e.f", "g"]);
    }
}
