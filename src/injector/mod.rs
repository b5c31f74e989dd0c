//! The armed plan: atomic swap, counters, `decide`. No input, output or clock of its own.
//!
//! The answer for an operation is a pure function of the plan and of what is counted here; `fs`
//! alone acts on it.

mod armed;
mod counters;
mod effects;
mod flips;
mod lasting;
mod losses;
mod metadata;
mod misreads;
mod queue;
mod regions;
mod sectors;
mod selection;
mod short;
mod space;
mod steps;
mod succession;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;

pub use armed::Armed;
pub use counters::Counts;
pub use selection::{Selection, Target};
pub use space::Room;

pub use crate::plan::DataAccess;
pub use succession::RuleState;

/// Where the plan in force is found. Cheap to ask: one atomic load.
#[derive(Debug, Default)]
pub struct Injector {
    armed: ArcSwapOption<Armed>,
    /// How many plans there were.
    generations: AtomicU64,
}

impl Injector {
    /// Puts a plan in force instead of the one before. From here on it has its generation.
    pub fn arm(&self, mut armed: Armed) -> Arc<Armed> {
        armed.come_into_force(self.generations.fetch_add(1, Ordering::Relaxed) + 1);
        let armed = Arc::new(armed);
        self.armed.store(Some(Arc::clone(&armed)));
        armed
    }

    /// The plan in force.
    pub fn current(&self) -> Option<Arc<Armed>> {
        self.armed.load_full()
    }

    /// The generation of the plan in force; 0 if there is none. A node whose selection was made under
    /// another has to be matched again.
    pub fn generation(&self) -> u64 {
        self.armed.load().as_ref().map_or(0, |armed| armed.generation())
    }
}

#[cfg(test)]
mod tests;
