//! Turns a template into its tree. Reads no data.
//!
//! Blocks and brackets nest at most [`MAX_DEPTH`] deep, so the parser's and the interpreter's stacks are bounded.

mod expression;
mod tags;

use std::collections::{BTreeMap, BTreeSet};

use crate::lex::Tokens;
use crate::scan::{self, Kind, scan};
use crate::tree::{Block, Node, Slot};
use crate::{MAX_DEPTH, MAX_SOURCE_BYTES, Mode, Template, TemplateError, Variable, offset};

/// The tags that a template may use, without the `end…` of each block; sorted.
pub const TAGS: &[&str] = &[
    "#",
    "assign",
    "break",
    "capture",
    "case",
    "comment",
    "continue",
    "cycle",
    "decrement",
    "doc",
    "echo",
    "else",
    "elsif",
    "for",
    "if",
    "ifchanged",
    "increment",
    "liquid",
    "raw",
    "tablerow",
    "unless",
    "when",
];

/// Parses a whole template.
pub(crate) fn template(source: &str, mode: Mode) -> Result<Template, TemplateError> {
    if source.len() > MAX_SOURCE_BYTES {
        return Err(TemplateError::at(
            source,
            source,
            "the template is over 256 KiB",
        ));
    }
    let mut parser = Parser {
        source,
        slots: BTreeMap::new(),
        paths: Vec::new(),
        defined: BTreeSet::new(),
        depth: 0,
    };
    for name in ["forloop", "tablerowloop"] {
        parser.define(name);
    }
    let mut items = Items {
        items: items(source)?,
        at: 0,
    };
    let (body, _) = parser.block(&mut items, &[])?;
    let mut names: Vec<Box<str>> = vec![Box::default(); parser.slots.len()];
    for (name, slot) in &parser.slots {
        names[*slot] = (*name).into();
    }
    let variables = parser.variables();
    Ok(Template {
        source: source.into(),
        body,
        mode,
        names,
        variables,
    })
}

/// A piece without comments and dropped blanks.
#[derive(Clone, Copy)]
enum Item<'s> {
    Text(&'s str),
    Output(&'s str),
    Tag { name: &'s str, rest: &'s str },
}

/// The items of a template or of a `liquid` tag, read from the left.
struct Items<'s> {
    items: Vec<Item<'s>>,
    at: usize,
}

/// The items of a whole template.
fn items<'s>(source: &'s str) -> Result<Vec<Item<'s>>, TemplateError> {
    let pieces = scan(source)?;
    let item = |(i, piece): (usize, &scan::Piece<'s>)| match piece.kind {
        Kind::Text => {
            let before = i.checked_sub(1).is_some_and(|i| pieces[i].trim_after);
            let after = pieces.get(i + 1).is_some_and(|next| next.trim_before);
            let text = scan::trim(piece.source, before, after);
            (!text.is_empty()).then_some(Item::Text(text))
        }
        Kind::Raw(inner) => Some(Item::Text(inner)),
        Kind::Output(inner) => Some(Item::Output(inner)),
        Kind::Tag { name, rest } => Some(Item::Tag { name, rest }),
        Kind::Comment => None,
    };
    Ok(pieces.iter().enumerate().filter_map(item).collect())
}

struct Parser<'s> {
    source: &'s str,
    slots: BTreeMap<&'s str, Slot>,
    /// The paths that are read, each from its root.
    paths: Vec<Vec<&'s str>>,
    /// Names that the template defines somewhere.
    defined: BTreeSet<&'s str>,
    depth: usize,
}

/// The tag that ended a block.
type Ending<'s> = Option<(&'s str, &'s str)>;

impl<'s> Parser<'s> {
    /// The paths into the data, with their places, in the order of the template. One walk over the source.
    fn variables(&self) -> Vec<Variable> {
        let is_data = |path: &&Vec<&str>| !self.defined.contains(path[0]);
        let mut paths: Vec<_> = self.paths.iter().filter(is_data).collect();
        paths.sort_by_key(|path| offset(self.source, path[0]));
        let (mut at, mut line, mut column) = (0, 1, 1);
        let variable = |path: &Vec<&str>| {
            let start = offset(self.source, path[0]);
            for c in self.source[at..start].chars() {
                (line, column) = if c == '\n' {
                    (line + 1, 1)
                } else {
                    (line, column + 1)
                };
            }
            at = start;
            let path = path.iter().map(|&name| name.to_owned()).collect();
            Variable { path, line, column }
        };
        paths.into_iter().map(variable).collect()
    }

    fn slot(&mut self, name: &'s str) -> Slot {
        let next = self.slots.len();
        *self.slots.entry(name).or_insert(next)
    }

    fn define(&mut self, name: &'s str) -> Slot {
        self.defined.insert(name);
        self.slot(name)
    }

    fn tokens(&self, text: &'s str) -> Result<Tokens<'s>, TemplateError> {
        Tokens::new(self.source, text)
    }

    fn error(&self, part: &str, message: impl Into<String>) -> TemplateError {
        TemplateError::at(self.source, part, message)
    }

    fn deeper(&mut self, part: &str) -> Result<(), TemplateError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(self.error(part, "blocks or brackets are nested over 32 deep"));
        }
        Ok(())
    }

    /// Reads nodes up to one of the tags `ends`, or up to the end if there are none.
    fn block(
        &mut self,
        items: &mut Items<'s>,
        ends: &[&str],
    ) -> Result<(Block, Ending<'s>), TemplateError> {
        let mut block = Vec::new();
        while let Some(item) = items.items.get(items.at).copied() {
            items.at += 1;
            match item {
                Item::Text(text) => block.push(Node::Text(text.into())),
                Item::Output(inner) => {
                    let mut tokens = self.tokens(inner)?;
                    block.push(Node::Print(self.chain(&mut tokens)?));
                    tokens.finish()?;
                }
                Item::Tag { name, rest } if ends.contains(&name) => {
                    return Ok((block, Some((name, rest))));
                }
                Item::Tag { name, rest } => block.push(self.tag(items, name, rest)?),
            }
        }
        Ok((block, None))
    }

    /// Reads the body of a block tag up to one of `ends`, and returns the tag that ended it.
    fn body(
        &mut self,
        items: &mut Items<'s>,
        open: &str,
        ends: &[&str],
    ) -> Result<(Block, &'s str, &'s str), TemplateError> {
        self.deeper(open)?;
        let (block, ending) = self.block(items, ends)?;
        self.depth -= 1;
        let Some((name, rest)) = ending else {
            let end = ends.last().copied().unwrap_or_default();
            return Err(self.error(open, format!("{{% {end} %}} is missing")));
        };
        Ok((block, name, rest))
    }
}
