//! `errorfs inject`: one fault at an exact position of a live mount, once.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::asking::{Asking, Mounted};
use super::exit::{Exit, Failure};
use crate::ledger::escape;

/// One fault at an exact position of a live mount, once
///
///   errorfs inject my.db --byte 70233 --bit 4
///   errorfs inject my.db --op fsync --errno EIO
///
/// It comes before all rules, and never again: what has hit goes with the next `inject` or `reset`.
/// `errorfs status` tells whether it has hit, by the name that this prints.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Inject {
    /// The file: relative to the mount, or below its mountpoint
    path: PathBuf,
    /// The operation
    #[arg(long, default_value = "read")]
    op: String,
    /// Only one on this byte
    #[arg(long, value_name = "N")]
    byte: Option<u64>,
    /// The bit of that byte that is wrong, 0 to 7
    #[arg(long, value_name = "N", requires = "byte", conflicts_with = "errno")]
    bit: Option<u8>,
    /// The error that it fails with
    #[arg(long, value_name = "NAME", required_unless_present = "bit")]
    errno: Option<String>,
    #[command(flatten)]
    mounted: Mounted,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// Injects.
pub(super) fn run(args: &Inject) -> Result<Exit, Failure> {
    let asking = args.mounted.find()?;
    let path = relative(&asking, &args.path)?;
    let mut shot = json!({ "path": path, "op": args.op });
    for (key, value) in [("byte", json!(args.byte)), ("bit", json!(args.bit))] {
        shot[key] = value;
    }
    shot["errno"] = json!(args.errno);
    let body = Some(("application/json", shot.to_string().into_bytes()));
    asking.change("POST", "/v1/inject", body, args.json)?;
    Ok(Exit::Done)
}

/// What a file below the mountpoint is called there.
fn relative(asking: &Asking, path: &std::path::Path) -> Result<String, Failure> {
    let usage = |message: String| Failure::new(Exit::Usage, message);
    let text = |path: &std::path::Path| {
        let name = path.to_str().map(str::to_owned);
        name.ok_or_else(|| usage(format!("{}: the name is not text", path.display())))
    };
    if path.is_relative() {
        return text(path);
    }
    let status = asking.get("/v1/status")?.json();
    let mountpoint = status["mountpoint"].as_str().unwrap_or_default();
    let whole = escape(path.as_os_str().as_encoded_bytes());
    match whole.strip_prefix(mountpoint).and_then(|rest| rest.strip_prefix('/')) {
        Some(_) => text(path.strip_prefix(mountpoint).unwrap_or(path)),
        None => Err(usage(format!("{} is not below {mountpoint}", path.display()))),
    }
}
