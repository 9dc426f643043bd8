//! Reads each tag.

use super::{Item, Items, Parser};
use crate::lex::{Kind, Token, Tokens};
use crate::tree::{Arm, Block, Cycle, Expr, Loop, Node, Offset, Slot};
use crate::{TemplateError, offset};

impl<'s> Parser<'s> {
    /// Reads the tag `name`, and its block if it opens one.
    pub(super) fn tag(
        &mut self,
        items: &mut Items<'s>,
        name: &'s str,
        rest: &'s str,
    ) -> Result<Node, TemplateError> {
        let mut node = match name {
            "if" | "unless" => self.conditional(items, name, rest)?,
            "case" => self.case(items, name, rest)?,
            "for" | "tablerow" => self.each(items, name, rest)?,
            "assign" => self.assign(rest)?,
            "capture" => {
                let slot = self.target(&mut self.tokens(rest)?, false)?;
                Node::Capture(slot, self.body(items, name, &["endcapture"])?.0)
            }
            "ifchanged" => Node::IfChanged(self.body(items, name, &["endifchanged"])?.0),
            "echo" => {
                let mut tokens = self.tokens(rest)?;
                let chain = self.chain(&mut tokens)?;
                tokens.finish()?;
                Node::Print(chain)
            }
            "cycle" => self.cycle(name, rest)?,
            "increment" | "decrement" => {
                let slot = self.target(&mut self.tokens(rest)?, false)?;
                Node::Count(slot, if name == "increment" { 1 } else { -1 })
            }
            "break" | "continue" => {
                self.tokens(rest)?.finish()?;
                if name == "break" {
                    Node::Break
                } else {
                    Node::Continue
                }
            }
            "liquid" => {
                self.deeper(name)?;
                let mut lines = Items {
                    items: self.lines(rest)?,
                    at: 0,
                };
                let (block, _) = self.block(&mut lines, &[])?;
                self.depth -= 1;
                Node::Inner(block)
            }
            "" => return Err(self.error(name, "{% %} names no tag")),
            "else" | "elsif" | "when" => {
                return Err(self.error(name, format!("{name} stands in no block that takes it")));
            }
            _ => {
                let block = name
                    .strip_prefix("end")
                    .filter(|block| super::TAGS.contains(block));
                return Err(self.error(
                    name,
                    match block {
                        Some(block) => format!("{name} closes no {block}"),
                        None => format!("unknown tag {name:?}"),
                    },
                ));
            }
        };
        if node.is_blank() {
            node.silence();
        }
        Ok(node)
    }

    /// The tags of a `liquid` tag, one a line.
    fn lines(&self, text: &'s str) -> Result<Vec<Item<'s>>, TemplateError> {
        let (mut items, mut comments) = (Vec::new(), Vec::new());
        for line in text.split('\n').map(str::trim) {
            let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
            let (name, rest) = line.split_at(end.unwrap_or(line.len()));
            match name {
                "comment" => comments.push(name),
                "endcomment" if !comments.is_empty() => {
                    comments.pop();
                }
                _ if !comments.is_empty() || line.is_empty() || line.starts_with('#') => {}
                _ => items.push(Item::Tag {
                    name,
                    rest: rest.trim(),
                }),
            }
        }
        match comments.first() {
            Some(open) => Err(self.error(open, "endcomment is missing")),
            None => Ok(items),
        }
    }

    /// The name that a tag defines.
    fn target(&mut self, tokens: &mut Tokens<'s>, goes_on: bool) -> Result<Slot, TemplateError> {
        let Token { kind, text } = tokens.peek();
        let name = match kind {
            Kind::Name if !text.ends_with('?') => text,
            Kind::Text => &text[1..text.len() - 1],
            Kind::Number => text,
            _ => return Err(tokens.unexpected("a name")),
        };
        tokens.next();
        if !goes_on {
            tokens.finish()?;
        }
        Ok(self.define(name))
    }

    fn assign(&mut self, rest: &'s str) -> Result<Node, TemplateError> {
        let mut tokens = self.tokens(rest)?;
        let slot = self.target(&mut tokens, true)?;
        tokens.expect("=")?;
        if tokens.peek().kind == Kind::End {
            return Err(tokens.unexpected("a value"));
        }
        let chain = self.chain(&mut tokens)?;
        tokens.finish()?;
        Ok(Node::Assign(slot, chain))
    }

    fn conditional(
        &mut self,
        items: &mut Items<'s>,
        name: &'s str,
        rest: &'s str,
    ) -> Result<Node, TemplateError> {
        let end = if name == "if" { "endif" } else { "endunless" };
        let mut branches = Vec::new();
        let mut condition = self.condition(rest, name == "if")?;
        loop {
            let (block, ending, rest) = self.body(items, name, &["elsif", "else", end])?;
            branches.push((condition, block));
            match ending {
                "elsif" => condition = self.condition(rest, true)?,
                "else" => return Ok(Node::If(branches, self.last_block(items, name, end)?)),
                _ => return Ok(Node::If(branches, Block::new())),
            }
        }
    }

    /// The block after `else`; as in Liquid, further blocks are read and never rendered.
    fn last_block(
        &mut self,
        items: &mut Items<'s>,
        name: &'s str,
        end: &str,
    ) -> Result<Block, TemplateError> {
        let (block, mut ending, _) = self.body(items, name, &["elsif", "else", end])?;
        while ending != end {
            (_, ending, _) = self.body(items, name, &["elsif", "else", end])?;
        }
        Ok(block)
    }

    fn case(
        &mut self,
        items: &mut Items<'s>,
        name: &'s str,
        rest: &'s str,
    ) -> Result<Node, TemplateError> {
        const ENDS: &[&str] = &["when", "else", "endcase"];
        let mut tokens = self.tokens(rest)?;
        let value = self.chain(&mut tokens)?;
        tokens.finish()?;
        let mut arms = Vec::new();
        let (_, mut ending, mut rest) = self.body(items, name, ENDS)?;
        while ending != "endcase" {
            let at = offset(self.source, ending);
            let values = if ending == "when" {
                let mut tokens = self.tokens(rest)?;
                let mut values = vec![self.value(&mut tokens)?];
                while tokens.eat(",") || tokens.eat("or") {
                    values.push(self.value(&mut tokens)?);
                }
                tokens.finish()?;
                Some(values)
            } else {
                None
            };
            let body;
            (body, ending, rest) = self.body(items, name, ENDS)?;
            arms.push(Arm { at, values, body });
        }
        Ok(Node::Case(value, arms))
    }

    fn each(
        &mut self,
        items: &mut Items<'s>,
        name: &'s str,
        rest: &'s str,
    ) -> Result<Node, TemplateError> {
        let mut tokens = self.tokens(rest)?;
        let variable = tokens.next();
        if variable.kind != Kind::Name {
            return Err(self.error(variable.text, format!("{name} needs a name, in and a list")));
        }
        tokens.expect("in")?;
        let start = tokens.peek();
        let list = self.value(&mut tokens)?;
        let mut each = Loop {
            at: offset(self.source, start.text),
            variable: self.define(variable.text),
            name: format!("{}-{}", variable.text, tokens.since(start)).into(),
            list,
            limit: None,
            offset: Offset::Start,
            reversed: false,
            table: (name == "tablerow").then_some(Expr::Nil),
            body: Block::new(),
            otherwise: Block::new(),
        };
        self.parameters(&mut tokens, &mut each)?;
        if name == "tablerow" {
            each.body = self.body(items, name, &["endtablerow"])?.0;
        } else {
            let (body, ending, _) = self.body(items, name, &["else", "endfor"])?;
            each.body = body;
            if ending == "else" {
                each.otherwise = self.body(items, name, &["endfor"])?.0;
            }
        }
        Ok(Node::For(Box::new(each)))
    }

    /// Reads `reversed`, `limit: 2`, `offset: continue` and `cols: 3`, with or without commas.
    fn parameters(
        &mut self,
        tokens: &mut Tokens<'s>,
        each: &mut Loop,
    ) -> Result<(), TemplateError> {
        while tokens.peek().kind != Kind::End {
            if tokens.eat(",") {
                continue;
            }
            if tokens.eat("reversed") {
                each.reversed = true;
                continue;
            }
            let place = tokens.peek().text;
            match tokens.eat_keyword().map(|word| word.text) {
                Some("limit") => each.limit = Some(self.value(tokens)?),
                Some("offset") if tokens.eat("continue") => each.offset = Offset::Continue,
                Some("offset") => each.offset = Offset::At(self.value(tokens)?),
                Some("cols") if each.table.is_some() => {
                    each.table = Some(self.value(tokens)?);
                }
                _ => return Err(self.error(place, "expected reversed, limit: or offset:")),
            }
        }
        Ok(())
    }

    fn cycle(&mut self, name: &'s str, rest: &'s str) -> Result<Node, TemplateError> {
        let mut tokens = self.tokens(rest)?;
        let at = offset(self.source, name);
        let start = tokens.peek();
        let first = self.value(&mut tokens)?;
        let (mut values, mut group) = (Vec::new(), None);
        if tokens.eat(":") {
            group = Some(first);
            values.push(self.value(&mut tokens)?);
        } else {
            values.push(first);
        }
        while tokens.eat(",") {
            values.push(self.value(&mut tokens)?);
        }
        tokens.finish()?;
        let key = match group {
            Some(group) => Cycle::Named(group),
            None => Cycle::Values(tokens.since(start).into()),
        };
        Ok(Node::Cycle { at, key, values })
    }
}
