//! Telling whoever started errorfs that the mount answers: one line of JSON on a descriptor.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::OwnedFd;

use super::exit::{Exit, Failure};

/// Takes over the descriptor that `--ready-fd` names.
pub(super) fn take(number: i32) -> Result<OwnedFd, Failure> {
    crate::sys::process::inherited(number).map_err(|error| {
        Failure::new(
            Exit::Usage,
            format!("--ready-fd {number}: {error}; name one that is open, above 2"),
        )
    })
}

/// Tells, and closes the descriptor. Nobody listening is no reason not to serve.
pub(super) fn tell(ready: OwnedFd, summary: &serde_json::Value) {
    let _ = writeln!(File::from(ready), "{summary}");
}
