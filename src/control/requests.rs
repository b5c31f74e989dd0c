//! What requests bring: scenarios as text or JSON, options, the generation that they rely on.

use axum::body::Bytes;
use axum::extract::FromRequestParts;
use axum::extract::Query;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_TYPE, IF_MATCH};
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Problem;
use crate::scenario::{Scenario, parse_beside};

/// Options of a change.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeQuery {
    /// 0: rules that come are disarmed.
    pub(super) arm: Option<u8>,
    /// 1: rules that come are tried before those that are there.
    pub(super) first: Option<u8>,
    /// 1: which processes hold the files that rules wait for.
    pub(super) holders: Option<u8>,
}

/// The options of a request; what is wrong with them is told as everything else is.
#[derive(Clone, Debug)]
pub(super) struct Options<T>(pub(super) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Options<T> {
    type Rejection = super::answer::Answer;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        query.map(|Query(query)| Options(query)).map_err(|error| {
            let detail = format!("the options are not understood: {}", error.body_text());
            super::answer::Answer::Problem(Problem::new(400, "bad-query", detail))
        })
    }
}

/// The generation that a change relies on.
pub(super) fn expected(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get(IF_MATCH) else { return Ok(None) };
    let number = value.to_str().ok().map(|text| text.trim().trim_matches('"'));
    let number = number.and_then(|text| text.parse().ok());
    let bad = || Problem::new(400, "bad-if-match", "`If-Match` takes a generation: a number");
    number.map(Some).ok_or_else(bad)
}

/// A scenario: TOML, or JSON of the same shape.
pub(super) fn scenario(headers: &HeaderMap, body: &Bytes) -> Result<Scenario, Problem> {
    match is_json(headers) {
        true => from_json(&json_body(body)?, &[]),
        false => from_text(body, &[]),
    }
}

/// Rules to stand beside those of the loaded scenario: a scenario, or in JSON a rule or a list of
/// them.
pub(super) fn rules(
    headers: &HeaderMap,
    body: &Bytes,
    loaded: &Scenario,
) -> Result<Scenario, Problem> {
    let beside: Vec<String> = loaded.rules.iter().map(|rule| rule.name.clone()).collect();
    if !is_json(headers) {
        return from_text(body, &beside);
    }
    let body: Value = json_body(body)?;
    match body {
        Value::Array(rules) => from_json(&json!({ "version": 1, "rule": rules }), &beside),
        body if body.get("rule").is_some() => from_json(&body, &beside),
        rule => from_json(&json!({ "version": 1, "rule": [rule] }), &beside),
    }
}

/// Which rules are meant.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Names {
    rules: Vec<String>,
}

/// The rules that a body names; `None`, all: there is no body.
pub(super) fn names(body: &Bytes) -> Result<Option<Vec<String>>, Problem> {
    let named = (!body.is_empty()).then(|| json_body::<Names>(body)).transpose()?;
    Ok(named.map(|named| named.rules))
}

/// JSON of a known shape.
pub(super) fn json_body<T: DeserializeOwned>(body: &Bytes) -> Result<T, Problem> {
    serde_json::from_slice(body)
        .map_err(|error| Problem::new(400, "bad-json", format!("the body: {error}")))
}

fn from_json(value: &Value, beside: &[String]) -> Result<Scenario, Problem> {
    let read = Scenario::from_canonical_beside(value, beside);
    read.map_err(|diagnostics| Problem::scenario("", &diagnostics))
}

fn from_text(body: &Bytes, beside: &[String]) -> Result<Scenario, Problem> {
    let text = std::str::from_utf8(body)
        .map_err(|_| Problem::new(422, "not-utf8", "scenario files are text in UTF-8"))?;
    let parsed = parse_beside(text, beside);
    parsed.scenario.ok_or_else(|| Problem::scenario(text, &parsed.diagnostics))
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.to_ascii_lowercase().contains("json"))
}
