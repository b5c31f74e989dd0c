//! What rules inject: one file per kind. Each says where it strikes, never what `fs` does then.

mod amount;
mod bad_sector;
mod bit_flip;
mod corrupt;
mod dead;
mod error;
mod fsync;
mod grid;
mod kill;
mod latency;
mod lost_write;
mod metadata;
mod misdirected;
mod power_cut;
mod readonly;
mod short;
mod space;
mod stall;
mod throughput;

use std::ops::Range;

pub use bad_sector::{BadSector, Run, runs};
pub use bit_flip::BitFlip;
pub use corrupt::Corrupt;
pub use dead::Dead;
pub use error::ErrorFault;
pub use fsync::Fsync;
pub use grid::Grid;
pub use latency::{DELAY_MAX, Latency};
pub use lost_write::{LostWrite, Tear, TornWrite};
pub use metadata::Metadata;
pub use misdirected::{Astray, Misdirected};
pub use power_cut::{Got, PAGE, PowerCut};
pub use short::Short;
pub use space::{BLOCK, Space};
pub use stall::Stall;
pub use throughput::Throughput;

use super::seed::Purpose;
use crate::op::OpSet;
use crate::scenario;

/// A compiled fault.
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
    /// Writes that the medium never gets.
    LostWrite(LostWrite),
    /// Writes of which the medium gets the first sectors.
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
    /// The fault as a scenario says it.
    pub fn new(fault: &scenario::Fault) -> Fault {
        match fault {
            scenario::Fault::BitFlip(fault) => Fault::BitFlip(BitFlip::new(fault)),
            scenario::Fault::Corrupt(fault) => Fault::Corrupt(Corrupt::new(fault)),
            scenario::Fault::Error(fault) => Fault::Error(ErrorFault::new(fault)),
            scenario::Fault::BadSector(fault) => Fault::BadSector(BadSector::new(fault)),
            scenario::Fault::Latency(fault) => Fault::Latency(Latency::new(fault)),
            scenario::Fault::Stall(fault) => Fault::Stall(Stall::new(fault)),
            scenario::Fault::Dead(fault) => Fault::Dead(Dead::new(fault)),
            scenario::Fault::Readonly => Fault::Readonly,
            scenario::Fault::Short(fault) => Fault::Short(Short::new(fault)),
            scenario::Fault::Space(fault) => Fault::Space(Space::new(fault)),
            scenario::Fault::Throughput(fault) => Fault::Throughput(Throughput::new(fault)),
            scenario::Fault::LostWrite(fault) => Fault::LostWrite(LostWrite::new(fault)),
            scenario::Fault::TornWrite(fault) => Fault::TornWrite(TornWrite::new(fault)),
            scenario::Fault::PowerCut(fault) => Fault::PowerCut(PowerCut::new(fault)),
            scenario::Fault::Fsync(fault) => Fault::Fsync(Fsync::new(fault)),
            scenario::Fault::Misdirected(fault) => Fault::Misdirected(Misdirected::new(fault)),
            scenario::Fault::Kill => Fault::Kill,
            scenario::Fault::Metadata(fault) => Fault::Metadata(Box::new(Metadata::new(fault))),
        }
    }

    /// The word for its kind in scenarios and ledgers.
    pub fn name(&self) -> &'static str {
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

    /// The operations that can set it off.
    pub fn concerns(&self) -> OpSet {
        match self {
            Fault::BitFlip(fault) => fault.concerns(),
            Fault::Corrupt(fault) => fault.concerns(),
            Fault::BadSector(_) => bad_sector::CONCERNS,
            Fault::Error(_) => error::CONCERNS,
            Fault::Latency(_) => OpSet::ALL,
            Fault::Stall(_) => stall::CONCERNS,
            Fault::Dead(_) => dead::CONCERNS,
            Fault::Readonly => readonly::CONCERNS,
            Fault::Short(_) => short::CONCERNS,
            Fault::Space(_) => space::CONCERNS,
            Fault::Throughput(_) => throughput::CONCERNS,
            Fault::LostWrite(_) | Fault::TornWrite(_) => lost_write::CONCERNS,
            Fault::Fsync(_) => fsync::CONCERNS,
            Fault::Misdirected(_) => misdirected::CONCERNS,
            Fault::Metadata(fault) => fault.concerns(),
            Fault::Kill => kill::CONCERNS,
            Fault::PowerCut(_) => power_cut::CONCERNS,
        }
    }

    /// The operations that it happens to, if those of `scope` can set it off: more than these once
    /// it has begun, for a fault that stays.
    pub fn reach(&self, scope: OpSet) -> OpSet {
        match self {
            Fault::Dead(_) | Fault::Readonly if !scope.is_empty() => self.concerns(),
            _ => scope,
        }
    }

    /// Whether it is a property of the stored bytes, so that it can be told without an operation.
    pub fn is_stored(&self) -> bool {
        match self {
            Fault::BitFlip(fault) => fault.is_stored(),
            Fault::Corrupt(fault) => fault.is_stored(),
            Fault::BadSector(_) => true,
            _ => false,
        }
    }

    /// Whether it names its places instead of drawing them as they are looked at.
    pub fn names_places(&self) -> bool {
        match self {
            Fault::BitFlip(fault) => fault.names_places(),
            Fault::Corrupt(fault) => fault.names_places(),
            Fault::BadSector(fault) => fault.names_places(),
            _ => false,
        }
    }

    /// Whether overwriting the damaged bytes ends it.
    pub fn ends_by_overwriting(&self) -> bool {
        match self {
            Fault::BitFlip(fault) => fault.ends_by_overwriting(),
            Fault::Corrupt(fault) => fault.ends_by_overwriting(),
            Fault::BadSector(_) => true,
            _ => false,
        }
    }

    /// Whether it strikes nowhere, ever.
    pub fn is_never(&self) -> bool {
        match self {
            Fault::BitFlip(fault) => fault.is_never(),
            Fault::Corrupt(fault) => fault.is_never(),
            Fault::BadSector(fault) => fault.is_never(),
            Fault::Metadata(fault) => fault.is_never(),
            _ => false,
        }
    }

    /// Whether the medium does not get all that is written, so that errorfs must keep what it holds.
    pub fn keeps_writes(&self) -> bool {
        matches!(
            self,
            Fault::LostWrite(_) | Fault::TornWrite(_) | Fault::Fsync(_) | Fault::Misdirected(_)
        )
    }

    /// Whether it reads as what was there before, so that errorfs must keep that.
    pub fn keeps_earlier(&self) -> bool {
        matches!(self, Fault::Corrupt(fault) if fault.is_stale())
    }

    /// Whether it makes wrong what is written, in the backing directory itself.
    pub fn is_written(&self) -> bool {
        match self {
            Fault::BitFlip(fault) => fault.is_written(),
            Fault::Corrupt(fault) => fault.is_written(),
            _ => false,
        }
    }

    /// Whether it changes the backing directory, which takes `--allow-damage`.
    pub fn damages_backing(&self) -> bool {
        self.is_written() || matches!(self, Fault::PowerCut(_))
    }

    /// The stream that it draws from.
    pub fn purpose(&self) -> Option<Purpose> {
        match self {
            Fault::BitFlip(fault) if fault.is_stored() => Some(Purpose::StoredBits),
            Fault::Corrupt(fault) if fault.is_stored() => Some(Purpose::StoredRegions),
            fault if fault.is_written() => Some(Purpose::Written),
            Fault::BitFlip(_) | Fault::Corrupt(_) => Some(Purpose::Transient),
            Fault::BadSector(_) => Some(Purpose::StoredSectors),
            Fault::Latency(_) => Some(Purpose::Latency),
            Fault::Short(_) => Some(Purpose::Length),
            Fault::LostWrite(_) => Some(Purpose::LostWrite),
            Fault::TornWrite(_) => Some(Purpose::TornWrite),
            Fault::Misdirected(_) => Some(Purpose::Misdirected),
            Fault::Metadata(_) => Some(Purpose::Metadata),
            Fault::Error(_)
            | Fault::Fsync(_)
            | Fault::PowerCut(_)
            | Fault::Stall(_)
            | Fault::Dead(_)
            | Fault::Readonly
            | Fault::Kill
            | Fault::Space(_)
            | Fault::Throughput(_) => None,
        }
    }

    /// `select.bytes` as this fault takes it: whole sectors, where a sector is the smallest thing
    /// that can be lost.
    pub(super) fn widen(&self, bytes: Range<u64>) -> Range<u64> {
        match self {
            Fault::BadSector(fault) => fault.grid.widen(bytes),
            _ => bytes,
        }
    }
}
