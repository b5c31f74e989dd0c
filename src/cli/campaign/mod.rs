//! `errorfs campaign`: every block that a workload touches, damaged once each, every reaction judged.

mod collect;
mod compare;
mod opened;
mod progress;
mod run;
mod tell;

use clap::{Args, Subcommand};

use super::exit::{Exit, Failure};

/// Damage every block that a workload touches, once each, and judge every reaction
///
///   errorfs campaign run redis.toml -o redis --sample 100
///   errorfs campaign report redis --html redis.html
///
/// A campaign file names the nodes of a system, how it is started and asked, and what is to go wrong.
/// Runs without faults come first: they say what is right, and which blocks are touched. What they
/// disagree about is left out. Then each trial damages one block of one node, and gets a verdict.
/// Nothing of the data ever changes: what trials write is thrown away.
///
/// Results are kept trial by trial: whoever is interrupted or killed starts the same command again.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct CampaignArgs {
    #[command(subcommand)]
    verb: CampaignVerb,
}

#[derive(Debug, Subcommand)]
enum CampaignVerb {
    Plan(run::PlanVerb),
    Run(run::RunVerb),
    Status(tell::Status),
    Missing(tell::Missing),
    Merge(collect::Merge),
    Report(tell::Report),
    Diff(compare::Diff),
}

/// Runs the verb.
pub(super) fn run(args: &CampaignArgs) -> Result<Exit, Failure> {
    match &args.verb {
        CampaignVerb::Plan(args) => run::plan(args),
        CampaignVerb::Run(args) => run::run(args),
        CampaignVerb::Status(args) => tell::status(args),
        CampaignVerb::Missing(args) => tell::missing(args),
        CampaignVerb::Merge(args) => collect::merge(args),
        CampaignVerb::Report(args) => tell::report(args),
        CampaignVerb::Diff(args) => compare::diff(args),
    }
}
