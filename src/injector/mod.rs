//! The armed plan: atomic swap, counters, `decide`. No input, output or clock of its own.
//!
//! The answer for an operation is a pure function of the plan and of what is counted here; `fs`
//! alone acts on it.
//!
//! # Order
//! Rules are asked in file order. The first latency rule that fires gives the delay, the first error
//! rule that fires gives the failure; later rules of that kind then do not see the operation, and do
//! not count it. Stored and transient damage is a matter of places: every rule applies, the first one
//! wins a bit, and the first bad sector in the file is the one in the way. Kinds do not hide
//! operations from each other: one that fails is still counted by the rules that would have damaged
//! it, but uses up none of their `times`.

mod armed;
mod counters;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;

pub use armed::{Armed, Selection, Target};
pub use counters::Counts;

pub use crate::plan::DataAccess;
use crate::plan::{Placement, Plan};

/// Where the plan in force is found. Cheap to ask: one atomic load.
#[derive(Debug, Default)]
pub struct Injector {
    armed: ArcSwapOption<Armed>,
}

/// Numbers every armed plan of this process, so that nothing cached under one is used for another.
static NUMBER: AtomicU64 = AtomicU64::new(1);

impl Injector {
    /// Puts a plan in force, with all counts at zero, instead of the one before.
    pub fn arm(&self, plan: Plan, placement: Placement) -> Arc<Armed> {
        let armed = Arc::new(Armed::new(plan, placement));
        self.armed.store(Some(Arc::clone(&armed)));
        armed
    }

    /// Back to plain passthrough; gives the plan that was in force.
    pub fn disarm(&self) -> Option<Arc<Armed>> {
        self.armed.swap(None)
    }

    /// The plan in force.
    pub fn current(&self) -> Option<Arc<Armed>> {
        self.armed.load_full()
    }

    /// The number of the plan in force; 0 if there is none. A node whose selection was made under
    /// another number has to be matched again.
    pub fn number(&self) -> u64 {
        self.armed.load().as_ref().map_or(0, |armed| armed.number())
    }
}

fn next_number() -> u64 {
    NUMBER.fetch_add(1, Ordering::Relaxed)
}

#[cfg(test)]
mod tests;
