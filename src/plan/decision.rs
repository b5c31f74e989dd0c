//! What the engine answers for one operation: plain data, acted upon by `fs` alone.

use std::ops::Range;
use std::time::Duration;

use crate::errno::Errno;

/// A rule by its place in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleId(pub u16);

/// What happens to one operation. The default: nothing.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Decision {
    /// The answer waits this long. Composes with every other effect.
    pub delay: Option<Delay>,
    /// The operation fails and the backing directory is not asked.
    pub failure: Option<Failure>,
    /// The first sector in the way. Reads give the good bytes before it, or fail at it.
    pub unreadable: Option<Unreadable>,
    /// Bits to flip in what a read returns, sorted by byte and bit, each at most once.
    pub flips: Vec<Flip>,
}

impl Decision {
    /// Whether the operation goes through untouched.
    pub fn is_clean(&self) -> bool {
        self.delay.is_none()
            && self.failure.is_none()
            && self.unreadable.is_none()
            && self.flips.is_empty()
    }
}

/// A late answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delay {
    /// Which rule.
    pub rule: RuleId,
    /// Which of its matching operations this was, from 1.
    pub occurrence: u64,
    /// How late.
    pub by: Duration,
}

/// A failed operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which rule.
    pub rule: RuleId,
    /// Which of its matching operations this was, from 1.
    pub occurrence: u64,
    /// With what.
    pub errno: Errno,
}

/// A sector that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Which rule.
    pub rule: RuleId,
    /// Its bytes in the file.
    pub sector: Range<u64>,
    /// The write generation that is bad.
    pub generation: u32,
}

/// One flipped bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flip {
    /// Offset of the byte in the file.
    pub byte: u64,
    /// 0 is the least significant.
    pub bit: u8,
    /// Which rule.
    pub rule: RuleId,
    /// How often the byte had been overwritten (sticky), 0 for transient and permanent.
    pub generation: u32,
    /// Which of the rule's matching operations this was, from 1; 0: not a matter of occurrences.
    pub occurrence: u64,
}
