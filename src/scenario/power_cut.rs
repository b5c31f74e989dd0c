//! Reads the fault `power_cut`: what a loss of power leaves of what was not synced.

use super::document::{Field, Findings, Keys, Read, Table, did_you_mean};
use super::when::{WhenRead, share};
use super::{Fault, Names, PowerCut, Unsynced};
use crate::diagnostic::Diagnostic;

pub(super) const KEYS: Keys = Keys {
    of: "`power_cut`",
    noun: "key",
    known: &["unsynced", "torn", "names", "lies", "then"],
    later: &[],
};

pub(super) fn read(table: &Table<'_>, findings: &mut Findings) -> Option<Fault> {
    KEYS.check(table, findings);
    let unsynced = match table.get("unsynced") {
        Some(field) => findings.keep(read_unsynced(&field)),
        None => Some(Unsynced::Mixed),
    };
    let names = match table.get("names") {
        Some(field) => findings.keep(read_names(&field)),
        None => Some(Names::Ordered),
    };
    let torn = read_share("torn", table, findings);
    let lies = read_share("lies", table, findings);
    if let (Some(field), Some(word @ ("old" | "new"))) =
        (table.get("torn"), unsynced.map(Unsynced::name))
    {
        let message = format!("no page is torn where all of them are {word}");
        let error = Diagnostic::error("conflicting-keys", field.key_span, message);
        findings.push(error.help("leave `torn` out, or write `unsynced = \"mixed\"`"));
        return None;
    }
    let stays_off = match table.get("then") {
        Some(field) => findings.keep(read_then(&field)),
        None => Some(false),
    };
    Some(Fault::PowerCut(PowerCut {
        unsynced: unsynced?,
        torn: torn?,
        names: names?,
        lies: lies?,
        stays_off: stays_off?,
    }))
}

/// Power that every operation cuts is none.
pub(super) fn check_trigger(table: &Table<'_>, when: &WhenRead, findings: &mut Findings) {
    if when.by_access.is_empty() {
        let message = "every operation would cut the power: `when` does not pick any";
        let error = Diagnostic::error("missing-key", table.span.clone(), message);
        findings.push(error.help("write `when = { nth = 100 }`, or another trigger of accesses"));
    }
}

fn read_share(key: &'static str, table: &Table<'_>, findings: &mut Findings) -> Option<f64> {
    match table.get(key) {
        Some(field) => findings.keep(share(&field)),
        None => Some(0.0),
    }
}

fn read_unsynced(field: &Field<'_>) -> Read<Unsynced> {
    let word = field.text("unsynced = \"mixed\"")?;
    let known = Unsynced::ALL.into_iter().find(|one| one.name() == word);
    known.ok_or_else(|| {
        let names = Unsynced::ALL.map(Unsynced::name);
        field
            .error("unknown-model", format!("unsynced pages cannot be `{word}`"))
            .label(did_you_mean(word, names))
            .help("`old` is as they were last synced, `new` as they were written, `mixed` some of each")
    })
}

fn read_names(field: &Field<'_>) -> Read<Names> {
    let word = field.text("names = \"ordered\"")?;
    let known = Names::ALL.into_iter().find(|one| one.name() == word);
    known.ok_or_else(|| {
        let names = Names::ALL.map(Names::name);
        field
            .error("unknown-model", format!("names cannot be `{word}`"))
            .label(did_you_mean(word, names))
            .help("`strict`: a name lives if its directory was synced after it; `ordered`: changes last in their order, all that come before any fsync")
    })
}

fn read_then(field: &Field<'_>) -> Read<bool> {
    match field.text("then = \"on\"")? {
        "on" => Ok(false),
        "off" => Ok(true),
        other => Err(field
            .error("unknown-model", format!("the power cannot be `{other}`"))
            .label(did_you_mean(other, ["on", "off"]))
            .help(
                "`on`: the mount goes on as after a reboot; `off`: everything fails from then on",
            )),
    }
}
