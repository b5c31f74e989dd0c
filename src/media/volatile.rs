//! What of one file is not on the medium yet: what the medium holds where the file has been written
//! since it was last synced, and how long the file is there.

use std::collections::BTreeSet;
use std::ops::Range;

use super::{Content, Piece, Pieces};
use crate::plan::fault::{Got, PAGE};

/// Bytes of a sector: what is old or new as a whole.
const SECTOR: u64 = 512;

/// One file that has changed since it was last synced.
#[derive(Clone, Debug, Default)]
pub struct Volatile {
    /// What the medium holds, where that may differ.
    held: Pieces<()>,
    size: u64,
}

/// What a loss of power makes of a file.
#[derive(Clone, Debug, Default)]
pub struct Rolled {
    /// How long it is then.
    pub size: u64,
    /// What takes the place of what was written.
    pub old: Vec<Piece<()>>,
}

impl Volatile {
    /// A file that the medium has whole, so long.
    pub fn new(size: u64) -> Volatile {
        Volatile { held: Pieces::default(), size }
    }

    /// The parts of a range of which it is not known what the medium holds.
    pub fn unknown(&self, range: &Range<u64>) -> Vec<Range<u64>> {
        self.held.gaps(&(range.start.min(self.size)..range.end.min(self.size)))
    }

    /// What the medium holds where the file is about to be written, unless that is known already.
    pub fn keep(&mut self, piece: &Piece<()>) {
        for gap in self.held.gaps(&piece.bytes) {
            self.held.put_joined(piece.within(&gap).unwrap_or_else(|| piece.clone()));
        }
    }

    /// The medium has a range as it is written.
    pub fn settle(&mut self, range: &Range<u64>) {
        self.held.take(range);
        self.size = self.size.max(range.end);
    }

    /// What becomes of the file, which has `len` bytes now: `got` says what the medium has of a page,
    /// `short` whether it has got that the file was cut off.
    pub fn roll_back(&self, len: u64, got: impl Fn(u64) -> Got, short: bool) -> Rolled {
        if len < self.size {
            let (size, end) = if short { (len, len) } else { (self.size, self.size) };
            let mut old = self.old(&self.pages(0..len), len.min(end), &got);
            old.extend(self.restored(len..end));
            return Rolled { size, old };
        }
        let pages = self.pages(self.size..len);
        let arrived = pages.iter().filter(|page| got(**page) != Got::Old);
        let ends = arrived.map(|page| end_of(*page, got(*page)).min(len));
        let size = ends.fold(self.size, u64::max);
        Rolled { size, old: self.old(&pages, size, &got) }
    }

    /// The pages that have changed, of those behind the medium's end the ones of `grown`.
    fn pages(&self, grown: Range<u64>) -> BTreeSet<u64> {
        let held = self.held.within(&(0..u64::MAX)).into_iter().map(|piece| piece.bytes);
        let grown = grown.start.max(self.size)..grown.end;
        let touched = held.chain([grown]).filter(|range| !range.is_empty());
        touched.flat_map(|range| range.start / PAGE..range.end.div_ceil(PAGE)).collect()
    }

    /// What is old of these pages, of a file that ends at `size`.
    fn old(&self, pages: &BTreeSet<u64>, size: u64, got: &impl Fn(u64) -> Got) -> Vec<Piece<()>> {
        let mut old = Vec::new();
        for page in pages {
            let range = end_of(*page, got(*page)).min(size)..((page + 1) * PAGE).min(size);
            if range.is_empty() {
                continue;
            }
            old.extend(self.held.within(&(range.start..range.end.min(self.size))));
            let hole = range.start.max(self.size)..range.end;
            if !hole.is_empty() {
                old.push(Piece { bytes: hole, content: Content::ZEROS, of: () });
            }
        }
        old
    }

    /// All of a range that was cut off: what is not known are zeros.
    fn restored(&self, range: Range<u64>) -> Vec<Piece<()>> {
        let zeros = |bytes| Piece { bytes, content: Content::ZEROS, of: () };
        let mut old: Vec<_> = self.held.gaps(&range).into_iter().map(zeros).collect();
        old.extend(self.held.within(&range));
        old.sort_by_key(|piece| piece.bytes.start);
        old
    }
}

/// Where what the medium has of a page ends.
fn end_of(page: u64, got: Got) -> u64 {
    match got {
        Got::Old => page * PAGE,
        Got::New => (page + 1) * PAGE,
        Got::Torn(sectors) => page * PAGE + sectors * SECTOR,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Room;

    /// A file of ones of this length on the medium, of which a range is about to be written.
    fn written(size: u64, range: Range<u64>) -> Volatile {
        let mut volatile = Volatile::new(size);
        keep(&mut volatile, range);
        volatile
    }

    fn keep(volatile: &mut Volatile, range: Range<u64>) {
        for bytes in volatile.unknown(&range) {
            let ones = vec![1; (bytes.end - bytes.start) as usize];
            let content = Content::new(ones, &Room::new(1 << 20)).unwrap();
            volatile.keep(&Piece { bytes, content, of: () });
        }
    }

    /// What a file that is twos throughout becomes.
    fn becomes(volatile: &Volatile, len: usize, got: impl Fn(u64) -> Got, short: bool) -> Vec<u8> {
        let rolled = volatile.roll_back(len as u64, got, short);
        let mut bytes = vec![2; len];
        bytes.resize(len.max(rolled.size as usize), 0);
        rolled.old.iter().for_each(|piece| piece.copy_to(&mut bytes, 0));
        bytes.truncate(rolled.size as usize);
        bytes
    }

    fn parts(parts: &[(usize, u8)]) -> Vec<u8> {
        parts.iter().flat_map(|(count, byte)| vec![*byte; *count]).collect()
    }

    #[test]
    fn old_is_what_the_medium_holds_and_new_what_was_written() {
        let volatile = written(9_000, 100..5_000);
        let old = becomes(&volatile, 9_000, |_| Got::Old, false);
        assert_eq!(old, parts(&[(100, 2), (4_900, 1), (4_000, 2)]));
        assert_eq!(becomes(&volatile, 9_000, |_| Got::New, true), vec![2; 9_000]);
    }

    #[test]
    fn a_page_is_torn_at_a_sector() {
        let volatile = written(9_000, 0..9_000);
        let got = |page| if page == 1 { Got::Torn(3) } else { Got::New };
        assert_eq!(
            becomes(&volatile, 9_000, got, false),
            parts(&[(4_096 + 1_536, 2), (2_560, 1), (808, 2)])
        );
    }

    /// "What was appended ends with the last page that arrived; pages before it that did not arrive
    /// are zeros."
    #[test]
    fn what_was_appended_ends_with_the_last_page_that_arrived_and_has_holes() {
        let volatile = written(1_000, 0..0);
        let only = |arrived: u64| move |page| if page == arrived { Got::New } else { Got::Old };
        assert_eq!(becomes(&volatile, 20_000, |_| Got::Old, false), vec![2; 1_000]);
        let second = becomes(&volatile, 20_000, only(1), false);
        assert_eq!(second, parts(&[(1_000, 2), (3_096, 0), (4_096, 2)]));
        let last = becomes(&volatile, 20_000, only(4), false);
        assert_eq!(last, parts(&[(1_000, 2), (15_384, 0), (3_616, 2)]));
        let torn = becomes(
            &volatile,
            20_000,
            |page| if page == 0 { Got::Torn(7) } else { Got::Old },
            false,
        );
        assert_eq!(torn, vec![2; 3_584]);
    }

    #[test]
    fn what_was_cut_off_is_back_or_gone() {
        let mut volatile = Volatile::new(9_000);
        keep(&mut volatile, 3_000..u64::MAX);
        let back = becomes(&volatile, 3_000, |_| Got::New, false);
        assert_eq!(back, parts(&[(3_000, 2), (6_000, 1)]));
        assert_eq!(becomes(&volatile, 3_000, |_| Got::Old, true), vec![2; 3_000]);
    }

    #[test]
    fn what_is_synced_is_not_lost() {
        let mut volatile = written(9_000, 0..9_000);
        volatile.settle(&(0..4_096));
        let old = becomes(&volatile, 9_000, |_| Got::Old, false);
        assert_eq!(old, parts(&[(4_096, 2), (4_904, 1)]));
        volatile.settle(&(8_000..12_000));
        let old = becomes(&volatile, 12_000, |_| Got::Old, false);
        assert_eq!(old, parts(&[(4_096, 2), (3_904, 1), (4_000, 2)]));
    }
}
