//! Stretches of a file with bytes that are kept for them: sparse, split and joined by byte.
//!
//! Bytes are shared, never copied, when a stretch is split; zeros take little room. Knows no locks.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many bytes may be kept at all.
#[derive(Debug)]
pub struct Room {
    left: AtomicU64,
}

impl Room {
    /// Room for so many bytes.
    pub fn new(bytes: u64) -> Arc<Room> {
        Arc::new(Room { left: AtomicU64::new(bytes) })
    }

    fn take(&self, bytes: u64) -> bool {
        let take = |left: u64| left.checked_sub(bytes);
        self.left.fetch_update(Ordering::AcqRel, Ordering::Acquire, take).is_ok()
    }
}

/// What a stretch takes beside its bytes, about.
const OVERHEAD: u64 = 256;

/// Bytes that take room for as long as any part of them is kept.
#[derive(Debug)]
struct Block {
    /// None: zeros, however many.
    bytes: Vec<u8>,
    room: Arc<Room>,
}

impl Drop for Block {
    fn drop(&mut self) {
        self.room.left.fetch_add(self.bytes.len() as u64 + OVERHEAD, Ordering::AcqRel);
    }
}

/// What a stretch holds.
#[derive(Clone, Debug)]
pub struct Content {
    /// `None`: zeros.
    block: Option<Arc<Block>>,
    /// Where in the block it begins.
    from: usize,
}

impl Content {
    /// Zeros that take no room.
    pub const ZEROS: Content = Content { block: None, from: 0 };

    /// These bytes; `None` if there is no room for them.
    pub fn new(bytes: Vec<u8>, room: &Arc<Room>) -> Option<Content> {
        let zeros = bytes.iter().all(|byte| *byte == 0);
        let bytes = if zeros { Vec::new() } else { bytes };
        let room = room.take(bytes.len() as u64 + OVERHEAD).then(|| Arc::clone(room))?;
        Some(Content { block: Some(Arc::new(Block { bytes, room })), from: 0 })
    }

    /// The same from a later byte on.
    fn after(&self, skipped: u64) -> Content {
        Content { block: self.block.clone(), from: self.from + skipped as usize }
    }

    fn is_zeros(&self) -> bool {
        self.block.as_ref().is_none_or(|block| block.bytes.is_empty())
    }

    fn copy_to(&self, data: &mut [u8]) {
        match &self.block {
            _ if self.is_zeros() => data.fill(0),
            None => data.fill(0),
            Some(block) => data.copy_from_slice(&block.bytes[self.from..self.from + data.len()]),
        }
    }
}

/// One stretch.
#[derive(Clone, Debug)]
pub struct Piece<T> {
    /// Its bytes in the file.
    pub bytes: Range<u64>,
    /// What they hold.
    pub content: Content,
    /// Whose it is.
    pub of: T,
}

impl<T: Clone> Piece<T> {
    /// What of it lies in a range, if anything does.
    pub fn within(&self, range: &Range<u64>) -> Option<Piece<T>> {
        let bytes = self.bytes.start.max(range.start)..self.bytes.end.min(range.end);
        let skipped = bytes.start.saturating_sub(self.bytes.start);
        let inside = || Piece {
            content: self.content.after(skipped),
            of: self.of.clone(),
            bytes: bytes.clone(),
        };
        (!bytes.is_empty()).then(inside)
    }

    /// Puts what it holds into `data`, which begins at `offset` of the file and has all its bytes.
    pub fn copy_to(&self, data: &mut [u8], offset: u64) {
        let place = |byte: u64| (byte - offset) as usize;
        self.content.copy_to(&mut data[place(self.bytes.start)..place(self.bytes.end)]);
    }
}

/// Stretches without overlap.
#[derive(Clone, Debug)]
pub struct Pieces<T> {
    by_start: BTreeMap<u64, Piece<T>>,
}

impl<T> Default for Pieces<T> {
    fn default() -> Pieces<T> {
        Pieces { by_start: BTreeMap::new() }
    }
}

impl<T: Clone> Pieces<T> {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_start.is_empty()
    }

    /// Puts a stretch in the place of whatever was there, and gives that.
    pub fn put(&mut self, piece: Piece<T>) -> Vec<Piece<T>> {
        let earlier = self.take(&piece.bytes);
        if !piece.bytes.is_empty() {
            self.by_start.insert(piece.bytes.start, piece);
        }
        earlier
    }

    /// The same, but zeros that follow zeros of the same owner become one stretch with them: what is
    /// appended bit by bit takes the room of one.
    pub fn put_joined(&mut self, piece: Piece<T>)
    where
        T: PartialEq,
    {
        let before = piece.bytes.start.saturating_sub(1)..piece.bytes.start;
        let joins = |one: &Piece<T>| {
            one.of == piece.of && one.content.is_zeros() && piece.content.is_zeros()
        };
        let last = self.by_start.range(..before.end).next_back().map(|(_, one)| one);
        let last = last.filter(|one| one.bytes.end == before.end && joins(one)).cloned();
        let start = last.as_ref().map_or(piece.bytes.start, |one| one.bytes.start);
        let content = last.map_or(piece.content, |one| one.content);
        self.put(Piece { bytes: start..piece.bytes.end, content, of: piece.of });
    }

    /// What lies in a range, in order.
    pub fn within(&self, range: &Range<u64>) -> Vec<Piece<T>> {
        self.starts(range).filter_map(|start| self.by_start[&start].within(range)).collect()
    }

    /// Takes out what lies in a range, and gives it in order.
    pub fn take(&mut self, range: &Range<u64>) -> Vec<Piece<T>> {
        let starts: Vec<u64> = self.starts(range).collect();
        let mut taken = Vec::with_capacity(starts.len());
        for start in starts {
            let Some(whole) = self.by_start.remove(&start) else { continue };
            let rests = [whole.within(&(0..range.start)), whole.within(&(range.end..u64::MAX))];
            for rest in rests.into_iter().flatten() {
                self.by_start.insert(rest.bytes.start, rest);
            }
            taken.extend(whole.within(range));
        }
        taken
    }

    /// The parts of a range in which there is nothing, in order.
    pub fn gaps(&self, range: &Range<u64>) -> Vec<Range<u64>> {
        let mut at = range.start;
        let mut gaps = Vec::new();
        for piece in self.within(range) {
            gaps.push(at..piece.bytes.start);
            at = piece.bytes.end;
        }
        gaps.push(at..range.end);
        gaps.retain(|gap| !gap.is_empty());
        gaps
    }

    /// The first bytes of the stretches that overlap a range.
    fn starts(&self, range: &Range<u64>) -> impl Iterator<Item = u64> + use<'_, T> {
        let before = self.by_start.range(..=range.start).next_back();
        let before = before.filter(|(_, piece)| piece.bytes.end > range.start);
        let first = before.map_or(range.start, |(start, _)| *start);
        let end = if range.is_empty() { first } else { range.end };
        self.by_start.range(first..end).map(|(start, _)| *start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(bytes: Range<u64>, of: u8, room: &Arc<Room>) -> Piece<u8> {
        let held = bytes.clone().map(|byte| byte as u8).collect();
        Piece { content: Content::new(held, room).unwrap(), bytes, of }
    }

    fn shape(pieces: &[Piece<u8>]) -> Vec<(Range<u64>, u8)> {
        for piece in pieces {
            let mut data = vec![0; (piece.bytes.end - piece.bytes.start) as usize];
            piece.copy_to(&mut data, piece.bytes.start);
            assert!(data.iter().zip(piece.bytes.clone()).all(|(held, byte)| *held == byte as u8));
        }
        pieces.iter().map(|piece| (piece.bytes.clone(), piece.of)).collect()
    }

    #[test]
    fn stretches_are_split_where_others_are_put_and_taken() {
        let room = Room::new(10_000);
        let mut pieces = Pieces::default();
        assert!(pieces.put(piece(10..50, 1, &room)).is_empty());
        assert_eq!(shape(&pieces.put(piece(20..30, 2, &room))), [(20..30, 1)]);
        assert_eq!(shape(&pieces.within(&(0..99))), [(10..20, 1), (20..30, 2), (30..50, 1)]);
        assert_eq!(shape(&pieces.take(&(15..35))), [(15..20, 1), (20..30, 2), (30..35, 1)]);
        assert_eq!(pieces.gaps(&(0..60)), [0..10, 15..35, 50..60]);
        assert_eq!(shape(&pieces.within(&(14..15))), [(14..15, 1)]);
        assert!(pieces.within(&(15..15)).is_empty() && pieces.within(&(12..12)).is_empty());
    }

    #[test]
    fn room_comes_back_when_the_last_part_of_it_is_dropped() {
        let room = Room::new(10 + OVERHEAD);
        let mut pieces = Pieces::default();
        pieces.put(piece(1..9, 1, &room));
        assert!(Content::new(vec![1; 3], &room).is_none());
        pieces.take(&(1..8));
        assert!(Content::new(vec![1; 3], &room).is_none(), "one byte is still kept");
        pieces.take(&(8..9));
        assert!(pieces.is_empty() && Content::new(vec![1; 10], &room).is_some());
        assert!(Content::new(vec![0; 1_000], &room).is_some(), "zeros need none of their own");
    }

    #[test]
    fn zeros_that_are_appended_take_the_room_of_one_stretch() {
        let room = Room::new(2 * OVERHEAD);
        let mut pieces = Pieces::default();
        for start in 0..100 {
            let content = Content::new(vec![0; 10], &room).unwrap();
            pieces.put_joined(Piece { bytes: start * 10..start * 10 + 10, content, of: 1 });
        }
        assert_eq!(pieces.by_start.len(), 1);
        assert_eq!(pieces.gaps(&(0..1_001)), vec![1_000..1_001]);
    }

    proptest::proptest! {
        /// Against a map of single bytes.
        #[test]
        fn any_sequence_of_puts_and_takes_holds_what_it_should(
            steps in proptest::collection::vec((0u64..60, 0u64..20, 0u8..4), 0..40),
        ) {
            let room = Room::new(1 << 20);
            let (mut pieces, mut bytes) = (Pieces::default(), BTreeMap::new());
            for (start, len, of) in steps {
                let range = start..start + len;
                let earlier: Vec<_> = range.clone().filter_map(|byte| bytes.remove(&byte)).collect();
                let given = match of {
                    0 => pieces.take(&range),
                    of => {
                        bytes.extend(range.clone().map(|byte| (byte, of)));
                        pieces.put(piece(range, of, &room))
                    }
                };
                let given = shape(&given).into_iter().flat_map(|(range, of)| range.map(move |_| of));
                proptest::prop_assert_eq!(given.collect::<Vec<_>>(), earlier);
                let held = shape(&pieces.within(&(0..u64::MAX))).into_iter();
                let held = held.flat_map(|(range, of)| range.map(move |byte| (byte, of)));
                proptest::prop_assert_eq!(held.collect::<BTreeMap<_, _>>(), bytes.clone());
                let gaps = pieces.gaps(&(0..100)).into_iter().flatten().count();
                proptest::prop_assert_eq!(gaps + bytes.len(), 100);
            }
        }
    }
}
