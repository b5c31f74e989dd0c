//! Blocks that go astray: a write puts one block at another place of the file, a read gets one from
//! there.
//!
//! Models a drive or a controller that takes one address for another (FAST'08: identity
//! discrepancies). The other place is in the same file, and as large. Not modelled: blocks that land
//! in other files, or where no file is.

use std::ops::Range;

use crate::op::{OpKind, OpSet};
use crate::plan::seed::{StreamKey, below};
use crate::scenario;

/// What moves bytes.
pub(super) const CONCERNS: OpSet = OpSet::EMPTY.with(OpKind::Read).with(OpKind::Write);

/// Misdirected reads and writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misdirected {
    block: u64,
    at: Option<u64>,
    to: Option<u64>,
}

/// One block of an operation, and the place that is met instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Astray {
    /// The bytes that are meant.
    pub bytes: Range<u64>,
    /// The first of as many bytes of another block.
    pub elsewhere: u64,
}

impl Misdirected {
    /// The fault as a scenario says it.
    pub fn new(fault: &scenario::Misdirected) -> Misdirected {
        Misdirected { block: u64::from(fault.block), at: fault.at, to: fault.to }
    }

    /// The block of the `occurrence`-th matching operation of one path that goes astray, `moved` being
    /// what it moves of the selected bytes, in a file of `len` bytes; `None` if the file has no other
    /// whole block. Draw 0 is the block that is meant, the next one the other.
    pub fn astray(
        &self,
        key: StreamKey,
        occurrence: u64,
        moved: &Range<u64>,
        len: u64,
    ) -> Option<Astray> {
        let size = self.block;
        let draws = &mut key.draws(occurrence, 0);
        let (first, end) = (moved.start / size, moved.end.div_ceil(size));
        let drawn = first + below(draws, end.saturating_sub(first).max(1));
        let meant = self.at.map_or(drawn, |byte| byte / size);
        let start = meant.checked_mul(size)?;
        let bytes = start.max(moved.start)..start.saturating_add(size).min(moved.end);
        let whole = len / size;
        let others = whole - u64::from(meant < whole);
        if bytes.is_empty() || others == 0 {
            return None;
        }
        let drawn = below(draws, others);
        let drawn = drawn + u64::from(drawn >= meant);
        let other = self.to.map_or(drawn, |byte| byte / size);
        let elsewhere = other.checked_mul(size)? + (bytes.start - start);
        (other != meant && other < whole).then_some(Astray { bytes, elsewhere })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: StreamKey = StreamKey::from_u64(29);

    fn fault(at: Option<u64>, to: Option<u64>) -> Misdirected {
        Misdirected { block: 4096, at, to }
    }

    /// "Of each such operation one block goes astray, each equally likely, and the other block is
    /// any whole block of the same file that was there before, each equally likely."
    #[test]
    fn each_block_of_the_operation_and_each_other_block_of_the_file_is_as_likely() {
        let (mut meant, mut met) = ([0_u32; 3], [[0_u32; 5]; 3]);
        for occurrence in 1..=6_000 {
            let moved = 5_000..16_384;
            let astray = fault(None, None).astray(KEY, occurrence, &moved, 20_480 + 100).unwrap();
            assert!(astray.bytes.start >= moved.start && astray.bytes.end <= moved.end);
            assert_eq!(astray.bytes.start % 4096, astray.elsewhere % 4096);
            let (block, other) = (astray.bytes.start / 4096 - 1, astray.elsewhere / 4096);
            meant[block as usize] += 1;
            met[block as usize][other as usize] += 1;
        }
        // Binomial(6000, 1/3) and Binomial(2000, 1/4): 5 standard deviations are 183 and 97.
        assert!(meant.iter().all(|count| count.abs_diff(2_000) < 183), "{meant:?}");
        for (block, counts) in met.iter().enumerate() {
            assert_eq!(counts[block + 1], 0, "never itself");
            let others = counts.iter().enumerate().filter(|(other, _)| *other != block + 1);
            others.for_each(|(_, count)| assert!(count.abs_diff(500) < 110, "{met:?}"));
        }
    }

    #[test]
    fn draws_are_what_they_were() {
        let drawn = |occurrence| {
            let astray = fault(None, None).astray(KEY, occurrence, &(0..65_536), 1 << 20).unwrap();
            (astray.bytes.start / 4096, astray.elsewhere / 4096)
        };
        assert_eq!([1, 2, 3, 4].map(drawn), GOLDEN);
    }

    const GOLDEN: [(u64, u64); 4] = [(3, 106), (9, 85), (7, 169), (4, 54)];

    #[test]
    fn without_another_whole_block_nothing_goes_astray() {
        assert_eq!(fault(None, None).astray(KEY, 1, &(0..4096), 8_191), None);
        assert!(fault(None, None).astray(KEY, 1, &(0..4096), 8_192).is_some());
        assert!(fault(None, None).astray(KEY, 1, &(8_192..9_000), 4_096).is_some(), "appended");
        assert_eq!(fault(Some(0), Some(8_192)).astray(KEY, 1, &(0..10), 8_192), None, "not there");
        assert_eq!(fault(Some(5_000), None).astray(KEY, 1, &(0..10), 1 << 20), None, "not met");
        let named = fault(Some(0), Some(5_000)).astray(KEY, 1, &(10..20), 8_192);
        assert_eq!(named, Some(Astray { bytes: 10..20, elsewhere: 4_106 }));
    }
}
