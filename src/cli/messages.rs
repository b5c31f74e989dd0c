//! Messages for the operator, on stderr: as text, or as one JSON object a line (`--log json`).

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

use clap::ValueEnum;
use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::diagnostic::harmless;

/// What messages are written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Log {
    /// Lines for people.
    Text,
    /// One JSON object a line: time, level, message and more.
    Json,
}

/// Whether they are JSON, for this process.
static JSON: AtomicBool = AtomicBool::new(false);

/// Sends what errorfs and fuser have to say to stderr, from warnings up, or as `ERRORFS_LOG` says.
pub(super) fn start(log: Log) {
    JSON.store(log == Log::Json, Ordering::Relaxed);
    let filter = EnvFilter::try_from_env("ERRORFS_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let _ = match log {
        Log::Text => lines.with_ansi(colour).try_init(),
        Log::Json => lines.event_format(JsonLines).try_init(),
    };
}

/// Whether messages are JSON.
pub(super) fn are_json() -> bool {
    JSON.load(Ordering::Relaxed)
}

/// Tells one. Names of files are other people's, and may hold what a terminal would obey.
#[expect(clippy::print_stderr, reason = "this is the place that prints")]
pub(super) fn tell(level: &str, message: &str) {
    match are_json() {
        true => tell_json(level, message, Map::new()),
        false => eprintln!("errorfs: {}", harmless(message)),
    }
}

/// Tells one as JSON, with what else there is to it.
pub(super) fn tell_json(level: &str, message: &str, more: Map<String, Value>) {
    let line = line(level, message, more);
    // Nobody to read it is no reason to stop.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

fn line(level: &str, message: &str, more: Map<String, Value>) -> Value {
    let time = jiff::Timestamp::now().to_string();
    let mut line = json!({ "time": time, "level": level, "message": message });
    if let Some(fields) = line.as_object_mut() {
        fields.extend(more);
    }
    line
}

/// What errorfs and its libraries log, in the same form.
struct JsonLines;

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> std::fmt::Result {
        let mut said = Said::default();
        event.record(&mut said);
        let level = event.metadata().level().as_str().to_ascii_lowercase();
        said.more.insert("target".to_owned(), event.metadata().target().into());
        writeln!(writer, "{}", line(&level, &said.message, said.more))
    }
}

#[derive(Default)]
struct Said {
    message: String,
    more: Map<String, Value>,
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        match field.name() {
            "message" => drop(write!(self.message, "{value:?}")),
            name => drop(self.more.insert(name.to_owned(), format!("{value:?}").into())),
        }
    }
}
