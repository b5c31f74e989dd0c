//! Exit codes: an interface that scripts rely on. One enum, one table (README, exit codes).

use std::process::ExitCode;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, all expectations met.
    Done,
    /// It ran, and an expectation failed.
    ExpectationFailed,
    /// Wrong arguments.
    Usage,
    /// A fault of errorfs itself.
    Internal,
    /// This machine cannot mount.
    CannotMount,
    /// Nothing matched, or the golden run failed.
    NothingMatched,
    /// Interrupted or transient: try again.
    TryAgain,
    /// A bad scenario, recipe, campaign or ledger file.
    BadFile,
    /// `errorfs run`: the command's own status, or 125, 126, 127 as `env` and `timeout` do.
    Command(u8),
}

impl Exit {
    /// The number.
    pub(crate) fn status(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::ExpectationFailed => 1,
            Exit::Usage => 2,
            Exit::Internal => 3,
            Exit::CannotMount => 4,
            Exit::NothingMatched => 5,
            Exit::TryAgain => 75,
            Exit::BadFile => 78,
            Exit::Command(status) => status,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.status())
    }
}

/// A verb that could not do its work: what to tell the operator, and how to end.
#[derive(Debug)]
pub(crate) struct Failure {
    /// How the program ends.
    pub(crate) exit: Exit,
    /// Printed to stderr after `errorfs: `; says what to do. Empty if all has been said.
    pub(crate) message: String,
}

impl Failure {
    /// A failure that an error explains, with all that caused it.
    pub(crate) fn caused(exit: Exit, error: &dyn std::error::Error) -> Failure {
        let causes = std::iter::successors(Some(error), |error| error.source());
        let message: Vec<String> = causes.map(ToString::to_string).collect();
        Failure::new(exit, message.join(": "))
    }

    /// A failure with a message.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Failure {
        Failure { exit, message: message.into() }
    }
}
