//! The report of a campaign for a person at a terminal: structure, access and fault against what came
//! of it.

use std::fmt::Write as _;

use super::{CampaignSummary, Names, VOCABULARIES, tally};
use crate::campaign::{MergedTrial, Spread, TrialLine};
use crate::diagnostic::{harmless, plural};
use crate::trial::Verdict;

/// So many trials with wrong or missing data are listed; the others are in the other formats.
const LISTED_MAX: usize = 10;

/// The whole report.
pub fn campaign_text(summary: &CampaignSummary) -> String {
    let trials = summary.merged.trials.len();
    let of = summary.planned.map_or(String::new(), |planned| format!(" of {planned}"));
    let mut text =
        format!("{}: {trials}{of} trials, plan {}\n\n", summary.name, &summary.plan_id[..16]);
    for verdict in Verdict::ALL {
        let count = summary.count(verdict);
        if count > 0 {
            let _ = writeln!(text, "  {:<18}{count:>6}   {}", verdict.name(), meaning(verdict));
        }
    }
    if summary.disagreeing() > 0 {
        let trials = plural(summary.disagreeing(), "trial");
        let _ = writeln!(text, "\n{trials} came to different things when repeated");
    }
    text.push('\n');
    matrix(summary, &mut text);
    list(summary, &mut text);
    harmless(text.trim_end())
}

/// Of a campaign, who answers is a system, not a command.
const fn meaning(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Crash => "a signal killed the workload or the faulty node",
        Verdict::Hang => "the workload did not end in time",
        other => other.meaning(),
    }
}

fn matrix(summary: &CampaignSummary, text: &mut String) {
    let mut lines =
        vec![["structure", "touched by", "fault", "trials"].map(str::to_owned).to_vec()];
    lines[0].extend(VOCABULARIES.map(|(name, _)| name.to_owned()));
    for ((node, structure, access), kinds) in summary.rows() {
        for (kind, trials) in kinds {
            let mut line = vec![
                format!("{node}:{structure}"),
                access.name().to_owned(),
                kind.name().to_owned(),
                trials.len().to_string(),
            ];
            line.extend(VOCABULARIES.map(|(_, names)| told(&trials, names)));
            lines.push(line);
        }
    }
    text.push_str(&columns(&lines));
}

fn told(trials: &[&MergedTrial], names: Names) -> String {
    let all = tally(trials, names);
    let words = all.iter().map(|(name, count)| format!("{count} {name}"));
    words.collect::<Vec<_>>().join(", ")
}

fn columns(lines: &[Vec<String>]) -> String {
    let width = |column: usize| {
        lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max()
    };
    let mut text = String::new();
    for line in lines {
        let cells = line.iter().enumerate();
        let cells = cells.map(|(place, cell)| format!("{cell:<0$}", width(place).unwrap_or(0)));
        let line = cells.collect::<Vec<_>>().join("  ");
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn list(summary: &CampaignSummary, text: &mut String) {
    let bad = |line: &TrialLine| {
        matches!(
            line.verdict,
            Verdict::SilentCorruption | Verdict::DataLoss | Verdict::Inconclusive
        )
    };
    let bad: Vec<&TrialLine> =
        summary.merged.trials.values().map(|trial| &trial.line).filter(|line| bad(line)).collect();
    if !bad.is_empty() {
        text.push_str("\nwrong or missing data, and nothing said; what repeats it:\n");
    }
    for line in bad.iter().take(LISTED_MAX) {
        let (verdict, words) = (line.verdict.name(), line.point.words());
        let _ = writeln!(text, "  {verdict}: {words}: {}", line.why);
        if let Some(repeat) = summary.repeat(line) {
            let _ = writeln!(text, "    {repeat}");
        }
    }
    if bad.len() > LISTED_MAX {
        let more = bad.len() - LISTED_MAX;
        let _ = writeln!(text, "  and {more} more (--html FILE and --json FILE have all)");
    }
}

/// One trial with all that is known of it.
pub fn campaign_trial_text(line: &TrialLine) -> String {
    let global: Vec<&str> = line.global.iter().map(|effect| effect.name()).collect();
    let mut text = format!(
        "trial {}, seed {}: {}\n{}: {}\nlocal behaviour: {}; global effect: {}\n",
        line.trial,
        line.seed,
        line.point.words(),
        line.verdict.name(),
        line.why,
        line.local.name(),
        global.join(", "),
    );
    for event in &line.events {
        let _ = writeln!(text, "ledger: {event}");
    }
    for spread in &line.spread {
        let Spread { node, path, offset, seq, .. } = spread;
        let _ = writeln!(text, "{node}:{path} stores what event {seq} gave, from byte {offset}");
    }
    for (name, said) in &line.said {
        let _ = writeln!(text, "{name}:\n{}", said.trim_end());
    }
    harmless(text.trim_end())
}
