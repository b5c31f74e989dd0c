//! What a process that serves a mount must be like.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, umask};

use super::exit::{Exit, Failure};
use crate::isolation::{ENDING, is_ignored};

/// Prepares this process: whatever it creates gets exactly the modes that callers ask for, it may
/// open as many files as it is allowed to, and a panic ends it at once, which its callers notice,
/// instead of one of its threads, which they would wait for.
pub(super) fn prepare() {
    crate::sys::memory::keep_together();
    umask(rustix::fs::Mode::empty());
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        std::process::abort();
    }));
}

/// Becomes true when somebody asks this process to end.
pub(super) fn asked_to_end() -> Result<Arc<AtomicBool>, Failure> {
    let ended = Arc::new(AtomicBool::new(false));
    for signal in ENDING.into_iter().filter(|signal| !is_ignored(*signal)) {
        signal_hook::flag::register(signal, Arc::clone(&ended))
            .map_err(|error| Failure::caused(Exit::Internal, &error))?;
    }
    Ok(ended)
}
