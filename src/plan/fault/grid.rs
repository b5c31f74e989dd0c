//! Sectors and regions: a file in pieces of one size.

use std::ops::Range;

/// Pieces of a file, from its beginning on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Bytes a piece, at least 1.
    pub size: u64,
}

impl Grid {
    /// The pieces that a byte range touches, by number; none for a range without bytes.
    pub fn numbers(self, bytes: &Range<u64>) -> Range<u64> {
        if bytes.is_empty() {
            return 0..0;
        }
        bytes.start / self.size..bytes.end.div_ceil(self.size)
    }

    /// The bytes of a piece.
    pub fn bytes(self, number: u64) -> Range<u64> {
        let start = number * self.size;
        start..start.saturating_add(self.size)
    }

    /// The bytes of all pieces that a byte range touches.
    pub fn widen(self, bytes: Range<u64>) -> Range<u64> {
        if bytes.is_empty() {
            return bytes;
        }
        let numbers = self.numbers(&bytes);
        numbers.start * self.size..numbers.end.saturating_mul(self.size)
    }
}
