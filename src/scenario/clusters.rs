//! Reads `clusters`: how the damage of one sick device lies. What is left out is as field studies
//! found it, as far as they say.

use super::document::{Field, Findings, Keys, Read, Table};
use super::{Clusters, RunLength};

const EXAMPLE: &str = "clusters = { median = 3, sigma = 2.66 }";

/// Runs of corrupt blocks (Bairavasundaram et al., FAST'08).
pub(super) const OF_REGIONS: Keys = Keys {
    of: "`clusters`",
    noun: "key",
    known: &["median", "sigma", "max", "near", "neighbourhood", "run"],
    later: &[],
};

/// Bursts of bad sectors (Schroeder et al., FAST'10).
pub(super) const OF_SECTORS: Keys = Keys {
    of: "`clusters`",
    noun: "key",
    known: &["median", "sigma", "max", "near", "neighbourhood", "single", "shape", "longest"],
    later: &[],
};

/// Of FAST'08: median 3, mean 104 of a lognormal number; 33,000 was the largest; SIGMETRICS'07: half
/// of the errors have another one within 10 MB.
const DEFAULT: Clusters = Clusters {
    median: 3.0,
    sigma: 2.663,
    max: 33_000,
    run: RunLength::Geometric(3.4),
    near: 0.5,
    neighbourhood: 10_000_000,
};

pub(super) fn read(field: &Field<'_>, keys: &Keys, findings: &mut Findings) -> Option<Clusters> {
    let table = findings.keep(field.table(EXAMPLE))?;
    let errors = findings.errors();
    keys.check(&table, findings);
    let mut number = |key, default, allowed: std::ops::RangeInclusive<f64>| {
        let read = |field: Field<'_>| within(&field, &allowed);
        findings.read(table.get(key), read).unwrap_or(default)
    };
    let median = number("median", DEFAULT.median, 1.0..=1e9);
    let sigma = number("sigma", DEFAULT.sigma, 0.0..=10.0);
    let near = number("near", DEFAULT.near, 0.0..=1.0);
    let mean = number("run", 3.4, 1.0..=1e6);
    let single = number("single", 0.98, 0.0..=1.0);
    let shape = number("shape", 1.79, 0.1..=100.0);
    let longest = whole(&table, "longest", 2048, findings);
    let run = match keys.known.contains(&"run") {
        true => RunLength::Geometric(mean),
        false => RunLength::Burst { single, shape, longest },
    };
    let max = whole(&table, "max", DEFAULT.max, findings);
    let neighbourhood = table.get("neighbourhood");
    let neighbourhood =
        findings.read(neighbourhood, |field| field.size("neighbourhood = 10000000"));
    let neighbourhood = neighbourhood.unwrap_or(DEFAULT.neighbourhood);
    let clusters = Clusters { median, sigma, max, run, near, neighbourhood };
    (findings.errors() == errors).then_some(clusters)
}

fn within(field: &Field<'_>, allowed: &std::ops::RangeInclusive<f64>) -> Read<f64> {
    let number = field.number(EXAMPLE)?;
    if allowed.contains(&number) {
        return Ok(number);
    }
    let (from, to) = (allowed.start(), allowed.end());
    let message = format!("`{}` must be from {from} to {to}, not {number}", field.key);
    let help = "leave it out for what field studies found";
    Err(field.error("out-of-range", message).help(help))
}

fn whole(table: &Table<'_>, key: &'static str, default: u64, findings: &mut Findings) -> u64 {
    let read =
        |field: Field<'_>| field.positive("nothing is damaged", &format!("{key} = {default}"));
    findings.read(table.get(key), read).unwrap_or(default)
}
