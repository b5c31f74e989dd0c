//! What is wrong with a file that a person wrote: code, place, message, remedy.
//!
//! Data and its rendering; finding the mistakes is the business of `scenario`.

use std::ops::Range;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Legal, and probably not what was meant.
    Warning,
    /// Nothing is mounted.
    Error,
}

/// One mistake, with the place and the remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// Stable, kebab-case: `unknown-op`. Scripts may rely on it.
    pub code: &'static str,
    /// Byte range in the text.
    pub span: Range<usize>,
    /// What is wrong, in the words of the person who wrote the file.
    pub message: String,
    /// What stands at the caret; empty for a bare caret.
    pub label: String,
    /// What to write instead.
    pub help: Option<String>,
}
