//! A value that cannot be read, before anyone knows where in a file it stands.
//!
//! Shared by the command line (`--for 10m`) and by scenario files, so that both say the same.

use std::ops::Range;

use crate::diagnostic::Diagnostic;

/// What is wrong with a value, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}; {help}")]
pub struct Mistake {
    /// Stable, kebab-case.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

impl Mistake {
    pub(super) fn new(
        code: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Mistake {
        Mistake { code, message: message.into(), help: help.into() }
    }

    pub(super) fn at(self, span: Range<usize>) -> Diagnostic {
        Diagnostic::error(self.code, span, self.message).help(self.help)
    }
}
