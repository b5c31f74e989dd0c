//! `errorfs trace`: what a command asks of a directory, written down; other tools' traces; counts.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::exit::{Exit, Failure};
use super::run::Run;
use super::{out, run as run_verb};
use crate::trace::{
    Access, BLOCK, Trace, TraceError, cords_count, from_cords, read_trace, touched, write_line,
};

/// Write down every operation that a command asks of a directory
///
///   errorfs trace --on ./data -o trace.jsonl -- ./my-test
///   errorfs trace count trace.jsonl
///   errorfs trace import --format cords cords.trace -o trace.jsonl
///
/// The command runs as with `errorfs run`, without faults. Files are opened past the kernel's page
/// cache, so that each read(2) and write(2) is one line; only what is mapped (mmap) goes through the
/// cache: its page faults, read-ahead and write-back are marked `cached`, and what the cache answers
/// by itself is not seen. The exit status is the command's own.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct TraceArgs {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    recording: Option<Recording>,
}

#[derive(Debug, Args)]
struct Recording {
    /// The directory that is watched
    #[arg(long, value_name = "DIR", required = true)]
    on: PathBuf,
    /// A new file for the trace
    #[arg(short, long, value_name = "FILE", default_value = "trace.jsonl")]
    output: PathBuf,
    /// Accept a system directory
    #[arg(long)]
    force: bool,
    /// Leave the directory as it is: the command sees what it writes, and nobody else ever does
    #[arg(long)]
    discard_writes: bool,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Turn another tool's trace into one of errorfs
    Import {
        /// What wrote it
        #[arg(long, value_enum)]
        format: Format,
        /// A new file for the trace; default: stdout
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// The other tool's trace
        file: PathBuf,
    },
    /// Say how many blocks were touched, and how many experiments CORDS would make of them
    Count {
        /// As JSON
        #[arg(long)]
        json: bool,
        /// Traces of errorfs or of CORDS: one of each machine
        #[arg(required = true)]
        file: Vec<PathBuf>,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// `errfs` of CORDS in trace mode
    Cords,
}

/// Runs the command under a trace, or reads traces.
pub(super) fn run(args: TraceArgs) -> Result<Exit, Failure> {
    match (args.action, args.recording) {
        (Some(Action::Import { format, output, file }), _) => {
            import(format, output.as_deref(), &file)
        }
        (Some(Action::Count { json, file }), _) => count(&file, json),
        (None, Some(recording)) => {
            let Recording { on, output, force, discard_writes, command } = recording;
            let mut run = Run::traced(output, on, command);
            (run.force, run.discard_writes) = (force, discard_writes);
            run_verb::run(&run)
        }
        (None, None) => Err(Failure::new(Exit::Usage, "nothing to trace: --on DIR -- COMMAND")),
    }
}

fn unreadable(error: &TraceError) -> Failure {
    Failure::caused(Exit::BadFile, error)
}

fn import(format: Format, output: Option<&Path>, file: &Path) -> Result<Exit, Failure> {
    let Format::Cords = format;
    let text = std::fs::read(file)
        .map_err(|source| unreadable(&TraceError::Io { path: file.into(), source }))?;
    let trace = from_cords(&text)
        .map_err(|(line, why)| unreadable(&TraceError::Line { path: file.into(), line, why }))?;
    let written = match output {
        Some(output) => {
            let new = OpenOptions::new().write(true).create_new(true).open(output);
            new.and_then(|file| write(&trace, file))
        }
        None => write(&trace, std::io::stdout().lock()),
    };
    written.map(|()| Exit::Done).map_err(|error| {
        let output = output.map_or("stdout".into(), |output| output.display().to_string());
        Failure::new(Exit::TryAgain, format!("{output}: {error}"))
    })
}

fn write(trace: &Trace, to: impl std::io::Write) -> std::io::Result<()> {
    let mut to = BufWriter::new(to);
    write_line(&mut to, &trace.header)?;
    trace.records.iter().try_for_each(|record| write_line(&mut to, record))?;
    to.flush()
}

fn count(files: &[PathBuf], as_json: bool) -> Result<Exit, Failure> {
    let mut counts: BTreeMap<Access, u64> = Access::ALL.map(|access| (access, 0)).into();
    let (mut experiments, mut operations) = (0, 0);
    for file in files {
        let trace = read_trace(file).map_err(|error| unreadable(&error))?;
        operations += trace.records.len() as u64;
        let touched = touched(&trace.records, BLOCK);
        touched.keys().for_each(|one| *counts.entry(one.access).or_default() += 1);
        experiments += cords_count(&touched);
    }
    let of = |access: Access| counts[&access];
    let [read, written, appended] = Access::ALL.map(of);
    out(&match as_json {
        true => json!({
            "operations": operations,
            "blocks": { "read": read, "write": written, "append": appended },
            "experiments": experiments,
        })
        .to_string(),
        false => format!(
            "{operations} operations; blocks of 4 KiB: {read} read, {written} written, \
             {appended} appended\n{experiments} experiments of CORDS (3 a block read, 1 written, \
             2 appended)"
        ),
    })?;
    Ok(Exit::Done)
}
