//! The requests that change nothing.

use std::path::PathBuf;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Method, Uri};
use serde_json::{Value, json};

use super::answer::Answer;
use super::events::lines;
use super::peer::Endless;
use super::requests::{ChangeQuery, Options};
use super::routes::App;
use super::{EventsQuery, Problem, holders, metrics, operations, status};

/// Whoever holds the files that rules wait for, if that is asked: it takes a look at every process.
pub(super) async fn add_holders(app: &App, query: ChangeQuery, json: &mut Value) {
    let Some(files) = json["pending"].as_array_mut().filter(|_| query.holders == Some(1)) else {
        return;
    };
    let of = |file: &Value| {
        let path = file["path"].as_str().and_then(crate::ledger::unescape).unwrap_or_default();
        let path = <std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(path);
        app.place.mountpoint.join(path)
    };
    let paths: Vec<PathBuf> = files.iter().map(of).collect();
    let found = tokio::task::spawn_blocking(move || holders::holders(&paths)).await;
    for (file, holders) in files.iter_mut().zip(found.unwrap_or_default()) {
        file["holders"] = Value::Array(holders);
    }
}

pub(super) async fn get_status(
    State(app): State<App>,
    Options(query): Options<ChangeQuery>,
) -> Answer {
    let mut json = status::status(&app);
    add_holders(&app, query, &mut json).await;
    let generation = json["generation"].as_u64().unwrap_or(0);
    Answer::Changed(json, generation)
}

pub(super) async fn get_operations(State(app): State<App>) -> Answer {
    Answer::Json(operations::operations(&app))
}

pub(super) async fn get_scenario(State(app): State<App>) -> Answer {
    Answer::Json(app.director.shown().scenario.canonical())
}

pub(super) async fn get_rules(State(app): State<App>) -> Answer {
    let fs = app.director.filesystem();
    Answer::Json(Value::Array(status::rules(&app, fs.armed().as_ref(), &fs.pending())))
}

pub(super) async fn get_rule(
    State(app): State<App>,
    Path(name): Path<String>,
) -> Result<Answer, Answer> {
    let fs = app.director.filesystem();
    let rows = status::rules(&app, fs.armed().as_ref(), &fs.pending());
    let row = rows.iter().find(|row| row["name"] == *name).cloned();
    let names = rows.iter().filter_map(|row| row["name"].as_str());
    let mut row = row.ok_or_else(|| Problem::no_rule(&name, names))?;
    let canonical = app.director.shown().scenario.canonical();
    let rules = canonical["rule"].as_array().into_iter().flatten();
    row["rule"] = rules.into_iter().find(|one| one["name"] == *name).cloned().unwrap_or_default();
    Ok(Answer::Json(row))
}

pub(super) async fn get_events(
    State(app): State<App>,
    Options(query): Options<EventsQuery>,
) -> Result<(Option<Extension<Endless>>, Answer), Answer> {
    let endless = (query.follow == 1).then_some(Extension(Endless));
    let lines = lines(app.director.filesystem().clone(), query, app.followers.clone());
    let cannot = |error: std::io::Error| Problem::new(500, "no-events", error.to_string());
    Ok((endless, Answer::Text("application/jsonl", Body::new(lines.map_err(cannot)?))))
}

pub(super) async fn get_metrics(State(app): State<App>) -> Answer {
    Answer::Text("text/plain; version=0.0.4", Body::from(metrics::metrics(&app)))
}

pub(super) async fn get_version() -> Answer {
    Answer::Json(json!({ "errorfs": env!("CARGO_PKG_VERSION"), "api": 1 }))
}

pub(super) async fn get_openapi() -> Answer {
    Answer::Json(super::openapi::document())
}

pub(super) async fn unknown(uri: Uri) -> Answer {
    let detail = format!("there is nothing at {}; /v1/openapi.json says what there is", uri.path());
    Answer::Problem(Problem::new(404, "unknown-path", detail))
}

pub(super) async fn not_allowed(method: Method, uri: Uri) -> Answer {
    let detail = format!("{method} is not for {}; /v1/openapi.json says what is", uri.path());
    Answer::Problem(Problem::new(405, "method-not-allowed", detail))
}
