//! Which steps of a decision rules have something to say to: the others are left out, so that a
//! decision costs what its own rules cost.

use crate::plan::fault::Fault;

/// A set of steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) struct Steps(u16);

impl Steps {
    pub(super) const EFFECTS: Steps = Steps(1);
    pub(super) const LENGTH: Steps = Steps(1 << 1);
    pub(super) const QUEUE: Steps = Steps(1 << 2);
    pub(super) const SECTORS: Steps = Steps(1 << 3);
    pub(super) const MISREADS: Steps = Steps(1 << 4);
    pub(super) const REGIONS: Steps = Steps(1 << 5);
    pub(super) const FLIPS: Steps = Steps(1 << 6);
    pub(super) const LOSSES: Steps = Steps(1 << 7);
    pub(super) const UNWRITTEN: Steps = Steps(1 << 8);
    pub(super) const METADATA: Steps = Steps(1 << 9);

    /// Those in which a fault is decided.
    pub(super) fn of(fault: &Fault) -> Steps {
        match fault {
            Fault::Latency(_) | Fault::Stall(_) | Fault::Error(_) => Steps::EFFECTS,
            Fault::Dead(_) | Fault::Readonly | Fault::Kill | Fault::PowerCut(_) => Steps::EFFECTS,
            Fault::Metadata(_) => Steps::METADATA,
            Fault::Short(_) => Steps::LENGTH,
            Fault::Throughput(_) => Steps::QUEUE,
            Fault::BadSector(_) => Steps::SECTORS,
            Fault::Misdirected(_) => Steps::MISREADS.and(Steps::LOSSES),
            Fault::Corrupt(_) => Steps::REGIONS,
            Fault::BitFlip(_) => Steps::FLIPS,
            Fault::LostWrite(_) | Fault::TornWrite(_) => Steps::LOSSES,
            Fault::Fsync(_) => Steps::UNWRITTEN,
            // By what the files of the mount take: not here.
            Fault::Space(_) => Steps(0),
        }
    }

    pub(super) fn and(self, other: Steps) -> Steps {
        Steps(self.0 | other.0)
    }

    pub(super) fn has(self, step: Steps) -> bool {
        self.0 & step.0 != 0
    }
}
