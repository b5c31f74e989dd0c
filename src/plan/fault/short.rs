//! A read or write moves less than was asked for, and says so.
//!
//! Models what POSIX allows and few programs are ready for: signals, full devices and network
//! filesystems end transfers early. Each operation draws its own length, keyed by rule, path and the
//! operation's occurrence on that path. Not modelled: short counts of what the kernel asks for its
//! page cache, which would take them for the end of the file.

use crate::op::{OpKind, OpSet};
use crate::plan::seed::{StreamKey, below};
use crate::scenario::{self, ShortLength};

/// What gives a count back.
pub(super) const CONCERNS: OpSet = OpSet::EMPTY.with(OpKind::Read).with(OpKind::Write);

/// An operation that moves less than was asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Short {
    length: ShortLength,
    multiple: u64,
}

impl Short {
    /// The fault as a scenario says it.
    pub fn new(fault: &scenario::Short) -> Short {
        Short { length: fault.length, multiple: fault.multiple }
    }

    /// How many of `len` bytes the `occurrence`-th matching operation on one path moves; `None`:
    /// there are no fewer than that of which it could move a multiple.
    pub fn moved(&self, key: StreamKey, occurrence: u64, len: u64) -> Option<u64> {
        // The longest that is less, in multiples.
        let most = len.saturating_sub(1) / self.multiple;
        if most == 0 {
            return None;
        }
        let multiples = match self.length {
            ShortLength::Drawn => 1 + below(&mut key.draws(occurrence, 0), most),
            ShortLength::Keep(keep) => (len as f64 * keep) as u64 / self.multiple,
            ShortLength::AtMost(bytes) if bytes >= len => return None,
            ShortLength::AtMost(bytes) => bytes / self.multiple,
        };
        Some(multiples.clamp(1, most) * self.multiple)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: StreamKey = StreamKey::from_u64(7);

    fn moved(length: ShortLength, multiple: u64, len: u64) -> Option<u64> {
        Short::new(&scenario::Short { length, multiple }).moved(KEY, 1, len)
    }

    /// "At least one `multiple` is moved, and less than was asked for or, of a read, than there is
    /// up to the end of the file."
    #[test]
    fn at_least_one_multiple_is_moved_and_less_than_was_asked_for() {
        for (length, multiple) in
            [(ShortLength::Drawn, 1), (ShortLength::Keep(0.999), 512), (ShortLength::Keep(1e-9), 7)]
        {
            for len in 0..3000 {
                match moved(length, multiple, len) {
                    Some(moved) => {
                        assert!(moved >= multiple && moved < len && moved.is_multiple_of(multiple));
                    }
                    None => assert!(len <= multiple),
                }
            }
        }
    }

    #[test]
    fn a_part_and_a_bound_are_exact() {
        assert_eq!(moved(ShortLength::Keep(0.5), 1, 4096), Some(2048));
        assert_eq!(moved(ShortLength::Keep(0.5), 512, 4000), Some(1536));
        assert_eq!(moved(ShortLength::AtMost(10), 1, 11), Some(10));
        assert_eq!(moved(ShortLength::AtMost(10), 4, 100), Some(8));
        assert_eq!(moved(ShortLength::AtMost(10), 1, 10), None);
        assert_eq!(moved(ShortLength::Keep(0.5), 1, u64::MAX).map(|moved| moved >> 62), Some(2));
    }
}
