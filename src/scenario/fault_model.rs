//! What each kind of fault says in a scenario: one structure a kind, as it was written.

use std::sync::Arc;
use std::time::Duration;

use crate::errno::Errno;

/// What a rule injects.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// Single bits read wrong.
    BitFlip(BitFlip),
    /// Whole regions read as something else.
    Corrupt(Corrupt),
    /// The operation fails with an errno.
    Error(ErrorFault),
    /// Sectors that cannot be read until they are overwritten.
    BadSector(BadSector),
    /// The operation is answered late.
    Latency(Latency),
    /// The operation is not answered until something ends that.
    Stall(Stall),
    /// From its first fire on every operation fails.
    Dead(Dead),
    /// From its first fire on everything that changes something fails with EROFS.
    Readonly,
    /// A read or write moves less than was asked for.
    Short(Short),
    /// The mount holds no more than so much.
    Space(Space),
    /// No more than so many bytes pass in a second.
    Throughput(Throughput),
    /// Writes that are answered and that the medium never gets.
    LostWrite(LostWrite),
    /// Writes of which the medium gets the beginning only.
    TornWrite(TornWrite),
    /// Writing back fails at an fsync.
    Fsync(Fsync),
    /// One block of a read or write is that of another place.
    Misdirected(Misdirected),
    /// What is told of files is wrong.
    Metadata(Box<Metadata>),
    /// The calling process is killed.
    Kill,
    /// The power goes, and with it what was not synced.
    PowerCut(PowerCut),
}

impl Fault {
    /// The name of its kind, as scenarios and ledgers write it.
    pub const fn kind_name(&self) -> &'static str {
        match self {
            Fault::BitFlip(_) => "bit_flip",
            Fault::Corrupt(_) => "corrupt",
            Fault::Error(_) => "error",
            Fault::BadSector(_) => "bad_sector",
            Fault::Latency(_) => "latency",
            Fault::Stall(_) => "stall",
            Fault::Dead(_) => "dead",
            Fault::Readonly => "readonly",
            Fault::Short(_) => "short",
            Fault::Space(_) => "space",
            Fault::Throughput(_) => "throughput",
            Fault::LostWrite(_) => "lost_write",
            Fault::TornWrite(_) => "torn_write",
            Fault::Fsync(_) => "fsync",
            Fault::Misdirected(_) => "misdirected",
            Fault::Metadata(_) => "metadata",
            Fault::Kill => "kill",
            Fault::PowerCut(_) => "power_cut",
        }
    }
}

/// How the damage of one sick device lies: how much of it there is, and in which runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clusters {
    /// Places in all, half of the time fewer: a lognormal number, rounded, at least 1.
    pub median: f64,
    /// The deviation of its natural logarithm.
    pub sigma: f64,
    /// No more than so many.
    pub max: u64,
    /// How many neighbours are damaged together.
    pub run: RunLength,
    /// How often a run begins near the one before.
    pub near: f64,
    /// No further from it than so many bytes.
    pub neighbourhood: u64,
}

/// How many neighbours are damaged together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RunLength {
    /// A geometric number with this mean.
    Geometric(f64),
    /// Mostly one, else a Pareto number from 2 on.
    Burst {
        /// How often it is one.
        single: f64,
        /// The exponent of the others.
        shape: f64,
        /// No more than so many.
        longest: u64,
    },
}

/// What is told of files in place of what is true; at least one thing.
#[derive(Clone, Debug, PartialEq)]
pub struct Metadata {
    /// How likely a selected path is one of those.
    pub rate: f64,
    /// Bytes of a regular file.
    pub size: Option<u64>,
    /// Seconds from the epoch to the last change of the content.
    pub mtime: Option<u64>,
    /// Permission bits, of which those are told that are there.
    pub mode: Option<u16>,
    /// Hard links.
    pub nlink: Option<u32>,
    /// How it stands in its directory.
    pub entry: Option<EntryFault>,
    /// Where a symbolic link leads.
    pub target: Option<String>,
    /// What the values of extended attributes are.
    pub xattr: Option<XattrFault>,
    /// What opening it fails with.
    pub open: Option<Errno>,
}

/// How an entry stands in its directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryFault {
    /// Not at all.
    Missing,
    /// Twice.
    Duplicated,
    /// As another kind of file.
    Mistyped,
}

/// What the values of extended attributes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XattrFault {
    /// As many zeros.
    Zero,
    /// As many bytes, of each of which every bit is flipped.
    Inverted,
}

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

impl Fault {
    /// Whether it changes the backing directory itself.
    pub const fn damages_backing(&self) -> bool {
        match self {
            Fault::BitFlip(flip) => matches!(flip.persistence, Persistence::Written),
            Fault::Corrupt(corrupt) => matches!(corrupt.persistence, Persistence::Written),
            Fault::PowerCut(_) => true,
            _ => false,
        }
    }
}

/// How long a fault stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Persistence {
    /// This access only.
    Transient,
    /// A property of the stored bytes: every read until they are overwritten.
    #[default]
    Sticky,
    /// A property of the place: also after overwriting.
    Permanent,
    /// It happens on the way to the medium (`on = "write"`): what is stored is wrong, really.
    Written,
}

/// Flipped bits.
#[derive(Clone, Debug, PartialEq)]
pub struct BitFlip {
    /// Which bits.
    pub amount: BitAmount,
    /// For how long.
    pub persistence: Persistence,
}

/// Which bits flip.
#[derive(Clone, Debug, PartialEq)]
pub enum BitAmount {
    /// Each stored bit independently with this probability.
    Rate(f64),
    /// Exactly so many distinct bits, uniformly over the selected bytes of the files that are there
    /// at arming (sticky, permanent), or over the bytes of each operation (transient).
    Count(u64),
    /// These bits of every selected file.
    At(Vec<BitPosition>),
}

/// One bit of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BitPosition {
    /// Offset of its byte.
    pub byte: u64,
    /// 0 is the least significant.
    pub bit: u8,
    /// How often the byte has been overwritten when the damage holds (sticky); 0: as first stored.
    pub generation: u32,
}

/// Corrupt regions: blocks of a file that read as something else. Aligned to their size.
#[derive(Clone, Debug, PartialEq)]
pub struct Corrupt {
    /// What they read as.
    pub content: Content,
    /// Which regions.
    pub amount: RegionAmount,
    /// Bytes a region: a power of two from 512 to 65536.
    pub region: u32,
    /// For how long.
    pub persistence: Persistence,
}

/// What a corrupt region reads as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Content {
    /// Zeros.
    Zero,
    /// This byte throughout; not 0, which is [`Content::Zero`].
    Byte(u8),
    /// Bytes without a pattern, drawn from the seed for each file; or those of the given key, which
    /// a ledger names, in every file.
    Junk(Option<u64>),
    /// What was there before the bytes were overwritten last.
    Stale,
}

/// Which regions are corrupt.
#[derive(Clone, Debug, PartialEq)]
pub enum RegionAmount {
    /// Each region independently with this probability.
    Rate(f64),
    /// Exactly so many distinct regions: over the selected files that are there at arming (sticky,
    /// permanent), or over the regions that each operation touches (transient).
    Count(u64),
    /// The regions that contain these bytes of every selected file.
    At(Vec<RegionPosition>),
    /// Those of one sick device: drawn once, over the selected files that are there at arming.
    Clusters(Clusters),
}

/// One region of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RegionPosition {
    /// Offset of any of its bytes.
    pub byte: u64,
    /// How often a byte has been overwritten when the damage holds (sticky); 0: as first stored.
    pub generation: u32,
}

/// An operation that fails.
#[derive(Clone, Debug, PartialEq)]
pub struct ErrorFault {
    /// With this error.
    pub errno: Errno,
}

/// Unreadable sectors: a read that touches one gets the good prefix, then EIO; a write that covers
/// one repairs it; a write of a part of one fails, as the drive would have to read it first.
#[derive(Clone, Debug, PartialEq)]
pub struct BadSector {
    /// Which sectors.
    pub amount: SectorAmount,
    /// Bytes a sector: 512 or 4096.
    pub sector: u32,
}

/// Which sectors are bad.
#[derive(Clone, Debug, PartialEq)]
pub enum SectorAmount {
    /// Each sector independently with this probability.
    Rate(f64),
    /// Exactly so many distinct sectors over the selected files that are there at arming.
    Count(u64),
    /// The sectors that contain these bytes of every selected file.
    At(Vec<u64>),
    /// Those of one sick device: drawn once, over the selected files that are there at arming.
    Clusters(Clusters),
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

/// A late answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Latency {
    /// How late.
    pub distribution: Distribution,
    /// Delays are rounded up to multiples of it; `None`: they come as they are drawn.
    pub step: Option<Duration>,
}

/// A distribution of delays.
#[derive(Clone, Debug, PartialEq)]
pub enum Distribution {
    /// Always this.
    Constant(Duration),
    /// Anything from `from` up to and without `to`, equally likely.
    Uniform {
        /// The shortest.
        from: Duration,
        /// The longest.
        to: Duration,
    },
    /// Half of them below `median`; `sigma` is the deviation of the natural logarithm.
    Lognormal {
        /// The median.
        median: Duration,
        /// The shape, more than 0.
        sigma: f64,
    },
    /// Around `mean`; what would be less than nothing is nothing.
    Normal {
        /// The mean.
        mean: Duration,
        /// The standard deviation, more than 0.
        deviation: Duration,
    },
    /// Never less than `scale`; the share of longer ones falls as a power of the delay.
    Pareto {
        /// The least.
        scale: Duration,
        /// The exponent.
        shape: f64,
    },
    /// One of these, each equally likely: what somebody has measured.
    Empirical(Arc<[Duration]>),
}

/// An operation that is not answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Stall {
    /// Answered after this long all the same; `None`: never.
    pub for_: Option<Duration>,
}

/// A device that is gone: once fired, every operation on the selected paths fails.
#[derive(Clone, Debug, PartialEq)]
pub struct Dead {
    /// With this error: one of [`Dead::ERRNOS`].
    pub errno: Errno,
    /// For this long; `None`: until the mount ends.
    pub for_: Option<Duration>,
    /// Not all the time; `None`: without a pause.
    pub flap: Option<Flap>,
}

/// A device that comes and goes: gone first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flap {
    /// So long it is gone,
    pub down: Duration,
    /// and then it is there for so long.
    pub up: Duration,
}

/// A read or write that moves less than was asked for: at least one `multiple`.
#[derive(Clone, Debug, PartialEq)]
pub struct Short {
    /// How much.
    pub length: ShortLength,
    /// Bytes of which it is a multiple, from 1.
    pub multiple: u64,
}

/// How much a short operation moves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ShortLength {
    /// Anything, equally likely.
    Drawn,
    /// This part of it: more than 0, less than 1.
    Keep(f64),
    /// No more bytes than this, from 1.
    AtMost(u64),
}

/// A space that is limited, of the whole mount.
#[derive(Clone, Debug, PartialEq)]
pub struct Space {
    /// Bytes that the files of the mount may take.
    pub capacity: u64,
    /// Files of all kinds that it may have, directories included; `None`: no limit.
    pub inodes: Option<u64>,
    /// What an operation fails with for which there is no room: one of [`Space::ERRNOS`].
    pub errno: Errno,
}

/// A limit of bytes in time, for all that a rule selects together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Throughput {
    /// Bytes a second, from 1.
    pub per_second: u64,
    /// Bytes that pass at once after a pause.
    pub burst: u64,
}

impl Space {
    /// What operations fail with for which there is no room.
    pub const ERRNOS: [Errno; 2] = [Errno::ENOSPC, Errno::EDQUOT];
}

impl Dead {
    /// What operations on a device that is gone fail with.
    pub const ERRNOS: [Errno; 3] = [Errno::EIO, Errno::ENODEV, Errno::ENXIO];
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

impl Persistence {
    /// Every persistence of damage that reads show, from the shortest.
    pub const ALL: [Persistence; 3] =
        [Persistence::Transient, Persistence::Sticky, Persistence::Permanent];

    /// The word that scenarios and ledgers use.
    pub const fn name(self) -> &'static str {
        match self {
            Persistence::Transient => "transient",
            Persistence::Sticky => "sticky",
            Persistence::Permanent => "permanent",
            Persistence::Written => "written",
        }
    }

    /// Whether it is a property of stored bytes that reads show, whoever makes them.
    pub const fn is_stored(self) -> bool {
        matches!(self, Persistence::Sticky | Persistence::Permanent)
    }

    /// The persistence of that name.
    pub fn from_name(name: &str) -> Option<Persistence> {
        Persistence::ALL.into_iter().find(|persistence| persistence.name() == name)
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

impl EntryFault {
    /// Every way.
    pub const ALL: [EntryFault; 3] =
        [EntryFault::Missing, EntryFault::Duplicated, EntryFault::Mistyped];

    /// The word that scenarios use.
    pub const fn name(self) -> &'static str {
        match self {
            EntryFault::Missing => "missing",
            EntryFault::Duplicated => "duplicated",
            EntryFault::Mistyped => "mistyped",
        }
    }
}

impl XattrFault {
    /// Every content.
    pub const ALL: [XattrFault; 2] = [XattrFault::Zero, XattrFault::Inverted];

    /// The word that scenarios use.
    pub const fn name(self) -> &'static str {
        match self {
            XattrFault::Zero => "zero",
            XattrFault::Inverted => "inverted",
        }
    }
}
