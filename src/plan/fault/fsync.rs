//! Writing back fails, and fsync says so as one of four filesystems does.
//!
//! Models what Rebello et al., "Can Applications Recover from fsync Failures?", ATC'20 found: pages
//! whose writing back failed are taken for clean, so that a second fsync succeeds. Not modelled:
//! writing back without fsync, failing journals, and what happens to directories and to lengths.

use std::ops::Range;

use crate::op::{OpKind, OpSet};
use crate::scenario::{self, CacheModel, Evict};

/// What writes back on demand.
pub(super) const CONCERNS: OpSet = OpSet::EMPTY.with(OpKind::Fsync);

/// What a filesystem writes back at once.
const PAGE: u64 = 4096;

/// A failing fsync.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fsync {
    /// Whose way of failing.
    pub model: CacheModel,
    /// When failed pages leave the cache.
    pub evict: Evict,
    sequence: String,
    bytes: Option<Range<u64>>,
}

impl Fsync {
    /// The fault as a scenario says it.
    pub fn new(fault: &scenario::Fsync) -> Fsync {
        let scenario::Fsync { model, evict, ref sequence } = *fault;
        Fsync { model, evict, sequence: sequence.clone(), bytes: None }
    }

    /// The same, for the pages of these bytes.
    pub(in crate::plan) fn limited(self, bytes: Option<Range<u64>>) -> Fsync {
        Fsync { bytes, ..self }
    }

    /// Whether the `nth` writing back of one path fails, from 1: as the sequence says, whose last
    /// letter holds for ever.
    pub fn fails(&self, nth: u64) -> bool {
        let letters = self.sequence.as_bytes();
        let last = letters.len().saturating_sub(1);
        let place = usize::try_from(nth.saturating_sub(1)).unwrap_or(last).min(last);
        letters.get(place).is_some_and(|letter| letter.eq_ignore_ascii_case(&b'x'))
    }

    /// The bytes of the pages that fail.
    pub fn pages(&self) -> Range<u64> {
        let Some(Range { start, end }) = self.bytes else {
            return 0..u64::MAX;
        };
        start / PAGE * PAGE..end.checked_next_multiple_of(PAGE).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(sequence: &str) -> Fsync {
        let (model, evict) = (CacheModel::Btrfs, Evict::Drop);
        Fsync::new(&scenario::Fsync { model, evict, sequence: sequence.into() })
    }

    #[test]
    fn a_sequence_is_read_letter_by_letter_and_its_last_one_holds_for_ever() {
        let fails = |text: &str| (1..=7).map(|nth| fault(text).fails(nth)).collect::<Vec<_>>();
        assert_eq!(fails("xxwxW"), [true, true, false, true, false, false, false]);
        assert_eq!(fails("X"), [true; 7]);
        assert_eq!(fails("wX")[..3], [false, true, true]);
    }

    #[test]
    fn bytes_are_widened_to_pages() {
        assert_eq!(fault("X").limited(Some(5_000..8_193)).pages(), 4_096..12_288);
        assert_eq!(fault("X").limited(Some(0..u64::MAX)).pages(), 0..u64::MAX);
        assert_eq!(fault("X").pages(), 0..u64::MAX);
    }
}
