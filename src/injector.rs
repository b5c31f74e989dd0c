//! The armed plan: atomic swap, counters, `decide`. No input, output or clock of its own.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::media::Medium;
use crate::op::{Op, OpSet};
use crate::plan::{Decision, Flip, RuleId, Unreadable};

/// What the plan may do to the data of one file, which decides how it is opened (README, caches).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DataAccess {
    /// Nothing, ever.
    Untouched,
    /// Sticky or permanent bit flips only: what the kernel caches stays true.
    Sticky,
    /// Something that counts or times accesses, fails or delays them: every one must be seen.
    Counted,
}

/// The rules that select one path: matched once per node and name, not once per operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// In file order.
    pub rules: Arc<[RuleId]>,
    /// What they may do to the file's data.
    pub access: DataAccess,
    /// The operations that any of them looks at: for all others `decide` need not be called.
    pub ops: OpSet,
    /// Whether any of them damages stored bytes, so that the file needs a [`Medium`].
    pub medium: bool,
}

/// The file that an operation is on.
#[derive(Debug)]
pub struct Target<'a> {
    /// The rules that select it.
    pub selection: &'a Selection,
    /// Its path, relative to the root, for rules that draw per path.
    pub path: &'a Path,
    /// The path that keys its stored damage: at arming, for files that were there; the present one
    /// for files created since (bound at the first look).
    pub origin: &'a Path,
    /// Its medium; `None` if `selection.medium` is false.
    pub medium: Option<&'a Medium>,
}

/// A plan that is in force.
#[derive(Debug)]
pub struct Armed {}

impl Armed {
    /// Which rules select this path (relative to the root, no leading slash, root itself is empty).
    pub fn select(&self, _path: &Path) -> Selection {
        unimplemented!()
    }

    /// What happens to this operation, `now` after arming. Counts it.
    pub fn decide(&self, _op: &Op, _target: &Target<'_>, _now: Duration) -> Decision {
        unimplemented!()
    }

    /// All stored damage in a byte range as of now, without counting anything: for `preview`, and
    /// for what an overwrite repairs.
    pub fn damage(
        &self,
        _range: std::ops::Range<u64>,
        _target: &Target<'_>,
    ) -> (Vec<Flip>, Vec<Unreadable>) {
        unimplemented!()
    }
}

impl Armed {
    /// a
    pub fn generation(&self) -> u64 {
        0
    }
    /// a
    pub fn ops(&self) -> OpSet {
        OpSet::EMPTY
    }
    /// a
    pub fn damages_media(&self) -> bool {
        false
    }
    /// a
    pub fn select_file(&self, path: &Path, _origin: &Path, _medium: Option<&Medium>) -> Selection {
        self.select(path)
    }
    /// a
    pub fn rule_name(&self, _rule: RuleId) -> &str {
        ""
    }
    /// a
    pub fn fault_name(&self, _rule: RuleId) -> &'static str {
        ""
    }
    /// a
    pub fn identity(&self, _rule: RuleId, _target: &Target<'_>) -> Option<Arc<Path>> {
        None
    }
    /// a
    pub fn flip_id(&self, _flip: &Flip, _identity: Option<&Path>) -> String {
        String::new()
    }
    /// a
    pub fn sector_id(&self, _bad: &Unreadable, _identity: Option<&Path>) -> String {
        String::new()
    }
}
impl Selection {
    /// a
    pub fn union(&self, _other: &Selection) -> Selection {
        self.clone()
    }
}
/// a
#[derive(Debug, Default)]
pub struct Injector {}
impl Injector {
    /// a
    pub fn current(&self) -> Option<Arc<Armed>> {
        None
    }
}
