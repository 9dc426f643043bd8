//! The work of moving stylesheets into `style` attributes, computed before the inliner runs.
//!
//! The inliner looks at the elements that each selector may match, and compares each declaration with those that the
//! element has. Both products are unbounded in the length of the text. The count here reads the stylesheet with the
//! inliner's own lexer and the names of the inliner's own tree; it moves nothing.

use std::collections::HashSet;

use cssparser::{Parser, Token};

use crate::mail::MailError;
use crate::tree::Size;

/// Most steps of the inliner.
pub const MAX_STEPS: u64 = 50_000_000;
/// Deepest nesting of blocks and functions in a stylesheet; readers of CSS recurse.
const MAX_BLOCKS: usize = 32;

/// Why the work is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refused {
    Nested,
}

/// Refuses a stylesheet that would take more than [`MAX_STEPS`].
pub(super) fn check(size: &Size) -> Result<(), MailError> {
    let steps = steps(size).map_err(|Refused::Nested| {
        MailError::Html(format!(
            "blocks in a stylesheet are nested more than {MAX_BLOCKS} deep"
        ))
    })?;
    if steps <= MAX_STEPS {
        return Ok(());
    }
    Err(MailError::Html(format!(
        "its {} elements and its stylesheets need {steps} steps to be joined; {MAX_STEPS} are allowed. Use fewer rules, \
         or name classes in place of *",
        size.elements
    )))
}

/// Steps of the inliner for this tree and its stylesheets; at least the true number.
fn steps(size: &Size) -> Result<u64, Refused> {
    let mut work = Work::default();
    work.sheet(&mut Parser::new(&size.css), size, false, 0)?;
    let properties = work.properties.len() as u64;
    let (rules, sheets) = (work.rules, size.sheets as u64);
    let parts = [
        work.matching,
        work.declared.saturating_mul(properties),
        work.bytes,
        (size.inline as u64).saturating_mul(properties),
        work.at_rules
            .saturating_mul(work.at_rules + rules)
            .saturating_mul(4),
        rules.saturating_mul(sheets),
    ];
    Ok(parts.into_iter().fold(0, u64::saturating_add))
}

#[derive(Default)]
struct Work {
    matching: u64,
    /// Declarations times the elements that they may reach.
    declared: u64,
    /// Bytes of declarations times the elements that they may reach.
    bytes: u64,
    properties: HashSet<String>,
    rules: u64,
    at_rules: u64,
}

/// One selector of a rule, as far as it was read.
#[derive(Default)]
struct Selector {
    tokens: u64,
    /// Combinators that walk up the tree, and those that walk along siblings.
    up: u64,
    along: u64,
    /// Fewest and most elements with a name of the last compound.
    reach: Option<(u64, u64)>,
}

impl Selector {
    fn name(&mut self, size: &Size, name: &str) {
        let count = size.names.get(name).copied().unwrap_or_default() as u64;
        let (least, most) = self.reach.unwrap_or((count, count));
        self.reach = Some((least.min(count), most.max(count)));
    }

    /// Adds the work of matching; returns the elements that it may match.
    fn matched(&self, size: &Size, work: &mut Work) -> u64 {
        let all = size.elements as u64;
        let (least, most) = self.reach.unwrap_or((all, all));
        let walk = self.up * size.depth as u64 + self.along * all;
        let each = self.tokens.saturating_mul(1 + walk);
        work.matching = work
            .matching
            .saturating_add(most.saturating_mul(each))
            .saturating_add(self.tokens);
        least
    }
}

impl Work {
    /// Reads rules; `is_kept` for those of a condition, which stay in their sheet.
    fn sheet(
        &mut self,
        css: &mut Parser<'_>,
        size: &Size,
        is_kept: bool,
        depth: usize,
    ) -> Result<(), Refused> {
        if depth > MAX_BLOCKS {
            return Err(Refused::Nested);
        }
        let mut at_rule: Option<bool> = None;
        let mut selector = Selector::default();
        let mut reached = 0u64;
        let mut after_dot = false;
        while let Ok(token) = css.next_including_whitespace().cloned() {
            let was_dot = std::mem::take(&mut after_dot);
            selector.tokens += 1;
            match token {
                Token::AtKeyword(name) => {
                    self.at_rules += 1;
                    at_rule = Some(name.eq_ignore_ascii_case("layer"));
                }
                Token::Semicolon if at_rule.is_some() => {
                    (at_rule, selector) = (None, Selector::default());
                }
                Token::CurlyBracketBlock => {
                    if let Some(is_layer) = at_rule.take() {
                        nested(css, |css| {
                            self.sheet(css, size, is_kept || !is_layer, depth + 1)
                        })?;
                    } else {
                        self.rules += 1;
                        reached = reached.saturating_add(selector.matched(size, self));
                        let reached = if is_kept { 0 } else { reached };
                        nested(css, |css| self.declarations(css, reached, depth + 1))?;
                    }
                    (selector, reached) = (Selector::default(), 0);
                }
                Token::Comma => {
                    reached = reached.saturating_add(selector.matched(size, self));
                    selector = Selector::default();
                }
                Token::WhiteSpace(_) | Token::Delim('>') => {
                    (selector.up, selector.reach) = (selector.up + 1, None);
                }
                Token::Delim('+' | '~') => {
                    (selector.along, selector.reach) = (selector.along + 1, None);
                }
                Token::Delim('.') => after_dot = true,
                Token::Ident(name) if was_dot => selector.name(size, &format!(".{name}")),
                Token::Ident(name) => selector.name(size, &name.to_ascii_lowercase()),
                Token::IDHash(name) => selector.name(size, &format!("#{name}")),
                Token::Colon => {
                    // The name of a pseudo-class is no name of an element.
                    let state = css.state();
                    if !matches!(css.next_including_whitespace(), Ok(Token::Ident(_))) {
                        css.reset(&state);
                    }
                    selector.along += 1;
                }
                Token::Function(_) | Token::ParenthesisBlock | Token::SquareBracketBlock => {
                    selector.along += 1;
                    let inside = nested(css, |css| tokens(css, depth + 1))?;
                    selector.tokens = selector.tokens.saturating_add(inside);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn declarations(
        &mut self,
        css: &mut Parser<'_>,
        reached: u64,
        depth: usize,
    ) -> Result<(), Refused> {
        let start = css.position().byte_index();
        let mut last: Option<String> = None;
        while let Ok(token) = css.next().cloned() {
            match token {
                Token::Colon => {
                    self.declared = self.declared.saturating_add(reached);
                    self.properties.extend(last.take());
                }
                Token::Ident(name) => last = Some(name.to_string()),
                Token::Function(_)
                | Token::ParenthesisBlock
                | Token::SquareBracketBlock
                | Token::CurlyBracketBlock => {
                    nested(css, |css| tokens(css, depth + 1))?;
                }
                _ => {}
            }
        }
        let bytes = (css.position().byte_index() - start) as u64;
        self.bytes = self.bytes.saturating_add(bytes.saturating_mul(reached));
        Ok(())
    }
}

/// Tokens of a block and of the blocks in it.
fn tokens(css: &mut Parser<'_>, depth: usize) -> Result<u64, Refused> {
    if depth > MAX_BLOCKS {
        return Err(Refused::Nested);
    }
    let mut count = 0u64;
    while let Ok(token) = css.next().cloned() {
        count += 1;
        if matches!(
            token,
            Token::Function(_)
                | Token::ParenthesisBlock
                | Token::SquareBracketBlock
                | Token::CurlyBracketBlock
        ) {
            count += nested(css, |css| tokens(css, depth + 1))?;
        }
    }
    Ok(count)
}

/// Reads the block that the last token opened.
fn nested<'i, T>(
    css: &mut Parser<'i>,
    read: impl FnOnce(&mut Parser<'i>) -> Result<T, Refused>,
) -> Result<T, Refused> {
    let answer = css.parse_nested_block(|css| Ok::<_, cssparser::ParseError<()>>(read(css)));
    answer.unwrap_or(Err(Refused::Nested))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::measure;

    fn steps_of(css: &str, body: &str) -> Result<u64, Refused> {
        steps(&measure(&format!("<style>{css}</style>{body}")).unwrap())
    }

    #[test]
    fn work_is_rules_by_the_elements_that_they_reach() {
        let body = "<p class=a>x</p>".repeat(100);
        let one = steps_of(".a{color:red}", &body).unwrap();
        let ten = steps_of(&".a{color:red}".repeat(10), &body).unwrap();
        assert!(ten > 5 * one, "{one} {ten}");
        let absent = steps_of(&".none{color:red}".repeat(10), &body).unwrap();
        assert!(absent < one, "{absent} {one}");
        let kept = steps_of("@media print{.a{color:red}}", &body).unwrap();
        assert!(kept < one, "{kept} {one}");
        let all = steps_of("*{color:red}", &body).unwrap();
        assert!(all > absent, "{all} {absent}");
    }

    #[test]
    fn a_shop_mail_has_room_and_products_of_rules_and_elements_have_none() {
        let row = "<tr><td class='c'><p class='t'>x</p><a class='button' href='https://example.vn'>y</a></td></tr>";
        let rules: String = (0..200)
            .map(|n| format!(".c{n},table td p.t{{color:#{n:06};padding:{n}px;margin:0 auto;font:{n}px Arial}}"))
            .collect();
        let shop = measure(&format!(
            "<style>{rules}</style><table>{}</table>",
            row.repeat(300)
        ))
        .unwrap();
        assert_eq!(check(&shop), Ok(()), "{:?}", steps(&shop));
        for css in [
            (0..900).map(|n| format!("*{{x{n}:b}}")).collect::<String>(),
            "p~p~p~p{a:b}".repeat(200),
            "p p p p p{a:b}".repeat(1_500),
            "@layer a;".repeat(15_000),
            ":not(:not(p)){a:b}".repeat(1_000),
        ] {
            let size = measure(&format!("<style>{css}</style>{}", "<p>x".repeat(1_000))).unwrap();
            let error = check(&size).unwrap_err().to_string();
            assert!(
                error.contains("1004 elements") && error.contains("50000000"),
                "{error}"
            );
        }
    }

    #[test]
    fn nested_blocks_have_a_limit() {
        for open in [":not(", "@layer a{", "a{b:c(", "[", "@media x{"] {
            let css = format!("p{}", open.repeat(5_000));
            assert_eq!(steps_of(&css, ""), Err(Refused::Nested), "{open}");
        }
    }
}
