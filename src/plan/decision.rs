//! What the engine answers for one operation: plain data, acted upon by `fs` alone.

use std::ops::Range;
use std::time::Duration;

use super::Filling;
use crate::errno::Errno;
use crate::scenario::{CacheModel, Evict, Rest};

/// A rule by its place in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleId(pub u16);

/// What happens to one operation. The default: nothing.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Decision {
    /// The answer waits this long. Composes with every other effect.
    pub delay: Option<Delay>,
    /// The answer waits this long for its turn. Composes with every other effect.
    pub queue: Option<Delay>,
    /// Nothing is answered for now. Composes with every other effect.
    pub stall: Option<Stalled>,
    /// The operation fails and the backing directory is not asked.
    pub failure: Option<Failure>,
    /// The operation fails because its caller is killed by this rule.
    pub kill: Option<RuleId>,
    /// Rules by which the answer tells something wrong, in file order.
    pub mistold: Vec<RuleId>,
    /// The power goes at this operation, which fails for that reason.
    pub cut: Option<RuleId>,
    /// Less is moved than was asked for; what follows is about the bytes that are.
    pub short: Option<Shortened>,
    /// The state of the filesystem is told as this rule limits it.
    pub told: Option<RuleId>,
    /// The first sector in the way. Reads give the good bytes before it, or fail at it.
    pub unreadable: Option<Unreadable>,
    /// Bytes that a read gets from another place, without overlap.
    pub misread: Vec<Misread>,
    /// Bytes that a read returns as something else, sorted and without overlap.
    pub regions: Vec<Corrupted>,
    /// Bits to flip in what a read returns once its regions are filled, sorted by byte and bit, each at most once.
    pub flips: Vec<Flip>,
    /// Bytes of a write that the medium does not get, without overlap; by rule, in file order.
    pub lost: Vec<Lost>,
    /// What an fsync cannot write back.
    pub unwritten: Option<Unwritten>,
}

impl Decision {
    /// Whether the operation goes through untouched.
    pub fn is_clean(&self) -> bool {
        self.delay.is_none()
            && self.queue.is_none()
            && self.stall.is_none()
            && self.failure.is_none()
            && self.mistold.is_empty()
            && self.short.is_none()
            && self.told.is_none()
            && self.unreadable.is_none()
            && self.misread.is_empty()
            && self.regions.is_empty()
            && self.flips.is_empty()
            && self.lost.is_empty()
            && self.unwritten.is_none()
    }
}

/// All stored damage of some bytes.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Damage {
    /// What reads as something else, sorted and without overlap.
    pub regions: Vec<Corrupted>,
    /// Bits that are flipped in that, sorted by byte and bit, each at most once.
    pub flips: Vec<Flip>,
    /// Sectors that cannot be read, sorted.
    pub unreadable: Vec<Unreadable>,
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

/// No answer for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stalled {
    /// Which rule.
    pub rule: RuleId,
    /// Which of its matching operations this was, from 1.
    pub occurrence: u64,
    /// For so long; `None`: until the mount ends or the caller is killed.
    pub by: Option<Duration>,
}

/// A failed operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which rule.
    pub rule: RuleId,
    /// Which of its matching operations this was, from 1; 0: one that fails because of others.
    pub occurrence: u64,
    /// With what.
    pub errno: Errno,
}

/// A short read or write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortened {
    /// Which rule.
    pub rule: RuleId,
    /// Which of its matching operations this was, from 1; 0: not a matter of occurrences.
    pub occurrence: u64,
    /// How many bytes are moved, from the first on.
    pub len: u64,
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

/// Bytes of a corrupt region: of those that an operation concerns a run that was stored together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corrupted {
    /// Which rule.
    pub rule: RuleId,
    /// The whole region in the file.
    pub region: Range<u64>,
    /// Those of its bytes that this is about.
    pub bytes: Range<u64>,
    /// How often they had been overwritten (sticky), 0 for transient and permanent.
    pub generation: u32,
    /// Which of the rule's matching operations this was, from 1; 0: not a matter of occurrences.
    pub occurrence: u64,
    /// What they read as.
    pub filling: Filling,
    /// Junk differs from what is stored at this byte, by which the whole region does.
    pub differs_at: u64,
}

impl Corrupted {
    /// Fills those of the bytes in `data` that belong to it; `data` begins at `offset` of the file.
    /// What is stale is not a matter of the plan, and stays as it is.
    pub fn fill(&self, data: &mut [u8], offset: u64) {
        let inside = |byte: u64| byte.saturating_sub(offset).min(data.len() as u64) as usize;
        let here = inside(self.bytes.start)..inside(self.bytes.end);
        let start = self.bytes.start.max(offset);
        self.filling.fill(&mut data[here], start, self.differs_at);
    }
}

/// Bytes of a write that the medium does not get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// Which rule.
    pub rule: RuleId,
    /// Which of its matching operations this was, from 1.
    pub occurrence: u64,
    /// Those bytes of the file.
    pub bytes: Range<u64>,
    /// What they read as from now on.
    pub rest: Rest,
    /// Of a write that was torn: how many sectors of 512 bytes the medium got.
    pub keep: Option<u64>,
    /// Of a write that was misdirected: the first of as many bytes that it gets them at.
    pub lands: Option<u64>,
}

impl Lost {
    /// What of it lies in a range.
    pub fn within(&self, range: &Range<u64>) -> Option<Lost> {
        let bytes = self.bytes.start.max(range.start)..self.bytes.end.min(range.end);
        let lands = self.lands.map(|to| to + bytes.start.saturating_sub(self.bytes.start));
        (!bytes.is_empty()).then(|| Lost { bytes, lands, ..self.clone() })
    }
}

/// Bytes that a read gets from another place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misread {
    /// Which rule.
    pub rule: RuleId,
    /// Which of its matching operations this was, from 1.
    pub occurrence: u64,
    /// The bytes of the file that were asked for.
    pub bytes: Range<u64>,
    /// The first of as many that it gets.
    pub from: u64,
}

/// Pages that an fsync cannot write back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unwritten {
    /// Which rule.
    pub rule: RuleId,
    /// Which of its occurrences this was, from 1.
    pub occurrence: u64,
    /// Those of the file; what of them has been written is not on the medium.
    pub pages: Range<u64>,
    /// What becomes of them.
    pub model: CacheModel,
    /// When they leave the cache.
    pub evict: Evict,
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
