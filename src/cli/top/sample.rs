//! What a live mount said at one moment.

use std::time::Instant;

use serde_json::Value;

use crate::cli::asking::Asking;
use crate::cli::exit::Failure;

/// What it said.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) taken: Instant,
    pub(super) status: Value,
    /// Upper bounds of the classes of durations, in seconds.
    pub(super) bounds_s: Vec<f64>,
    pub(super) operations: Vec<Operated>,
}

/// One kind of operation.
#[derive(Clone, Debug, Default)]
pub(super) struct Operated {
    pub(super) op: String,
    pub(super) begun: u64,
    pub(super) faults: u64,
    pub(super) took: Vec<u64>,
    pub(super) waited: Vec<u64>,
}

impl Sample {
    /// Asks.
    pub(super) fn take(asking: &Asking) -> Result<Sample, Failure> {
        let status = asking.get("/v1/status")?.json();
        let operations = asking.get("/v1/operations")?.json();
        Ok(Sample::of(Instant::now(), status, &operations))
    }

    pub(super) fn of(taken: Instant, status: Value, operations: &Value) -> Sample {
        let bounds = operations["bounds_s"].as_array().into_iter().flatten();
        let bounds_s = bounds.filter_map(Value::as_f64).collect();
        let rows = operations["operations"].as_array().into_iter().flatten();
        Sample { taken, status, bounds_s, operations: rows.map(Operated::of).collect() }
    }

    /// One kind as it was; nothing of it may have happened.
    pub(super) fn operated(&self, op: &str) -> Operated {
        self.operations.iter().find(|one| one.op == op).cloned().unwrap_or_default()
    }

    /// A count of a rule.
    pub(super) fn count(&self, rule: &str, key: &str) -> Option<u64> {
        let rules = self.status["rules"].as_array().into_iter().flatten();
        rules.filter(|one| one["name"] == rule).find_map(|one| one[key].as_u64())
    }
}

impl Operated {
    fn of(row: &Value) -> Operated {
        let number = |key: &str| row[key].as_u64().unwrap_or(0);
        let classes = |key: &str| {
            let classes = row[key]["classes"].as_array().into_iter().flatten();
            classes.filter_map(Value::as_u64).collect()
        };
        Operated {
            op: row["op"].as_str().unwrap_or_default().to_owned(),
            begun: number("begun"),
            faults: number("faults"),
            took: classes("took"),
            waited: classes("waited"),
        }
    }
}
