//! Connections, and how much each may ask of errorfs: there are only so many, as each takes a
//! descriptor, and when errorfs has none left the target's files cannot be opened any more; and whoever
//! says nothing for a while, or does not read the answer, has none.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http_body_util::LengthLimitError;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::answer::Answer;
use super::peer::{Endless, Peer};
use super::{Problem, Token};

/// Far more than operators and programs that ask.
pub(super) const CONNECTIONS_MAX: usize = 128;
/// A whole request has come by then, from its first byte on or since the answer before it; and no
/// answer waits for longer until more of it is read.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// The largest head of a request.
const HEAD_MAX: usize = 64 << 10;
/// The largest body: no scenario that a person wrote comes near it.
const BODY_MAX: usize = 4 << 20;

/// The places for connections at one ear: whoever may not ask at the socket takes none of those there.
#[derive(Clone, Debug)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    /// How long a connection is kept that asks nothing, or reads nothing.
    patience: Duration,
}

impl Places {
    pub(super) fn new(patience: Duration) -> Places {
        Places { free: Arc::new(Semaphore::new(CONNECTIONS_MAX)), patience }
    }

    /// Answers whatever is asked on a connection; without a place it is closed.
    pub(super) fn answer<S>(&self, stream: S, router: &Router)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        if let Ok(place) = Arc::clone(&self.free).try_acquire_owned() {
            tokio::spawn(converse(stream, router.clone(), self.patience, place));
        }
    }
}

async fn converse<S>(stream: S, router: Router, patience: Duration, _place: OwnedSemaphorePermit)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(patience).max_buf_size(HEAD_MAX);
    let endless = Arc::new(AtomicBool::new(false));
    let stream = TokioIo::new(Peer::new(stream, patience, endless.clone()));
    let router = TowerToHyperService::new(router);
    let answer = service_fn(move |request| {
        let (answer, endless) = (router.call(request), endless.clone());
        async move {
            let answer = answer.await;
            let goes_on = |answer: &Response| answer.extensions().get::<Endless>().is_some();
            endless.store(answer.as_ref().is_ok_and(goes_on), Ordering::Relaxed);
            answer
        }
    });
    let conversation = http.serve_connection(stream, answer);
    if let Err(error) = conversation.await {
        tracing::debug!("a connection of the control ended: {error}");
    }
}

/// Has the body of a request read whole before anything is done about it.
pub(super) async fn whole(
    State(patience): State<Duration>,
    request: Request,
    next: Next,
) -> Response {
    let (parts, body) = request.into_parts();
    match tokio::time::timeout(patience, to_bytes(body, BODY_MAX)).await {
        Ok(Ok(bytes)) => next.run(Request::from_parts(parts, Body::from(bytes))).await,
        Ok(Err(error)) => Answer::Problem(unread(error)).into_response(),
        Err(_) => {
            let detail = format!("the body did not come within {} s", patience.as_secs());
            Answer::Problem(Problem::new(408, "slow-body", detail)).into_response()
        }
    }
}

fn unread(error: axum::Error) -> Problem {
    match error.into_inner().downcast::<LengthLimitError>() {
        Ok(_) => {
            let detail = format!("the body is larger than {BODY_MAX} bytes");
            Problem::new(413, "bad-body", detail)
        }
        Err(error) => Problem::new(400, "bad-body", format!("the body: {error}")),
    }
}

/// Lets those ask who know the token.
pub(super) async fn known(State(token): State<Token>, request: Request, next: Next) -> Response {
    let given = request.headers().get(AUTHORIZATION).map(|value| value.as_bytes());
    let given = given.and_then(|given| given.strip_prefix(b"Bearer "));
    if given.is_some_and(|given| token.is(given)) {
        return next.run(request).await;
    }
    let detail = "over TCP a request takes the token: `Authorization: Bearer TOKEN` (--token-file)";
    let refused = Answer::Problem(Problem::new(401, "unauthorized", detail));
    ([(WWW_AUTHENTICATE, "Bearer")], refused).into_response()
}
