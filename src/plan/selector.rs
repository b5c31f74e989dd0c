//! Which operations and which paths a rule looks at.
//!
//! All path patterns of a plan are one automaton; a path is matched once per node and name, an
//! operation with two comparisons. Patterns have been checked before: nothing here can fail late.

use std::ops::Range;
use std::path::Path;

use globset::{Candidate, Glob, GlobSet, GlobSetBuilder};

use super::RuleId;
use crate::op::{Op, OpKind, OpSet};
use crate::scenario::PathPattern;

/// The path patterns of every rule.
#[derive(Clone, Debug)]
pub struct Paths {
    /// One automaton; more only if all the patterns are too large for one.
    sets: Vec<GlobSet>,
    /// For each glob, in the order of the sets: whose it is, and whether it excludes.
    owners: Vec<(RuleId, bool)>,
    /// For each rule: whether it has an including pattern (none: every path is included).
    restricted: Vec<bool>,
}

impl Paths {
    /// Compiles the patterns of the rules, given in file order.
    ///
    /// # Panics
    /// If a pattern cannot be matched with even by itself, which validation refuses.
    pub fn new<'a>(rules: impl Iterator<Item = (RuleId, &'a [PathPattern])>) -> Paths {
        let (mut globs, mut owners, mut restricted) = (Vec::new(), Vec::new(), Vec::new());
        for (rule, patterns) in rules {
            restricted.push(patterns.iter().any(|pattern| !pattern.exclude));
            for pattern in patterns {
                globs.push(pattern.glob.clone());
                owners.push((rule, pattern.exclude));
            }
        }
        let mut sets = Vec::new();
        build(&globs, &mut sets);
        Paths { sets, owners, restricted }
    }

    /// The rules that select a path (relative to the mount's root, any bytes), in file order: any of
    /// their including patterns, or none to include, and no excluding pattern matches.
    pub fn select(&self, path: &Path) -> Vec<RuleId> {
        let mut included: Vec<bool> = self.restricted.iter().map(|some| !some).collect();
        let mut excluded = vec![false; included.len()];
        for (rule, exclude) in self.matches(path) {
            let marks = if exclude { &mut excluded } else { &mut included };
            marks[usize::from(rule.0)] = true;
        }
        (0..=u16::MAX)
            .zip(included.into_iter().zip(excluded))
            .filter(|(_, (included, excluded))| *included && !excluded)
            .map(|(number, _)| RuleId(number))
            .collect()
    }

    /// The owners of the globs that match.
    fn matches(&self, path: &Path) -> impl Iterator<Item = (RuleId, bool)> {
        let candidate = Candidate::new(path);
        let mut before = 0;
        self.sets.iter().flat_map(move |set| {
            let first = before;
            before += set.len();
            let matching = set.matches_candidate(&candidate).into_iter();
            matching.map(move |glob| self.owners[first + glob])
        })
    }
}

/// One automaton of all the globs; two of the halves if that is too large.
fn build(globs: &[Glob], sets: &mut Vec<GlobSet>) {
    let mut builder = GlobSetBuilder::new();
    for glob in globs {
        builder.add(glob.clone());
    }
    match builder.build() {
        Ok(set) => sets.push(set),
        Err(_) if globs.len() > 1 => {
            let (first, second) = globs.split_at(globs.len() / 2);
            build(first, sets);
            build(second, sets);
        }
        Err(error) => panic!("validation builds every pattern by itself: {error}"),
    }
}

/// Which operations on a selected path a rule looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Their kinds; empty for a rule that can never fire.
    pub ops: OpSet,
    /// The bytes that one of them must concern; `None`: any or none.
    pub bytes: Option<Range<u64>>,
}

impl Scope {
    /// Whether the rule looks at the operation. A rule with bytes looks only at operations that
    /// concern some of them: never at one that concerns no bytes at all.
    pub fn covers(&self, op: &Op) -> bool {
        self.ops.contains(op.kind)
            && match self.bytes {
                None => true,
                Some(_) => !self.clip(bytes_of(op)).is_empty(),
            }
    }

    /// What of a byte range is selected.
    pub fn clip(&self, range: Range<u64>) -> Range<u64> {
        match &self.bytes {
            None => range,
            Some(bytes) => range.start.max(bytes.start)..range.end.min(bytes.end),
        }
    }
}

/// The bytes that an operation concerns.
pub fn bytes_of(op: &Op) -> Range<u64> {
    op.offset..op.offset.saturating_add(op.len)
}

/// The kinds that move the bytes of files, and that the kernel may serve from its cache.
pub(super) const TRANSFERS: OpSet = OpSet::EMPTY.with(OpKind::Read).with(OpKind::Write);

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use globset::GlobBuilder;

    use super::*;

    fn pattern(text: &str) -> PathPattern {
        let bare = text.trim_start_matches('!');
        let glob = GlobBuilder::new(bare).literal_separator(true).build();
        PathPattern { glob: glob.unwrap(), exclude: bare != text }
    }

    fn selected(rules: &[&[&str]], path: &[u8]) -> Vec<u16> {
        let rules: Vec<Vec<PathPattern>> =
            rules.iter().map(|texts| texts.iter().map(|text| pattern(text)).collect()).collect();
        let numbered = (0..).map(RuleId).zip(rules.iter().map(Vec::as_slice));
        let paths = Paths::new(numbered);
        let chosen = paths.select(Path::new(OsStr::from_bytes(path)));
        chosen.into_iter().map(|rule| rule.0).collect()
    }

    #[test]
    fn a_path_needs_an_including_pattern_and_no_excluding_one() {
        let rules: [&[&str]; 4] = [&["*.sst", "wal/*"], &["!*.log"], &[], &["**", "!wal/**"]];
        assert_eq!(selected(&rules, b"a.sst"), [0, 1, 2, 3]);
        assert_eq!(selected(&rules, b"a.log"), [2, 3]);
        assert_eq!(selected(&rules, b"wal/a.log"), [0, 1, 2]);
        assert_eq!(selected(&rules, b"wal/deep/a.sst"), [1, 2]);
    }

    #[test]
    fn paths_may_be_any_bytes() {
        let rules: [&[&str]; 2] = [&["*.sst"], &["!*.sst"]];
        assert_eq!(selected(&rules, b"\xff\xfe.sst"), [0]);
        assert_eq!(selected(&rules, b"\xff\xfe.log"), [1]);
        assert_eq!(selected(&rules, b""), [1]);
    }

    fn op(kind: OpKind, offset: u64, len: u64) -> Op {
        Op { kind, offset, len, caller: Default::default() }
    }

    #[test]
    fn bytes_select_only_operations_that_concern_some_of_them() {
        let scope = Scope { ops: OpSet::DATA, bytes: Some(100..200) };
        assert!(scope.covers(&op(OpKind::Read, 0, 101)));
        assert!(scope.covers(&op(OpKind::Write, 199, u64::MAX)));
        assert!(!scope.covers(&op(OpKind::Read, 0, 100)));
        assert!(!scope.covers(&op(OpKind::Read, 200, 9)));
        assert!(!scope.covers(&op(OpKind::Fsync, 0, 0)), "concerns no bytes");
        assert!(!scope.covers(&op(OpKind::Open, 150, 1)), "not selected");
    }
}
