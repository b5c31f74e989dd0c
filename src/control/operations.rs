//! What a live mount was asked for, how long that took, and how much of it went wrong.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::routes::App;
use crate::fs::{BOUNDS, Distribution, Operations};

/// The answer to `GET /v1/operations`: the kinds that occurred.
pub(super) fn operations(app: &App) -> Value {
    let fs = app.director.filesystem();
    let mut faults = BTreeMap::<String, u64>::new();
    for tally in fs.ledger().tally().into_values() {
        for ((_, op), count) in tally.ops {
            *faults.entry(op).or_default() += count;
        }
    }
    let operations = fs.operations().into_iter().filter(|one| one.begun > 0);
    let row = |one: Operations| row(&one, faults.get(one.kind.name()).copied().unwrap_or(0));
    json!({
        "age_s": fs.age().as_secs_f64(),
        "passthrough": app.place.passthrough,
        "bounds_s": BOUNDS.map(|bound| bound.as_secs_f64()),
        "operations": operations.map(row).collect::<Vec<_>>(),
    })
}

fn row(one: &Operations, faults: u64) -> Value {
    let told = |durations: &Distribution| json!({ "classes": durations.classes, "sum_s": durations.sum.as_secs_f64() });
    json!({
        "op": one.kind.name(),
        "begun": one.begun,
        "faults": faults,
        "took": told(&one.took),
        "waited": told(&one.waited),
    })
}
