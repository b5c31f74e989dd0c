//! `errorfs events`: what a live mount did, as it does it.

use clap::Args;
use serde_json::Value;

use super::asking::{MountedAt, part};
use super::exit::{Exit, Failure};
use super::out;
use crate::diagnostic::harmless;

/// What a live mount did to whom: the events of its ledger
///
///   errorfs events --follow --rule bit-rot /mnt
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Events {
    #[command(flatten)]
    mounted: MountedAt,
    /// And what it does from now on, until the mount ends
    #[arg(short, long)]
    follow: bool,
    /// Of this rule alone
    #[arg(long)]
    rule: Option<String>,
    /// Those behind this one
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    after: u64,
    /// The lines as the ledger has them
    #[arg(long)]
    json: bool,
}

/// Tells.
pub(super) fn run(args: &Events) -> Result<Exit, Failure> {
    let asking = args.mounted.find()?;
    let follow = u8::from(args.follow);
    let rule = args.rule.as_ref().map(|rule| format!("&rule={}", part(rule)));
    let path =
        format!("/v1/events?after={}&follow={follow}{}", args.after, rule.unwrap_or_default());
    let mut told = Ok(());
    asking.lines(&path, |line| {
        told = match args.json {
            true => out(&String::from_utf8_lossy(line)),
            false => out(&sentence(&serde_json::from_slice(line).unwrap_or_default())),
        };
        told.is_ok()
    })?;
    told.map(|()| Exit::Done)
}

/// One event in a line.
fn sentence(event: &Value) -> String {
    let said = |key: &str| event[key].as_str().unwrap_or_default();
    let time = said("time").get(11..19).unwrap_or_default();
    let head = format!("{:>6} {time}", event["seq"].as_u64().unwrap_or(0));
    if said("outcome") == "armed" {
        let rules = event["plan"]["rules"].as_array().into_iter().flatten();
        let rules: Vec<_> = rules.filter_map(Value::as_str).collect();
        let rules = if rules.is_empty() { "nothing".to_owned() } else { rules.join(", ") };
        return harmless(&format!("{head} armed: {rules} (generation {})", event["arming"]));
    }
    let what = ["rule", "fault", "outcome", "op", "path"].map(said).join(" ");
    let who = match event["pid"].as_u64() {
        Some(pid) if pid > 0 => format!(" by {} ({pid})", said("comm")),
        _ => String::new(),
    };
    harmless(&format!("{head} {what}{}{who}", place(event)))
}

fn place(event: &Value) -> String {
    let bits = event["bits"].as_array().into_iter().flatten();
    let bits: Vec<_> = bits.map(|bit| format!("byte {} bit {}", bit["byte"], bit["bit"])).collect();
    let regions = event["regions"].as_array().into_iter().flatten();
    let region = |one: &Value| format!("{} bytes from {}", one["bytes"][1], one["bytes"][0]);
    let regions: Vec<_> = regions.map(region).collect();
    let errno = event["errno"].as_str().map(str::to_owned);
    let all: Vec<_> = bits.into_iter().chain(regions).chain(errno).collect();
    if all.is_empty() { String::new() } else { format!(": {}", all.join(", ")) }
}
