//! The trace of a mount, as `--trace` asks for it.

use std::io::ErrorKind;
use std::sync::Arc;

use super::exit::{Exit, Failure};
use super::place::Place;
use super::serving::PlanArgs;
use crate::trace::{TRACE_FORMAT, TraceHeader, TraceWriter};

/// Begins the trace that was asked for, before anything is mounted.
pub(super) fn begin(args: &PlanArgs, place: &Place) -> Result<Option<Arc<TraceWriter>>, Failure> {
    let Some(path) = &args.trace else { return Ok(None) };
    place.must_not_hold(path, "trace")?;
    let header = TraceHeader {
        trace: TRACE_FORMAT,
        errorfs: env!("CARGO_PKG_VERSION").to_owned(),
        source: "errorfs".to_owned(),
        started: Some(jiff::Timestamp::now().to_string()),
        kernel: Some(rustix::system::uname().release().to_string_lossy().into_owned()),
    };
    let begun = TraceWriter::create(path, &header);
    begun.map(|trace| Some(Arc::new(trace))).map_err(|error| {
        let remedy = match error.kind() {
            ErrorKind::AlreadyExists => "; a trace is never overwritten: name another or remove it",
            _ => "",
        };
        Failure::new(Exit::Usage, format!("{error}{remedy}"))
    })
}

/// Writes what is still waiting, once the mount is gone.
pub(super) fn end(trace: &TraceWriter) -> Result<(), Failure> {
    let cut_off = |error| format!("the trace is not whole: {error}");
    trace.finish().map_err(|error| Failure::new(Exit::TryAgain, cut_off(error)))
}
