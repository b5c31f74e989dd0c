//! The calling process is killed (SIGKILL) at an operation, of which nothing is done.
//!
//! Models a crash of a program at an exact place; whom errorfs never kills, `fs` knows.

use crate::op::{OpKind, OpSet};

/// Operations for which somebody waits.
pub(super) const CONCERNS: OpSet = OpSet::ALL.without(OpKind::Release).without(OpKind::Releasedir);
