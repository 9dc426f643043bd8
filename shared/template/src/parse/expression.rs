//! Reads values, filter chains and conditions.

use super::Parser;
use crate::filters;
use crate::lex::{Kind, Tokens};
use crate::tree::{Call, Chain, Comparison, Condition, Expr, Join, Operator, Root, Step};
use crate::{TemplateError, offset};

impl<'s> Parser<'s> {
    /// Reads `value | filter: argument, … | …`.
    pub(super) fn chain(&mut self, tokens: &mut Tokens<'s>) -> Result<Chain, TemplateError> {
        let at = offset(self.source, tokens.peek().text);
        let head = if tokens.peek().kind == Kind::End {
            Expr::Nil
        } else {
            self.value(tokens)?
        };
        let mut calls = Vec::new();
        while tokens.eat("|") {
            calls.push(self.call(tokens)?);
        }
        Ok(Chain { at, head, calls })
    }

    fn call(&mut self, tokens: &mut Tokens<'s>) -> Result<Call, TemplateError> {
        let name = tokens.peek();
        let filter = filters::find(name.text)
            .ok_or_else(|| tokens.error(format!("unknown filter {:?}", name.text)))?;
        tokens.next();
        let (mut arguments, mut allow_false) = (Vec::new(), None);
        if tokens.eat(":") {
            loop {
                let place = tokens.peek().text;
                match tokens.eat_keyword() {
                    Some(word) if word.text == "allow_false" && name.text == "default" => {
                        allow_false = Some(self.value(tokens)?);
                    }
                    Some(word) => {
                        let message = format!("{} has no argument {:?}", name.text, word.text);
                        return Err(self.error(place, message));
                    }
                    None => arguments.push(self.value(tokens)?),
                }
                if !tokens.eat(",") {
                    break;
                }
            }
        }
        if !(filter.least..=filter.most).contains(&arguments.len()) {
            let wanted = match (filter.least, filter.most) {
                (_, 0) => "no arguments".to_owned(),
                (1, 1) => "1 argument".to_owned(),
                (least, most) if least == most => format!("{most} arguments"),
                (least, most) => format!("{least} to {most} arguments"),
            };
            return Err(self.error(name.text, format!("{} takes {wanted}", name.text)));
        }
        Ok(Call {
            at: offset(self.source, name.text),
            filter,
            arguments,
            allow_false,
        })
    }

    /// Reads one value: a literal, a range or a path.
    pub(super) fn value(&mut self, tokens: &mut Tokens<'s>) -> Result<Expr, TemplateError> {
        let token = tokens.peek();
        let literal = match token.kind {
            Kind::Text => Expr::Text(token.text[1..token.text.len() - 1].into()),
            Kind::Number => number(token.text)
                .ok_or_else(|| tokens.error("a whole number has at most 18 digits"))?,
            Kind::Name => match token.text {
                "nil" | "null" => Expr::Nil,
                "true" => Expr::Bool(true),
                "false" => Expr::Bool(false),
                "empty" => Expr::Empty,
                "blank" => Expr::Blank,
                _ => return self.path(tokens),
            },
            Kind::Mark if token.text == "[" => return self.path(tokens),
            Kind::Mark if token.text == "(" => return self.range(tokens),
            _ => return Err(tokens.unexpected("a value")),
        };
        tokens.next();
        Ok(literal)
    }

    fn range(&mut self, tokens: &mut Tokens<'s>) -> Result<Expr, TemplateError> {
        self.deeper(tokens.next().text)?;
        let from = self.value(tokens)?;
        tokens.expect("..")?;
        let to = self.value(tokens)?;
        tokens.expect(")")?;
        self.depth -= 1;
        Ok(Expr::Range(Box::new((from, to))))
    }

    fn path(&mut self, tokens: &mut Tokens<'s>) -> Result<Expr, TemplateError> {
        let head = tokens.peek();
        let mut known = Vec::new();
        let root = if head.kind == Kind::Name {
            tokens.next();
            known.push(head.text);
            Root::Name(self.slot(head.text))
        } else {
            let (step, name) = self.index(tokens)?;
            known.extend(name);
            match (step, name) {
                (_, Some(name)) => Root::Name(self.slot(name)),
                (step, None) => Root::Computed(Box::new(step)),
            }
        };
        let mut steps = Vec::new();
        let mut is_known = !known.is_empty();
        loop {
            if tokens.eat(".") {
                let name = tokens.peek();
                if name.kind != Kind::Name {
                    return Err(tokens.unexpected("a name"));
                }
                tokens.next();
                if is_known {
                    known.push(name.text);
                }
                steps.push(Step::Name(name.text.into()));
            } else if tokens.is("[") {
                let (step, name) = self.index(tokens)?;
                is_known &= name.is_some();
                known.extend(name.filter(|_| is_known));
                steps.push(Step::Index(step));
            } else {
                break;
            }
        }
        if !known.is_empty() {
            self.paths.push(known);
        }
        Ok(Expr::Path(root, steps))
    }

    /// Reads `[value]`, and the name if the value is a text.
    fn index(&mut self, tokens: &mut Tokens<'s>) -> Result<(Expr, Option<&'s str>), TemplateError> {
        self.deeper(tokens.next().text)?;
        let token = tokens.peek();
        let value = self.value(tokens)?;
        tokens.expect("]")?;
        self.depth -= 1;
        let is_text = token.kind == Kind::Text;
        Ok((value, is_text.then(|| &token.text[1..token.text.len() - 1])))
    }

    /// Reads comparisons joined by `and` and `or`.
    pub(super) fn condition(
        &mut self,
        text: &'s str,
        wanted: bool,
    ) -> Result<Condition, TemplateError> {
        let mut tokens = self.tokens(text)?;
        let at = offset(self.source, tokens.peek().text);
        let mut parts = Vec::new();
        loop {
            let comparison = self.comparison(&mut tokens)?;
            let join = if tokens.eat("and") {
                Join::And
            } else if tokens.eat("or") {
                Join::Or
            } else {
                tokens.finish()?;
                Join::End
            };
            parts.push((comparison, join));
            if join == Join::End {
                return Ok(Condition { at, wanted, parts });
            }
        }
    }

    fn comparison(&mut self, tokens: &mut Tokens<'s>) -> Result<Comparison, TemplateError> {
        let left = self.value(tokens)?;
        let operator = match tokens.peek().text {
            "==" => Operator::Equal,
            "!=" | "<>" => Operator::Unequal,
            "<" => Operator::Less,
            "<=" => Operator::LessOrEqual,
            ">" => Operator::Greater,
            ">=" => Operator::GreaterOrEqual,
            "contains" => Operator::Contains,
            _ => return Ok(Comparison { left, right: None }),
        };
        tokens.next();
        Ok(Comparison {
            left,
            right: Some((operator, self.value(tokens)?)),
        })
    }
}

fn number(text: &str) -> Option<Expr> {
    if text.contains('.') {
        text.parse().ok().map(Expr::Float)
    } else {
        text.parse().ok().map(Expr::Int)
    }
}
