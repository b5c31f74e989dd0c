//! A validated scenario: what a file says once every mistake has been ruled out.
//!
//! Plain data without spans. Reading text is the business of `file` and `validate`; turning this
//! into something that decides is the business of `plan`.

use std::ops::Range;
use std::time::Duration;

use super::{Fault, Preset};
use crate::op::OpSet;

/// A file of rules.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// What the file calls itself.
    pub name: Option<String>,
    /// The root of all randomness; absent: drawn, printed and recorded.
    pub seed: Option<u64>,
    /// Where its figures come from: that of the file, or those of all files that were merged.
    pub presets: Vec<Preset>,
    /// In file order, which is the order in which they are tried.
    pub rules: Vec<Rule>,
}

/// What to do (`fault`), to what (`select`), and when.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Unique in its plan; part of every stream key, so that rules are independent of each other.
    pub name: String,
    /// What mounts share whose damage is to be the same; `None`: each has its own by its id.
    pub domain: Option<String>,
    /// Which operations or stored bytes.
    pub select: Select,
    /// Which of their occurrences.
    pub when: When,
    /// What happens.
    pub fault: Fault,
}

/// Which operations or stored bytes. The default selects everything.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Select {
    /// Glob patterns relative to the mount's root; empty: every path. All of them parse.
    pub paths: Vec<PathPattern>,
    /// Which operations; `None`: all that the fault can concern.
    pub ops: Option<OpSet>,
    /// Half-open byte range of the file; an open end is `u64::MAX`.
    pub bytes: Option<Range<u64>>,
    /// Who must ask.
    pub askers: Askers,
}

/// Who must ask for an operation: one of each list that is not empty. The default is anybody.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Askers {
    /// Filesystem user ids.
    pub uids: Vec<u32>,
    /// Filesystem group ids.
    pub gids: Vec<u32>,
    /// Processes, and all that descend from them.
    pub pids: Vec<u32>,
    /// Names of threads or of their processes.
    pub comms: Vec<String>,
    /// Control groups, and all within them.
    pub cgroups: Vec<String>,
}

impl Askers {
    /// Whether it does not matter who asks.
    pub fn is_anybody(&self) -> bool {
        *self == Askers::default()
    }
}

/// One glob of `select.path`. A path is selected if any including pattern (or no including pattern
/// at all) and no excluding pattern matches it.
#[derive(Clone, Debug, PartialEq)]
pub struct PathPattern {
    /// Without the leading `!`.
    pub glob: globset::Glob,
    /// Whether it was written with a leading `!`.
    pub exclude: bool,
}

/// Why a text is no pattern.
#[derive(Debug, thiserror::Error)]
pub enum GlobError {
    /// It is not a glob, or too large to match with.
    #[error("{}", .0.kind())]
    Glob(#[from] globset::Error),
    /// Groups in groups in groups.
    #[error("too many braces in each other")]
    Deep,
}

/// Braces may be so deep without a look at what the matcher, which takes 250 levels, makes of them:
/// each is at most a group, a list and a sequence there.
const DEEP: usize = 50;
/// And so deep at all: each is at least a group. The parser would go down a stack that ends.
const DEPTH_MAX: usize = 250;

/// When a rule fires. Conditions combine with *and*; the default is: always.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct When {
    /// Which matching operations, counted from 1 by rule since arming; sorted; empty: any.
    pub nth: Vec<u64>,
    /// Every n-th matching operation.
    pub every: Option<u64>,
    /// At most so many times.
    pub times: Option<u64>,
    /// With this probability, 0.0 never to 1.0 always, drawn for each matching operation.
    pub probability: Option<f64>,
    /// Not before this time since arming. Operations outside the window are not counted.
    pub after: Option<Duration>,
    /// For this long, from `after` on.
    pub for_: Option<Duration>,
    /// Now and then, from `after` on.
    pub cycle: Option<Cycle>,
    /// Not before this rule of the same scenario has fired.
    pub after_event: Option<String>,
}

/// Time that comes and goes: `on` first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cycle {
    /// For so long it holds; more than 0.
    pub on: Duration,
    /// For so long it does not; more than 0.
    pub off: Duration,
}

impl Select {
    /// Whether nothing narrows it.
    pub fn is_everything(&self) -> bool {
        *self == Select::default()
    }
}

impl When {
    /// Whether a matching operation fires whatever came before it, at any time.
    pub fn is_always(&self) -> bool {
        let conditions = When {
            probability: self.probability.filter(|probability| *probability < 1.0),
            after: self.after.filter(|after| !after.is_zero()),
            ..self.clone()
        };
        conditions == When::default()
    }
}

impl PathPattern {
    /// The pattern of that text, with a leading `!` if it excludes. `*` does not cross `/`, `**`
    /// does. The glob keeps its options: `globset::GlobSet` over the globs of a rule, asked with
    /// `globset::Candidate::from_bytes` of the path relative to the root, is the matcher.
    pub fn new(text: &str) -> Result<PathPattern, GlobError> {
        let (exclude, glob) = match text.strip_prefix('!') {
            Some(glob) => (true, glob),
            None => (false, text),
        };
        let depth = depth(glob);
        if depth > DEPTH_MAX {
            return Err(GlobError::Deep);
        }
        let glob = globset::GlobBuilder::new(glob)
            .literal_separator(true)
            .empty_alternates(true)
            .build()?;
        let pattern = PathPattern { glob, exclude };
        match PathPattern::can_match(std::slice::from_ref(&pattern)) {
            Ok(()) => Ok(pattern),
            Err(_) if depth > DEEP => Err(GlobError::Deep),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether these patterns can be matched with: a glob can parse and yet be too large for that.
    /// Compiling is all the work of reading a scenario of many rules, so that is tried alone with long
    /// ones, as what a matcher takes grows with the length, by far less than 10 KiB a byte, and may be
    /// 10 MiB; and with deep ones.
    pub(super) fn can_match(patterns: &[PathPattern]) -> Result<(), globset::Error> {
        const LONG: usize = 1_000;
        let len: usize = patterns.iter().map(|pattern| pattern.glob.glob().len()).sum();
        if len > LONG || patterns.iter().any(|pattern| depth(pattern.glob.glob()) > DEEP) {
            let mut set = globset::GlobSetBuilder::new();
            for pattern in patterns {
                set.add(pattern.glob.clone());
            }
            set.build()?;
        }
        Ok(())
    }

    /// The text that gives this pattern back.
    pub fn text(&self) -> String {
        let mark = if self.exclude { "!" } else { "" };
        format!("{mark}{}", self.glob.glob())
    }
}

/// How many braces are open at once, at most.
fn depth(glob: &str) -> usize {
    let (mut open, mut most, mut bytes) = (0_usize, 0, glob.bytes());
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'{' => open += 1,
            b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        most = most.max(open);
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;
    use globset::Candidate;

    fn matches(pattern: &str, path: &[u8]) -> bool {
        let pattern = PathPattern::new(pattern).expect("a glob");
        pattern.glob.compile_matcher().is_match_candidate(&Candidate::from_bytes(path))
    }

    #[test]
    fn a_star_stays_in_its_folder_and_two_do_not() {
        assert!(matches("*.db", b"a.db"));
        assert!(!matches("*.db", b"folder/a.db"));
        assert!(matches("**/*.db", b"a.db"));
        assert!(matches("**/*.db", b"folder/sub/a.db"));
        assert!(!matches("wal/*", b"wal/sub/1"));
        assert!(!matches("a?b", b"a/b"));
        // Documented in scenarios/README.md: a list of bytes is taken as it is written.
        assert!(matches("a[!x]b", b"a/b") && !matches("a[!x/]b", b"a/b"));
        assert!(matches("a{,.bak}", b"a") && matches("a{,.bak}", b"a.bak"));
    }

    #[test]
    fn every_pattern_of_deep_braces_that_is_accepted_can_be_matched_with() {
        let mut accepted = 0;
        for deep in (1..=260).chain([100_000]) {
            for (start, end) in [("{", "}"), ("{a{x,y},", "}"), ("{a?,b*", ",c}")] {
                let text = format!("{}a,b{}", start.repeat(deep), end.repeat(deep));
                let Ok(pattern) = PathPattern::new(&text) else { continue };
                let mut set = globset::GlobSetBuilder::new();
                set.add(pattern.glob);
                assert!(set.build().is_ok(), "{text}");
                accepted += 1;
            }
        }
        assert!(accepted > 200, "{accepted}");
        assert!(PathPattern::new(&"\\{".repeat(300)).is_ok());
    }

    #[test]
    fn names_are_bytes() {
        assert!(matches("*.db", b"\xff\n.db"));
        assert!(!matches("*.DB", b"a.db"));
        assert!(matches("\\!a", b"!a"));
    }

    #[test]
    fn a_condition_that_always_holds_is_none() {
        let always =
            When { probability: Some(1.0), after: Some(Duration::ZERO), ..When::default() };
        assert!(always.is_always());
        let never = When { probability: Some(0.0), ..When::default() };
        assert!(!never.is_always());
    }
}
