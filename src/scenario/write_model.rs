//! Writes that do not arrive as a scenario says it: lost, torn, astray, not written back, cut off.

use std::time::Duration;

/// One block that goes to, or comes from, another place of the same file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Misdirected {
    /// Bytes a block: 512 or 4096. Blocks are aligned to it.
    pub block: u32,
    /// A byte of the block that is meant; `None`: one of those of the operation, drawn.
    pub at: Option<u64>,
    /// A byte of the block that is met instead; `None`: one of the others of the file, drawn.
    pub to: Option<u64>,
}

/// Writes that are answered as done and synced, and that the medium never gets: what it held before
/// is read until it is overwritten by a write that is not lost.
#[derive(Clone, Debug, PartialEq)]
pub struct LostWrite {
    /// What of a write is lost.
    pub part: WritePart,
}

/// Writes of which the medium gets whole sectors of 512 bytes from the start, and no more.
#[derive(Clone, Debug, PartialEq)]
pub struct TornWrite {
    /// How many sectors it gets; `None`: drawn, at least one, and at least one too few.
    pub keep: Option<u64>,
    /// What the rest reads as.
    pub rest: Rest,
    /// What of a write is torn.
    pub part: WritePart,
}

/// What of a write meets its fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WritePart {
    /// All of it that is selected.
    Whole,
    /// One block of it, aligned to its size.
    Block {
        /// Bytes a block: 512 or 4096.
        size: u32,
        /// The block that contains this byte; `None`: drawn.
        at: Option<u64>,
    },
}

/// What the medium has where a write did not get to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rest {
    /// What it had before.
    Old,
    /// Zeros.
    Zero,
}

/// Writing back that fails at an fsync.
#[derive(Clone, Debug, PartialEq)]
pub struct Fsync {
    /// Whose way of failing.
    pub model: CacheModel,
    /// For each writing back of a path `x`, it fails, or `w`, it does not; the last letter is a
    /// capital one and holds for ever.
    pub sequence: String,
    /// When pages that were not written back leave the cache.
    pub evict: Evict,
}

/// What a filesystem does with pages that could not be written back (Rebello et al., ATC'20).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheModel {
    /// ext4 with data=ordered: fsync fails, the cache keeps what was written.
    Ext4Ordered,
    /// ext4 with data=journal: fsync succeeds, the next one fails; the cache keeps what was written.
    Ext4Data,
    /// XFS: fsync fails, the cache keeps what was written.
    Xfs,
    /// btrfs: fsync fails, and what was there before is back.
    Btrfs,
}

/// When pages that were not written back leave the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evict {
    /// When nobody has the file open any more.
    Close,
    /// When the kernel drops the file from its caches.
    Drop,
    /// So long after the failure.
    After(Duration),
}

/// What a loss of power leaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PowerCut {
    /// What becomes of the bytes of files that were not synced.
    pub unsynced: Unsynced,
    /// The share of unsynced pages of which some sectors are new and the others old.
    pub torn: f64,
    /// Which names last that were not synced.
    pub names: Names,
    /// The share of syncs that are answered and persist nothing.
    pub lies: f64,
    /// Whether everything fails from then on, and the mount does not come back.
    pub stays_off: bool,
}

/// What a loss of power makes of unsynced pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsynced {
    /// They are as they were last synced.
    Old,
    /// They are as they were written.
    New,
    /// Some of each.
    Mixed,
}

/// Which changes of names last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// Those whose directory was synced after them: what POSIX promises.
    Strict,
    /// All that come before any fsync, and perhaps some more, in their order: a journal.
    Ordered,
}

impl Unsynced {
    /// Every one.
    pub const ALL: [Unsynced; 3] = [Unsynced::Old, Unsynced::New, Unsynced::Mixed];

    /// The word that scenarios use.
    pub const fn name(self) -> &'static str {
        match self {
            Unsynced::Old => "old",
            Unsynced::New => "new",
            Unsynced::Mixed => "mixed",
        }
    }
}

impl Names {
    /// Every one.
    pub const ALL: [Names; 2] = [Names::Strict, Names::Ordered];

    /// The word that scenarios use.
    pub const fn name(self) -> &'static str {
        match self {
            Names::Strict => "strict",
            Names::Ordered => "ordered",
        }
    }
}

impl CacheModel {
    /// Every model.
    pub const ALL: [CacheModel; 4] =
        [CacheModel::Ext4Ordered, CacheModel::Ext4Data, CacheModel::Xfs, CacheModel::Btrfs];

    /// The word that scenarios use.
    pub const fn name(self) -> &'static str {
        match self {
            CacheModel::Ext4Ordered => "ext4-ordered",
            CacheModel::Ext4Data => "ext4-data",
            CacheModel::Xfs => "xfs",
            CacheModel::Btrfs => "btrfs",
        }
    }

    /// The model of that name.
    pub fn from_name(name: &str) -> Option<CacheModel> {
        CacheModel::ALL.into_iter().find(|model| model.name() == name)
    }
}
