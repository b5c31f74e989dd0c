//! `errorfs status`: how it stands with a live mount and each of its rules.

use clap::Args;
use serde_json::Value;

use super::asking::MountedAt;
use super::exit::{Exit, Failure};
use super::out;
use crate::diagnostic::harmless;

/// How it stands with a live mount: each rule with what it met and did, and why not
///
///   errorfs status /mnt
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Status {
    #[command(flatten)]
    mounted: MountedAt,
    /// Say which processes hold the files that rules wait for
    #[arg(long)]
    holders: bool,
    /// One JSON object instead of a table
    #[arg(long)]
    json: bool,
}

/// Tells.
pub(super) fn run(args: &Status) -> Result<Exit, Failure> {
    let holders = if args.holders { "?holders=1" } else { "" };
    let status = args.mounted.find()?.get(&format!("/v1/status{holders}"))?.json();
    match args.json {
        true => out(&status.to_string())?,
        false => out(&harmless(&table(&status, columns())))?,
    }
    Ok(Exit::Done)
}

/// As wide as the terminal, and no narrower than 80.
fn columns() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stdout());
    size.map_or(80, |size| usize::from(size.ws_col).max(80))
}

/// What all columns but the first take, with the spaces between them.
const REST: usize = 66;

fn table(status: &Value, columns: usize) -> String {
    let mut lines = head(status);
    let rules = status["rules"].as_array().cloned().unwrap_or_default();
    if rules.is_empty() {
        lines.push("no rule is loaded".to_owned());
        return lines.join("\n");
    }
    let longest = rules.iter().map(|rule| width(&text(rule, "name"))).max().unwrap_or(0);
    let name = longest.clamp(4, columns - REST);
    lines.push(String::new());
    lines.push(row(
        name,
        ["RULE", "FAULT", "STATE", "MATCHED", "CONSIDERED", "FIRED", "DELIVERED", "LAST HIT"]
            .map(String::from),
    ));
    for rule in &rules {
        lines.push(line(rule, name));
        lines.extend(rule["why"].as_str().map(|why| format!("  {why}")));
    }
    lines.join("\n")
}

/// What is mounted, and how it stands with it.
pub(super) fn head(status: &Value) -> Vec<String> {
    let state = match (status["armed"] == true, status["ledger_failed"] == true) {
        (_, true) => "injects nothing any more: its ledger cannot be written",
        (true, _) => "armed",
        (false, _) => "disarmed",
    };
    let (mountpoint, backing) = (text(status, "mountpoint"), text(status, "backing"));
    let place =
        if mountpoint == backing { mountpoint } else { format!("{mountpoint} over {backing}") };
    let mut lines = vec![format!("{place}: {state}")];
    let seed = status["seed"].as_u64().map(|seed| format!(", seed {seed}")).unwrap_or_default();
    lines.push(format!("generation {}{seed}, pid {}", status["generation"], status["pid"]));
    lines.extend(status["ledger"].as_str().map(|ledger| format!("ledger {ledger}")));
    let failed = Some(&status["reload_failed"]).filter(|failed| failed.is_object());
    lines.extend(failed.map(reload_failed));
    let left = status["disarms_in_s"].as_f64();
    lines.extend(left.map(|left| format!("disarms by itself in {left:.0} s")));
    let waiting = status["waiting"].as_u64().filter(|count| *count > 0);
    lines.extend(waiting.map(|count| format!("answers that wait: {count}")));
    lines.extend(status["pending"].as_array().into_iter().flatten().map(pending));
    lines
}

/// What was loaded before is in force all the while.
fn reload_failed(failed: &Value) -> String {
    let (file, problem) = (text(failed, "file"), text(failed, "problem"));
    let place = match file.is_empty() || problem.contains(&file) {
        true => String::new(),
        false => format!("{file}: "),
    };
    format!("the reload at {} failed: {place}{problem}", clock(&failed["time"]))
}

fn pending(file: &Value) -> String {
    let why = match file["waits"].as_str() {
        Some("passthrough") => "open with kernel passthrough",
        _ => "open by way of the page cache",
    };
    let holders = file["holders"].as_array().into_iter().flatten();
    let one = |holder: &Value| format!(" {} ({})", text(holder, "comm"), holder["pid"]);
    let holders: String = holders.map(one).collect();
    format!("pending: {} is {why}{holders}", text(file, "path"))
}

fn line(rule: &Value, name: usize) -> String {
    let number = |key: &str| rule[key].as_u64().unwrap_or(0).to_string();
    let state = if rule["armed"] == true { "armed" } else { "disarmed" };
    row(
        name,
        [
            text(rule, "name"),
            text(rule, "fault"),
            state.to_owned(),
            number("matched"),
            number("considered"),
            number("fired"),
            number("delivered"),
            last_hit(rule),
        ],
    )
}

/// The time of day at which a rule last did something.
pub(super) fn last_hit(rule: &Value) -> String {
    clock(&rule["last_hit"])
}

/// The time of day of a moment.
fn clock(moment: &Value) -> String {
    let time = moment.as_str().and_then(|time| time.get(11..19));
    time.unwrap_or("-").to_owned()
}

fn row(name: usize, cells: [String; 8]) -> String {
    let [rule, fault, state, matched, considered, fired, delivered, last] = cells;
    let rule = fitted(&rule, name);
    let line = format!(
        "{rule} {fault:<11} {state:<8} {matched:>7} {considered:>10} {fired:>5} {delivered:>9} {last:>8}"
    );
    line.trim_end().to_owned()
}

/// Exactly so wide: what is longer is cut.
fn fitted(name: &str, columns: usize) -> String {
    let length = width(name);
    if length <= columns {
        return format!("{name}{}", " ".repeat(columns - length));
    }
    let kept: String = name.chars().take(columns - 1).collect();
    format!("{kept}\u{2026}")
}

fn width(name: &str) -> usize {
    name.chars().count()
}

/// A text of an answer; empty if it is not there.
pub(super) fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_table_fits_eighty_columns_whatever_rules_are_called() {
        let rule = json!({ "name": "a name that is far too long for any table", "fault": "latency",
            "armed": true, "matched": 9_999_999, "considered": 9_999_999, "fired": 99_999,
            "delivered": 9_999_999, "last_hit": "2026-11-20T06:00:01.5Z", "why": null });
        let status = json!({ "mountpoint": "/mnt", "backing": "/data", "armed": true,
            "generation": 2, "seed": 7, "pid": 12, "rules": [rule] });
        let table = table(&status, 80);
        assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
        assert!(table.contains("06:00:01") && table.contains("a name that i\u{2026}"), "{table}");
    }
}
