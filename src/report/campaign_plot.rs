//! Bars of a campaign's report, as inline SVG: what came of how many trials, and in what colour.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::junit::escape;
use super::{CampaignSummary, Names, VOCABULARIES, tally};
use crate::campaign::MergedTrial;

/// The colour of a name, the same everywhere: from right answers to wrong ones.
pub(super) fn colour(name: &str) -> &'static str {
    match name {
        "correct" | "corrected" | "local_redundancy" => "#43a047",
        "benign" | "no_detection" => "#90a4ae",
        "detected" | "detect_and_ignore" => "#1e88e5",
        "retry" => "#00acc1",
        "silent_corruption" | "corruption" => "#c62828",
        "spread" => "#ec407a",
        "data_loss" => "#8e24aa",
        "unavailable" | "read_unavailable" | "write_unavailable" => "#ef6c00",
        "query_failure" => "#f9a825",
        "crash" => "#8d6e63",
        "partial_crash" => "#bcaaa4",
        "reduced_redundancy" => "#fdd835",
        "hang" => "#5c6bc0",
        "inconclusive" => "#616161",
        _ => "#cfd8dc",
    }
}

/// A bar as wide as its place.
pub(super) fn bar(all: &[(&'static str, usize)], page: &mut String) {
    let total: usize = all.iter().map(|(_, count)| count).sum();
    let _ =
        write!(page, "<svg class=\"bar\" viewBox=\"0 0 {total} 1\" preserveAspectRatio=\"none\">");
    let mut before = 0;
    for (name, count) in all {
        let _ = write!(
            page,
            "<rect x=\"{before}\" width=\"{count}\" height=\"1\" fill=\"{}\">\
             <title>{count} {name}</title></rect>",
            colour(name)
        );
        before += count;
    }
    page.push_str("</svg>");
}

/// A bar for each structure: the verdicts of all its trials, on whatever node.
pub(super) fn plot(summary: &CampaignSummary, page: &mut String) {
    let mut rows: BTreeMap<&str, Vec<&MergedTrial>> = BTreeMap::new();
    for trial in summary.merged.trials.values() {
        rows.entry(&trial.line.point.structure).or_default().push(trial);
    }
    page.push_str("<div class=\"plot\">\n");
    let names: Names = VOCABULARIES[0].1;
    for (structure, trials) in rows {
        let _ = write!(page, "<span>{}</span>", escape(structure));
        bar(&tally(&trials, names), page);
        let _ = writeln!(page, "<span>{}</span>", trials.len());
    }
    page.push_str("</div>\n");
}
