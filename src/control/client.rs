//! Asks a live mount: one request a connection, over its Unix socket or its port.

use std::io;
use std::path::Path;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::handshake;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::runtime::Runtime;

use super::{Address, Token};

/// Where to ask.
#[derive(Debug)]
pub struct Client {
    address: Address,
    token: Option<Token>,
    runtime: Runtime,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status of HTTP.
    pub status: u16,
    /// All of it.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum ClientError {
    #[error("nobody answers at {address}: {source}")]
    Unreachable { address: Address, source: io::Error },
    #[error("the mount at {address} broke off: {source}")]
    Broken { address: Address, source: hyper::Error },
    #[error("the request cannot be put into words: {0}")]
    Request(#[from] hyper::http::Error),
}

impl Reply {
    /// The answer as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// Whether it was done.
    pub fn is_done(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl Client {
    /// Asks at this socket.
    pub fn new(socket: &Path) -> io::Result<Client> {
        Client::at(Address::Unix(socket.to_owned()), None)
    }

    /// Asks there, with the token that a port takes.
    pub fn at(address: Address, token: Option<Token>) -> io::Result<Client> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Client { address, token, runtime })
    }

    /// Asks, and waits for the whole answer. `body`: its media type, and what it is.
    pub fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<(&str, Vec<u8>)>,
    ) -> Result<Reply, ClientError> {
        let mut all = Vec::new();
        let status = self.follow(method, path, body, |bytes| {
            all.extend_from_slice(bytes);
            true
        })?;
        Ok(Reply { status, body: all })
    }

    /// Asks, and hands over the answer as it comes, until `take` says that it is enough. Gives the
    /// status.
    pub fn follow(
        &self,
        method: &str,
        path: &str,
        body: Option<(&str, Vec<u8>)>,
        take: impl FnMut(&[u8]) -> bool,
    ) -> Result<u16, ClientError> {
        self.runtime.block_on(self.exchange(method, path, body, take))
    }

    async fn exchange(
        &self,
        method: &str,
        path: &str,
        body: Option<(&str, Vec<u8>)>,
        take: impl FnMut(&[u8]) -> bool,
    ) -> Result<u16, ClientError> {
        let unreachable =
            |source| ClientError::Unreachable { address: self.address.clone(), source };
        let request = self.request(method, path, body)?;
        match &self.address {
            Address::Unix(path) => {
                let stream = UnixStream::connect(path).await.map_err(unreachable)?;
                self.converse(stream, request, take).await
            }
            Address::Tcp(address) => {
                let stream = TcpStream::connect(address).await.map_err(unreachable)?;
                self.converse(stream, request, take).await
            }
        }
    }

    fn request(
        &self,
        method: &str,
        path: &str,
        body: Option<(&str, Vec<u8>)>,
    ) -> Result<Request<Full<Bytes>>, ClientError> {
        let mut request = Request::builder().method(method).uri(path).header("host", "errorfs");
        let (kind, bytes) = body.unwrap_or_default();
        if !kind.is_empty() {
            request = request.header("content-type", kind);
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", token.header());
        }
        Ok(request.body(Full::new(Bytes::from(bytes)))?)
    }

    async fn converse<S>(
        &self,
        stream: S,
        request: Request<Full<Bytes>>,
        mut take: impl FnMut(&[u8]) -> bool,
    ) -> Result<u16, ClientError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let broken = |source| ClientError::Broken { address: self.address.clone(), source };
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let connection = tokio::spawn(connection);
        let response: Response<Incoming> = sender.send_request(request).await.map_err(broken)?;
        let status = response.status().as_u16();
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(broken)?;
            if !frame.data_ref().is_none_or(|bytes| take(bytes)) {
                break;
            }
        }
        connection.abort();
        Ok(status)
    }
}
