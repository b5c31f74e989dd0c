//! Reads `when`: which of the occurrences.
//!
//! Conditions combine with *and*; this file refuses combinations that can never hold.

use std::ops::Range;

use super::document::{Field, Findings, Keys, Read, Table};
use super::{Cycle, When};
use super::{fault, rule};
use crate::diagnostic::Diagnostic;

pub(super) const KEYS: Keys = Keys {
    of: "`when`",
    noun: "key",
    known: &["nth", "every", "times", "probability", "after", "for", "cycle", "after_event"],
    later: &[],
};

pub(super) const CYCLE_KEYS: Keys =
    Keys { of: "`cycle`", noun: "key", known: &["on", "off"], later: &[] };

const EVENT_EXAMPLE: &str = "after_event = \"first-error\"";

const CYCLE_EXAMPLE: &str = "cycle = { on = \"5s\", off = \"20s\" }";

/// A `when` and which keys of it count or draw accesses.
#[derive(Debug, Default)]
pub(super) struct WhenRead {
    pub(super) when: When,
    /// The keys `nth`, `every`, `times`, `probability` that are there, right or wrong.
    pub(super) by_access: Vec<(&'static str, Range<usize>)>,
    /// Where `after_event` stands.
    pub(super) event: Option<Range<usize>>,
}

pub(super) fn read(field: Option<Field<'_>>, findings: &mut Findings) -> WhenRead {
    let example = "when = { nth = 3, times = 1 }";
    let Some(table) = findings.read(field, |field| field.table(example)) else {
        return WhenRead::default();
    };
    KEYS.check(&table, findings);
    let nth = read_nth(&table, findings);
    let when = When {
        nth: sorted(&nth),
        every: findings.read(table.get("every"), |field| {
            field.positive("there is no zeroth occurrence", "every = 10")
        }),
        times: findings
            .read(table.get("times"), |field| field.positive("the rule never fires", "times = 1")),
        probability: table.get("probability").and_then(|field| fraction(&field, findings)),
        after: findings.read(table.get("after"), |field| field.duration("after = \"10s\"")),
        for_: findings.read(table.get("for"), |field| window(&field)),
        cycle: table.get("cycle").and_then(|field| read_cycle(&field, findings)),
        after_event: findings
            .read(table.get("after_event"), |field| rule::read_name(&field, EVENT_EXAMPLE)),
    };
    check_together(&table, &nth, &when, findings);
    let event = table.get("after_event").map(|field| field.span());
    WhenRead { when, by_access: by_access(&table), event }
}

fn by_access(table: &Table<'_>) -> Vec<(&'static str, Range<usize>)> {
    ["nth", "every", "times", "probability"]
        .into_iter()
        .filter_map(|key| Some((key, table.get(key)?.key_span)))
        .collect()
}

fn read_nth(table: &Table<'_>, findings: &mut Findings) -> Vec<(u64, Range<usize>)> {
    let items = findings.read(table.get("nth"), |field| field.one_or_many());
    let mut nth: Vec<(u64, Range<usize>)> = Vec::new();
    for item in items.unwrap_or_default() {
        let read = item.positive("occurrences are counted from 1", "nth = 3");
        let Some(number) = findings.keep(read) else {
            continue;
        };
        if nth.iter().any(|(before, _)| *before == number) {
            let message = format!("`nth` lists {number} twice");
            findings.push(item.error("duplicate-value", message).help("remove one of them"));
            continue;
        }
        nth.push((number, item.span()));
    }
    nth
}

fn sorted(nth: &[(u64, Range<usize>)]) -> Vec<u64> {
    let mut numbers: Vec<u64> = nth.iter().map(|(number, _)| *number).collect();
    numbers.sort_unstable();
    numbers
}

/// A number from 0 (never) to 1 (always). Zero is legal, as control runs use it, and worth a word.
pub(super) fn fraction(field: &Field<'_>, findings: &mut Findings) -> Option<f64> {
    let fraction = findings.keep(read_fraction(field))?;
    if fraction == 0.0 {
        let message = format!("`{}` is 0: the rule never fires", field.key);
        let warning = Diagnostic::warning("never-fires", field.span(), message);
        findings.push(warning.help("0 is never, 1 is always; keep it only in a control run"));
    }
    Some(fraction)
}

/// A probability that may well be 0.
pub(super) fn share(field: &Field<'_>) -> Read<f64> {
    read_fraction(field)
}

fn read_fraction(field: &Field<'_>) -> Read<f64> {
    let example = format!("{} = 0.001", field.key);
    let number = field.number(&example)?;
    if (0.0..=1.0).contains(&number) {
        return Ok(number);
    }
    let code = match field.key {
        "probability" => "probability-out-of-range",
        _ => "rate-out-of-range",
    };
    let percent = if number > 1.0 && number <= 100.0 {
        format!("; for {number} per cent write `{}`", number / 100.0)
    } else {
        String::new()
    };
    Err(field
        .error(
            code,
            format!("`{}` must be from 0.0 (never) to 1.0 (always), not {number:?}", field.key),
        )
        .help(format!("write it like `{example}`{percent}")))
}

fn window(field: &Field<'_>) -> Read<std::time::Duration> {
    let window = field.duration("for = \"1m\"")?;
    if window.is_zero() {
        return Err(field
            .error("zero-duration", "`for` is zero: the rule never fires")
            .help("write how long it holds, as in `for = \"1m\"`, or leave `for` out"));
    }
    Ok(window)
}

fn read_cycle(field: &Field<'_>, findings: &mut Findings) -> Option<Cycle> {
    let table = findings.keep(field.table(CYCLE_EXAMPLE))?;
    CYCLE_KEYS.check(&table, findings);
    let mut part = |key, why| {
        let field = table.require(key, "`cycle`", CYCLE_EXAMPLE);
        findings.keep(field.and_then(|field| fault::positive(&field, why, CYCLE_EXAMPLE)))
    };
    let on = part("on", "the rule never fires");
    let off = part("off", "it never ends; leave `cycle` out");
    Some(Cycle { on: on?, off: off? })
}

/// Conditions that are right by themselves and never hold together.
fn check_together(
    table: &Table<'_>,
    nth: &[(u64, Range<usize>)],
    when: &When,
    findings: &mut Findings,
) {
    if let Some(every) = when.every {
        for (number, span) in nth.iter().filter(|(number, _)| !number.is_multiple_of(every)) {
            let message = format!(
                "occurrence {number} is not a multiple of `every = {every}`: both never hold"
            );
            let error = Diagnostic::error("never-fires", span.clone(), message);
            findings.push(error.help("keep `nth` or `every`, not both"));
        }
    }
    if let (Some(times), Some(field)) = (when.times, table.get("times")) {
        check_times(&field, (times, when.probability), nth, findings);
    }
}

fn check_times(
    field: &Field<'_>,
    (times, probability): (u64, Option<f64>),
    nth: &[(u64, Range<usize>)],
    findings: &mut Findings,
) {
    let listed = nth.len() as u64;
    if listed == 0 || times == listed {
        return;
    }
    if times > listed {
        let message = format!("`times = {times}` is never reached: `nth` lists {listed}");
        let warning = Diagnostic::warning("times-beyond-nth", field.span(), message);
        findings.push(warning.help("leave `times` out, or list as many in `nth`"));
        return;
    }
    if probability.is_some() {
        return; // Any of the listed occurrences may be the one that fires.
    }
    for number in sorted(nth).into_iter().skip(times as usize) {
        let span = nth.iter().find(|(listed, _)| *listed == number);
        let message =
            format!("occurrence {number} never fires: `times = {times}` is used up before");
        let error = Diagnostic::error(
            "never-fires",
            span.map_or(field.span(), |(_, span)| span.clone()),
            message,
        );
        findings.push(error.help(format!("write `times = {listed}`, or leave `times` out")));
    }
}
