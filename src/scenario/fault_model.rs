//! What each kind of fault says in a scenario: one structure a kind, as it was written.

use std::sync::Arc;
use std::time::Duration;

use super::{
    BadSector, BitFlip, Corrupt, Fsync, LostWrite, Metadata, Misdirected, Persistence, PowerCut,
    TornWrite,
};
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

/// An operation that fails.
#[derive(Clone, Debug, PartialEq)]
pub struct ErrorFault {
    /// With this error.
    pub errno: Errno,
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
