//! The cells of a line by the names of their columns. Pure.

use contacts::import::{Layout, Line, RowError, plain};

/// The cells of a line.
pub(crate) struct Cells<'a> {
    line: &'a Line,
    layout: &'a Layout,
}

impl<'a> Cells<'a> {
    pub fn of(line: &'a Line, layout: &'a Layout) -> Self {
        Self { line, layout }
    }

    /// The text of a column; none if the file has no such column, or the cell is empty.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        let place = self.layout.place(name)?;
        let cell = plain(self.line.cells.get(place)?);
        (!cell.is_empty()).then_some(cell)
    }
}

/// Something that is told about a line.
pub(crate) fn told(line: u64, column: Option<String>, message: &str) -> RowError {
    RowError {
        line,
        column,
        message: message.to_owned(),
    }
}
