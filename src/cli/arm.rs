//! `errorfs arm` and `errorfs disarm`: which rules of a live mount are in force.

use std::path::Path;

use clap::Args;
use serde_json::json;

use super::asking::Mounted;
use super::exit::{Exit, Failure};
use crate::machine::find;

/// Arm rules of a live mount: all, or the ones that are named
///
///   errorfs arm bit-rot --on /mnt
///
/// Returns when they hold: no read that begins then goes by the older state. What waits for files
/// that are open is told. If there is no rule of one of the names, nothing changes.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Arm {
    #[command(flatten)]
    which: Which,
}

/// Disarm rules of a live mount: all, or the ones that are named
///
/// Returns when nothing of them holds any more, and what they delayed or stalled has been answered.
/// Damage and counts stay, for `errorfs arm`.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Disarm {
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, Args)]
struct Which {
    /// Names of rules; default: all
    #[arg(value_name = "RULE")]
    rules: Vec<String>,
    #[command(flatten)]
    mounted: Mounted,
    /// Say which processes hold the files that rules wait for
    #[arg(long)]
    holders: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// Arms.
pub(super) fn arm(args: &Arm) -> Result<Exit, Failure> {
    set(&args.which, "arm")
}

/// Disarms.
pub(super) fn disarm(args: &Disarm) -> Result<Exit, Failure> {
    set(&args.which, "disarm")
}

fn set(which: &Which, how: &str) -> Result<Exit, Failure> {
    change(which, how).map_err(|failure| match which.rules.iter().find(|rule| is_mount(rule)) {
        Some(path) => {
            let hint = format!("{path} is a mountpoint: name it by --on {path}");
            Failure::new(failure.exit, format!("{}; {hint}", failure.message))
        }
        None => failure,
    })
}

/// Whether what was typed for a rule is where errorfs is mounted.
fn is_mount(rule: &str) -> bool {
    let mount = rule.contains('/').then(|| find(Path::new(rule)).ok().flatten());
    mount.flatten().is_some_and(|mount| mount.is_errorfs())
}

fn change(which: &Which, how: &str) -> Result<Exit, Failure> {
    let asking = which.mounted.find()?;
    let holders = if which.holders { "?holders=1" } else { "" };
    let names = json!({ "rules": which.rules }).to_string().into_bytes();
    let body = (!which.rules.is_empty()).then_some(("application/json", names));
    asking.change("POST", &format!("/v1/{how}{holders}"), body, which.json)?;
    Ok(Exit::Done)
}
