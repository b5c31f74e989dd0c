//! Reads `[preset]`: where a scenario's figures come from, and how far they are from the field.
//!
//! Provenance changes no fault: it is told by `errorfs check` and kept in ledgers, and is no part of
//! what a plan's id is made of.

use std::collections::BTreeMap;

use super::document::{Field, Findings, Keys, Read, Table, did_you_mean};
use super::rule;
use crate::diagnostic::Diagnostic;

pub(super) const KEYS: Keys = Keys {
    of: "`preset`",
    noun: "key",
    known: &["name", "cite", "evidence", "assumptions", "real_rate", "acceleration"],
    later: &[],
};

pub(super) const ACCELERATION_KEYS: Keys =
    Keys { of: "`acceleration`", noun: "key", known: &["method", "factor"], later: &[] };

const NAME_EXAMPLE: &str = "name = \"nearline-hdd\"";
const CITE_EXAMPLE: &str = "cite = [\"Bairavasundaram et al., FAST'08\"]";
const ASSUMPTIONS_EXAMPLE: &str = "assumptions = [\"the content mix is not given by the study\"]";
const RATE_EXAMPLE: &str = "real_rate = { corrupt_disk_per_year = 0.00466 }";
const ACCELERATION_EXAMPLE: &str =
    "acceleration = { method = \"condition_on_sick\", factor = 215 }";

/// Where a scenario's figures come from.
#[derive(Clone, Debug, PartialEq)]
pub struct Preset {
    /// What papers and reports call it.
    pub name: String,
    /// The works that it follows.
    pub cite: Vec<String>,
    /// What kind of knowledge it rests on.
    pub evidence: Evidence,
    /// What none of these works says.
    pub assumptions: Vec<String>,
    /// How often the thing happens to real devices, by what the number counts.
    pub real_rate: BTreeMap<String, f64>,
    /// How it is made to happen more often here.
    pub acceleration: Option<Acceleration>,
}

/// What kind of knowledge a preset rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Devices in use were counted.
    Field,
    /// Devices or programs were tried.
    Lab,
    /// It models nothing that was seen: it measures.
    Synthetic,
    /// Somebody's judgement.
    Assumption,
}

/// How something rare is made frequent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Acceleration {
    /// Which way.
    pub method: Method,
    /// How many times more often than `real_rate`; `None`: the method makes no claim of a rate.
    pub factor: Option<f64>,
}

/// A way of making something rare frequent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The device is one of those that are affected.
    ConditionOnSick,
    /// Each event is so many times as likely.
    RateMultiply,
    /// Time passes so many times as fast.
    TimeCompress,
    /// Exactly so many faults a run.
    ExactK,
}

impl Evidence {
    /// Every kind.
    pub const ALL: [Evidence; 4] =
        [Evidence::Field, Evidence::Lab, Evidence::Synthetic, Evidence::Assumption];

    /// The word that scenarios use.
    pub const fn name(self) -> &'static str {
        match self {
            Evidence::Field => "field",
            Evidence::Lab => "lab",
            Evidence::Synthetic => "synthetic",
            Evidence::Assumption => "assumption",
        }
    }
}

impl Method {
    /// Every way.
    pub const ALL: [Method; 4] =
        [Method::ConditionOnSick, Method::RateMultiply, Method::TimeCompress, Method::ExactK];

    /// The word that scenarios use.
    pub const fn name(self) -> &'static str {
        match self {
            Method::ConditionOnSick => "condition_on_sick",
            Method::RateMultiply => "rate_multiply",
            Method::TimeCompress => "time_compress",
            Method::ExactK => "exact_k",
        }
    }
}

/// Every preset of a file: one table, or the list that merging several files gives.
pub(super) fn read(field: Option<Field<'_>>, findings: &mut Findings) -> Vec<Preset> {
    let items = findings.read(field, |field| field.one_or_many()).unwrap_or_default();
    let presets = items.into_iter().filter_map(|item| {
        let table = findings.keep(item.table("[preset]"))?;
        read_one(&table, findings)
    });
    presets.collect()
}

fn read_one(table: &Table<'_>, findings: &mut Findings) -> Option<Preset> {
    KEYS.check(table, findings);
    let name = findings.keep(table.require("name", "`preset`", NAME_EXAMPLE));
    let name = findings.read(name, |field| rule::read_name(&field, NAME_EXAMPLE));
    let evidence = table.require("evidence", "`preset`", "evidence = \"field\"");
    let evidence = findings.keep(evidence.and_then(|field| {
        word(&field, ("evidence", "unknown-evidence"), &Evidence::ALL, Evidence::name)
    }));
    let cite = sentences(table.get("cite"), CITE_EXAMPLE, findings);
    if let Some(evidence @ (Evidence::Field | Evidence::Lab)) = evidence
        && table.get("cite").is_none()
    {
        let message =
            format!("`preset` needs `cite`: evidence of the {} has a source", evidence.name());
        let error = Diagnostic::error("missing-key", table.span.clone(), message);
        findings.push(error.help(format!("write `{CITE_EXAMPLE}`")));
    }
    Some(Preset {
        name: name?,
        cite,
        evidence: evidence?,
        assumptions: sentences(table.get("assumptions"), ASSUMPTIONS_EXAMPLE, findings),
        real_rate: read_rates(table.get("real_rate"), findings),
        acceleration: read_acceleration(table.get("acceleration"), findings),
    })
}

/// One word of a list.
pub(super) fn word<T: Copy>(
    field: &Field<'_>,
    (what, code): (&'static str, &'static str),
    all: &[T],
    name: impl Fn(T) -> &'static str,
) -> Read<T> {
    let names: Vec<&str> = all.iter().map(|one| name(*one)).collect();
    let text = field.text(&format!("{} = \"{}\"", field.key, names[0]))?;
    all.iter().copied().find(|one| name(*one) == text).ok_or_else(|| {
        field
            .error(code, format!("there is no {what} `{text}`"))
            .label(did_you_mean(text, names.iter().copied()))
            .help(format!("write one of: {}", names.join(", ")))
    })
}

/// A list of texts for people.
fn sentences(field: Option<Field<'_>>, example: &str, findings: &mut Findings) -> Vec<String> {
    let items = findings.read(field, |field| field.many("a list of texts", example));
    let items = items.unwrap_or_default();
    items.iter().filter_map(|item| findings.keep(sentence(item, example))).collect()
}

fn sentence(item: &Field<'_>, example: &str) -> Read<String> {
    if item.text(example)?.trim().is_empty() {
        let error = item.error("empty-text", format!("a text of `{}` is empty", item.key));
        return Err(error.help(format!("write it like `{example}`")));
    }
    rule::read_name(item, example)
}

fn read_rates(field: Option<Field<'_>>, findings: &mut Findings) -> BTreeMap<String, f64> {
    let Some(table) = findings.read(field, |field| field.table(RATE_EXAMPLE)) else {
        return BTreeMap::new();
    };
    let mut rates = BTreeMap::new();
    for (key, value) in table.entries {
        let name: &str = key.get_ref();
        let field = Field { key: "real_rate", key_span: key.span(), member: true, value };
        if let Some(rate) = findings.keep(rate_name(&field, name).and_then(|()| rate(&field))) {
            rates.insert(name.to_owned(), rate);
        }
    }
    rates
}

fn rate_name(field: &Field<'_>, name: &str) -> Read<()> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if !name.is_empty() && name.chars().all(allowed) {
        return Ok(());
    }
    let message = "a rate is named by small letters, digits and `_`";
    let error = Diagnostic::error("bad-name", field.key_span.clone(), message);
    Err(error.help(format!("write it like `{RATE_EXAMPLE}`")))
}

fn rate(field: &Field<'_>) -> Read<f64> {
    let rate = field.number(RATE_EXAMPLE)?;
    if rate >= 0.0 {
        return Ok(rate);
    }
    let error = field.error("out-of-range", format!("a rate is not negative, as {rate} is"));
    Err(error.help(format!("write it like `{RATE_EXAMPLE}`")))
}

fn read_acceleration(field: Option<Field<'_>>, findings: &mut Findings) -> Option<Acceleration> {
    let table = findings.read(field, |field| field.table(ACCELERATION_EXAMPLE))?;
    ACCELERATION_KEYS.check(&table, findings);
    let method = table.require("method", "`acceleration`", ACCELERATION_EXAMPLE);
    let method = findings.keep(method.and_then(|field| {
        word(&field, ("method", "unknown-acceleration"), &Method::ALL, Method::name)
    }))?;
    let factor = match (method, table.get("factor")) {
        (Method::ExactK, Some(field)) => {
            let message = "`exact_k` claims no rate, and has no `factor`";
            let error = Diagnostic::error("conflicting-keys", field.key_span, message);
            findings.push(error.help("leave `factor` out"));
            None
        }
        (Method::ExactK, None) => None,
        _ => {
            let field = table.require("factor", "`acceleration`", ACCELERATION_EXAMPLE);
            Some(findings.keep(field.and_then(|field| read_factor(&field)))?)
        }
    };
    Some(Acceleration { method, factor })
}

fn read_factor(field: &Field<'_>) -> Read<f64> {
    let factor = field.number(ACCELERATION_EXAMPLE)?;
    if factor >= 1.0 {
        return Ok(factor);
    }
    let message = format!("`factor` is how many times more often: at least 1, not {factor}");
    Err(field
        .error("out-of-range", message)
        .help(format!("write it like `{ACCELERATION_EXAMPLE}`")))
}
