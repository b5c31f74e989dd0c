//! The medium below one file: its identity, its write generations, and the stream keys of the rules
//! that damage it, so that no operation has to hash a path.

use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use arc_swap::ArcSwapOption;

use super::Generations;
use crate::plan::RuleId;
use crate::plan::seed::StreamKey;

/// The medium below one file.
#[derive(Debug)]
pub struct Medium {
    /// By rule name: under which path each rule first looked at the bytes.
    identities: RwLock<Vec<(String, Arc<Path>)>>,
    keys: ArcSwapOption<Keys>,
    /// Set before the first generation is recorded; spares every look at a pristine file the lock.
    overwritten: AtomicBool,
    generations: RwLock<Generations>,
    /// Bytes of the file, as `fs` said last; `u64::MAX`: it has not.
    len: AtomicU64,
    born: AtomicBool,
}

/// Stream keys under one armed plan.
#[derive(Clone, Debug)]
struct Keys {
    armed: u64,
    keys: Vec<(RuleId, StreamKey)>,
}

impl Default for Medium {
    fn default() -> Medium {
        Medium {
            identities: RwLock::default(),
            keys: ArcSwapOption::empty(),
            overwritten: AtomicBool::new(false),
            generations: RwLock::default(),
            len: AtomicU64::new(u64::MAX),
            born: AtomicBool::new(false),
        }
    }
}

impl Medium {
    /// The path by which a rule knows the file; `first` if it has not looked at its bytes before.
    pub fn identity(&self, rule: &str, first: impl FnOnce() -> Arc<Path>) -> Arc<Path> {
        if let Some(known) = self.known(rule) {
            return known;
        }
        let first = first();
        let mut identities = self
            .identities
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        match identities.iter().find(|(known, _)| known == rule) {
            Some((_, known)) => known.clone(),
            None => {
                identities.push((rule.to_owned(), first.clone()));
                first
            }
        }
    }

    /// Whether a rule has looked at the bytes of the file.
    pub fn is_known_to(&self, rule: &str) -> bool {
        self.known(rule).is_some()
    }

    fn known(&self, rule: &str) -> Option<Arc<Path>> {
        let identities = self
            .identities
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        identities
            .iter()
            .find(|(known, _)| known == rule)
            .map(|(_, path)| path.clone())
    }

    /// The key of a rule's stream for this file, derived once for each armed plan (by its number).
    pub fn key(&self, armed: u64, rule: RuleId, derive: impl FnOnce() -> StreamKey) -> StreamKey {
        let known = self.keys.load();
        let current = known.as_deref().filter(|keys| keys.armed == armed);
        let keys = current.map_or(&[][..], |keys| &keys.keys);
        match keys.iter().find(|(known, _)| *known == rule) {
            Some((_, key)) => *key,
            None => self.learn(armed, keys, rule, derive()),
        }
    }

    /// Two threads may each learn a key and one forget the other's: it is derived again, equal.
    fn learn(
        &self,
        armed: u64,
        known: &[(RuleId, StreamKey)],
        rule: RuleId,
        key: StreamKey,
    ) -> StreamKey {
        let mut keys = known.to_vec();
        keys.push((rule, key));
        self.keys.store(Some(Arc::new(Keys { armed, keys })));
        key
    }

    /// Whether every byte is as first stored.
    pub fn is_pristine(&self) -> bool {
        !self.overwritten.load(Ordering::Acquire)
    }

    /// The generations of a byte range, in order, without gaps: how often each byte has been
    /// overwritten since it was first stored.
    pub fn generations(&self, range: Range<u64>) -> Vec<(Range<u64>, u32)> {
        let generations = self
            .generations
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        generations.pieces(range)
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
        let mut generations = self
            .generations
            .write()
            .unwrap_or_else(PoisonError::into_inner);
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

    /// Whether the file was created through the mount: places chosen at arming are not its own.
    pub fn is_born(&self) -> bool {
        self.born.load(Ordering::Relaxed)
    }

    pub(super) fn set_born(&self) {
        self.born.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_look_binds_the_identity() {
        let medium = Medium::default();
        let look = |rule, path: &str| medium.identity(rule, || Path::new(path).into());
        assert_eq!(*look("a", "x.tmp"), *Path::new("x.tmp"));
        assert_eq!(*look("a", "x"), *Path::new("x.tmp"));
        assert_eq!(
            *look("b", "x"),
            *Path::new("x"),
            "rules do not depend on each other"
        );
    }

    #[test]
    fn keys_are_derived_once_for_each_rule_and_armed_plan() {
        let medium = Medium::default();
        let key = |armed, rule, number| {
            medium
                .key(armed, RuleId(rule), || StreamKey::from_u64(number))
                .to_u64()
        };
        assert_eq!(
            [key(1, 0, 10), key(1, 3, 13), key(1, 0, 99), key(1, 3, 99)],
            [10, 13, 10, 13]
        );
        assert_eq!([key(2, 0, 20), key(2, 0, 99)], [20, 20]);
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
