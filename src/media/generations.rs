//! How often each byte of a file has been overwritten: a sparse map of byte ranges.
//!
//! Costs grow with the number of separate overwritten stretches, not with bytes or writes: appends
//! cost nothing, and neighbours of the same generation are one entry. Knows nothing of locks.

use std::collections::BTreeMap;
use std::ops::Range;

/// Bytes of padding that are stored along with a file's last byte: the end of a 4 KiB sector.
const TAIL: u64 = 4_096;

/// Write generations. Bytes that no entry covers have generation 0: as first stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Generations {
    /// By first byte: end and generation, more than 0. Disjoint; equal neighbours are merged.
    pieces: BTreeMap<u64, (u64, u32)>,
}

impl Generations {
    /// Whether every byte is as first stored.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// First byte, end and generation of all that was overwritten.
    pub fn as_pieces(&self) -> Vec<(u64, u64, u32)> {
        let pieces = self.pieces.iter();
        pieces.map(|(start, (end, generation))| (*start, *end, *generation)).collect()
    }

    /// The opposite.
    pub fn from_pieces(pieces: Vec<(u64, u64, u32)>) -> Generations {
        let pieces = pieces.into_iter().map(|(start, end, generation)| (start, (end, generation)));
        Generations { pieces: pieces.collect() }
    }

    /// `range` was overwritten, cut off, punched or zeroed while the file had `size_before` bytes:
    /// its stored bytes begin a new generation. Those beyond are stored for the first time, if at
    /// all, and keep theirs.
    ///
    /// Replacing the file's last byte replaces the padding after it, up to a multiple of 4 KiB, as
    /// a drive stores whole sectors: what is appended there later is not older than the rest of its
    /// sector.
    pub fn replace(&mut self, range: Range<u64>, size_before: u64) {
        if let Some(end) = replaced(&range, size_before) {
            self.bump(range.start..end);
        }
    }

    /// The generations that a range will have when it has been replaced, in order, without gaps.
    pub fn after(&self, range: Range<u64>, size_before: u64) -> Vec<(Range<u64>, u32)> {
        let end = replaced(&range, size_before).unwrap_or(range.start).min(range.end);
        let bumped = self.pieces(range.start..end).into_iter();
        let bumped = bumped.map(|(bytes, generation)| (bytes, generation.saturating_add(1)));
        bumped.chain(self.pieces(end..range.end)).collect()
    }

    /// The generations of a range, in order, without gaps.
    pub fn pieces(&self, range: Range<u64>) -> Vec<(Range<u64>, u32)> {
        let mut pieces = Vec::new();
        let mut at = range.start;
        for (start, end, generation) in self.overlapping(&range) {
            if at < start {
                pieces.push((at..start, 0));
            }
            at = end.min(range.end);
            pieces.push((start.max(range.start)..at, generation));
        }
        if at < range.end {
            pieces.push((at..range.end, 0));
        }
        pieces
    }

    /// The entries that overlap a range, in order.
    fn overlapping(&self, range: &Range<u64>) -> impl Iterator<Item = (u64, u64, u32)> {
        let before = self.pieces.range(..=range.start).next_back();
        let first = before.map_or(range.start, |(start, _)| *start);
        let (from, end) = (range.start, range.end.max(first));
        self.pieces
            .range(first..end)
            .map(|(start, (end, generation))| (*start, *end, *generation))
            .filter(move |(_, end, _)| *end > from)
    }

    /// Every byte of the range is one generation further; the last generation is the last.
    fn bump(&mut self, range: Range<u64>) {
        self.split(range.start);
        self.split(range.end);
        let pieces = self.pieces(range.clone());
        for (piece, generation) in pieces {
            let next = generation.saturating_add(1);
            self.pieces.insert(piece.start, (piece.end, next));
        }
        self.merge(range);
    }

    /// Makes an entry end, and the next one begin, at a byte inside of it.
    fn split(&mut self, at: u64) {
        let Some((_, (end, generation))) = self.pieces.range_mut(..at).next_back() else {
            return;
        };
        if *end > at {
            let rest = (*end, *generation);
            *end = at;
            self.pieces.insert(at, rest);
        }
    }

    /// Joins equal neighbours in the range and at its borders.
    fn merge(&mut self, range: Range<u64>) {
        let before = self.pieces.range(..range.start).next_back();
        let mut last = before.map(|(start, piece)| (*start, *piece));
        let starts: Vec<u64> = self.pieces.range(range.start..=range.end).map(|p| *p.0).collect();
        for start in starts {
            let (end, generation) = self.pieces[&start];
            match &mut last {
                Some((first, (reached, same))) if *reached == start && *same == generation => {
                    *reached = end;
                    self.pieces.remove(&start);
                    self.pieces.insert(*first, (end, generation));
                }
                _ => last = Some((start, (end, generation))),
            }
        }
    }
}

/// Up to where a write replaces what was stored; `None`: it stores everything for the first time.
fn replaced(range: &Range<u64>, size_before: u64) -> Option<u64> {
    if range.is_empty() || range.start >= size_before {
        return None;
    }
    match range.end >= size_before {
        true => Some(size_before.checked_next_multiple_of(TAIL).unwrap_or(u64::MAX)),
        false => Some(range.end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_will_be_is_what_comes_to_be() {
        let mut generations = Generations::default();
        for (range, size) in [(0..100, 1_000), (50..2_000, 1_000), (4_000..9_000, 5_000)] {
            let told = generations.after(range.clone(), size);
            generations.replace(range.clone(), size);
            let merged = |pieces: Vec<(Range<u64>, u32)>| -> Vec<u32> {
                let each = |(bytes, generation): (Range<u64>, u32)| bytes.map(move |_| generation);
                pieces.into_iter().flat_map(each).collect()
            };
            assert_eq!(merged(told), merged(generations.pieces(range)));
        }
    }

    #[test]
    fn appends_cost_nothing() {
        let mut generations = Generations::default();
        for write in 0..100 {
            generations.replace(write * 10..write * 10 + 10, write * 10);
        }
        assert!(generations.is_empty());
    }

    #[test]
    fn sequential_overwrites_are_one_entry() {
        let mut generations = Generations::default();
        for write in 0..100 {
            generations.replace(write * 10..write * 10 + 10, 5_000);
        }
        assert_eq!(generations.pieces.len(), 1);
        let pieces = generations.pieces(990..1_010);
        assert_eq!(pieces, [(990..1_000, 1), (1_000..1_010, 0)]);
    }

    #[test]
    fn what_is_cut_off_and_stored_again_is_a_new_generation() {
        let mut generations = Generations::default();
        generations.replace(50..u64::MAX, 100);
        assert_eq!(generations.pieces(40..60), [(40..50, 0), (50..60, 1)]);
        generations.replace(50..200, 50);
        assert_eq!(generations.pieces(40..60), [(40..50, 0), (50..60, 1)]);
        assert_eq!(generations.pieces(4_000..5_000), [(4_000..4_096, 1), (4_096..5_000, 0)]);
    }

    #[test]
    fn the_padding_of_the_last_sector_is_stored_with_the_last_byte() {
        let mut generations = Generations::default();
        generations.replace(0..1_000, 1_000);
        generations.replace(1_000..1_100, 1_000);
        assert_eq!(generations.pieces(0..4_096), [(0..4_096, 1)]);
    }

    #[test]
    fn an_overwrite_inside_splits_what_is_there() {
        let mut generations = Generations::default();
        generations.replace(0..100, 1_000);
        generations.replace(40..60, 1_000);
        assert_eq!(
            generations.pieces(30..110),
            [(30..40, 1), (40..60, 2), (60..100, 1), (100..110, 0)]
        );
        generations.replace(0..40, 1_000);
        assert_eq!(generations.pieces(0..60), [(0..60, 2)]);
    }
}
