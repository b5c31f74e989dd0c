//! Which rules a path is selected by: matched once per node and name, not once per operation.
//!
//! Patterns have been checked before: nothing here can fail late. They are sorted by the literal text
//! with which they begin, so that of a thousand rules about a thousand directories only those are
//! tried that could match.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::OnceLock;

use globset::{Candidate, Glob, GlobSet, GlobSetBuilder};

use super::RuleId;
use crate::scenario::PathPattern;

/// The path patterns of every rule.
#[derive(Clone, Debug)]
pub struct Paths {
    /// Patterns that begin with the same literal text, by that text.
    groups: HashMap<Vec<u8>, Group>,
    /// The lengths of these texts, each once, rising.
    lengths: Vec<usize>,
    /// Rules without an including pattern: every path is included.
    unrestricted: Vec<RuleId>,
}

/// Patterns that are tried together, and for each whose it is and whether it excludes.
#[derive(Clone, Debug, Default)]
struct Group {
    globs: Vec<Glob>,
    owners: Vec<(RuleId, bool)>,
    /// One automaton; more only if all the globs are too large for one. Made when a path first
    /// comes this way: of a thousand patterns few are ever tried.
    sets: OnceLock<Vec<GlobSet>>,
}

impl Paths {
    /// Sorts the patterns of the rules, given in file order.
    pub fn new<'a>(rules: impl Iterator<Item = (RuleId, &'a [PathPattern])>) -> Paths {
        let mut groups: HashMap<Vec<u8>, Group> = HashMap::new();
        let mut unrestricted = Vec::new();
        for (rule, patterns) in rules {
            if patterns.iter().all(|pattern| pattern.exclude) {
                unrestricted.push(rule);
            }
            for pattern in patterns {
                let group = groups.entry(literal_start(pattern.glob.glob()).into()).or_default();
                group.globs.push(pattern.glob.clone());
                group.owners.push((rule, pattern.exclude));
            }
        }
        let mut lengths: Vec<usize> = groups.keys().map(Vec::len).collect();
        lengths.sort_unstable();
        lengths.dedup();
        Paths { groups, lengths, unrestricted }
    }

    /// The rules that select a path (relative to the mount's root, any bytes), in file order: any of
    /// their including patterns, or none to include, and no excluding pattern matches.
    ///
    /// # Panics
    /// If a pattern cannot be matched with even by itself, which validation refuses.
    pub fn select(&self, path: &Path) -> Vec<RuleId> {
        let mut chosen = self.unrestricted.clone();
        let mut excluded = Vec::new();
        for (rule, exclude) in self.matches(path) {
            if exclude { excluded.push(rule) } else { chosen.push(rule) }
        }
        chosen.sort_unstable();
        chosen.dedup();
        chosen.retain(|rule| !excluded.contains(rule));
        chosen
    }

    /// The owners of the globs that match.
    fn matches(&self, path: &Path) -> impl Iterator<Item = (RuleId, bool)> {
        let (candidate, bytes) = (Candidate::new(path), path.as_os_str().as_bytes());
        let starts = self.lengths.iter().map_while(move |length| bytes.get(..*length));
        let groups = starts.filter_map(|start| self.groups.get(start));
        groups.flat_map(move |group| group.matches(&candidate))
    }
}

impl Group {
    fn sets(&self) -> &[GlobSet] {
        self.sets.get_or_init(|| {
            let mut sets = Vec::new();
            build(&self.globs, &mut sets);
            sets
        })
    }

    fn matches(&self, path: &Candidate<'_>) -> Vec<(RuleId, bool)> {
        let (mut before, mut matching) = (0, Vec::new());
        for set in self.sets() {
            let globs = set.matches_candidate(path);
            matching.extend(globs.into_iter().map(|glob| self.owners[before + glob]));
            before += set.len();
        }
        matching
    }
}

/// What every path that a glob matches begins with.
fn literal_start(glob: &str) -> &[u8] {
    let end = glob.find(['*', '?', '[', '{', '\\']).unwrap_or(glob.len());
    &glob.as_bytes()[..end]
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

    #[test]
    fn what_a_pattern_begins_with_does_not_change_what_it_matches() {
        let rules: [&[&str]; 5] =
            [&["a/b/*.db"], &["a/**"], &["a{x,y}/b/*"], &["a/b/c.db"], &["[a]/b/c.*"]];
        assert_eq!(selected(&rules, b"a/b/c.db"), [0, 1, 3, 4]);
        assert_eq!(selected(&rules, b"ax/b/c.db"), [2]);
        assert_eq!(selected(&rules, b"a/b"), [1]);
        assert_eq!(selected(&rules, b"a"), [] as [u16; 0]);
    }
}
