//! Writes that are answered and that the medium does not get: lost ones, of which it gets nothing,
//! and torn ones, of which it gets the first sectors.
//!
//! Models firmware that reports success too early or puts data nowhere (FAST'08: identity
//! discrepancies), and shorn writes (FAST'13: 7 and 3 of 8 sectors of 512 bytes). A write that lands
//! elsewhere is `misdirected`.

use std::ops::Range;

use crate::op::{OpKind, OpSet};
use crate::plan::seed::{Draws, StreamKey, below};
use crate::scenario::{self, Rest, WritePart};

/// What changes stored bytes. Copies inside the backing directory are writes to `fs`.
pub(super) const CONCERNS: OpSet = OpSet::EMPTY.with(OpKind::Write);

/// Bytes a sector: what a drive writes whole or not at all.
const SECTOR: u64 = 512;

/// Lost writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LostWrite {
    part: WritePart,
}

/// Torn writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TornWrite {
    keep: Option<u64>,
    /// What the part reads as that the medium did not get.
    pub rest: Rest,
    part: WritePart,
}

/// Where a write is torn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tear {
    /// The bytes that the medium does not get.
    pub lost: Range<u64>,
    /// How many sectors it gets, from the first one of the write or of the block.
    pub keep: u64,
}

impl LostWrite {
    /// The fault as a scenario says it.
    pub fn new(fault: &scenario::LostWrite) -> LostWrite {
        LostWrite { part: fault.part }
    }

    /// The bytes that are lost of the `occurrence`-th matching write of one path, `write` being what
    /// it writes of the selected bytes; perhaps none. Draw 0 is the block.
    pub fn lost(&self, key: StreamKey, occurrence: u64, write: &Range<u64>) -> Range<u64> {
        part(self.part, &mut key.draws(occurrence, 0), write).1
    }
}

impl TornWrite {
    /// The fault as a scenario says it.
    pub fn new(fault: &scenario::TornWrite) -> TornWrite {
        TornWrite { keep: fault.keep, rest: fault.rest, part: fault.part }
    }

    /// Where the `occurrence`-th matching write of one path is torn, `write` being what it writes of
    /// the selected bytes; `None` if it ends before it would be. Draw 0 is the block, the next one
    /// the number of sectors; of a write that is torn as a whole draw 0 is that.
    pub fn torn(&self, key: StreamKey, occurrence: u64, write: &Range<u64>) -> Option<Tear> {
        let draws = &mut key.draws(occurrence, 0);
        let (unit, bytes) = part(self.part, draws, write);
        let first = unit.start / SECTOR;
        let sectors = unit.end.div_ceil(SECTOR).saturating_sub(first);
        let keep = self.keep.unwrap_or_else(|| 1 + below(draws, sectors.saturating_sub(1)));
        let edge = first.saturating_add(keep).saturating_mul(SECTOR);
        let lost = bytes.start.max(edge)..bytes.end;
        (!lost.is_empty()).then_some(Tear { lost, keep })
    }
}

/// The part of a write that is met: the whole of what it belongs to, and the bytes that are written.
fn part(part: WritePart, draws: &mut Draws, write: &Range<u64>) -> (Range<u64>, Range<u64>) {
    let WritePart::Block { size, at } = part else {
        return (write.clone(), write.clone());
    };
    let size = u64::from(size);
    let (first, end) = (write.start / size, write.end.div_ceil(size));
    let number = match at {
        Some(byte) => byte / size,
        None => first + below(draws, end.saturating_sub(first)),
    };
    let block = number * size..(number + 1).saturating_mul(size);
    let bytes = block.start.max(write.start)..block.end.min(write.end);
    (block, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: StreamKey = StreamKey::from_u64(23);

    fn block(size: u32, at: Option<u64>) -> WritePart {
        WritePart::Block { size, at }
    }

    fn torn(keep: Option<u64>, part: WritePart) -> TornWrite {
        TornWrite { keep, rest: Rest::Old, part }
    }

    #[test]
    fn a_whole_write_is_lost_or_one_block_of_it_each_equally_likely() {
        let write = 100..8_292;
        assert_eq!(LostWrite { part: WritePart::Whole }.lost(KEY, 1, &write), write);
        let one = LostWrite { part: block(4_096, None) };
        let mut met = [0; 3];
        for occurrence in 1..=3_000 {
            let lost = one.lost(KEY, occurrence, &write);
            assert!([100..4_096, 4_096..8_192, 8_192..8_292].contains(&lost));
            met[(lost.start / 4_096) as usize] += 1;
        }
        // Binomial(3000, 1/3): 5 standard deviations are 129.
        assert!(met.iter().all(|count: &u32| count.abs_diff(1_000) < 129), "{met:?}");
    }

    #[test]
    fn a_block_that_the_write_does_not_touch_is_not_lost() {
        let here = LostWrite { part: block(512, Some(1_030)) };
        assert_eq!(here.lost(KEY, 1, &(0..1_100)), 1_024..1_100);
        assert!(here.lost(KEY, 1, &(0..1_024)).is_empty());
        assert!(here.lost(KEY, 1, &(2_000..3_000)).is_empty());
    }

    #[test]
    fn a_tear_is_at_a_sector_of_the_file() {
        let seven = torn(Some(7), block(4_096, Some(0)));
        assert_eq!(seven.torn(KEY, 1, &(0..4_096)), Some(Tear { lost: 3_584..4_096, keep: 7 }));
        assert_eq!(seven.torn(KEY, 1, &(3_900..9_000)), Some(Tear { lost: 3_900..4_096, keep: 7 }));
        assert_eq!(seven.torn(KEY, 1, &(0..3_584)), None, "it ends before");
        let whole = torn(Some(1), WritePart::Whole);
        assert_eq!(whole.torn(KEY, 1, &(700..5_000)), Some(Tear { lost: 1_024..5_000, keep: 1 }));
        assert_eq!(whole.torn(KEY, 1, &(700..1_024)), None);
    }

    #[test]
    fn a_drawn_tear_keeps_one_sector_and_misses_one() {
        for (part, all) in [(block(4_096, None), 8), (WritePart::Whole, 8)] {
            let mut met = vec![0_u32; all];
            for occurrence in 1..=7_000 {
                let tear = torn(None, part).torn(KEY, occurrence, &(0..4_096)).unwrap();
                assert_eq!(tear.lost, tear.keep * 512..4_096);
                met[tear.keep as usize] += 1;
            }
            // Binomial(7000, 1/7): 5 standard deviations are 146.
            assert!(met[0] == 0 && met[1..].iter().all(|n| n.abs_diff(1_000) < 147), "{met:?}");
        }
        assert_eq!(torn(None, WritePart::Whole).torn(KEY, 1, &(0..512)), None, "one sector");
    }
}
