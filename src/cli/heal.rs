//! `errorfs heal`: undoes real damage, from a state directory.

use std::path::PathBuf;

use clap::Args;

use super::damage::refused;
use super::eprint;
use super::exit::{Exit, Failure};
use crate::diagnostic::plural;
use crate::heal::{HealError, Report, heal};
use crate::state::Undo;

/// Undo what a mount with --allow-damage did to its backing directory
///
/// Gives back every byte and every name that a fault changed, from the state directory of the mount.
/// What programs have overwritten since is theirs and stays. Killed, it can be started again; done,
/// it does nothing. Exit status: 0 all is as it was; 1 something was left, and why.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Heal {
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// What was given to `errorfs mount --state`
    state: PathBuf,
}

/// Undoes what can be undone, and says what was not.
pub(super) fn run(args: &Heal) -> Result<Exit, Failure> {
    let (records, state) = Undo::open(&args.state).map_err(|error| refused(&error))?;
    let report = heal(&state, &records, args.dry_run).map_err(|error| match &error {
        HealError::State(error) => refused(error),
        error => Failure::caused(Exit::Internal, error),
    })?;
    tell(&report, args.dry_run, &state);
    Ok(if report.left.is_empty() { Exit::Done } else { Exit::ExpectationFailed })
}

fn tell(report: &Report, dry: bool, state: &Undo) {
    report.left.iter().for_each(|left| eprint(&format!("left as it is: {left}")));
    let number = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    let backing = state.belongs.path.display();
    let what = match (report.bytes, report.names) {
        (0, 0) => return eprint(&format!("nothing to heal in {backing}")),
        (bytes, 0) => plural(number(bytes), "byte"),
        (0, names) => plural(number(names), "name"),
        (bytes, names) => {
            format!("{} and {}", plural(number(bytes), "byte"), plural(number(names), "name"))
        }
    };
    let done = if dry { "would be healed" } else { "healed" };
    eprint(&format!("{what} {done} in {backing}"));
}
