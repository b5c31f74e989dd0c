//! Nothing can be changed any more: what ext4 and others do with `errors=remount-ro`.
//!
//! Once it has fired, what would change something fails with EROFS, and the rest goes on. Not
//! modelled: that statfs(2) and access(2) say so, and that the change which met the error is lost.

use crate::op::OpSet;

/// What changes something.
pub(super) const CONCERNS: OpSet = OpSet::CHANGING;
