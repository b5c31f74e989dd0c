//! What an armed plan counts: for every rule, and for every rule that draws per path, on each path.
//!
//! Atomics in maps that are cut into shards: no lock is held while anything is computed.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use crate::plan::RuleKey;
use crate::plan::seed::StreamKey;

/// Locks of the map of paths.
const SHARDS: usize = 64;

/// How often a rule was asked and answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counts {
    /// Operations that it selects, inside its time window.
    pub matched: u64,
    /// Those of them on which `nth`, `every` and `probability` held.
    pub considered: u64,
    /// Operations to which it did something.
    pub fired: u64,
}

/// The counters of one rule.
#[derive(Debug, Default)]
pub(super) struct RuleCounters {
    matched: AtomicU64,
    considered: AtomicU64,
    fired: AtomicU64,
    /// When the operation came that it fired at first, since arming.
    first: OnceLock<Duration>,
    /// Whether it selected the path of any operation so far.
    reached: AtomicBool,
    /// When it fired, since arming: of a fault that stays.
    pub(super) begun: OnceLock<Duration>,
    /// Until when it is busy, in nanoseconds since arming: of a limit of bytes in time.
    busy: AtomicU64,
}

impl RuleCounters {
    /// Counts a matching operation; its number, from 1.
    pub(super) fn count(&self) -> u64 {
        self.matched.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Counts an operation on which the conditions held, of a rule that has any.
    pub(super) fn consider(&self) {
        self.considered.fetch_add(1, Ordering::Relaxed);
    }

    /// It selects a path that something was done to.
    pub(super) fn reach(&self) {
        if !self.reached.load(Ordering::Relaxed) {
            self.reached.store(true, Ordering::Relaxed);
        }
    }

    /// Whether it did.
    pub(super) fn is_reached(&self) -> bool {
        self.reached.load(Ordering::Relaxed)
    }

    /// Counts a fire at an operation that came at `now`, unless there have been `times` of them
    /// already.
    pub(super) fn fire(&self, times: Option<u64>, now: Duration) -> bool {
        let limit = times.unwrap_or(u64::MAX);
        let below = |fired| (fired < limit).then_some(fired + 1);
        let fired = self.fired.fetch_update(Ordering::Relaxed, Ordering::Relaxed, below).is_ok();
        if fired && self.first.get().is_none() {
            let _ = self.first.set(now);
        }
        fired
    }

    /// Whether it has fired at an operation that came before `now`.
    pub(super) fn fired_before(&self, now: Duration) -> bool {
        self.first.get().is_some_and(|first| *first < now)
    }

    /// Makes it busy for longer; until when, since arming.
    pub(super) fn busy_until(&self, longer: impl Fn(Duration) -> Duration) -> Duration {
        let mut until = Duration::ZERO;
        let next = |busy: u64| {
            until = longer(Duration::from_nanos(busy));
            Some(u64::try_from(until.as_nanos()).unwrap_or(u64::MAX))
        };
        let _ = self.busy.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        until
    }

    /// Goes on from these counts.
    pub(super) fn go_on(&self, matched: u64, fired: u64) {
        self.matched.store(matched, Ordering::Relaxed);
        self.fired.store(fired, Ordering::Relaxed);
    }

    /// `conditional`: whether there are conditions; without any, each operation is considered.
    pub(super) fn counts(&self, conditional: bool) -> Counts {
        let matched = self.matched.load(Ordering::Relaxed);
        Counts {
            matched,
            considered: if conditional { self.considered.load(Ordering::Relaxed) } else { matched },
            fired: self.fired.load(Ordering::Relaxed),
        }
    }
}

/// One rule on one path: its streams, and how many operations of this path have matched it.
#[derive(Debug)]
pub(super) struct PathStream {
    pub(super) probability: StreamKey,
    pub(super) fault: StreamKey,
    matched: AtomicU64,
}

impl PathStream {
    pub(super) fn new(probability: StreamKey, fault: StreamKey) -> PathStream {
        PathStream { probability, fault, matched: AtomicU64::new(0) }
    }

    /// Counts a matching operation; its number on this path, from 1.
    pub(super) fn count(&self) -> u64 {
        self.matched.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// The streams of one path: of the rules that asked for one so far.
pub(super) type Streams = Arc<[(RuleKey, Arc<PathStream>)]>;

/// The streams of every path that needed one.
#[derive(Debug)]
pub(super) struct PathStreams {
    shards: [RwLock<HashMap<Box<Path>, Streams>>; SHARDS],
    hasher: std::hash::RandomState,
}

impl Default for PathStreams {
    fn default() -> PathStreams {
        PathStreams {
            shards: std::array::from_fn(|_| RwLock::default()),
            hasher: std::hash::RandomState::new(),
        }
    }
}

impl PathStreams {
    /// What is known of a path.
    pub(super) fn of(&self, path: &Path) -> Option<Streams> {
        let shard = self.shard(path).read().unwrap_or_else(PoisonError::into_inner);
        shard.get(path).cloned()
    }

    /// Adds a rule's stream to a path, unless somebody else was faster; what is known then.
    pub(super) fn add(&self, path: &Path, rule: RuleKey, stream: PathStream) -> Streams {
        let mut shard = self.shard(path).write().unwrap_or_else(PoisonError::into_inner);
        let known = shard.entry(path.into()).or_insert_with(|| Arc::from([]));
        if find(known, rule).is_none() {
            let added = (rule, Arc::new(stream));
            *known = known.iter().cloned().chain([added]).collect();
        }
        Arc::clone(known)
    }

    /// Of rules that are no longer part of the plan nothing is kept.
    pub(super) fn forget_rules(&self, gone: impl Fn(RuleKey) -> bool) {
        for shard in &self.shards {
            let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
            shard.retain(|_, streams| {
                *streams = streams.iter().filter(|(rule, _)| !gone(*rule)).cloned().collect();
                !streams.is_empty()
            });
        }
    }

    // Which shard and which place in it decide nothing but speed: the hash may be random.
    fn shard(&self, path: &Path) -> &RwLock<HashMap<Box<Path>, Streams>> {
        use std::hash::BuildHasher;
        use std::os::unix::ffi::OsStrExt;
        let hash = self.hasher.hash_one(path.as_os_str().as_bytes());
        &self.shards[hash as usize % SHARDS]
    }
}

/// The stream of one rule.
pub(super) fn find(streams: &Streams, rule: RuleKey) -> Option<&Arc<PathStream>> {
    streams.iter().find(|(known, _)| *known == rule).map(|(_, stream)| stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_caps_fires_exactly_even_when_threads_race() {
        let counters = RuleCounters::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    (0..1_000).filter(|_| counters.fire(Some(1_500), Duration::ZERO)).count()
                });
            }
        });
        assert_eq!(counters.counts(true).fired, 1_500);
    }

    #[test]
    fn a_path_keeps_its_counts_when_another_rule_joins() {
        let streams = PathStreams::default();
        let stream = || PathStream::new(StreamKey::from_u64(1), StreamKey::from_u64(2));
        let path = Path::new("a");
        let known = streams.add(path, RuleKey(0), stream());
        find(&known, RuleKey(0)).unwrap().count();
        let known = streams.add(path, RuleKey(1), stream());
        assert_eq!(find(&known, RuleKey(0)).unwrap().count(), 2);
        streams.add(path, RuleKey(0), stream());
        assert_eq!(streams.of(path).unwrap().len(), 2);
        assert!(streams.of(Path::new("b")).is_none());
    }
}
