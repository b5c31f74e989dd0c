//! Loads the scenario files of a verb, and says everything that is wrong with them.
//!
//! Reading and judging happen before anything is mounted: a bad file mounts nothing.

use std::fs::File;
use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use super::exit::{Exit, Failure};
use super::messages;
use crate::diagnostic::{self, Consequence, Diagnostic};
use crate::scenario::{self, Scenario};

/// No scenario is this large; a device or a wrong file is.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// One file, read and judged.
#[derive(Debug)]
pub(crate) struct Checked {
    /// The name as it was given.
    pub(crate) file: String,
    /// Its text; empty if it could not be read.
    pub(crate) text: String,
    /// What it says; `None` if anything is wrong.
    pub(crate) scenario: Option<Scenario>,
    /// Everything found.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl Checked {
    /// The diagnostics for a person, without the footer.
    pub(crate) fn to_text(&self, colour: bool) -> String {
        diagnostic::to_text(&self.file, &self.text, &self.diagnostics, colour)
    }
}

/// Loads the scenarios as one; prints every diagnostic of every file to stderr.
pub(crate) fn load(paths: &[PathBuf], on_error: Consequence) -> Result<Scenario, Failure> {
    let checked: Vec<Checked> = paths.iter().map(|path| check(path)).collect();
    print_all(&checked, on_error);
    let named: Option<Vec<(String, Scenario)>> =
        checked.into_iter().map(|one| Some((one.file, one.scenario?))).collect();
    let named = named.ok_or_else(|| Failure::new(Exit::BadFile, ""))?;
    scenario::merge(named).map_err(|errors| {
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        Failure::new(Exit::BadFile, diagnostic::harmless(&lines.join("\n")))
    })
}

/// Reads and judges one file.
pub(crate) fn check(path: &Path) -> Checked {
    let file = path.display().to_string();
    match read(path) {
        Ok(text) => {
            let parsed = scenario::parse(&text);
            Checked { file, text, scenario: parsed.scenario, diagnostics: parsed.diagnostics }
        }
        Err(diagnostic) => {
            Checked { file, text: String::new(), scenario: None, diagnostics: vec![diagnostic] }
        }
    }
}

/// The text of a file, or why there is none.
pub(crate) fn read(path: &Path) -> Result<String, Diagnostic> {
    let unreadable = |error: std::io::Error| {
        let message = format!("the file cannot be read: {error}");
        Diagnostic::error("unreadable-file", 0..0, message)
            .help("name a scenario file that exists and that you may read")
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let message = format!("the file is larger than {} MiB", FILE_BYTES_MAX >> 20);
        let error = Diagnostic::error("unreadable-file", 0..0, message);
        return Err(error.help("name a scenario file"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..good].iter().filter(|byte| **byte == b'\n').count() + 1;
        let message = format!("the file is not UTF-8: see line {line}, byte {good} of the file");
        Diagnostic::error("not-utf8", 0..0, message).help("scenario files are text in UTF-8")
    })
}

/// Prints the diagnostics of all files, and the footer if there is an error, to stderr.
pub(crate) fn print_all(checked: &[Checked], on_error: Consequence) {
    if messages::are_json() {
        return checked.iter().for_each(tell_json);
    }
    let colour = wants_colour();
    let mut text: String = checked.iter().map(|one| one.to_text(colour)).collect();
    let all: Vec<Diagnostic> = checked.iter().flat_map(|one| one.diagnostics.clone()).collect();
    let (errors, warnings) = diagnostic::count(&all);
    if errors > 0 {
        text += &diagnostic::footer(errors, warnings, on_error);
        text.push('\n');
    }
    // Nobody to read it is no reason to judge otherwise.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// The same as one message for each file that has any.
fn tell_json(checked: &Checked) {
    let (errors, warnings) = diagnostic::count(&checked.diagnostics);
    let level = match (errors, warnings) {
        (0, 0) => return,
        (0, _) => "warn",
        _ => "error",
    };
    let message = format!("{}: {errors} errors, {warnings} warnings", checked.file);
    let more = diagnostic::to_json(&checked.file, &checked.text, &checked.diagnostics);
    messages::tell_json(level, &message, more.as_object().cloned().unwrap_or_default());
}

/// Prints the diagnostics of one file that is no scenario.
pub(crate) fn print_of(file: &str, text: &str, found: &[Diagnostic], on_error: Consequence) {
    let (file, text, diagnostics) = (file.to_owned(), text.to_owned(), found.to_vec());
    print_all(&[Checked { file, text, scenario: None, diagnostics }], on_error);
}

fn wants_colour() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    std::io::stderr().is_terminal() && !refused && !dumb
}
