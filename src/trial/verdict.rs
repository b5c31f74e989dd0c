//! The verdict: what a trial showed. A total function of what was seen.

use serde::{Deserialize, Serialize};

use super::{Answer, End, Golden, Observation, Seen};
use crate::scenario::Detect;

/// What a trial showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It said so, refused or failed cleanly.
    Detected,
    /// The right answer, and it said so.
    Corrected,
    /// The right answer, and nothing said.
    Benign,
    /// A wrong answer, and nothing said.
    SilentCorruption,
    /// A part of the right answer, and nothing said of the rest.
    DataLoss,
    /// No answer, and nothing said that the predicates know.
    Unavailable,
    /// A signal killed it.
    Crash,
    /// It did not end in time.
    Hang,
    /// The fault was never read.
    NotActivated,
    /// errorfs itself failed.
    Inconclusive,
}

impl Verdict {
    /// Every verdict, in the order of reports.
    pub const ALL: [Verdict; 10] = [
        Verdict::Detected,
        Verdict::Corrected,
        Verdict::Benign,
        Verdict::SilentCorruption,
        Verdict::DataLoss,
        Verdict::Unavailable,
        Verdict::Crash,
        Verdict::Hang,
        Verdict::NotActivated,
        Verdict::Inconclusive,
    ];

    /// As reports write it.
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Detected => "detected",
            Verdict::Corrected => "corrected",
            Verdict::Benign => "benign",
            Verdict::SilentCorruption => "silent_corruption",
            Verdict::DataLoss => "data_loss",
            Verdict::Unavailable => "unavailable",
            Verdict::Crash => "crash",
            Verdict::Hang => "hang",
            Verdict::NotActivated => "not_activated",
            Verdict::Inconclusive => "inconclusive",
        }
    }

    /// What it means, in a few words.
    pub const fn meaning(self) -> &'static str {
        match self {
            Verdict::Detected => "it said so, refused or failed cleanly",
            Verdict::Corrected => "the right answer, and it said so",
            Verdict::Benign => "the right answer, and nothing said",
            Verdict::SilentCorruption => "a wrong answer, and nothing said",
            Verdict::DataLoss => "a part of the answer, and nothing said of the rest",
            Verdict::Unavailable => "no answer, and nothing said of damage",
            Verdict::Crash => "a signal killed it",
            Verdict::Hang => "it did not end in time",
            Verdict::NotActivated => "the fault was never read: shows nothing",
            Verdict::Inconclusive => "errorfs itself failed: shows nothing",
        }
    }

    /// Whether the trial says anything about the program: the fault reached it.
    pub const fn is_activated(self) -> bool {
        !matches!(self, Verdict::NotActivated | Verdict::Inconclusive)
    }

    /// Whether the program noticed.
    pub const fn is_noticed(self) -> bool {
        matches!(self, Verdict::Detected | Verdict::Corrected)
    }
}

/// What the verdict is measured against.
#[derive(Clone, Debug)]
pub struct Standard {
    /// It noticed if any of these holds.
    pub detect: Vec<Detect>,
    /// How the command ends without faults.
    pub exit: i32,
    /// What it prints without faults.
    pub stdout: Golden,
    /// What the golden command prints without faults, and how it ends.
    pub golden: Option<(i32, Golden)>,
}

impl Standard {
    /// Whether who said that something is wrong gave the right answer all the same. Who gives no
    /// answer at all, like a program that only checks, has nothing to be right about.
    fn corrects(&self, status: i32, answer: &Result<Answer, String>) -> bool {
        let silent = matches!(&self.stdout, Golden::Same(said) if said.text.is_empty());
        let answers = self.golden.is_some() || !silent;
        answers && status == self.exit && *answer == Ok(Answer::Right)
    }
}

/// The verdict, and why, in a few words.
pub fn judge(seen: &Observation, standard: &Standard) -> (Verdict, String) {
    let command = &seen.command;
    if let End::NotRun(_) = command.end {
        return (Verdict::Inconclusive, command.end.to_string());
    }
    if !seen.activated {
        return (Verdict::NotActivated, command.end.to_string());
    }
    let status = match ended(command) {
        Ok(status) => status,
        Err(verdict) => return (verdict, command.end.to_string()),
    };
    let noticed = matching(&standard.detect, status, command);
    let answer = answer(seen, standard);
    match noticed {
        Some(detect) if standard.corrects(status, &answer) => (Verdict::Corrected, detect),
        Some(detect) => (Verdict::Detected, detect),
        None if status != standard.exit => {
            (Verdict::Unavailable, format!("exit {status}, which no --detect knows"))
        }
        None => unnoticed(answer),
    }
}

fn unnoticed(answer: Result<Answer, String>) -> (Verdict, String) {
    match answer {
        Ok(Answer::Right) => (Verdict::Benign, "the same as without faults".to_owned()),
        Ok(Answer::Part) => (Verdict::DataLoss, "a part of the output is missing".to_owned()),
        Ok(Answer::Wrong) => (Verdict::SilentCorruption, "another output".to_owned()),
        Err(why) => (Verdict::Unavailable, format!("the golden command: {why}")),
    }
}

/// Signals by which programs die of themselves; a shell tells them as 128 and the number.
const OWN_DEATHS: [i32; 7] = [4, 5, 6, 7, 8, 11, 31];

/// The status of what ended by itself, in order.
fn ended(seen: &Seen) -> Result<i32, Verdict> {
    match seen.end {
        End::Exited(status) if OWN_DEATHS.contains(&(status - 128)) => Err(Verdict::Crash),
        End::Exited(status) => Ok(status),
        End::Signalled(_) => Err(Verdict::Crash),
        End::TimedOut => Err(Verdict::Hang),
        End::NotRun(_) => Err(Verdict::Inconclusive),
    }
}

/// The first predicate that says that it noticed.
pub fn matching(detect: &[Detect], status: i32, seen: &Seen) -> Option<String> {
    let matching = |detect: &&Detect| detect.matches(status, &seen.stdout.text, &seen.stderr.text);
    detect.iter().find(matching).map(|detect| match detect.to_string() {
        text if text.starts_with("exit") => format!("exit {status}"),
        text => text,
    })
}

/// The answer: the golden command's, if there is one, and the command's own. An error if the golden
/// command gave none.
fn answer(seen: &Observation, standard: &Standard) -> Result<Answer, String> {
    let own = standard.stdout.compare(&seen.command.stdout);
    let (Some(golden), Some((exit, expected))) = (&seen.golden, &standard.golden) else {
        return Ok(own);
    };
    if golden.end != End::Exited(*exit) {
        return Err(golden.end.to_string());
    }
    match expected.compare(&golden.stdout) {
        Answer::Right => Ok(own),
        other => Ok(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::Said;

    fn seen(end: End, stdout: &str, stderr: &str) -> Seen {
        Seen { end, elapsed_ms: 1, stdout: Said::new(stdout), stderr: Said::new(stderr) }
    }

    fn standard(detect: &[&str], golden: Option<&str>) -> Standard {
        let same = |text: &str| Golden::Same(Said::new(text));
        Standard {
            detect: detect.iter().map(|text| Detect::parse(text).unwrap()).collect(),
            exit: 0,
            stdout: same("ok\n"),
            golden: golden.map(|text| (0, same(text))),
        }
    }

    fn verdict(command: Seen, golden: Option<Seen>, standard: &Standard) -> Verdict {
        let seen = Observation { command, golden, faults: Vec::new(), activated: true };
        judge(&seen, standard).0
    }

    #[test]
    fn without_a_golden_command_the_output_decides() {
        let standard = standard(&["exit", "stderr ~ corrected"], None);
        let verdict = |end, stdout, stderr| verdict(seen(end, stdout, stderr), None, &standard);
        assert_eq!(verdict(End::Exited(1), "", ""), Verdict::Detected);
        assert_eq!(verdict(End::Exited(0), "ok\n", "corrected"), Verdict::Corrected);
        assert_eq!(verdict(End::Exited(0), "no\n", "corrected"), Verdict::Detected);
        assert_eq!(verdict(End::Exited(0), "ok\n", ""), Verdict::Benign);
        assert_eq!(verdict(End::Exited(0), "ko\n", ""), Verdict::SilentCorruption);
        assert_eq!(verdict(End::Exited(0), "", ""), Verdict::DataLoss);
        assert_eq!(verdict(End::Signalled(11), "ok\n", ""), Verdict::Crash);
        assert_eq!(verdict(End::Exited(139), "ok\n", ""), Verdict::Crash);
        assert_eq!(verdict(End::TimedOut, "ok\n", ""), Verdict::Hang);
        assert_eq!(verdict(End::NotRun(2), "", ""), Verdict::Inconclusive);
    }

    #[test]
    fn a_golden_command_tells_benign_from_silent() {
        let standard = standard(&["stderr ~ bad"], Some("a\nb\n"));
        let ok = || seen(End::Exited(0), "ok\n", "");
        let golden = |end, stdout| Some(seen(end, stdout, ""));
        let verdict = |command, golden| verdict(command, golden, &standard);
        let exited = End::Exited(0);
        assert_eq!(verdict(ok(), golden(exited, "a\nb\n")), Verdict::Benign);
        assert_eq!(verdict(ok(), golden(exited, "a\nB\n")), Verdict::SilentCorruption);
        assert_eq!(verdict(ok(), golden(exited, "a\n")), Verdict::DataLoss);
        assert_eq!(verdict(ok(), golden(End::Exited(5), "")), Verdict::Unavailable);
        assert_eq!(verdict(ok(), golden(End::TimedOut, "")), Verdict::Unavailable);
        let unknown = seen(End::Exited(3), "", "what?");
        assert_eq!(verdict(unknown, golden(exited, "a\nb\n")), Verdict::Unavailable);
        let said = seen(End::Exited(0), "ok\n", "bad block");
        assert_eq!(verdict(said, golden(exited, "a\nB\n")), Verdict::Detected);
    }

    #[test]
    fn a_fault_that_was_never_read_says_nothing_whatever_happened() {
        for end in [End::Exited(0), End::Exited(1), End::Signalled(9), End::TimedOut] {
            let command = seen(end, "", "");
            let seen = Observation { command, golden: None, faults: Vec::new(), activated: false };
            assert_eq!(judge(&seen, &standard(&["exit"], None)).0, Verdict::NotActivated);
        }
    }

    #[test]
    fn every_verdict_is_in_the_list_once() {
        let names: std::collections::HashSet<_> = Verdict::ALL.map(Verdict::name).into();
        assert_eq!(names.len(), Verdict::ALL.len());
    }
}
