//! How it stands with a live mount and each of its rules.

use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};

use super::changed::pending;
use super::reasons::why_not;
use super::routes::App;
use super::stage::FailedReload;
use crate::fs::Pending;
use crate::injector::{Armed, RuleState};
use crate::ledger::{Tally, escape};
use crate::plan::RuleId;

/// The answer to `GET /v1/status`.
pub(super) fn status(app: &App) -> Value {
    let (fs, shown) = (app.director.filesystem(), app.director.shown());
    let armed = fs.armed();
    let waiting = fs.pending();
    let left = shown.until.map(|until| until.saturating_duration_since(Instant::now()));
    let escaped = |path: &std::path::Path| escape(path.as_os_str().as_encoded_bytes());
    json!({
        "errorfs": env!("CARGO_PKG_VERSION"),
        "pid": std::process::id(),
        "mountpoint": escaped(&app.place.mountpoint),
        "backing": escaped(&app.place.backing),
        "mounted": app.place.since.to_string(),
        "passthrough": app.place.passthrough,
        "generation": armed.as_ref().map_or(0, |armed| armed.generation()),
        "armed": armed.as_ref().is_some_and(|armed| armed.is_in_force()) && !fs.ledger().failed(),
        "scenario": shown.scenario.name,
        "reload_failed": shown.failed.as_ref().map(failed),
        "loaded": shown.since.to_string(),
        "plan": shown.plan,
        "seed": shown.seed,
        "disarms_in_s": left.map(|left| left.as_secs_f64()),
        "ledger": fs.ledger().path().map(escaped),
        "ledger_failed": fs.ledger().failed(),
        "waiting": fs.waiting(),
        "pending": waiting.iter().map(pending).collect::<Vec<_>>(),
        "rules": rules(app, armed.as_ref(), &waiting),
    })
}

fn failed(failed: &FailedReload) -> Value {
    let file = failed.file.as_ref().map(|file| escape(file.as_os_str().as_encoded_bytes()));
    json!({ "file": file, "time": failed.time.to_string(), "problem": failed.problem })
}

/// The answer to `GET /v1/rules`.
pub(super) fn rules(app: &App, armed: Option<&Arc<Armed>>, waiting: &[Pending]) -> Vec<Value> {
    let Some(armed) = armed else { return Vec::new() };
    let fs = app.director.filesystem();
    let (tally, now) = (fs.ledger().tally(), fs.age());
    let row = |(id, state): (RuleId, RuleState)| {
        let why = why_not(armed, id, &state, waiting, now);
        rule(&state, tally.get(&state.label.rule), why)
    };
    (0..).map(RuleId).zip(armed.states()).map(row).collect()
}

fn rule(state: &RuleState, tally: Option<&Tally>, why: Option<String>) -> Value {
    let none = Tally::default();
    let recent = &tally.unwrap_or(&none).recent;
    json!({
        "name": state.label.rule,
        "fault": state.label.fault,
        "armed": state.in_force,
        "matched": state.counts.matched,
        "considered": state.counts.considered,
        "fired": state.counts.fired,
        "delivered": recent.delivered,
        "unchanged": recent.unchanged,
        "last_hit": Some(&recent.last).filter(|last| !last.is_empty()),
        "why": why,
    })
}
