//! The command line: one file a verb. The only place that prints or exits.

mod arm;
mod asking;
mod campaign;
mod capture;
mod check;
mod daemon;
mod damage;
mod doctor;
mod drill;
mod events;
mod exercise;
mod exit;
mod guard;
mod heal;
mod inject;
mod keeper;
mod listening;
mod messages;
mod metrics;
mod mount;
mod mount_program;
mod place;
mod populate;
mod power_cut;
mod preview;
mod process;
mod progress;
mod ready;
mod recipes;
mod release;
mod reload;
mod replay;
mod reset;
mod run;
mod scenarios;
mod serving;
mod stage;
mod status;
mod sweeper;
mod top;
mod trace;
mod tracing;
mod umount;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use exit::{Exit, Failure};

/// Mount a directory and make its storage lie, exactly as a scenario says.
#[derive(Debug, Parser)]
#[command(name = "errorfs", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Mount(mount::Mount),
    Run(run::Run),
    Status(status::Status),
    Top(top::Top),
    Arm(arm::Arm),
    Disarm(arm::Disarm),
    Reload(reload::Reload),
    Populate(populate::Populate),
    Inject(inject::Inject),
    Events(events::Events),
    Release(release::Release),
    PowerCut(power_cut::PowerCut),
    Reset(reset::Reset),
    Metrics(metrics::Metrics),
    Check(check::Check),
    Preview(preview::Preview),
    Replay(replay::Replay),
    Drill(drill::Drill),
    Trace(trace::TraceArgs),
    Campaign(campaign::CampaignArgs),
    Heal(heal::Heal),
    Doctor(doctor::Doctor),
    Umount(umount::Umount),
    #[command(hide = true)]
    Guard(guard::Guard),
    #[command(hide = true)]
    Keeper(keeper::Keeper),
    #[command(hide = true)]
    Capture(capture::Capture),
    #[command(hide = true)]
    Stage(stage::StageArgs),
    #[command(hide = true)]
    Sweeper(sweeper::Sweeper),
}

/// Parses the command line, runs the verb, says what went wrong.
pub fn main() -> ExitCode {
    let typed: Vec<OsString> = std::env::args_os().collect();
    match mount_program::is_meant(&typed) {
        true => mount_program::main(&typed),
        false => obey(&typed).into(),
    }
}

/// Does what a command line says; it begins with the program and a verb.
fn obey(typed: &[OsString]) -> Exit {
    let cli = match Cli::try_parse_from(typed) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Done };
        }
    };
    dispatch(cli.verb, typed).unwrap_or_else(|failure| report(&failure))
}

fn dispatch(verb: Verb, typed: &[OsString]) -> Result<Exit, Failure> {
    match verb {
        Verb::Mount(args) => mount::run(&args, typed),
        Verb::Run(args) => run::run(&args),
        Verb::Drill(args) => drill::run(&args),
        Verb::Trace(args) => trace::run(args),
        Verb::Campaign(args) => campaign::run(&args),
        Verb::Stage(args) => stage::run(&args),
        Verb::Heal(args) => heal::run(&args),
        Verb::Doctor(args) => doctor::run(&args),
        Verb::Umount(args) => umount::run(&args),
        Verb::Replay(args) => replay::run(&args),
        Verb::Guard(args) => guard::run(&args),
        Verb::Keeper(args) => keeper::run(args),
        Verb::Capture(args) => capture::run(&args),
        Verb::Sweeper(args) => sweeper::run(&args),
        Verb::Status(args) => status::run(&args),
        Verb::Top(args) => top::run(&args),
        Verb::Arm(args) => arm::arm(&args),
        Verb::Disarm(args) => arm::disarm(&args),
        Verb::Reload(args) => reload::run(&args),
        Verb::Populate(args) => populate::run(&args),
        Verb::Inject(args) => inject::run(&args),
        Verb::Events(args) => events::run(&args),
        Verb::Release(args) => release::run(&args),
        Verb::PowerCut(args) => power_cut::run(&args),
        Verb::Reset(args) => reset::run(&args),
        Verb::Metrics(args) => metrics::run(&args),
        Verb::Check(check) => check::run(&check),
        Verb::Preview(args) => preview::run(&args),
    }
}

fn report(failure: &Failure) -> Exit {
    if !failure.message.is_empty() {
        messages::tell("error", &failure.message);
    }
    failure.exit
}

/// A message for the operator, on stderr.
fn eprint(message: &str) {
    messages::tell("info", message);
}

/// Data, on stdout. A reader that has gone away is no mistake of ours; a full disk is told.
fn out(text: &str) -> Result<(), Failure> {
    use std::io::{ErrorKind, Write as _};
    match writeln!(std::io::stdout().lock(), "{text}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::new(Exit::TryAgain, format!("cannot write to stdout: {error}")))
        }
        _ => Ok(()),
    }
}
