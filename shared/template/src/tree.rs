//! The tree of a template. Holds no value of the data.

use crate::filters::Filter;

/// Nodes in order.
pub(crate) type Block = Vec<Node>;

/// The place of a name among the names of a template.
pub(crate) type Slot = usize;

/// A node, with its byte in the source where it can fail.
pub(crate) enum Node {
    Text(Box<str>),
    Print(Chain),
    Assign(Slot, Chain),
    Capture(Slot, Block),
    If(Vec<(Condition, Block)>, Block),
    Case(Chain, Vec<Arm>),
    For(Box<Loop>),
    Cycle {
        at: usize,
        key: Cycle,
        values: Vec<Expr>,
    },
    /// Adds the number before (`decrement`) or after (`increment`) printing.
    Count(Slot, i64),
    IfChanged(Block),
    Break,
    Continue,
    /// The tags of a `liquid` tag.
    Inner(Block),
}

/// The identity of a `cycle`.
pub(crate) enum Cycle {
    /// The source of its values.
    Values(Box<str>),
    /// The value of its name.
    Named(Expr),
}

/// `value | filter: argument`, from its byte in the source.
pub(crate) struct Chain {
    pub at: usize,
    pub head: Expr,
    pub calls: Vec<Call>,
}

/// One filter with its arguments.
pub(crate) struct Call {
    pub at: usize,
    pub filter: &'static Filter,
    pub arguments: Vec<Expr>,
    pub allow_false: Option<Expr>,
}

/// A value before it is read.
pub(crate) enum Expr {
    Nil,
    Empty,
    Blank,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Box<str>),
    Path(Root, Vec<Step>),
    Range(Box<(Expr, Expr)>),
}

/// The first step of a path.
pub(crate) enum Root {
    Name(Slot),
    /// `[name]`.
    Computed(Box<Expr>),
}

/// A later step of a path.
pub(crate) enum Step {
    Name(Box<str>),
    Index(Expr),
}

/// Comparisons joined by `and` and `or`, evaluated from the right; `unless` is `wanted: false`.
pub(crate) struct Condition {
    pub at: usize,
    pub wanted: bool,
    pub parts: Vec<(Comparison, Join)>,
}

/// The word after a comparison.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Join {
    And,
    Or,
    End,
}

/// `left` alone, or two values and an operator.
pub(crate) struct Comparison {
    pub left: Expr,
    pub right: Option<(Operator, Expr)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Contains,
}

/// A `when` with its values, or an `else` without.
pub(crate) struct Arm {
    pub at: usize,
    pub values: Option<Vec<Expr>>,
    pub body: Block,
}

/// A `for`, or a `tablerow` with `table`, the number of its columns.
pub(crate) struct Loop {
    pub at: usize,
    pub variable: Slot,
    pub name: Box<str>,
    pub list: Expr,
    pub limit: Option<Expr>,
    pub offset: Offset,
    pub reversed: bool,
    pub table: Option<Expr>,
    pub body: Block,
    pub otherwise: Block,
}

/// Where a loop starts.
pub(crate) enum Offset {
    At(Expr),
    /// `offset: continue`.
    Continue,
    Start,
}

impl Node {
    /// Whether the node prints nothing but blanks, so that a block of such nodes prints nothing at all.
    pub fn is_blank(&self) -> bool {
        let all = |block: &Block| block.iter().all(Node::is_blank);
        match self {
            Node::Text(text) => text.trim().is_empty(),
            Node::Assign(..) | Node::Capture(..) | Node::Break | Node::Continue => true,
            Node::If(branches, otherwise) => {
                branches.iter().all(|(_, block)| all(block)) && all(otherwise)
            }
            Node::Case(_, arms) => arms.iter().all(|arm| all(&arm.body)),
            Node::For(each) => each.table.is_none() && all(&each.body) && all(&each.otherwise),
            Node::Inner(block) => all(block),
            Node::Print(_) | Node::Cycle { .. } | Node::Count(..) | Node::IfChanged(_) => false,
        }
    }

    /// Drops the blanks of a conditional or loop that prints nothing else.
    pub fn silence(&mut self) {
        let drop = |block: &mut Block| block.retain(|node| !matches!(node, Node::Text(_)));
        match self {
            Node::If(branches, otherwise) => {
                for (_, block) in branches {
                    drop(block);
                }
                drop(otherwise);
            }
            Node::Case(_, arms) => arms.iter_mut().for_each(|arm| drop(&mut arm.body)),
            Node::For(each) => {
                drop(&mut each.body);
                drop(&mut each.otherwise);
            }
            _ => {}
        }
    }
}
