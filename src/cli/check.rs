//! `errorfs check`: judges scenario files without mounting anything.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::exit::{Exit, Failure};
use super::scenarios::{self, Checked};
use crate::diagnostic::{self, Consequence};
use crate::scenario::Preset;
use crate::scenario::schema;

/// Say everything that is wrong with scenario files, and mount nothing.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// How to say it: human to stderr; json (one object a file) and github to stdout.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
    /// Print the JSON Schema of scenario files instead, for editors
    #[arg(long, conflicts_with = "files")]
    schema: bool,
    /// Scenario files.
    #[arg(required_unless_present = "schema", value_name = "FILE")]
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
    if check.schema {
        super::out(&format!("{:#}", schema()))?;
        return Ok(Exit::Done);
    }
    let checked: Vec<Checked> = check.files.iter().map(|path| scenarios::check(path)).collect();
    let out: String = match check.format {
        Format::Human => {
            scenarios::print_all(&checked, Consequence::None);
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
    let presets: String = scenario.presets.iter().map(provenance).collect();
    Some(format!("{file}: ok, {rules}{warnings}\n{presets}"))
}

/// Where the figures of a scenario come from, one thing a line.
fn provenance(preset: &Preset) -> String {
    let mut said = vec![format!("preset {}: {}", preset.name, preset.evidence.name())];
    said.extend(preset.cite.iter().map(|work| format!("  after {work}")));
    let rates = preset.real_rate.iter().map(|(name, rate)| format!("  really {name} = {rate:?}"));
    said.extend(rates);
    said.extend(preset.acceleration.map(|acceleration| {
        let times = acceleration.factor.map_or(String::new(), |factor| format!(", {factor} times"));
        format!("  accelerated by {}{times}", acceleration.method.name())
    }));
    said.extend(preset.assumptions.iter().map(|text| format!("  assumes: {text}")));
    said.iter().map(|line| format!("  {}\n", diagnostic::harmless(line))).collect()
}

fn json_line(checked: &Checked) -> String {
    let mut json = diagnostic::to_json(&checked.file, &checked.text, &checked.diagnostics);
    let presets = checked.scenario.iter().flat_map(|scenario| &scenario.presets);
    let presets: Vec<_> = presets.map(Preset::canonical).collect();
    if !presets.is_empty() {
        json["presets"] = presets.into();
    }
    format!("{json}\n")
}
