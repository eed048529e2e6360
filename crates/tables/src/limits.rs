//! The limits of a table, and the size of what was read so far.

use crate::{Cell, MAX_COLUMNS, TableError};

/// The most bytes that an XLSX may have once it is unpacked, unless [`Limits`] say otherwise: a file
/// that is made to be larger than any memory is refused before it is unpacked.
pub const MAX_UNPACKED: usize = 16_000_000;
/// The most cells of a table that are not empty, unless [`Limits`] say otherwise.
pub const MAX_CELLS: usize = 400_000;
/// The most bytes of text in all cells, unless [`Limits`] say otherwise: a workbook names a text once
/// and shows it anywhere.
pub const MAX_TEXT: usize = 16_000_000;

/// The limits of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Cells that are not empty.
    pub cells: usize,
    /// Bytes of text in all cells.
    pub text: usize,
    /// Bytes of an XLSX once it is unpacked.
    pub unpacked: usize,
}

/// [`MAX_CELLS`], [`MAX_TEXT`] and [`MAX_UNPACKED`].
impl Default for Limits {
    fn default() -> Self {
        Self {
            cells: MAX_CELLS,
            text: MAX_TEXT,
            unpacked: MAX_UNPACKED,
        }
    }
}

/// The size of the rows that were read so far.
pub(crate) struct Size {
    limits: Limits,
    cells: usize,
    text: usize,
}

impl Size {
    /// Nothing was read.
    pub fn within(limits: Limits) -> Self {
        Self {
            limits,
            cells: 0,
            text: 0,
        }
    }

    /// Counts a row in.
    pub fn add(&mut self, cells: &[Cell]) -> Result<(), TableError> {
        for cell in cells {
            let text = match cell {
                Cell::Empty => continue,
                Cell::Written(text) | Cell::Text(text) | Cell::Error(text) => text.len(),
                _ => 0,
            };
            self.cells += 1;
            self.text += text;
        }
        let too_large = |most, what| Err(TableError::TooLarge { most, what });
        if self.cells > self.limits.cells {
            return too_large(self.limits.cells, "cells");
        }
        if self.text > self.limits.text {
            return too_large(self.limits.text, "bytes of text");
        }
        debug_assert!(cells.len() <= MAX_COLUMNS + 1);
        Ok(())
    }
}
