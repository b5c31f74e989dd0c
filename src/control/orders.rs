//! The requests that change something: each in its turn, as a whole or not at all.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::answer::Answer;
use super::asked::add_holders;
use super::requests::{ChangeQuery, Options, expected, json_body, names, rules, scenario};
use super::routes::App;
use super::stage::Arming;
use super::{Changed, Problem, Shot, Stage};
use crate::scenario::Scenario;

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

fn arming(query: ChangeQuery) -> Arming {
    if query.arm == Some(0) { Arming::Disarmed } else { Arming::Armed }
}

pub(super) async fn put_scenario(
    State(app): State<App>,
    Options(query): Options<ChangeQuery>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Answer, Answer> {
    let scenario = scenario(&headers, &body)?;
    let made = make(&app, &headers, move |stage| stage.replace(scenario, arming(query))).await?;
    Ok(changed(&app, query, made).await)
}

pub(super) async fn reload(
    State(app): State<App>,
    Options(query): Options<ChangeQuery>,
    headers: HeaderMap,
) -> Result<Answer, Answer> {
    let made = make(&app, &headers, move |stage| stage.reload(arming(query))).await?;
    Ok(changed(&app, query, made).await)
}

pub(super) async fn post_rules(
    State(app): State<App>,
    Options(query): Options<ChangeQuery>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Answer, Answer> {
    let first = query.first == Some(1);
    bring(&app, query, &headers, &body, move |stage, new, arming| stage.add(new, first, arming))
        .await
}

pub(super) async fn populate(
    State(app): State<App>,
    Options(query): Options<ChangeQuery>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Answer, Answer> {
    bring(&app, query, &headers, &body, Stage::populate).await
}

/// Rules that come beside those that are loaded.
async fn bring(
    app: &App,
    query: ChangeQuery,
    headers: &HeaderMap,
    body: &Bytes,
    how: impl FnOnce(&mut Stage, Scenario, Arming) -> Result<Changed, Problem> + Send + 'static,
) -> Result<Answer, Answer> {
    let new = rules(headers, body, &app.director.shown().scenario)?;
    let made = make(app, headers, move |stage| how(stage, new, arming(query))).await?;
    Ok(changed(app, query, made).await)
}

pub(super) async fn patch_rule(
    State(app): State<App>,
    Path(name): Path<String>,
    Options(query): Options<ChangeQuery>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Answer, Answer> {
    let patch: Value = json_body(&body)?;
    let made = make(&app, &headers, move |stage| stage.patch(&name, &patch)).await?;
    Ok(changed(&app, query, made).await)
}

pub(super) async fn delete_rule(
    State(app): State<App>,
    Path(name): Path<String>,
    Options(query): Options<ChangeQuery>,
    headers: HeaderMap,
) -> Result<Answer, Answer> {
    let made = make(&app, &headers, move |stage| stage.remove(&name)).await?;
    Ok(changed(&app, query, made).await)
}

pub(super) async fn arm_rule(
    State(app): State<App>,
    Path(name): Path<String>,
    Options(query): Options<ChangeQuery>,
    headers: HeaderMap,
) -> Result<Answer, Answer> {
    set_armed(&app, Some(vec![name]), true, query, &headers).await
}

pub(super) async fn disarm_rule(
    State(app): State<App>,
    Path(name): Path<String>,
    Options(query): Options<ChangeQuery>,
    headers: HeaderMap,
) -> Result<Answer, Answer> {
    set_armed(&app, Some(vec![name]), false, query, &headers).await
}

pub(super) async fn arm(
    State(app): State<App>,
    Options(query): Options<ChangeQuery>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Answer, Answer> {
    set_armed(&app, names(&body)?, true, query, &headers).await
}

pub(super) async fn disarm(
    State(app): State<App>,
    Options(query): Options<ChangeQuery>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Answer, Answer> {
    set_armed(&app, names(&body)?, false, query, &headers).await
}

pub(super) async fn set_armed(
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

pub(super) async fn reset(
    State(app): State<App>,
    Options(query): Options<ChangeQuery>,
    headers: HeaderMap,
) -> Result<Answer, Answer> {
    let made = make(&app, &headers, Stage::reset).await?;
    Ok(changed(&app, query, made).await)
}

pub(super) async fn inject(
    State(app): State<App>,
    Options(query): Options<ChangeQuery>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Answer, Answer> {
    let shot: Shot = json_body(&body)?;
    let (rule, made) = make(&app, &headers, move |stage| stage.inject(&shot)).await?;
    match changed(&app, query, made).await {
        Answer::Changed(mut json, generation) => {
            json["rule"] = json!(rule);
            Ok(Answer::Changed(json, generation))
        }
        other => Ok(other),
    }
}

pub(super) async fn release(State(app): State<App>, headers: HeaderMap) -> Result<Answer, Answer> {
    let release = |stage: &mut Stage| Ok(stage.filesystem().release_stalled());
    let count = make(&app, &headers, release).await?;
    Ok(done(&app, "released", json!(count)))
}

pub(super) async fn cut_power(
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<Answer, Answer> {
    make(&app, &headers, Stage::cut_power).await?;
    Ok(done(&app, "cut", json!(true)))
}

pub(super) async fn heal(State(app): State<App>, headers: HeaderMap) -> Result<Answer, Answer> {
    make(&app, &headers, |stage| Err::<(), _>(stage.must_end_to_heal())).await?;
    Ok(done(&app, "healed", json!(false)))
}

/// The answer to something that leaves the plan as it is.
fn done(app: &App, what: &str, came: Value) -> Answer {
    let generation = app.director.filesystem().armed().map_or(0, |armed| armed.generation());
    Answer::Changed(json!({ "generation": generation, what: came }), generation)
}
