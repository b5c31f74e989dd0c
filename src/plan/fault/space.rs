//! The mount holds no more than so much.
//!
//! Models a full filesystem or a quota. What files take is their lengths, each in blocks of 4 KiB:
//! the same on every machine, whatever the filesystem below makes of holes and reservations. Not
//! modelled: what directories, attributes and the filesystem's own structures take.

use crate::errno::Errno;
use crate::op::{OpKind, OpSet};
use crate::scenario;

/// Bytes of a block.
pub const BLOCK: u64 = 4096;

/// What takes room, gives some back, or asks how much there is.
pub(super) const CONCERNS: OpSet = OpSet::MAKING
    .with(OpKind::Write)
    .with(OpKind::Setattr)
    .with(OpKind::Fallocate)
    .with(OpKind::Statfs);

/// A limited space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Whole blocks that the files may take.
    pub blocks: u64,
    /// Files of all kinds that there may be; `None`: no limit.
    pub inodes: Option<u64>,
    /// What fails for which there is no room.
    pub errno: Errno,
}

impl Space {
    /// The fault as a scenario says it.
    pub fn new(fault: &scenario::Space) -> Space {
        Space { blocks: fault.capacity / BLOCK, inodes: fault.inodes, errno: fault.errno }
    }
}
