//! The choices above the list of trials: by node, structure, access, fault and verdict. Without any
//! script: each choice is a rule of style that hides the others.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::CampaignSummary;
use super::junit::escape;
use crate::campaign::TrialLine;

/// By what can be chosen: its name, the letter of its classes, and what a trial has of it.
type Facet = (&'static str, char, fn(&TrialLine) -> &str);

const FACETS: [Facet; 5] = [
    ("node", 'n', |line| &line.point.node),
    ("structure", 's', |line| &line.point.structure),
    ("touched by", 'a', |line| line.point.access.name()),
    ("fault", 'f', |line| line.point.kind.name()),
    ("verdict", 'v', |line| line.verdict.name()),
];

/// What all trials have of each.
#[derive(Debug)]
pub(super) struct Filters<'a>([Vec<&'a str>; FACETS.len()]);

impl<'a> Filters<'a> {
    /// Of all trials of a summary.
    pub(super) fn of(summary: &'a CampaignSummary) -> Filters<'a> {
        let lines = || summary.merged.trials.values().map(|trial| &trial.line);
        Filters(FACETS.map(|(_, _, of)| {
            let values: BTreeSet<&str> = lines().map(of).collect();
            values.into_iter().collect()
        }))
    }

    /// The classes of a trial: one of each facet.
    pub(super) fn classes(&self, line: &TrialLine) -> String {
        let classes = FACETS.iter().zip(&self.0).map(|((_, letter, of), values)| {
            let place = values.binary_search(&of(line)).unwrap_or_default();
            format!("{letter}{place}")
        });
        classes.collect::<Vec<_>>().join(" ")
    }

    /// The rules of style, and the choices.
    pub(super) fn write(&self, page: &mut String) {
        page.push_str("<style>");
        for ((_, letter, _), values) in FACETS.iter().zip(&self.0) {
            for place in 0..values.len() {
                let id = format!("{letter}{place}");
                let _ = write!(page, "body:has(#{id}:checked) .trial:not(.{id})");
                page.push_str("{display:none}");
            }
        }
        page.push_str("</style>\n<form class=\"filters\">");
        for ((name, letter, _), values) in FACETS.iter().zip(&self.0) {
            let _ = write!(page, "<label>{name}<select><option>all</option>");
            for (place, value) in values.iter().enumerate() {
                let value = escape(value);
                let _ = write!(page, "<option id=\"{letter}{place}\">{value}</option>");
            }
            page.push_str("</select></label>");
        }
        page.push_str("<button type=\"reset\">all trials</button></form>\n");
    }
}
