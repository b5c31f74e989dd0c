//! `errorfs check`: judges scenario files without mounting anything.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::exit::{Exit, Failure};
use super::scenarios::{self, Checked};
use crate::diagnostic;

/// Say everything that is wrong with scenario files, and mount nothing.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// How to say it: human to stderr; json (one object a file) and github to stdout.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Scenario files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// For people: source lines and carets.
    Human,
    /// For programs: one JSON object a file, one a line.
    Json,
    /// For GitHub Actions: workflow commands that annotate the files.
    Github,
}

/// Runs the verb.
pub(super) fn run(check: &Check) -> Result<Exit, Failure> {
    let checked: Vec<Checked> = check.files.iter().map(|path| scenarios::check(path)).collect();
    let out: String = match check.format {
        Format::Human => {
            scenarios::print_all(&checked);
            checked.iter().filter_map(summary).collect()
        }
        Format::Json => checked.iter().map(json_line).collect(),
        Format::Github => checked
            .iter()
            .map(|one| diagnostic::to_github(&one.file, &one.text, &one.diagnostics))
            .collect(),
    };
    std::io::stdout().write_all(out.as_bytes()).map_err(|error| {
        Failure::new(Exit::TryAgain, format!("cannot write to stdout: {error}"))
    })?;
    let all_good = checked.iter().all(|one| one.scenario.is_some());
    Ok(if all_good { Exit::Done } else { Exit::BadFile })
}

/// "scenarios/x.toml: ok, 2 rules", for a file without errors.
fn summary(checked: &Checked) -> Option<String> {
    let scenario = checked.scenario.as_ref()?;
    let rules = diagnostic::plural(scenario.rules.len(), "rule");
    let warnings = match checked.diagnostics.len() {
        0 => String::new(),
        count => format!(", {}", diagnostic::plural(count, "warning")),
    };
    let file = diagnostic::harmless(&checked.file);
    Some(format!("{file}: ok, {rules}{warnings}\n"))
}

fn json_line(checked: &Checked) -> String {
    let json = diagnostic::to_json(&checked.file, &checked.text, &checked.diagnostics);
    format!("{json}\n")
}
