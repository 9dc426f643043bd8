//! The size of HTML, measured in the tree that `html5ever` builds for it.
//!
//! Every HTML tool of this crate uses this parser, so the tree here is the tree that they walk. Walkers recurse by
//! depth and take time by elements; text within these limits is safe for them. The measuring itself recurses
//! nowhere, and stops within a kilobyte of the first excess.

use std::borrow::Cow;
use std::cell::{Cell, Ref, RefCell};
use std::collections::HashMap;

use html5ever::tendril::{StrTendril, TendrilSink};
use html5ever::tree_builder::{ElementFlags, NodeOrText, QuirksMode, TreeSink};
use html5ever::{Attribute, ParseOpts, QualName, expanded_name, local_name, ns, parse_document};

/// Most levels of elements, with `html` and `body`.
pub const MAX_DEPTH: usize = 256;
/// Most elements. Parsers may make more than the author wrote, since they repeat unclosed formatting.
pub const MAX_ELEMENTS: usize = 20_000;
/// Most separators in one tag or comment. A parser compares each attribute with all earlier ones of its tag.
const MAX_SEPARATORS: usize = 8_000;
/// Bytes that are parsed between two checks.
const STRIDE: usize = 1_024;

/// Why HTML is not given to the tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TooLarge {
    /// More than [`MAX_DEPTH`] levels.
    #[error("line {line}: elements are nested more than {MAX_DEPTH} deep")]
    Depth {
        /// Line of the excess, from 1.
        line: u64,
    },
    /// More than [`MAX_ELEMENTS`] elements.
    #[error("line {line}: the HTML has more than {MAX_ELEMENTS} elements")]
    Elements {
        /// Line of the excess, from 1.
        line: u64,
    },
    /// A tag with thousands of attributes, or a comment of that size.
    #[error("line {line}: one tag or comment has more than {MAX_SEPARATORS} words")]
    Token {
        /// Line of the excess, from 1.
        line: u64,
    },
}

/// The size of a document.
#[derive(Debug, Default)]
pub(crate) struct Size {
    /// Elements.
    pub elements: usize,
    /// Levels of the deepest element.
    pub depth: usize,
    /// Elements by `tag`, `.class` and `#id`.
    pub names: HashMap<String, usize>,
    /// The text of all `style` elements.
    pub css: String,
    /// `style` elements.
    pub sheets: usize,
    /// Colons in `style` attributes: at least their declarations.
    pub inline: usize,
}

/// Measures `html` as a document.
pub(crate) fn measure(html: &str) -> Result<Size, TooLarge> {
    let mut parser = parse_document(Sink::new(), ParseOpts::default());
    let (mut rest, mut separators, mut events) = (html, 0, 0);
    while !rest.is_empty() {
        let (part, later) = rest.split_at(rest.ceil_char_boundary(STRIDE));
        rest = later;
        parser.process(StrTendril::from_slice(part));
        let sink = &parser.tokenizer.sink.sink;
        separators = if sink.events.get() == events {
            separators + part.bytes().filter(|byte| separates(*byte)).count()
        } else {
            0
        };
        events = sink.events.get();
        let line = sink.line.get();
        if sink.depth.get() > MAX_DEPTH {
            return Err(TooLarge::Depth { line });
        }
        if sink.elements() > MAX_ELEMENTS {
            return Err(TooLarge::Elements { line });
        }
        if separators > MAX_SEPARATORS {
            return Err(TooLarge::Token { line });
        }
    }
    parser.finish()
}

/// Whether an attribute may begin or end at this byte.
fn separates(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'/' | b'"' | b'\'')
}

struct Node {
    name: Option<QualName>,
    parent: Option<usize>,
    children: Vec<usize>,
}

/// Builds the shape of the tree, without its text.
struct Sink {
    nodes: RefCell<Vec<Node>>,
    size: RefCell<Size>,
    /// The greatest depth at which an element was put into the tree.
    depth: Cell<usize>,
    events: Cell<u64>,
    line: Cell<u64>,
}

impl Sink {
    fn new() -> Self {
        let document = Node {
            name: None,
            parent: None,
            children: Vec::new(),
        };
        Self {
            nodes: RefCell::new(vec![document]),
            size: RefCell::default(),
            depth: Cell::new(0),
            events: Cell::new(0),
            line: Cell::new(1),
        }
    }

    fn elements(&self) -> usize {
        self.size.borrow().elements
    }

    fn push(&self, name: Option<QualName>) -> usize {
        self.events.update(|events| events + 1);
        let mut nodes = self.nodes.borrow_mut();
        nodes.push(Node {
            name,
            parent: None,
            children: Vec::new(),
        });
        nodes.len() - 1
    }

    /// Levels above a node, counted no further than one over the limit.
    fn levels(&self, node: usize) -> usize {
        let nodes = self.nodes.borrow();
        let above = std::iter::successors(Some(node), |node| nodes[*node].parent);
        above.take(MAX_DEPTH + 2).count() - 1
    }

    fn put(&self, parent: usize, child: NodeOrText<usize>) {
        self.events.update(|events| events + 1);
        match child {
            NodeOrText::AppendNode(child) => {
                self.detach(child);
                let is_element = {
                    let mut nodes = self.nodes.borrow_mut();
                    nodes[child].parent = Some(parent);
                    nodes[parent].children.push(child);
                    nodes[child].name.is_some()
                };
                if is_element {
                    self.depth.set(self.depth.get().max(self.levels(child)));
                }
            }
            NodeOrText::AppendText(text) => {
                let nodes = self.nodes.borrow();
                if nodes[parent].name.as_ref().is_some_and(is_style) {
                    self.size.borrow_mut().css.push_str(&text);
                }
            }
        }
    }

    fn detach(&self, node: usize) {
        let mut nodes = self.nodes.borrow_mut();
        let Some(parent) = nodes[node].parent.take() else {
            return;
        };
        let children = &mut nodes[parent].children;
        if let Some(at) = children.iter().rposition(|child| *child == node) {
            children.remove(at);
        }
    }

    fn count(&self, attributes: &[Attribute]) {
        let mut size = self.size.borrow_mut();
        for attribute in attributes {
            let value = &attribute.value;
            if attribute.name.local == local_name!("class") {
                for class in value.split_ascii_whitespace() {
                    *size.names.entry(format!(".{class}")).or_default() += 1;
                }
            } else if attribute.name.local == local_name!("id") {
                *size.names.entry(format!("#{value}")).or_default() += 1;
            } else if attribute.name.local == local_name!("style") {
                size.inline += value.bytes().filter(|byte| *byte == b':').count();
            }
        }
    }
}

fn is_style(name: &QualName) -> bool {
    name.expanded() == expanded_name!(html "style")
}

impl TreeSink for Sink {
    type Handle = usize;
    type Output = Result<Size, TooLarge>;
    type ElemName<'a> = Ref<'a, QualName>;

    fn finish(self) -> Result<Size, TooLarge> {
        let line = self.line.get();
        let count = self.nodes.borrow().len();
        let depth = (0..count).map(|node| self.levels(node)).max();
        let mut size = self.size.into_inner();
        size.depth = depth.unwrap_or_default();
        match () {
            () if size.depth > MAX_DEPTH => Err(TooLarge::Depth { line }),
            () if size.elements > MAX_ELEMENTS => Err(TooLarge::Elements { line }),
            () => Ok(size),
        }
    }

    fn parse_error(&self, _: Cow<'static, str>) {}

    fn get_document(&self) -> usize {
        0
    }

    fn elem_name<'a>(&'a self, target: &'a usize) -> Ref<'a, QualName> {
        // The parser asks for names of elements only.
        static NONE: std::sync::LazyLock<QualName> =
            std::sync::LazyLock::new(|| QualName::new(None, ns!(html), local_name!("")));
        Ref::map(self.nodes.borrow(), |nodes| {
            nodes[*target].name.as_ref().unwrap_or(&NONE)
        })
    }

    fn create_element(&self, name: QualName, attributes: Vec<Attribute>, _: ElementFlags) -> usize {
        {
            let mut size = self.size.borrow_mut();
            size.elements += 1;
            *size.names.entry(name.local.to_string()).or_default() += 1;
            if is_style(&name) {
                size.sheets += 1;
                size.css.push('\n');
            }
        }
        self.count(&attributes);
        self.push(Some(name))
    }

    fn create_comment(&self, _: StrTendril) -> usize {
        self.push(None)
    }

    fn create_pi(&self, _: StrTendril, _: StrTendril) -> usize {
        self.push(None)
    }

    fn append(&self, parent: &usize, child: NodeOrText<usize>) {
        self.put(*parent, child);
    }

    fn append_based_on_parent_node(
        &self,
        element: &usize,
        previous: &usize,
        child: NodeOrText<usize>,
    ) {
        let has_parent = self.nodes.borrow()[*element].parent.is_some();
        if has_parent {
            self.append_before_sibling(element, child);
        } else {
            self.put(*previous, child);
        }
    }

    fn append_doctype_to_document(&self, _: StrTendril, _: StrTendril, _: StrTendril) {
        self.events.update(|events| events + 1);
    }

    fn get_template_contents(&self, target: &usize) -> usize {
        *target
    }

    fn same_node(&self, one: &usize, other: &usize) -> bool {
        one == other
    }

    fn set_quirks_mode(&self, _: QuirksMode) {}

    fn append_before_sibling(&self, sibling: &usize, child: NodeOrText<usize>) {
        // The order of children changes no size.
        let parent = self.nodes.borrow()[*sibling].parent;
        self.put(parent.unwrap_or_default(), child);
    }

    fn add_attrs_if_missing(&self, _: &usize, attributes: Vec<Attribute>) {
        self.events.update(|events| events + 1);
        self.count(&attributes);
    }

    fn remove_from_parent(&self, target: &usize) {
        self.detach(*target);
    }

    fn reparent_children(&self, node: &usize, new_parent: &usize) {
        let mut nodes = self.nodes.borrow_mut();
        let children = std::mem::take(&mut nodes[*node].children);
        for child in &children {
            nodes[*child].parent = Some(*new_parent);
        }
        nodes[*new_parent].children.extend(children);
    }

    fn set_current_line(&self, line: u64) {
        self.line.set(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_has_this_size() {
        let size = measure(
            "<style>p{a:b}</style><table class='a b'><tr><td id=x style='c:d;e:f'>1<td>2</table><!-- <p> -->",
        )
        .unwrap();
        // html, head, body, style, table, tbody, tr, td, td
        assert_eq!((size.elements, size.depth), (9, 6));
        assert_eq!(size.css.trim(), "p{a:b}");
        assert_eq!((size.sheets, size.inline), (1, 2));
        let names = ["td", ".a", ".b", "#x", "p"].map(|name| size.names.get(name).copied());
        assert_eq!(names, [Some(2), Some(1), Some(1), Some(1), None]);
    }

    #[test]
    fn closing_tags_in_attributes_and_comments_lower_no_depth() {
        for level in [
            "<div>",
            "<b </b>",
            "<b a=</b>",
            "<i/</i>",
            "<b x=\"</b>\">",
            "<b><!--</b>-->",
            "<svg><g></svg-></g-->",
        ] {
            for levels in [300, 5_000, 20_000] {
                let html = level.repeat(levels);
                let error = measure(&html).unwrap_err();
                assert_eq!(error, TooLarge::Depth { line: 1 }, "{levels} x {level}");
            }
        }
        let line = measure(&"<div>\n".repeat(400)).unwrap_err();
        assert!(matches!(line, TooLarge::Depth { line } if (250..=350).contains(&line)));
        let flat = "<table><tr><td><p>a<br><img src=x><b>c</b></table>".repeat(2_000);
        assert!(measure(&flat).unwrap().depth < 16);
    }

    #[test]
    fn elements_that_the_parser_repeats_are_counted() {
        let mut html: String = (0..100).map(|n| format!("<b a={n}>")).collect();
        html.push_str(&"<p>x</p>".repeat(10_000));
        assert!(measure(&html).is_ok(), "closed blocks repeat nothing");
        let unclosed: String = (0..100).map(|n| format!("<b a={n}>")).collect();
        let html = format!("<p>{unclosed}{}", "<p>x".repeat(10_000));
        assert!(matches!(
            measure(&html),
            Err(TooLarge::Elements { .. } | TooLarge::Depth { .. })
        ));
        assert!(matches!(
            measure(&"<br>".repeat(MAX_ELEMENTS)),
            Err(TooLarge::Elements { .. })
        ));
    }

    #[test]
    fn a_tag_has_a_limit_and_a_picture_inside_has_room() {
        let attributes: String = (0..20_000).map(|n| format!(" a{n}")).collect();
        assert_eq!(
            measure(&format!("<p{attributes}>")).unwrap_err(),
            TooLarge::Token { line: 1 }
        );
        let picture = format!(
            "<img src=\"data:image/png;base64,{}\">",
            "iVBORw0KGgo/AAAANSUhEUgAB".repeat(6_000)
        );
        assert!(measure(&picture).is_ok());
    }
}
