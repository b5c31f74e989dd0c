//! What is told of files is wrong: attributes, entries of directories, targets, extended attributes;
//! and files that cannot be opened.
//!
//! Models damage of a filesystem's own structures (PAR, FAST'18; IRON, SOSP'05). A property of paths: a
//! path is one of those, or is not, for as long as the rule holds. What is stored stays right, and
//! data are read and written as they are. Permissions are never told that are not there: the kernel
//! goes by what it is told.

use crate::errno::Errno;
use crate::op::{OpKind, OpSet};
use crate::plan::Chance;
use crate::plan::seed::StreamKey;
use crate::scenario::{self, EntryFault};

/// Wrong metadata.
#[derive(Clone, Debug, PartialEq)]
pub struct Metadata {
    /// What is told instead.
    pub told: scenario::Metadata,
    chance: Option<Chance>,
}

impl Metadata {
    /// The fault as a scenario says it.
    pub fn new(fault: &scenario::Metadata) -> Metadata {
        let chance = (fault.rate < 1.0).then(|| Chance::new(fault.rate));
        Metadata { told: fault.clone(), chance }
    }

    /// The operations that tell something of what is wrong.
    pub(super) fn concerns(&self) -> OpSet {
        let only = |wanted: bool, ops: OpSet| if wanted { ops } else { OpSet::EMPTY };
        let of = |kind| OpSet::EMPTY.with(kind);
        let told = &self.told;
        only(self.tells_attributes(), OpSet::ATTRIBUTES)
            .union(only(told.entry.is_some(), of(OpKind::Readdir)))
            .union(only(told.entry == Some(EntryFault::Missing), of(OpKind::Lookup)))
            .union(only(told.target.is_some(), of(OpKind::Readlink)))
            .union(only(told.xattr.is_some(), of(OpKind::Getxattr)))
            .union(only(told.open.is_some(), of(OpKind::Open)))
    }

    fn tells_attributes(&self) -> bool {
        let scenario::Metadata { size, mtime, mode, nlink, .. } = &self.told;
        size.is_some() || mtime.is_some() || mode.is_some() || nlink.is_some()
    }

    /// Whether it says how long files are: then the kernel must not go by that for their data.
    pub fn tells_size(&self) -> bool {
        self.told.size.is_some()
    }

    /// Whether the path of this stream is one of those. Draw 0.
    pub fn is_hit(&self, key: impl FnOnce() -> StreamKey) -> bool {
        self.chance.is_none_or(|chance| chance.draw(key(), 0))
    }

    /// What an operation on such a path fails with.
    pub fn failure(&self, kind: OpKind) -> Option<Errno> {
        match kind {
            OpKind::Lookup if self.told.entry == Some(EntryFault::Missing) => Some(Errno::ENOENT),
            OpKind::Open => self.told.open,
            _ => None,
        }
    }

    pub(super) fn is_never(&self) -> bool {
        self.told.rate <= 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(rate: f64) -> Metadata {
        Metadata::new(&scenario::Metadata {
            rate,
            size: None,
            mtime: None,
            mode: None,
            nlink: None,
            entry: Some(EntryFault::Missing),
            target: None,
            xattr: None,
            open: None,
        })
    }

    #[test]
    fn so_many_of_the_paths_are_hit() {
        let hit = |number| fault(0.1).is_hit(|| StreamKey::from_u64(number));
        let hits = (0..10_000).filter(|number| hit(*number)).count();
        // Binomial(10000, 0.1): 5 standard deviations are 150.
        assert!(hits.abs_diff(1_000) < 150, "{hits}");
        let first: Vec<u64> = (0..10_000).filter(|number| hit(*number)).take(4).collect();
        assert_eq!(first, [5, 19, 23, 24], "pinned: a seed means the same for ever");
    }

    #[test]
    fn an_operation_is_concerned_by_what_it_tells() {
        let ops = fault(1.0).concerns();
        assert!(ops.contains(OpKind::Readdir) && ops.contains(OpKind::Lookup));
        assert!(!ops.contains(OpKind::Getattr) && !ops.contains(OpKind::Open));
    }
}
