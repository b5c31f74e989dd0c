//! Listens for the user who mounted and for root, on one thread of its own: on a Unix socket, and if
//! that is wanted on a port of this machine, for whoever has the token.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::Router;
use axum::middleware::from_fn_with_state;
use tokio::net::{TcpListener, UnixListener, UnixStream};

use super::connections::{PATIENCE, Places, known, whole};
use super::events::Followers;
use super::routes::{App, Place, router};
use super::socket::{Pointer, remove_dead};
use super::{Director, Token};
use crate::sys::thread::set_umask;

/// A server. Dropping it takes its socket away.
#[derive(Debug)]
pub struct Server {
    path: PathBuf,
    /// Keeps the place where the mount is looked for.
    _pointer: Option<Pointer>,
    tcp: Option<SocketAddr>,
    /// Device and inode of the socket: another may have taken its path.
    identity: Option<(u64, u64)>,
    followers: Arc<Followers>,
}

/// Where to listen.
#[derive(Clone, Debug)]
pub struct Listening {
    /// The Unix socket.
    pub socket: PathBuf,
    /// Where the mount is looked for, if the socket is elsewhere.
    pub pointer: Option<PathBuf>,
    /// The port, and what those know who may ask there.
    pub tcp: Option<(SocketAddr, Token)>,
    /// How long a connection is kept that asks nothing; `None`: half a minute.
    pub patience: Option<Duration>,
}

impl Server {
    /// The socket.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The port, if there is one.
    pub fn tcp(&self) -> Option<SocketAddr> {
        self.tcp
    }

    /// Lets whoever follows the events read the last ones.
    pub fn end(&self) {
        const PATIENCE: Duration = Duration::from_secs(1);
        self.followers.ending.store(true, Ordering::Release);
        let start = Instant::now();
        while self.followers.count.load(Ordering::Acquire) > 0 && start.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(5));
        }
        if self.followers.count.load(Ordering::Acquire) == 0 {
            // What they were sent is on its way.
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.identity.is_some() && identity(&self.path) == self.identity {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    let found = std::fs::symlink_metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}

/// Serves the mount at `mountpoint`. A socket of a dead mount is replaced, anything else is not.
pub fn serve(
    director: &Director,
    listening: &Listening,
    (mountpoint, backing): (&Path, &Path),
    passthrough: bool,
) -> io::Result<Server> {
    let path = listening.socket.clone();
    if remove_dead(&path)? {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    let (mountpoint, backing) = (mountpoint.to_owned(), backing.to_owned());
    let since = jiff::Timestamp::now();
    let place = Arc::new(Place { mountpoint, backing, passthrough, since });
    let followers = Arc::new(Followers::default());
    let app = App { director: director.clone(), place, followers: followers.clone() };
    let tcp = start(listening.clone(), app)?;
    let pointer = listening.pointer.clone().and_then(|pointer| Pointer::new(pointer, &path));
    Ok(Server { identity: identity(&path), path, _pointer: pointer, tcp, followers })
}

/// Starts the thread; returns when it listens, with the port.
fn start(listening: Listening, app: App) -> io::Result<Option<SocketAddr>> {
    let (sender, ready) = std::sync::mpsc::channel();
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let bound = runtime.and_then(|runtime| {
            let _inside = runtime.enter();
            let ears = Ears::open(&listening, app)?;
            drop(_inside);
            Ok((runtime, ears))
        });
        match bound {
            Ok((runtime, ears)) => {
                let _ =
                    sender.send(Ok(ears.tcp.as_ref().and_then(|(tcp, _)| tcp.local_addr().ok())));
                runtime.block_on(ears.listen());
            }
            Err(error) => drop(sender.send(Err(error))),
        }
    };
    std::thread::Builder::new().name("control".into()).spawn(run)?;
    ready.recv().map_err(io::Error::other)?
}

/// What is listened on, and who answers there.
struct Ears {
    unix: (UnixListener, Router),
    tcp: Option<(TcpListener, Router)>,
    patience: Duration,
}

impl Ears {
    /// Nobody but us may as much as connect to the socket, from the first moment on: this thread has
    /// a umask of its own.
    fn open(listening: &Listening, app: App) -> io::Result<Ears> {
        let patience = listening.patience.unwrap_or(PATIENCE);
        let router = router(app).layer(from_fn_with_state(patience, whole));
        let port = |(address, token): &(SocketAddr, Token)| {
            let listener = std::net::TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            let router = router.clone().layer(from_fn_with_state(token.clone(), known));
            io::Result::Ok((TcpListener::from_std(listener)?, router))
        };
        let tcp = listening.tcp.as_ref().map(port).transpose()?;
        set_umask(0o177)?;
        Ok(Ears { unix: (UnixListener::bind(&listening.socket)?, router), tcp, patience })
    }

    async fn listen(self) {
        if let Some((listener, router)) = self.tcp {
            let places = Places::new(self.patience);
            tokio::spawn(async move {
                loop {
                    match listener.accept().await {
                        Ok((stream, _)) => places.answer(stream, &router),
                        Err(_) => rest().await,
                    }
                }
            });
        }
        let (listener, router) = self.unix;
        let places = Places::new(self.patience);
        loop {
            match listener.accept().await {
                Ok((stream, _)) if is_allowed(&stream) => places.answer(stream, &router),
                Ok(_) => {}
                Err(_) => rest().await,
            }
        }
    }
}

/// Too many open files, most likely: some will be closed.
async fn rest() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

fn is_allowed(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == own || peer.uid() == 0)
}
