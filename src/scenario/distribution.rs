//! Reads `latency`: a distribution of delays, and the steps in which they come.

use std::time::Duration;

use toml::de::DeValue;

use super::document::{Field, Findings, Keys, Read, Table};
use super::fault::positive;
use super::{Distribution, Fault, Latency};
use crate::diagnostic::Diagnostic;

pub(super) const LATENCY_KEYS: Keys =
    Keys { of: "`latency`", noun: "key", known: &["distribution", "step"], later: &[] };

pub(super) const DISTRIBUTIONS: Keys = Keys {
    of: "`distribution`",
    noun: "distribution",
    known: &["constant", "uniform", "normal", "lognormal", "pareto", "empirical"],
    later: &[],
};

const EXAMPLE: &str = "distribution = { constant = \"5ms\" }";
const EMPIRICAL_EXAMPLE: &str = "empirical = [\"1ms\", \"1ms\", \"40ms\"]";

/// More measured delays than a scenario file has room for are not expected.
const SAMPLES_MAX: usize = 10_000;

/// Beyond this the tail is centuries long: `exp(8 * 10)` medians at eight deviations.
const SIGMA_MAX: f64 = 10.0;

/// Beyond these a tail is one value, or every other delay is cut off after a day.
const SHAPES: (f64, f64) = (0.1, 100.0);

/// A kind with two keys.
pub(super) struct Shaped {
    kind: &'static str,
    pub(super) keys: Keys,
    example: &'static str,
}

pub(super) const UNIFORM: Shaped = Shaped {
    kind: "`uniform`",
    keys: Keys { of: "`uniform`", noun: "key", known: &["from", "to"], later: &[] },
    example: "uniform = { from = \"1ms\", to = \"9ms\" }",
};

pub(super) const NORMAL: Shaped = Shaped {
    kind: "`normal`",
    keys: Keys { of: "`normal`", noun: "key", known: &["mean", "deviation"], later: &[] },
    example: "normal = { mean = \"8ms\", deviation = \"1ms\" }",
};

pub(super) const LOGNORMAL: Shaped = Shaped {
    kind: "`lognormal`",
    keys: Keys { of: "`lognormal`", noun: "key", known: &["median", "sigma"], later: &[] },
    example: "lognormal = { median = \"20ms\", sigma = 1.2 }",
};

pub(super) const PARETO: Shaped = Shaped {
    kind: "`pareto`",
    keys: Keys { of: "`pareto`", noun: "key", known: &["scale", "shape"], later: &[] },
    example: "pareto = { scale = \"1ms\", shape = 1.5 }",
};

pub(super) fn read_latency(table: &Table<'_>, findings: &mut Findings) -> Option<Fault> {
    LATENCY_KEYS.check(table, findings);
    let step = match table.get("step") {
        Some(field) => {
            let why = "delays would come in no steps";
            Some(findings.keep(positive(&field, why, "step = \"250us\""))?)
        }
        None => None,
    };
    let field = findings.keep(table.require("distribution", "`latency`", EXAMPLE))?;
    let inner = findings.keep(field.table(EXAMPLE))?;
    DISTRIBUTIONS.check(&inner, findings);
    let distribution = read_distribution(&inner, findings)?;
    Some(Fault::Latency(Latency { distribution, step }))
}

fn read_distribution(table: &Table<'_>, findings: &mut Findings) -> Option<Distribution> {
    let kinds = table.present(DISTRIBUTIONS.known);
    if table.entries.is_empty() {
        let message = "`distribution` does not say how late the answer is";
        let error = Diagnostic::error("missing-key", table.span.clone(), message);
        findings.push(error.help(format!("write it like `{EXAMPLE}`")));
    }
    if let [_, second, ..] = kinds.as_slice() {
        let message = "`distribution` is one kind, not several";
        let error = Diagnostic::error("conflicting-keys", second.key_span.clone(), message);
        findings.push(error.help(format!("keep one, as in `{EXAMPLE}`")));
    }
    let read = |field| read_kind(field, findings);
    kinds.iter().map(read).fold(None, Option::or)
}

fn read_kind(field: &Field<'_>, findings: &mut Findings) -> Option<Distribution> {
    match field.key {
        "constant" => {
            let delay = delay(field, "constant = \"5ms\"");
            findings.keep(delay).map(Distribution::Constant)
        }
        "uniform" => read_uniform(field, findings),
        "normal" => read_normal(field, findings),
        "pareto" => read_pareto(field, findings),
        "empirical" => read_empirical(field, findings),
        _ => read_lognormal(field, findings),
    }
}

fn delay(field: &Field<'_>, example: &str) -> Read<Duration> {
    positive(field, "nothing is delayed", example)
}

impl Shaped {
    /// Its two values, as far as they are there.
    fn pair<'a>(
        &self,
        field: &Field<'a>,
        findings: &mut Findings,
    ) -> Option<[Option<Field<'a>>; 2]> {
        let table = findings.keep(field.table(self.example))?;
        self.keys.check(&table, findings);
        let mut value = |key| findings.keep(table.require(key, self.kind, self.example));
        Some([value(self.keys.known[0]), value(self.keys.known[1])])
    }
}

fn read_uniform(field: &Field<'_>, findings: &mut Findings) -> Option<Distribution> {
    let [from, to] = UNIFORM.pair(field, findings)?;
    let from = findings.read(from, |field| field.duration("from = \"1ms\""));
    let span = to.as_ref().map(Field::span);
    let to = findings.read(to, |field| field.duration("to = \"9ms\""));
    let (from, to, span) = (from?, to?, span?);
    if from >= to {
        let message = "`to` must be longer than `from`";
        let error = Diagnostic::error("inverted-range", span, message);
        findings.push(
            error.help("exchange them, or write `constant` for a delay that is always the same"),
        );
        return None;
    }
    Some(Distribution::Uniform { from, to })
}

fn read_normal(field: &Field<'_>, findings: &mut Findings) -> Option<Distribution> {
    let [mean, deviation] = NORMAL.pair(field, findings)?;
    let mean = findings.read(mean, |field| delay(&field, "mean = \"8ms\""));
    let why = "that is a constant delay";
    let deviation = findings.read(deviation, |field| positive(&field, why, "deviation = \"1ms\""));
    Some(Distribution::Normal { mean: mean?, deviation: deviation? })
}

fn read_lognormal(field: &Field<'_>, findings: &mut Findings) -> Option<Distribution> {
    let [median, sigma] = LOGNORMAL.pair(field, findings)?;
    let median = findings.read(median, |field| delay(&field, "median = \"20ms\""));
    let sigma = findings.read(sigma, |field| read_sigma(&field));
    Some(Distribution::Lognormal { median: median?, sigma: sigma? })
}

fn read_pareto(field: &Field<'_>, findings: &mut Findings) -> Option<Distribution> {
    let [scale, shape] = PARETO.pair(field, findings)?;
    let scale = findings.read(scale, |field| delay(&field, "scale = \"1ms\""));
    let shape = findings.read(shape, |field| read_shape(&field));
    Some(Distribution::Pareto { scale: scale?, shape: shape? })
}

fn read_empirical(field: &Field<'_>, findings: &mut Findings) -> Option<Distribution> {
    if matches!(field.value.get_ref(), DeValue::Array(items) if items.is_empty()) {
        let error =
            field.error("empty-list", "`empirical` is an empty list: there is no delay to draw");
        findings.push(error.help(format!("write it like `{EMPIRICAL_EXAMPLE}`")));
        return None;
    }
    let samples = findings.keep(field.many("a list of durations", EMPIRICAL_EXAMPLE))?;
    if samples.len() > SAMPLES_MAX {
        let message = format!("`empirical` has {} delays", samples.len());
        let help = format!("keep {SAMPLES_MAX} of them: which one is drawn is chance anyway");
        findings.push(field.error("out-of-range", message).help(help));
        return None;
    }
    let delays: Vec<Option<Duration>> =
        samples.iter().map(|sample| findings.keep(sample.duration(EMPIRICAL_EXAMPLE))).collect();
    delays
        .into_iter()
        .collect::<Option<Vec<_>>>()
        .map(|delays| Distribution::Empirical(delays.into()))
}

fn read_sigma(field: &Field<'_>) -> Read<f64> {
    let sigma = field.number("sigma = 1.2")?;
    if sigma > 0.0 && sigma <= SIGMA_MAX {
        return Ok(sigma);
    }
    let message = format!("`sigma` must be more than 0 and at most {SIGMA_MAX}, not {sigma}");
    Err(field
        .error("out-of-range", message)
        .help("it is the deviation of the natural logarithm: 0.1 is steady, 1.2 has a long tail; for a fixed delay write `constant`"))
}

fn read_shape(field: &Field<'_>) -> Read<f64> {
    let (shape, (least, most)) = (field.number("shape = 1.5")?, SHAPES);
    if (least..=most).contains(&shape) {
        return Ok(shape);
    }
    let message = format!("`shape` must be from {least} to {most}, not {shape}");
    Err(field.error("out-of-range", message).help(
        "the smaller, the longer the tail: below 2 the variance has no end, at 1 nor has the mean",
    ))
}
