//! The report for a person at a terminal.

use std::fmt::Write as _;

use super::Summary;
use crate::diagnostic::{harmless, plural};
use crate::trial::{Trial, Verdict};

/// So many trials that noticed nothing are listed; the others are in the other formats.
const LISTED_MAX: usize = 20;

/// The whole report.
pub fn to_text(summary: &Summary) -> String {
    let mut text = head(summary);
    text.push('\n');
    for verdict in Verdict::ALL {
        let count = summary.count(verdict);
        if count > 0 {
            let _ = writeln!(text, "  {:<18}{count:>5}   {}", verdict.name(), verdict.meaning());
        }
    }
    let _ = writeln!(text, "\n{}", summary.rate_in_words());
    if let Some(requirement) = summary.requirement_in_words() {
        let _ = writeln!(text, "{requirement}");
    }
    for note in &summary.notes {
        let _ = writeln!(text, "note: {note}");
    }
    list(summary, &mut text);
    harmless(text.trim_end())
}

fn head(summary: &Summary) -> String {
    let name = summary.name.as_ref().map_or(String::new(), |name| format!("{name}: "));
    let run = summary.trials.len() as u64;
    let trials = match run == summary.planned {
        true => plural(summary.trials.len(), "trial"),
        false => format!("{run} of {}", plural(summary.planned as usize, "trial")),
    };
    let ended = if summary.interrupted { ", interrupted" } else { "" };
    let Summary { command, directory, fault, seed, .. } = summary;
    format!("{name}{command}\n{directory}: {fault}, {trials}, seed {seed}{ended}\n")
}

fn list(summary: &Summary, text: &mut String) {
    let unnoticed: Vec<&Trial> = summary.unnoticed().collect();
    if !unnoticed.is_empty() {
        text.push_str("\nnot noticed, and what repeats it:\n");
    }
    for trial in unnoticed.iter().take(LISTED_MAX) {
        let _ = writeln!(text, "  {}", in_words(trial));
        let _ = writeln!(text, "    {}", summary.repeat(trial.number));
    }
    if unnoticed.len() > LISTED_MAX {
        let more = unnoticed.len() - LISTED_MAX;
        let _ = writeln!(text, "  and {more} more (--json FILE has all)");
    }
}

/// One trial with all that happened to its faults and what the command said.
pub fn to_text_of_one(trial: &Trial) -> String {
    let mut text = format!("{}\n", in_words(trial));
    for fault in &trial.faults {
        let _ = writeln!(text, "  {fault}, {}", fault.comm);
    }
    if let Some(command) = &trial.command {
        for (name, said) in [("stdout", &command.stdout), ("stderr", &command.stderr)] {
            let said = String::from_utf8_lossy(&said.text);
            let _ = writeln!(text, "{name}:\n{}", said.trim_end());
        }
    }
    harmless(text.trim_end())
}

/// One trial in one line.
pub(super) fn in_words(trial: &Trial) -> String {
    let Trial { number, seed, verdict, why, .. } = trial;
    let fault = trial.faults.first().map_or(String::new(), |fault| format!("; {fault}"));
    format!("trial {number}, seed {seed}: {}: {why}{fault}", verdict.name())
}
