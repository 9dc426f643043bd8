//! Turns a scanned template into the Liquid source that is compiled.
//!
//! Liquid has no limits of its own, so they are written into the template. Each loop body starts with a lookup
//! that pays for the body. Each assigned value is measured, and each printed value of an HTML template is
//! escaped. Line numbers do not change, so that Liquid's errors name the right line.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::TemplateError;
use super::chain::{self, Chain, Path};
use super::names::Names;
use super::scan::{Kind, Piece, count_lines};

/// Name whose index `n` costs `n` units of work; see `data::Globals`.
pub(super) const TICK: &str = "_tick";
/// Name whose index `n` costs `n` units and fails when `n` is over the size of a variable.
pub(super) const MEASURE: &str = "_measure";

/// Deepest nesting of blocks; an `elsif` counts, because Liquid's parser recurses on it.
const MAX_DEPTH: usize = 32;
/// Longest run of blanks in the text for Liquid's parser, whose time is quadratic in it.
const MAX_BLANKS: usize = 24;
/// Cost of a tag besides its length.
const TAG_COST: usize = 64;
/// Cost of a filter that works on whole arrays.
const ARRAY_COST: usize = 4_096;

pub(super) const BLOCKS: &[&str] = &["if", "unless", "case", "for", "capture"];
pub(super) const INNER: &[&str] = &["else", "elsif", "when"];
pub(super) const TAGS: &[&str] = &[
    "assign",
    "break",
    "continue",
    "cycle",
    "increment",
    "decrement",
];
const ARRAY_FILTERS: &[&str] = &[
    "sort",
    "sort_natural",
    "split",
    "map",
    "where",
    "compact",
    "reverse",
    "join",
];
/// Filters that keep captured HTML captured HTML.
const MARKUP_FILTERS: &[&str] = &["strip", "lstrip", "rstrip", "strip_newlines"];

/// The treatment of printed values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Unchanged.
    Text,
    /// Escaped for HTML text and quoted attributes.
    Html,
}

/// The result of rewriting.
#[derive(Debug)]
pub(super) struct Rewritten {
    pub source: String,
    /// Names that only `capture` fills: hidden from the data, printed unescaped.
    pub captured: BTreeSet<String>,
    /// Data the template reads.
    pub variables: BTreeSet<String>,
}

/// Rewrites `pieces`.
pub(super) fn rewrite(pieces: &[Piece<'_>], mode: Mode) -> Result<Rewritten, TemplateError> {
    let names = Names::collect(pieces);
    let mut writer = Rewriter {
        mode,
        names: &names,
        out: String::new(),
        variables: BTreeSet::new(),
        open: Vec::new(),
        depth: 0,
        captures: 0,
        cost: 0,
        hoisted: 0,
    };
    for (i, piece) in pieces.iter().enumerate() {
        let before = i.checked_sub(1).is_some_and(|i| pieces[i].trim_after);
        let after = pieces.get(i + 1).is_some_and(|next| next.trim_before);
        writer.piece(piece, before, after)?;
    }
    let Rewriter { out, variables, .. } = writer;
    Ok(Rewritten {
        source: out,
        captured: names.captured,
        variables,
    })
}

/// Drops the blanks before or after a tag with `-`.
pub(super) fn trim(text: &str, at_start: bool, at_end: bool) -> &str {
    let blank = [' ', '\r', '\n'];
    let text = if at_start {
        text.trim_start_matches(blank)
    } else {
        text
    };
    if at_end {
        text.trim_end_matches(blank)
    } else {
        text
    }
}

/// An open block.
struct Open {
    name: String,
    levels: usize,
    cost_before: usize,
    /// Where to write the loop's price.
    price_at: Option<usize>,
    captures_into: Option<String>,
}

struct Rewriter<'n> {
    mode: Mode,
    names: &'n Names,
    out: String,
    variables: BTreeSet<String>,
    open: Vec<Open>,
    depth: usize,
    captures: usize,
    cost: usize,
    hoisted: usize,
}

impl Rewriter<'_> {
    fn piece(
        &mut self,
        piece: &Piece<'_>,
        trim_start: bool,
        trim_end: bool,
    ) -> Result<(), TemplateError> {
        self.cost += piece.source.len();
        match piece.kind {
            Kind::Text => {
                let text = trim(piece.source, trim_start, trim_end);
                self.text(text);
                self.lines(count_lines(piece.source) - count_lines(text));
            }
            Kind::Raw(inner) => {
                self.separate(0);
                self.raw(inner);
                self.separate(count_lines(piece.source) - count_lines(inner));
            }
            Kind::Comment => self.separate(count_lines(piece.source)),
            Kind::Output(inner) => {
                self.cost += TAG_COST;
                self.output(&inner.replace('\t', " "), piece.line)?;
                self.lines(count_lines(piece.source) - count_lines(inner));
            }
            Kind::Tag { name, rest } => {
                self.cost += TAG_COST;
                self.tag(name, &rest.replace('\t', " "), piece.line)?;
                self.lines(count_lines(piece.source) - count_lines(rest));
            }
        }
        Ok(())
    }

    /// Adds `count` line feeds that were left out.
    fn lines(&mut self, count: usize) {
        if count > 0 {
            self.separate(count);
        }
    }

    /// Prints nothing, over `count` line feeds; keeps two texts separate.
    fn separate(&mut self, count: usize) {
        self.out.push_str("{{ \"\" ");
        self.out.extend(std::iter::repeat_n('\n', count));
        self.out.push_str("}}");
    }

    fn text(&mut self, text: &str) {
        let mut blanks = 0;
        for c in text.chars() {
            blanks = if c.is_whitespace() { blanks + 1 } else { 0 };
            if blanks > MAX_BLANKS {
                self.separate(0);
                blanks = 1;
            }
            self.out.push(c);
        }
        if text.ends_with('{') {
            // Otherwise it would join with the next output.
            self.out.pop();
            self.out.push_str("{{ \"{\" }}");
        }
    }

    fn raw(&mut self, text: &str) {
        for part in text.split_inclusive('{') {
            self.text(part.trim_end_matches('{'));
            if part.ends_with('{') {
                self.out.push_str("{{ \"{\" }}");
            }
        }
    }

    fn output(&mut self, inner: &str, line: usize) -> Result<(), TemplateError> {
        let chain = self.chain(inner, line)?;
        let mut expression = self.expression(inner, &chain);
        if self.mode == Mode::Html && !self.is_markup(&chain) {
            match chain.filters.last().map(String::as_str) {
                Some("escape" | "escape_once") => {}
                Some("newline_to_br") => {
                    let cut = expression.rfind('|').unwrap_or(expression.len());
                    expression.insert_str(cut, "| escape ");
                }
                _ => expression.push_str(" | escape"),
            }
        }
        if self.captures > 0 {
            // A capture is written to memory, past the limit on the output: count it here.
            self.emit(format_args!("{{% assign _o = {expression} %}}"));
            self.measure("_o");
            self.out.push_str("{{ _o }}");
        } else {
            self.emit(format_args!("{{{{ {expression} }}}}"));
        }
        Ok(())
    }

    /// A captured value, printed unchanged: its unsafe parts were escaped when it was captured.
    fn is_markup(&self, chain: &Chain) -> bool {
        let [path] = chain.paths.as_slice() else {
            return false;
        };
        path.is_bare
            && self.names.captured.contains(&path.root)
            && chain
                .filters
                .iter()
                .all(|name| MARKUP_FILTERS.contains(&name.as_str()))
    }

    fn chain(&mut self, text: &str, line: usize) -> Result<Chain, TemplateError> {
        let chain = chain::chain(text, line)?;
        self.note(&chain.paths, line)?;
        let arrays = chain
            .filters
            .iter()
            .filter(|name| ARRAY_FILTERS.contains(&name.as_str()));
        self.cost += arrays.count() * ARRAY_COST;
        Ok(chain)
    }

    fn note(&mut self, paths: &[Path], line: usize) -> Result<(), TemplateError> {
        for path in paths {
            if path.root.starts_with('_') {
                return Err(TemplateError::new(
                    line,
                    "names starting with _ are reserved",
                ));
            }
            if !self.names.local.contains(&path.root) {
                self.variables.insert(path.dotted.clone());
            }
        }
        Ok(())
    }

    /// The chain with safe paths, and with `date` able to read a plain date.
    fn expression(&mut self, text: &str, chain: &Chain) -> String {
        let Some(at) = chain.date_at else {
            return self.hoist(text, &chain.paths);
        };
        let (before, after) = chain.paths.iter().cloned().partition(|path| path.end <= at);
        let (mut after, before): (Vec<Path>, Vec<Path>) = (after, before);
        for path in &mut after {
            path.start -= at;
            path.end -= at;
        }
        let (head, tail) = (
            self.hoist(&text[..at], &before),
            self.hoist(&text[at..], &after),
        );
        // Liquid's date filter needs a time of day, and a birthday has none. For two words it also reads the
        // machine's clock. A contact's data may hold these words, but the same data must give the same mail.
        self.emit(format_args!(
            "{{% assign _d = {head} | append: \"\" %}}{{% assign _n = _d | downcase | strip %}}\
             {{% if _n == \"now\" or _n == \"today\" %}}{{% assign _d = \"\" %}}{{% endif %}}\
             {{% assign _n = _d | size %}}\
             {{% if _n == 10 and _d contains \"-\" %}}\
             {{% assign _d = _d | append: \" 00:00:00 +0000\" %}}{{% endif %}}"
        ));
        format!("_d {tail}")
    }

    /// Moves each path that could fail into a variable that is nil if a step is missing.
    fn hoist(&mut self, text: &str, paths: &[Path]) -> String {
        let mut strict: Vec<_> = paths
            .iter()
            .filter(|path| self.names.is_strict(path))
            .collect();
        strict.sort_by_key(|path| path.start);
        let mut result = String::with_capacity(text.len());
        let mut copied = 0;
        for path in strict {
            if path.start < copied {
                continue;
            }
            self.hoisted += 1;
            let (name, source) = (format!("_h{}", self.hoisted), &text[path.start..path.end]);
            let source = source.replace(['\r', '\n'], " ");
            self.emit(format_args!(
                "{{% assign {name} = nil %}}{{% if {source} %}}{{% assign {name} = {source} %}}{{% endif %}}"
            ));
            result.push_str(&text[copied..path.start]);
            result.push_str(&name);
            copied = path.end;
        }
        result.push_str(&text[copied..]);
        result
    }

    fn measure(&mut self, name: &str) {
        self.emit(format_args!(
            "{{% assign _n = {name} | append: \"\" | size %}}{{{{ {MEASURE}[_n] }}}}"
        ));
    }

    fn tag(&mut self, name: &str, rest: &str, line: usize) -> Result<(), TemplateError> {
        if let Some(block) = name.strip_prefix("end") {
            return self.close(block, line);
        }
        match name {
            "assign" => return self.assign(rest, line),
            "if" | "unless" | "case" => {
                let paths = chain::paths(rest);
                self.note(&paths, line)?;
                let rest = self.hoist(rest, &paths);
                self.emit(format_args!("{{% {name} {rest} %}}"));
            }
            "for" => {
                chain::check_range(rest, line)?;
                let paths = chain::paths(rest);
                self.note(&paths, line)?;
                let paths: Vec<_> = paths.into_iter().filter(|path| path.start > 0).collect();
                let rest = self.hoist(rest, &paths);
                self.emit(format_args!("{{% for {rest} %}}{{{{ {TICK}["));
            }
            "capture" => {
                self.note(&chain::paths(rest), line)?;
                self.emit(format_args!("{{% capture {rest} %}}"));
            }
            _ if INNER.contains(&name) || TAGS.contains(&name) => {
                self.note(&chain::paths(rest), line)?;
                if name == "elsif" {
                    self.deepen(line)?;
                }
                self.emit(format_args!("{{% {name} {rest} %}}"));
            }
            "" => return Err(TemplateError::new(line, "{% %} names no tag")),
            _ => return Err(TemplateError::new(line, format!("unknown tag {name:?}"))),
        }
        if BLOCKS.contains(&name) {
            self.open_block(name, rest, line)?;
        }
        Ok(())
    }

    fn assign(&mut self, rest: &str, line: usize) -> Result<(), TemplateError> {
        let (target, value) = rest
            .split_once('=')
            .ok_or_else(|| TemplateError::new(line, "assign needs a name, = and a value"))?;
        let target = target.trim();
        self.note(&chain::paths(target), line)?;
        let chain = self.chain(value, line)?;
        let value = self.expression(value, &chain);
        self.emit(format_args!("{{% assign {target} = {value} %}}"));
        if !(chain.literal && chain.filters.is_empty()) {
            self.measure(target);
        }
        Ok(())
    }

    fn open_block(&mut self, name: &str, rest: &str, line: usize) -> Result<(), TemplateError> {
        self.open.push(Open {
            name: name.to_owned(),
            levels: 0,
            cost_before: self.cost,
            price_at: (name == "for").then_some(self.out.len()),
            captures_into: (name == "capture").then(|| rest.to_owned()),
        });
        if name == "for" {
            self.out.push_str("00000000] }}");
        }
        self.captures += usize::from(name == "capture");
        self.deepen(line)
    }

    fn deepen(&mut self, line: usize) -> Result<(), TemplateError> {
        self.depth += 1;
        if let Some(open) = self.open.last_mut() {
            open.levels += 1;
        }
        if self.depth > MAX_DEPTH {
            return Err(TemplateError::new(line, "blocks are nested over 32 deep"));
        }
        Ok(())
    }

    fn close(&mut self, block: &str, line: usize) -> Result<(), TemplateError> {
        let Some(open) = self.open.pop().filter(|open| open.name == block) else {
            return Err(TemplateError::new(
                line,
                format!("end{block} closes no {block}"),
            ));
        };
        self.depth -= open.levels;
        if let Some(at) = open.price_at {
            let price = (self.cost - open.cost_before).min(99_999_999);
            self.out.replace_range(at..at + 8, &format!("{price:08}"));
        }
        self.emit(format_args!("{{% end{block} %}}"));
        if let Some(name) = open.captures_into {
            self.captures -= 1;
            self.measure(&name);
        }
        Ok(())
    }

    fn emit(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.out.write_fmt(text);
    }
}
