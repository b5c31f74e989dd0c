//! Every request that a live mount answers, in one table: what it is for, and who answers it.

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{MethodFilter, MethodRouter, get, on, post};

use super::Director;
use super::asked::*;
use super::events::Followers;
use super::orders::*;

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

pub(super) const JSON: &str = "application/json";
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
        ..route(
            "GET",
            "/v1/status",
            "how it stands with the mount and its rules; `reload_failed` (file, time, problem) is the \
             last reload, if it failed",
        )
    },
    route("GET", "/v1/operations", "every kind of operation: how many, how long, how many faults"),
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
        body: Some("rules: a scenario in TOML or JSON, or in JSON a rule or a list of them"),
        ..route("POST", "/v1/rules", "add rules")
    },
    Route {
        options: LOAD,
        body: Some("rules: a scenario in TOML or JSON, or in JSON a rule or a list of them"),
        ..route("POST", "/v1/populate", "add rules, and replace those of the same names")
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
    route("POST", "/v1/power-cut", "cut the power, as the first rule about it says"),
    route("POST", "/v1/heal", "refused, with what to do instead: a live mount is not healed"),
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
        (_, "/v1/operations") => get(get_operations),
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
        (_, "/v1/populate") => post(populate),
        (_, "/v1/power-cut") => post(cut_power),
        (_, "/v1/heal") => post(heal),
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
        .layer(DefaultBodyLimit::disable())
        .with_state(app)
}
