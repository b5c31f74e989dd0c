//! The report of a campaign for a browser: one page that needs nothing else, no network and no script.

use std::fmt::Write as _;

use super::junit::escape;
use super::{CampaignSummary, Names, VOCABULARIES, tally};
use crate::campaign::{MergedTrial, TrialLine};
use crate::scenario::FaultKind;

/// Its only style sheet.
const STYLE: &str = include_str!("campaign.css");

/// The whole page.
pub fn campaign_html(summary: &CampaignSummary) -> String {
    let title = escape(&summary.name);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <title>errorfs campaign: {title}</title><style>{STYLE}</style></head>\n<body>\n"
    );
    head(summary, &title, &mut page);
    for (name, names) in VOCABULARIES {
        let _ = writeln!(page, "<h2>Structure and fault: {name}</h2>");
        legend(summary, names, &mut page);
        matrix(summary, names, &mut page);
    }
    trials(summary, &mut page);
    let version = env!("CARGO_PKG_VERSION");
    let _ = writeln!(page, "<p><small>errorfs {version}</small></p>\n</body></html>");
    page
}

fn head(summary: &CampaignSummary, title: &str, page: &mut String) {
    let trials = summary.merged.trials.len();
    let of = summary.planned.map_or(String::new(), |planned| format!(" of {planned}"));
    let plan = escape(&summary.plan_id);
    let _ =
        writeln!(page, "<h1>{title}</h1>\n<p>{trials}{of} trials, plan <code>{plan}</code></p>");
    if summary.disagreeing() > 0 {
        let _ = writeln!(
            page,
            "<p>{} came to different things when repeated.</p>",
            summary.disagreeing()
        );
    }
}

/// The colour of a name, the same in all matrices: from right answers to wrong ones.
fn colour(name: &str) -> &'static str {
    match name {
        "correct" | "corrected" | "local_redundancy" => "#43a047",
        "benign" | "no_detection" => "#90a4ae",
        "detected" | "detect_and_ignore" => "#1e88e5",
        "retry" => "#00acc1",
        "silent_corruption" | "corruption" => "#c62828",
        "data_loss" => "#8e24aa",
        "unavailable" | "read_unavailable" | "write_unavailable" => "#ef6c00",
        "query_failure" => "#f9a825",
        "crash" | "partial_crash" => "#6d4c41",
        "reduced_redundancy" => "#fdd835",
        "hang" => "#3949ab",
        "inconclusive" => "#000000",
        _ => "#cfd8dc",
    }
}

fn legend(summary: &CampaignSummary, names: Names, page: &mut String) {
    let all: Vec<&MergedTrial> = summary.merged.trials.values().collect();
    page.push_str("<p class=\"legend\">");
    for (name, count) in tally(&all, names) {
        let colour = colour(name);
        let _ = write!(page, "<span><i style=\"background:{colour}\"></i>{name} {count}</span> ");
    }
    page.push_str("</p>\n");
}

fn matrix(summary: &CampaignSummary, names: Names, page: &mut String) {
    page.push_str(
        "<div class=\"wide\"><table class=\"matrix\"><tr><th>structure</th><th>touched by</th>",
    );
    for kind in FaultKind::ALL {
        let _ = write!(page, "<th>{}</th>", kind.name());
    }
    page.push_str("</tr>\n");
    for ((node, structure, access), kinds) in summary.rows() {
        let (node, structure) = (escape(node), escape(structure));
        let _ = write!(page, "<tr><td>{node}:{structure}</td><td>{}</td>", access.name());
        for kind in FaultKind::ALL {
            let trials = kinds.get(&kind).map_or(&[][..], Vec::as_slice);
            cell(trials, names, page);
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</table></div>\n");
}

/// A bar of colours, with the words below it.
fn cell(trials: &[&MergedTrial], names: Names, page: &mut String) {
    if trials.is_empty() {
        page.push_str("<td></td>");
        return;
    }
    let all = tally(trials, names);
    page.push_str("<td><div class=\"bar\">");
    for (name, count) in &all {
        let colour = colour(name);
        let _ = write!(page, "<span style=\"flex:{count};background:{colour}\"></span>");
    }
    let words = all.iter().map(|(name, count)| format!("{count} {name}"));
    let _ = write!(page, "</div>{}</td>", words.collect::<Vec<_>>().join("<br>"));
}

fn trials(summary: &CampaignSummary, page: &mut String) {
    page.push_str("<h2>Trials</h2>\n");
    for trial in summary.merged.trials.values() {
        let TrialLine { point, verdict, .. } = &trial.line;
        let (colour, verdict, words) =
            (colour(verdict.name()), verdict.name(), escape(&point.words()));
        let _ = write!(
            page,
            "<details><summary><i style=\"background:{colour}\"></i>{verdict}: {words}</summary>"
        );
        one(summary, trial, page);
        page.push_str("</details>\n");
    }
}

fn one(summary: &CampaignSummary, trial: &MergedTrial, page: &mut String) {
    let line = &trial.line;
    let global: Vec<&str> = line.global.iter().map(|effect| effect.name()).collect();
    let _ = write!(
        page,
        "<p>{}; local behaviour: {}; global effect: {}; seed {}, attempt {} on {}, {} ms</p>",
        escape(&line.why),
        line.local.name(),
        global.join(", "),
        line.seed,
        line.run.attempt,
        escape(&line.run.host),
        line.run.elapsed_ms,
    );
    if trial.disagrees() {
        page.push_str("<p>Repeated runs came to different things.</p>");
    }
    let mut block = |title: &str, text: &str| {
        let _ = write!(page, "<h4>{}</h4><pre>{}</pre>", escape(title), escape(text));
    };
    if let Some(stored) = &line.stored {
        block("the block as it is stored, its first bytes", stored);
    }
    for event in &line.events {
        bytes(event).into_iter().for_each(|(title, text)| block(title, &text));
        block("ledger", &event.to_string());
    }
    line.said.iter().for_each(|(name, said)| block(name, said));
    if let Some(repeat) = summary.repeat(line) {
        block("to repeat it", &repeat);
    }
}

/// The bytes before and after of an event's bits and regions.
fn bytes(event: &serde_json::Value) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    for bit in event["bits"].as_array().into_iter().flatten() {
        let byte = |key: &str| bit[key].as_u64().map_or("?".into(), |byte| format!("{byte:02x}"));
        let (before, after) = (byte("before"), byte("after"));
        all.push(("byte before and after", format!("{}: {before} -> {after}", bit["byte"])));
    }
    for region in event["regions"].as_array().into_iter().flatten() {
        let text = |key: &str| region[key].as_str().unwrap_or("?").to_owned();
        let (before, after) = (text("before"), text("after"));
        all.push(("region before and after", format!("{before}\n{after}")));
    }
    all
}
