//! The report of a campaign for a browser: one page that needs nothing else, no network and no script.

use std::fmt::Write as _;

use super::campaign_filters::Filters;
use super::campaign_plot::{bar, colour, plot};
use super::junit::escape;
use super::{CampaignSummary, Names, VOCABULARIES, tally};
use crate::campaign::{MergedTrial, Spread, TrialLine};
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
    page.push_str("<h2>Verdicts by structure</h2>\n");
    legend(summary, VOCABULARIES[0].1, &mut page);
    plot(summary, &mut page);
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
    let lines = || summary.merged.trials.values().map(|trial| &trial.line);
    let tried =
        FaultKind::ALL.into_iter().filter(|kind| lines().any(|one| one.point.kind == *kind));
    let tried: Vec<FaultKind> = tried.collect();
    for kind in &tried {
        let _ = write!(page, "<th>{}</th>", kind.name());
    }
    page.push_str("</tr>\n");
    for ((node, structure, access), kinds) in summary.rows() {
        let (node, structure) = (escape(node), escape(structure));
        let _ = write!(page, "<tr><td>{node}:{structure}</td><td>{}</td>", access.name());
        for kind in &tried {
            let trials = kinds.get(kind).map_or(&[][..], Vec::as_slice);
            cell(trials, names, page);
        }
        page.push_str("</tr>\n");
    }
    page.push_str("</table></div>\n");
}

/// A bar, with the words below it.
fn cell(trials: &[&MergedTrial], names: Names, page: &mut String) {
    if trials.is_empty() {
        page.push_str("<td></td>");
        return;
    }
    let all = tally(trials, names);
    page.push_str("<td>");
    bar(&all, page);
    let words = all.iter().map(|(name, count)| format!("{count} {name}"));
    let _ = write!(page, "{}</td>", words.collect::<Vec<_>>().join("<br>"));
}

fn trials(summary: &CampaignSummary, page: &mut String) {
    page.push_str("<h2>Trials</h2>\n");
    let filters = Filters::of(summary);
    filters.write(page);
    page.push_str("<div class=\"list\">\n");
    for trial in summary.merged.trials.values() {
        let TrialLine { point, verdict, .. } = &trial.line;
        let (colour, verdict, words) =
            (colour(verdict.name()), verdict.name(), escape(&point.words()));
        let classes = filters.classes(&trial.line);
        let _ = write!(
            page,
            "<details class=\"trial {classes}\"><summary><i style=\"background:{colour}\"></i>\
             {verdict}: {words}</summary>"
        );
        one(summary, trial, page);
        page.push_str("</details>\n");
    }
    page.push_str("<p class=\"shown\"></p>\n</div>\n");
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
    for spread in &line.spread {
        let Spread { node, path, offset, seq, bytes } = spread;
        let text = format!("{node}:{path} from byte {offset}, of event {seq}: {bytes}");
        block("stored by another node afterwards", &text);
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
