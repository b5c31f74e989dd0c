//! Damage of stored bytes as a scenario says it: bits, regions, sectors, and how long it stays.

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
