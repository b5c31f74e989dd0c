//! The operation fails with an errno, and the backing directory is not asked.
//!
//! Models a device or a filesystem that answers with an error: the operation has no effect at all.
//! Not modelled: an operation that fails after doing half of its work.

use crate::errno::Errno;
use crate::op::{OpKind, OpSet};
use crate::scenario;

/// Whatever somebody gets to see: the kernel drops what a release answers.
pub(super) const CONCERNS: OpSet = OpSet::ALL.without(OpKind::Release).without(OpKind::Releasedir);

/// An operation that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorFault {
    /// With this error.
    pub errno: Errno,
}

impl ErrorFault {
    /// The fault as a scenario says it.
    pub fn new(fault: &scenario::ErrorFault) -> ErrorFault {
        ErrorFault { errno: fault.errno }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_errno_is_the_one_in_the_scenario() {
        let errno = Errno::EIO;
        assert_eq!(ErrorFault::new(&scenario::ErrorFault { errno }).errno, errno);
    }
}
