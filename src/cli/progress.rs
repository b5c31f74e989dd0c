//! How far a drill is, on stderr: a line that changes on a terminal, elsewhere one now and then.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use crate::report::Summary;
use crate::trial::Verdict;

/// Off a terminal, logs get a line no more often than this.
const PAUSE: Duration = Duration::from_secs(10);

/// How far it is.
#[derive(Debug)]
pub(super) struct Progress {
    on_terminal: bool,
    told: Instant,
}

impl Progress {
    /// Nothing is told yet.
    pub(super) fn new() -> Progress {
        Progress { on_terminal: std::io::stderr().is_terminal(), told: Instant::now() }
    }

    /// Tells how far it is.
    pub(super) fn tell(&mut self, summary: &Summary) {
        let line = line(summary);
        if self.on_terminal {
            // Nobody to read it is no reason to stop.
            let _ = write!(std::io::stderr(), "\r\x1b[2K{line}");
        } else if self.told.elapsed() >= PAUSE {
            super::eprint(&line);
            self.told = Instant::now();
        }
    }

    /// Leaves the terminal's line free for what comes next.
    pub(super) fn end(&self) {
        if self.on_terminal {
            let _ = write!(std::io::stderr(), "\r\x1b[2K");
        }
    }
}

fn line(summary: &Summary) -> String {
    let counts: Vec<String> = Verdict::ALL
        .into_iter()
        .map(|verdict| (verdict.name(), summary.count(verdict)))
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    format!("{} of {} trials: {}", summary.trials.len(), summary.planned, counts.join(", "))
}
