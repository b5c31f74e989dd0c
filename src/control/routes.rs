//! Every request that a live mount answers, in one table: what it is for, and who answers it.

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::header::{CONTENT_TYPE, ETAG};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, get, on, post};
use serde_json::{Value, json};

use super::events::{Followers, lines};
use super::requests::{ChangeQuery, Options, expected, json_body, names, rules, scenario};
use super::stage::Arming;
use super::{Changed, Director, EventsQuery, Problem, Shot, Stage};
use super::{holders, metrics, status};

/// The largest body: no scenario that a person wrote comes near it.
const BODY_MAX: usize = 4 << 20;

/// What the server knows.
#[derive(Clone, Debug)]
pub(super) struct App {
    pub(super) director: Director,
    pub(super) place: Arc<Place>,
    pub(super) followers: Arc<Followers>,
}

/// What is mounted where.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) mountpoint: PathBuf,
    pub(super) backing: PathBuf,
    pub(super) passthrough: bool,
    pub(super) since: jiff::Timestamp,
}

/// One kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// Upper case.
    pub method: &'static str,
    /// With `{name}` for a part that varies.
    pub path: &'static str,
    /// What it is for.
    pub summary: &'static str,
    /// The options that it takes.
    pub options: &'static [&'static str],
    /// What its body is, if it takes one.
    pub body: Option<&'static str>,
    /// The media type of what it answers.
    pub answer: &'static str,
}

const JSON: &str = "application/json";
const CHANGE: &[&str] = &["holders"];
const LOAD: &[&str] = &["arm", "holders"];
const NAMES: Option<&str> = Some("none, or JSON: rules, a list of names");
const SCENARIO: Option<&str> = Some("a scenario: TOML, or JSON of the same shape");

const fn route(method: &'static str, path: &'static str, summary: &'static str) -> Route {
    Route { method, path, summary, options: &[], body: None, answer: JSON }
}

const fn change(method: &'static str, path: &'static str, summary: &'static str) -> Route {
    Route { options: CHANGE, ..route(method, path, summary) }
}

/// All of them. Whoever adds one adds its handler in `handler`.
pub const ROUTES: &[Route] = &[
    Route {
        options: CHANGE,
        ..route("GET", "/v1/status", "how it stands with the mount and its rules")
    },
    route("GET", "/v1/scenario", "what is loaded, in its canonical form"),
    Route {
        options: LOAD,
        body: SCENARIO,
        ..route("PUT", "/v1/scenario", "load another scenario")
    },
    Route {
        options: LOAD,
        ..route(
            "POST",
            "/v1/reload",
            "load the scenario files anew that the mount was started with",
        )
    },
    route("GET", "/v1/rules", "every rule with its counts"),
    Route {
        options: &["arm", "first", "holders"],
        body: Some("rules: a scenario in TOML or JSON, or one rule in JSON"),
        ..route("POST", "/v1/rules", "add rules")
    },
    route("GET", "/v1/rules/{name}", "one rule with its counts"),
    Route {
        options: CHANGE,
        body: Some("a merge patch (RFC 7396) of the rule's canonical form"),
        ..route("PATCH", "/v1/rules/{name}", "alter a rule")
    },
    change("DELETE", "/v1/rules/{name}", "take a rule away"),
    change("POST", "/v1/rules/{name}/arm", "arm a rule"),
    change("POST", "/v1/rules/{name}/disarm", "disarm a rule"),
    Route { body: NAMES, ..change("POST", "/v1/arm", "arm all rules, or those that are named") },
    Route {
        body: NAMES,
        ..change("POST", "/v1/disarm", "disarm all rules, or those that are named")
    },
    change("POST", "/v1/reset", "set all counts to zero, and begin all times anew"),
    Route {
        options: CHANGE,
        body: Some("path; op; byte and bit, or errno"),
        ..route("POST", "/v1/inject", "one fault at an exact position, once")
    },
    Route {
        options: &["after", "follow", "rule"],
        answer: "application/jsonl",
        ..route("GET", "/v1/events", "the events of the ledger, line by line")
    },
    route("POST", "/v1/release", "answer what is stalled"),
    Route {
        answer: "text/plain",
        ..route("GET", "/metrics", "counts in the format of Prometheus")
    },
    route("GET", "/version", "the version of errorfs"),
    route("GET", "/v1/openapi.json", "this table, for programs"),
];

/// Who answers a request of the table.
fn handler(route: &Route) -> MethodRouter<App> {
    match (route.method, route.path) {
        (_, "/v1/status") => get(get_status),
        ("GET", "/v1/scenario") => get(get_scenario),
        ("PUT", "/v1/scenario") => on(MethodFilter::PUT, put_scenario),
        (_, "/v1/reload") => post(reload),
        ("GET", "/v1/rules") => get(get_rules),
        ("POST", "/v1/rules") => post(post_rules),
        ("GET", "/v1/rules/{name}") => get(get_rule),
        ("PATCH", "/v1/rules/{name}") => on(MethodFilter::PATCH, patch_rule),
        ("DELETE", "/v1/rules/{name}") => on(MethodFilter::DELETE, delete_rule),
        (_, "/v1/rules/{name}/arm") => post(arm_rule),
        (_, "/v1/rules/{name}/disarm") => post(disarm_rule),
        (_, "/v1/arm") => post(arm),
        (_, "/v1/disarm") => post(disarm),
        (_, "/v1/reset") => post(reset),
        (_, "/v1/inject") => post(inject),
        (_, "/v1/events") => get(get_events),
        (_, "/v1/release") => post(release),
        (_, "/metrics") => get(get_metrics),
        (_, "/version") => get(get_version),
        (_, "/v1/openapi.json") => get(get_openapi),
        (_, path) => unreachable!("{path} is in the table and nobody answers it"),
    }
}

/// All requests of the table, and clear answers to all others.
pub(super) fn router(app: App) -> Router {
    let add = |router: Router<App>, route: &Route| router.route(route.path, handler(route));
    ROUTES
        .iter()
        .fold(Router::new(), add)
        .fallback(unknown)
        .method_not_allowed_fallback(not_allowed)
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(app)
}

/// An answer.
#[derive(Debug)]
pub(super) enum Answer {
    Json(Value),
    Changed(Value, u64),
    Text(&'static str, Body),
    Problem(Problem),
}

impl From<Problem> for Answer {
    fn from(problem: Problem) -> Answer {
        Answer::Problem(problem)
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        match self {
            Answer::Json(value) => ([(CONTENT_TYPE, JSON)], line(&value)).into_response(),
            Answer::Changed(value, generation) => {
                let headers =
                    [(CONTENT_TYPE, JSON.to_owned()), (ETAG, format!("\"{generation}\""))];
                (headers, line(&value)).into_response()
            }
            Answer::Text(kind, body) => ([(CONTENT_TYPE, kind)], body).into_response(),
            Answer::Problem(problem) => {
                let status = StatusCode::from_u16(problem.status);
                let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                let kind = [(CONTENT_TYPE, "application/problem+json")];
                (status, kind, line(&problem.to_json())).into_response()
            }
        }
    }
}

fn line(value: &Value) -> String {
    format!("{value}\n")
}

/// A body, read whole; one that is too large is told as everything else is.
type Read = Result<Bytes, axum::extract::rejection::BytesRejection>;

fn read(body: Read) -> Result<Bytes, Problem> {
    body.map_err(|error| {
        let detail = match error.status() {
            StatusCode::PAYLOAD_TOO_LARGE => format!("the body is larger than {BODY_MAX} bytes"),
            _ => error.body_text(),
        };
        Problem::new(error.status().as_u16(), "bad-body", detail)
    })
}

/// Makes a change in its turn, unless it relies on a generation that is past.
async fn make<T: Send + 'static>(
    app: &App,
    headers: &HeaderMap,
    job: impl FnOnce(&mut Stage) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let expected = expected(headers)?;
    let (sender, made) = tokio::sync::oneshot::channel();
    app.director.post(move |stage| {
        let generation = stage.filesystem().armed().map_or(0, |armed| armed.generation());
        let _ = sender.send(match expected.filter(|expected| *expected != generation) {
            None => job(stage),
            Some(_) => Err(Problem::new(
                412,
                "generation-mismatch",
                format!("the plan in force is of generation {generation}"),
            )),
        });
    });
    let ended = |_| Problem::new(503, "ending", "the mount is ending");
    made.await.map_err(ended)?
}

/// The answer to a change that came about.
async fn changed(app: &App, query: ChangeQuery, changed: Changed) -> Answer {
    let mut json = changed.to_json();
    add_holders(app, query, &mut json).await;
    Answer::Changed(json, changed.generation)
}

/// Whoever holds the files that rules wait for, if that is asked: it takes a look at every process.
async fn add_holders(app: &App, query: ChangeQuery, json: &mut Value) {
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

fn arming(query: ChangeQuery) -> Arming {
    if query.arm == Some(0) { Arming::Disarmed } else { Arming::Armed }
}

async fn get_status(State(app): State<App>, Options(query): Options<ChangeQuery>) -> Answer {
    let mut json = status::status(&app);
    add_holders(&app, query, &mut json).await;
    let generation = json["generation"].as_u64().unwrap_or(0);
    Answer::Changed(json, generation)
}

async fn get_scenario(State(app): State<App>) -> Answer {
    Answer::Json(app.director.shown().scenario.canonical())
}

async fn put_scenario(
    State(app): State<App>,
    Options(query): Options<ChangeQuery>,
    headers: HeaderMap,
    body: Read,
) -> Result<Answer, Answer> {
    let scenario = scenario(&headers, &read(body)?)?;
    let made = make(&app, &headers, move |stage| stage.load(scenario, arming(query))).await?;
    Ok(changed(&app, query, made).await)
}

async fn reload(
    State(app): State<App>,
    Options(query): Options<ChangeQuery>,
    headers: HeaderMap,
) -> Result<Answer, Answer> {
    let made = make(&app, &headers, move |stage| stage.reload(arming(query))).await?;
    Ok(changed(&app, query, made).await)
}

async fn get_rules(State(app): State<App>) -> Answer {
    let fs = app.director.filesystem();
    Answer::Json(Value::Array(status::rules(&app, fs.armed().as_ref(), &fs.pending())))
}

async fn post_rules(
    State(app): State<App>,
    Options(query): Options<ChangeQuery>,
    headers: HeaderMap,
    body: Read,
) -> Result<Answer, Answer> {
    let new = rules(&headers, &read(body)?)?;
    let first = query.first == Some(1);
    let add = move |stage: &mut Stage| stage.add(new, first, arming(query));
    let made = make(&app, &headers, add).await?;
    Ok(changed(&app, query, made).await)
}

async fn get_rule(State(app): State<App>, Path(name): Path<String>) -> Result<Answer, Answer> {
    let fs = app.director.filesystem();
    let rows = status::rules(&app, fs.armed().as_ref(), &fs.pending());
    let row = rows.into_iter().find(|row| row["name"] == *name);
    let mut row = row.ok_or_else(|| Problem::no_rule(&name))?;
    let canonical = app.director.shown().scenario.canonical();
    let rules = canonical["rule"].as_array().into_iter().flatten();
    row["rule"] = rules.into_iter().find(|one| one["name"] == *name).cloned().unwrap_or_default();
    Ok(Answer::Json(row))
}

async fn patch_rule(
    State(app): State<App>,
    Path(name): Path<String>,
    Options(query): Options<ChangeQuery>,
    headers: HeaderMap,
    body: Read,
) -> Result<Answer, Answer> {
    let patch: Value = json_body(&read(body)?)?;
    let made = make(&app, &headers, move |stage| stage.patch(&name, &patch)).await?;
    Ok(changed(&app, query, made).await)
}

async fn delete_rule(
    State(app): State<App>,
    Path(name): Path<String>,
    Options(query): Options<ChangeQuery>,
    headers: HeaderMap,
) -> Result<Answer, Answer> {
    let made = make(&app, &headers, move |stage| stage.remove(&name)).await?;
    Ok(changed(&app, query, made).await)
}

async fn arm_rule(
    State(app): State<App>,
    Path(name): Path<String>,
    Options(query): Options<ChangeQuery>,
    headers: HeaderMap,
) -> Result<Answer, Answer> {
    set_armed(&app, Some(vec![name]), true, query, &headers).await
}

async fn disarm_rule(
    State(app): State<App>,
    Path(name): Path<String>,
    Options(query): Options<ChangeQuery>,
    headers: HeaderMap,
) -> Result<Answer, Answer> {
    set_armed(&app, Some(vec![name]), false, query, &headers).await
}

async fn arm(
    State(app): State<App>,
    Options(query): Options<ChangeQuery>,
    headers: HeaderMap,
    body: Read,
) -> Result<Answer, Answer> {
    set_armed(&app, names(&read(body)?)?, true, query, &headers).await
}

async fn disarm(
    State(app): State<App>,
    Options(query): Options<ChangeQuery>,
    headers: HeaderMap,
    body: Read,
) -> Result<Answer, Answer> {
    set_armed(&app, names(&read(body)?)?, false, query, &headers).await
}

async fn set_armed(
    app: &App,
    names: Option<Vec<String>>,
    armed: bool,
    query: ChangeQuery,
    headers: &HeaderMap,
) -> Result<Answer, Answer> {
    let set = move |stage: &mut Stage| stage.set_armed(names.as_deref(), armed);
    let made = make(app, headers, set).await?;
    Ok(changed(app, query, made).await)
}

async fn reset(
    State(app): State<App>,
    Options(query): Options<ChangeQuery>,
    headers: HeaderMap,
) -> Result<Answer, Answer> {
    let made = make(&app, &headers, |stage| Ok(stage.reset())).await?;
    Ok(changed(&app, query, made).await)
}

async fn inject(
    State(app): State<App>,
    Options(query): Options<ChangeQuery>,
    headers: HeaderMap,
    body: Read,
) -> Result<Answer, Answer> {
    let shot: Shot = json_body(&read(body)?)?;
    let (rule, made) = make(&app, &headers, move |stage| stage.inject(&shot)).await?;
    match changed(&app, query, made).await {
        Answer::Changed(mut json, generation) => {
            json["rule"] = json!(rule);
            Ok(Answer::Changed(json, generation))
        }
        other => Ok(other),
    }
}

async fn get_events(
    State(app): State<App>,
    Options(query): Options<EventsQuery>,
) -> Result<Answer, Answer> {
    let lines = lines(app.director.filesystem().clone(), query, app.followers.clone());
    let cannot = |error: std::io::Error| Problem::new(500, "no-events", error.to_string());
    Ok(Answer::Text("application/jsonl", Body::new(lines.map_err(cannot)?)))
}

async fn release(State(app): State<App>, headers: HeaderMap) -> Result<Answer, Answer> {
    let release = |stage: &mut Stage| Ok(stage.filesystem().release_stalled());
    let count = make(&app, &headers, release).await?;
    let generation = app.director.filesystem().armed().map_or(0, |armed| armed.generation());
    Ok(Answer::Changed(json!({ "generation": generation, "released": count }), generation))
}

async fn get_metrics(State(app): State<App>) -> Answer {
    Answer::Text("text/plain; version=0.0.4", Body::from(metrics::metrics(&app)))
}

async fn get_version() -> Answer {
    Answer::Json(json!({ "errorfs": env!("CARGO_PKG_VERSION"), "api": 1 }))
}

async fn get_openapi() -> Answer {
    Answer::Json(super::openapi::document())
}

async fn unknown(uri: Uri) -> Answer {
    let detail = format!("there is nothing at {}; /v1/openapi.json says what there is", uri.path());
    Answer::Problem(Problem::new(404, "unknown-path", detail))
}

async fn not_allowed(method: Method, uri: Uri) -> Answer {
    let detail = format!("{method} is not for {}; /v1/openapi.json says what is", uri.path());
    Answer::Problem(Problem::new(405, "method-not-allowed", detail))
}
