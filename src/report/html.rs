//! The report for a browser: one page that needs nothing else, and no network.

use std::fmt::Write as _;

use super::junit::escape;
use super::{Outcome, Summary};
use crate::trial::{Trial, Verdict};

/// Its only style sheet.
const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;\
padding:0 1rem;color:#222}code,pre{font:14px/1.4 ui-monospace,monospace}pre{background:#f4f4f4;\
padding:.6rem;overflow-x:auto}.bar{display:flex;height:1.6rem;border-radius:4px;overflow:hidden}\
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .6rem;\
border-bottom:1px solid #ddd;vertical-align:top}td.n{text-align:right}\
i{display:inline-block;width:.8rem;height:.8rem;border-radius:2px;margin-right:.4rem}\
.met{color:#1a7f37}.not{color:#b3261e}@media(prefers-color-scheme:dark){body{background:#181818;\
color:#ddd}pre{background:#262626}td,th{border-color:#444}.met{color:#5fd07f}.not{color:#ff8a80}}";

/// The whole page.
pub fn to_html(summary: &Summary) -> String {
    let title = escape(summary.name.as_deref().unwrap_or(&summary.command));
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <title>errorfs drill: {title}</title><style>{STYLE}</style></head>\n<body>\n"
    );
    head(summary, &title, &mut page);
    bar(summary, &mut page);
    counts(summary, &mut page);
    trials(summary, &mut page);
    let version = env!("CARGO_PKG_VERSION");
    let _ = writeln!(page, "<p><small>errorfs {version}</small></p>\n</body></html>");
    page
}

fn head(summary: &Summary, title: &str, page: &mut String) {
    let _ = writeln!(page, "<h1>{title}</h1>\n<pre>{}</pre>", escape(&summary.command));
    let (directory, fault) = (escape(&summary.directory), escape(&summary.fault));
    let _ = writeln!(page, "<p><code>{directory}</code>: {fault}, seed {}</p>", summary.seed);
    if summary.interrupted {
        let _ = writeln!(page, "<p class=\"not\">interrupted: this is what was found so far</p>");
    }
    let _ = writeln!(page, "<p><strong>{}</strong></p>", escape(&summary.rate_in_words()));
    if let Some(requirement) = summary.requirement_in_words() {
        let class = if summary.outcome() == Outcome::Met { "met" } else { "not" };
        let _ = writeln!(page, "<p class=\"{class}\">{}</p>", escape(&requirement));
    }
    for note in &summary.notes {
        let _ = writeln!(page, "<p>Note: {}</p>", escape(note));
    }
}

const fn colour(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Detected => "#2e7d32",
        Verdict::Corrected => "#66bb6a",
        Verdict::Benign => "#90a4ae",
        Verdict::SilentCorruption => "#c62828",
        Verdict::DataLoss => "#8e24aa",
        Verdict::Unavailable => "#ef6c00",
        Verdict::Crash => "#5d4037",
        Verdict::Hang => "#f9a825",
        Verdict::NotActivated => "#cfd8dc",
        Verdict::Inconclusive => "#000000",
    }
}

fn bar(summary: &Summary, page: &mut String) {
    page.push_str("<div class=\"bar\">");
    for verdict in Verdict::ALL {
        let (count, colour) = (summary.count(verdict), colour(verdict));
        if count > 0 {
            let name = verdict.name();
            let style = format!("flex:{count};background:{colour}");
            let _ = write!(page, "<span style=\"{style}\" title=\"{name}: {count}\"></span>");
        }
    }
    page.push_str("</div>\n");
}

fn counts(summary: &Summary, page: &mut String) {
    page.push_str("<table><tr><th>verdict</th><th>trials</th><th>meaning</th></tr>\n");
    for verdict in Verdict::ALL {
        let (count, colour) = (summary.count(verdict), colour(verdict));
        if count > 0 {
            let (name, meaning) = (verdict.name(), verdict.meaning());
            let _ = writeln!(
                page,
                "<tr><td><i style=\"background:{colour}\"></i>{name}</td>\
                 <td class=\"n\">{count}</td><td>{meaning}</td></tr>"
            );
        }
    }
    page.push_str("</table>\n");
}

fn trials(summary: &Summary, page: &mut String) {
    page.push_str("<h2>Trials</h2>\n<table><tr><th>no.</th><th>verdict</th><th>why, and which fault</th></tr>\n");
    summary.trials.iter().for_each(|trial| row(summary, trial, page));
    page.push_str("</table>\n");
}

fn row(summary: &Summary, trial: &Trial, page: &mut String) {
    let Trial { number, verdict, .. } = trial;
    let mut told = escape(&trial.why);
    for fault in &trial.faults {
        let _ = write!(told, "<br>{}", escape(&fault.to_string()));
    }
    if !verdict.is_noticed() {
        let _ = write!(told, "<br><code>{}</code>", escape(&summary.repeat(*number)));
    }
    let (colour, name) = (colour(*verdict), verdict.name());
    let _ = writeln!(
        page,
        "<tr><td class=\"n\">{number}</td><td><i style=\"background:{colour}\"></i>{name}</td>\
         <td>{told}</td></tr>"
    );
}
