//! Reads by which the kernel fills its page cache, and that failed.
//!
//! A read-ahead that fails is nobody's error: the kernel drops it and asks again, page by page, for
//! what a program waits for. So that a fault is not spent on what nobody sees, reads ahead of more
//! than a page are no occurrence where errors are about; and a page that failed fails again, and is
//! recorded again, if the same thread asks for it again soon.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::locked;
use crate::errno::Errno;
use crate::ledger::Event;
use crate::media::FileKey;
use crate::op::Op;

/// The kernel repeats a failed read-ahead as soon as the program needs the page.
const SOON: Duration = Duration::from_secs(1);
/// Failures kept; older ones are of no interest by then.
const KEPT_MAX: usize = 1024;

/// One failed fill.
#[derive(Clone, Debug)]
pub(super) struct FailedFill {
    pub(super) errno: Errno,
    pub(super) events: Vec<Event>,
    when: Instant,
}

/// The failed fills of the last moments, by thread, file and offset.
#[derive(Debug, Default)]
pub(super) struct PageFills {
    failed: Mutex<HashMap<(u32, FileKey, u64), FailedFill>>,
}

impl PageFills {
    /// This fill was answered with an error.
    pub(super) fn fail(&self, file: FileKey, op: &Op, errno: Errno, events: &[Event]) {
        let fill = FailedFill { errno, events: events.to_vec(), when: Instant::now() };
        let mut failed = locked(&self.failed);
        if failed.len() >= KEPT_MAX {
            failed.retain(|_, fill| fill.when.elapsed() < SOON);
        }
        failed.insert((op.caller.pid, file, op.offset), fill);
    }

    /// Another plan is in force: what failed under the one before need not fail again.
    pub(super) fn forget(&self) {
        locked(&self.failed).clear();
    }

    /// The same fill, if it was answered with an error a moment ago: once.
    pub(super) fn repeats(&self, file: FileKey, op: &Op) -> Option<FailedFill> {
        let fill = locked(&self.failed).remove(&(op.caller.pid, file, op.offset))?;
        (fill.when.elapsed() < SOON).then_some(fill)
    }
}
