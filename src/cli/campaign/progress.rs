//! How far a campaign is, and how long it will take, on stderr.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use super::super::eprint;
use crate::campaign::TrialLine;
use crate::trial::Verdict;

/// Off a terminal, logs get a line no more often than this.
const PAUSE: Duration = Duration::from_secs(30);

/// How far it is.
#[derive(Debug)]
pub(super) struct Progress {
    on_terminal: bool,
    told: Instant,
    start: Instant,
    todo: usize,
    done: usize,
    counts: BTreeMap<Verdict, u64>,
}

impl Progress {
    /// So many trials are to be run.
    pub(super) fn new(todo: usize) -> Progress {
        let on_terminal = std::io::stderr().is_terminal();
        let now = Instant::now();
        Progress { on_terminal, told: now, start: now, todo, done: 0, counts: BTreeMap::new() }
    }

    /// One more has ended.
    pub(super) fn tell(&mut self, line: &TrialLine) {
        self.done += 1;
        *self.counts.entry(line.verdict).or_default() += 1;
        if self.on_terminal {
            // Nobody to read it is no reason to stop.
            let _ = write!(std::io::stderr(), "\r\x1b[2K{}", self.line());
        } else if self.told.elapsed() >= PAUSE {
            eprint(&self.line());
            self.told = Instant::now();
        }
    }

    /// Leaves the terminal's line free for what comes next.
    pub(super) fn end(&self) {
        if self.on_terminal {
            let _ = write!(std::io::stderr(), "\r\x1b[2K");
        }
    }

    fn line(&self) -> String {
        let left = (self.todo - self.done.min(self.todo)) as u32;
        let each = self.start.elapsed() / (self.done.max(1) as u32);
        let minutes = (each * left).as_secs().div_ceil(60);
        let counts: Vec<String> = self
            .counts
            .iter()
            .map(|(verdict, count)| format!("{count} {}", verdict.name()))
            .collect();
        let (done, todo) = (self.done, self.todo);
        format!("{done} of {todo} trials, about {minutes} min left: {}", counts.join(", "))
    }
}
