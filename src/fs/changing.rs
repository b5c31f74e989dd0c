//! A change of the plan while it is under way: pages in the kernel's cache that were filled under
//! the plan that goes, and those that were filled since.
//!
//! A page that a program has mapped and changed comes back whole, damage included. Which damage,
//! says the plan under which it was filled: so that until the kernel has dropped all older pages,
//! what is filled meanwhile is kept as it was served, and everything else is the outgoing plan's.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

use super::NodeId;
use super::cached_pages::CachedPages;
use crate::injector::Armed;

/// What the kernel can be told.
pub trait Kernel: std::fmt::Debug + Send + Sync {
    /// To drop what it has cached of a file, after writing back what was changed of it. Waits for
    /// requests that hold pages of the file: never to be called by a thread that answers requests.
    fn forget_pages(&self, id: NodeId);
}

/// A change.
#[derive(Debug)]
pub(super) struct Change {
    /// The plan that goes.
    pub(super) outgoing: Option<Arc<Armed>>,
    /// What pages hold that were filled since the change began.
    pub(super) refilled: CachedPages,
}

/// The change that is under way, if one is.
#[derive(Debug, Default)]
pub(super) struct Changing {
    now: ArcSwapOption<Change>,
}

impl Changing {
    /// This plan is about to go.
    pub(super) fn begin(&self, outgoing: Option<Arc<Armed>>) {
        let refilled = CachedPages::default();
        self.now.store(Some(Arc::new(Change { outgoing, refilled })));
    }

    /// No page is left of the plan that went.
    pub(super) fn end(&self) {
        self.now.store(None);
    }

    pub(super) fn get(&self) -> Option<Arc<Change>> {
        self.now.load_full()
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.now.load().is_some()
    }
}
