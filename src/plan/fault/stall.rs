//! The operation is not answered until something ends that.
//!
//! Models a device that hangs: the request is with it, and nothing comes back. What was asked for is
//! done, as a device may have done it before it hung; only the answer waits. Not modelled: requests
//! behind it in a queue, which wait too on many a device.

use std::time::Duration;

use super::error;
use crate::op::OpSet;
use crate::scenario;

/// Whatever somebody waits for.
pub(super) const CONCERNS: OpSet = error::CONCERNS;

/// An operation that is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stall {
    /// Answered after this long all the same; `None`: only when the mount ends or the caller is
    /// killed.
    pub lasts: Option<Duration>,
}

impl Stall {
    /// The fault as a scenario says it.
    pub fn new(fault: &scenario::Stall) -> Stall {
        Stall { lasts: fault.for_ }
    }
}
