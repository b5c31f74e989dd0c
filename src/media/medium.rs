//! The medium below one file: its write generations, and under which name and key each rule damages
//! it, so that no operation has to hash a path and a rename changes nothing.

use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use arc_swap::ArcSwapOption;

use super::{Behind, Earlier, Generations, Unsynced};
use crate::plan::RuleKey;
use crate::plan::seed::StreamKey;

/// The medium below one file.
#[derive(Debug)]
pub struct Medium {
    bound: ArcSwapOption<Bound>,
    /// Set before the first generation is recorded; spares every look at a pristine file the lock.
    overwritten: AtomicBool,
    generations: RwLock<Generations>,
    /// Bytes of the file, as `fs` said last; `u64::MAX`: it has not.
    len: AtomicU64,
    /// In which generation of the plan the file was created, and one more; 0: it was there before.
    born: AtomicU64,
    /// Whether a rule has been bound since somebody asked.
    news: AtomicBool,
    behind: Behind,
    unsynced: Unsynced,
    earlier: Earlier,
}

/// What the rules of the armed plan know of the file.
#[derive(Debug, Default)]
struct Bound {
    rules: Vec<Binding>,
}

/// The stream of one rule for one file.
#[derive(Clone, Debug)]
pub struct Binding {
    /// The rule.
    pub rule: RuleKey,
    /// The path that keys the damage.
    pub identity: Arc<Path>,
    /// The key made of it.
    pub key: StreamKey,
}

impl Default for Medium {
    fn default() -> Medium {
        Medium {
            bound: ArcSwapOption::empty(),
            overwritten: AtomicBool::new(false),
            generations: RwLock::default(),
            len: AtomicU64::new(u64::MAX),
            born: AtomicU64::new(0),
            news: AtomicBool::new(false),
            behind: Behind::default(),
            unsynced: Unsynced::default(),
            earlier: Earlier::default(),
        }
    }
}

impl Medium {
    /// A rule's stream for this file: bound to `origin` at the first look, and to that path for as
    /// long as the rule stays as it is and the medium lives.
    pub fn bind(
        &self,
        rule: RuleKey,
        origin: &Path,
        derive: impl Fn(&Path) -> StreamKey,
    ) -> StreamKey {
        if let Some(key) = self.bound(rule, |binding| binding.key) {
            return key;
        }
        let made = Binding { rule, identity: Arc::from(origin), key: derive(origin) };
        self.bound.rcu(|bound| Some(Arc::new(Bound::with(bound.as_deref(), &made))));
        self.news.store(true, Ordering::Release);
        // Of two threads the first one has bound it.
        self.bound(rule, |binding| binding.key).unwrap_or(made.key)
    }

    /// The path that a rule has been bound to.
    pub fn identity(&self, rule: RuleKey) -> Option<Arc<Path>> {
        self.bound(rule, |binding| Arc::clone(&binding.identity))
    }

    /// Whether a rule has been bound since this was asked last.
    pub fn has_news(&self) -> bool {
        self.news.load(Ordering::Acquire) && self.news.swap(false, Ordering::AcqRel)
    }

    /// All rules that are bound, with their paths.
    pub fn bindings(&self) -> Vec<(RuleKey, Arc<Path>)> {
        let bound = self.bound.load();
        let rules = bound.as_deref().map_or(&[][..], |bound| &bound.rules);
        rules.iter().map(|binding| (binding.rule, Arc::clone(&binding.identity))).collect()
    }

    /// Goes on with what an earlier mount knew of its generations.
    pub fn recall(&self, generations: Generations) {
        self.overwritten.store(true, Ordering::Release);
        *self.generations.write().unwrap_or_else(PoisonError::into_inner) = generations;
    }

    /// Whether it ever had not all that was written.
    pub fn ever_lost(&self) -> bool {
        self.behind.was_ever() || self.unsynced.was_ever()
    }

    fn bound<T>(&self, rule: RuleKey, take: impl FnOnce(&Binding) -> T) -> Option<T> {
        self.bound.load().as_deref()?.find(rule).map(take)
    }

    /// Of rules that are no longer part of the plan nothing is remembered.
    pub fn forget_rules(&self, gone: impl Fn(RuleKey) -> bool) {
        self.bound.rcu(|bound| {
            let rules = bound.as_deref().map_or(&[][..], |bound| &bound.rules);
            let rules = rules.iter().filter(|binding| !gone(binding.rule)).cloned().collect();
            Some(Arc::new(Bound { rules }))
        });
        self.behind.forget(|loss| gone(loss.rule));
        self.unsynced.forget(|loss| gone(loss.rule));
    }

    /// Whether every byte is as first stored.
    pub fn is_pristine(&self) -> bool {
        !self.overwritten.load(Ordering::Acquire)
    }

    /// The generations of a byte range, in order, without gaps: how often each byte has been
    /// overwritten since it was first stored.
    pub fn generations(&self, range: Range<u64>) -> Vec<(Range<u64>, u32)> {
        let generations = self.generations.read().unwrap_or_else(PoisonError::into_inner);
        generations.pieces(range)
    }

    /// The same of a range that is about to be written, as it will be then, if [`Medium::len`] is
    /// how many bytes the file has.
    pub fn generations_after(&self, range: Range<u64>) -> Vec<(Range<u64>, u32)> {
        let generations = self.generations.read().unwrap_or_else(PoisonError::into_inner);
        generations.after(range, self.len())
    }

    /// `range` was written while the file had `size_before` bytes: what was stored there before is
    /// overwritten; what lies beyond is stored for the first time.
    pub fn written(&self, range: Range<u64>, size_before: u64) {
        self.set_len(size_before.max(range.end));
        self.replace(range, size_before);
    }

    /// `range` was cut off, punched or zeroed while the file had `size_before` bytes.
    pub fn discarded(&self, range: Range<u64>, size_before: u64) {
        self.set_len(size_before);
        self.replace(range, size_before);
    }

    fn replace(&self, range: Range<u64>, size_before: u64) {
        if range.is_empty() || range.start >= size_before {
            return;
        }
        self.overwritten.store(true, Ordering::Release);
        let mut generations = self.generations.write().unwrap_or_else(PoisonError::into_inner);
        generations.replace(range, size_before);
    }

    /// Says how many bytes the file has. A write up to its end covers its last sector, which is not
    /// known otherwise until the first write or cut.
    pub fn set_len(&self, len: u64) {
        self.len.store(len, Ordering::Relaxed);
    }

    /// How many bytes the file has; `u64::MAX` if nobody has said.
    pub fn len(&self) -> u64 {
        self.len.load(Ordering::Relaxed)
    }

    /// Whether the file has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where it has not got what was written.
    pub fn behind(&self) -> &Behind {
        &self.behind
    }

    /// What has been written to the file and not written back.
    pub fn unsynced(&self) -> &Unsynced {
        &self.unsynced
    }

    /// What was there before it was overwritten, of a file of which somebody wants to know.
    pub fn earlier(&self) -> &Earlier {
        &self.earlier
    }

    /// Whether it has all that was written.
    pub fn has_all(&self) -> bool {
        self.behind.is_empty() && self.unsynced.is_empty()
    }

    /// Whether the file was created through the mount: places chosen at arming are not its own.
    pub fn is_born(&self) -> bool {
        self.born_in().is_some()
    }

    /// Under which generation of the plan it was.
    pub fn born_in(&self) -> Option<u64> {
        self.born.load(Ordering::Relaxed).checked_sub(1)
    }

    pub(super) fn set_born(&self, generation: u64) {
        self.born.store(generation + 1, Ordering::Relaxed);
    }
}

impl Bound {
    fn find(&self, rule: RuleKey) -> Option<&Binding> {
        self.rules.iter().find(|binding| binding.rule == rule)
    }

    /// What was known, and one binding more.
    fn with(before: Option<&Bound>, binding: &Binding) -> Bound {
        let mut rules = before.map_or_else(Vec::new, |bound| bound.rules.clone());
        if rules.iter().all(|known| known.rule != binding.rule) {
            rules.push(binding.clone());
        }
        Bound { rules }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_look_binds_a_rule_to_a_path_until_the_rule_is_gone() {
        let medium = Medium::default();
        let bind = |rule, path: &str| {
            let length = |path: &Path| StreamKey::from_u64(path.as_os_str().len() as u64);
            medium.bind(RuleKey(rule), Path::new(path), length).to_u64()
        };
        assert_eq!([bind(0, "x.tmp"), bind(3, "x"), bind(0, "x")], [5, 1, 5]);
        assert_eq!(medium.identity(RuleKey(0)).as_deref(), Some(Path::new("x.tmp")));
        assert_eq!(medium.identity(RuleKey(1)), None);
        medium.forget_rules(|rule| rule == RuleKey(0));
        assert_eq!([bind(0, "x"), bind(0, "y.tmp"), bind(3, "y")], [1, 1, 1]);
    }

    #[test]
    fn a_medium_knows_the_length_that_it_was_told() {
        let medium = Medium::default();
        assert_eq!(medium.len(), u64::MAX);
        medium.written(10..20, 15);
        assert_eq!(medium.len(), 20);
        assert!(!medium.is_pristine());
    }
}
