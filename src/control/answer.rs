//! What a request is answered with.

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, ETAG};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::Problem;
use super::routes::JSON;

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
