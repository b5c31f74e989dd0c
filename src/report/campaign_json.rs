//! The report of a campaign for a program: one JSON object. The format may only grow.

use serde_json::{Value, json};

use super::VOCABULARIES;
use super::{CampaignSummary, tally};
use crate::trial::Verdict;

/// Version of the format in this file.
const FORMAT: u32 = 1;

/// The whole report.
pub fn campaign_json(summary: &CampaignSummary) -> Value {
    let counts =
        Verdict::ALL.map(|verdict| (verdict.name().to_owned(), summary.count(verdict).into()));
    let mut matrix = Vec::new();
    for ((node, structure, access), kinds) in summary.rows() {
        for (kind, trials) in kinds {
            let [verdicts, local, global] = VOCABULARIES.map(|(_, names)| {
                let counts = tally(&trials, names).into_iter();
                Value::Object(counts.map(|(name, count)| (name.to_owned(), count.into())).collect())
            });
            matrix.push(json!({
                "node": node, "structure": structure, "access": access, "fault": kind,
                "trials": trials.len(), "verdicts": verdicts, "local": local, "global": global,
            }));
        }
    }
    let trials: Vec<Value> = summary
        .merged
        .trials
        .values()
        .map(|trial| {
            json!({
                "result": trial.line,
                "disagrees": trial.disagrees(),
                "repeat": summary.repeat(&trial.line),
            })
        })
        .collect();
    json!({
        "campaign": FORMAT,
        "errorfs": env!("CARGO_PKG_VERSION"),
        "name": summary.name,
        "plan_id": summary.plan_id,
        "planned": summary.planned,
        "counts": Value::Object(counts.into_iter().collect()),
        "disagreeing": summary.disagreeing(),
        "matrix": matrix,
        "trials": trials,
    })
}
