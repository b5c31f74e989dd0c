//! Listens on a Unix socket, for the user who mounted and for root, on one thread of its own.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::serve::Listener;
use tokio::net::unix::SocketAddr;
use tokio::net::{UnixListener, UnixStream};

use super::Director;
use super::connections::{Connection, Places};
use super::events::Followers;
use super::routes::{App, Place, router};
use super::socket::remove_dead;
use crate::sys::thread::set_umask;

/// A server. Dropping it takes its socket away.
#[derive(Debug)]
pub struct Server {
    path: PathBuf,
    /// Device and inode of the socket: another may have taken its path.
    identity: Option<(u64, u64)>,
    followers: Arc<Followers>,
}

impl Server {
    /// The socket.
    pub fn path(&self) -> &Path {
        &self.path
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

/// Serves the mount at `mountpoint` at a new socket. A socket of a dead mount is replaced, anything
/// else is not.
pub fn serve(
    director: &Director,
    socket: &Path,
    (mountpoint, backing): (&Path, &Path),
    passthrough: bool,
) -> io::Result<Server> {
    if remove_dead(socket)? {
        return Err(io::ErrorKind::AddrInUse.into());
    }
    let (mountpoint, backing) = (mountpoint.to_owned(), backing.to_owned());
    let since = jiff::Timestamp::now();
    let place = Arc::new(Place { mountpoint, backing, passthrough, since });
    let followers = Arc::new(Followers::default());
    let app = App { director: director.clone(), place, followers: followers.clone() };
    let (sender, ready) = std::sync::mpsc::channel();
    let path = socket.to_owned();
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let listening = runtime.and_then(|runtime| {
            let _inside = runtime.enter();
            let listener = listen(&path)?;
            drop(_inside);
            Ok((runtime, listener))
        });
        let (runtime, listener) = match listening {
            Ok(listening) => listening,
            Err(error) => return drop(sender.send(Err(error))),
        };
        let _ = sender.send(Ok(()));
        let ended = runtime.block_on(async { axum::serve(listener, router(app)).await });
        if let Err(error) = ended {
            tracing::warn!("the control socket is dead: {error}");
        }
    };
    std::thread::Builder::new().name("control".into()).spawn(run)?;
    ready.recv().map_err(io::Error::other)??;
    Ok(Server { path: socket.to_owned(), identity: identity(socket), followers })
}

/// Nobody but us may as much as connect, from the first moment on: this thread has a umask of its
/// own.
fn listen(path: &Path) -> io::Result<Guarded> {
    set_umask(0o177)?;
    Ok(Guarded { listener: UnixListener::bind(path)?, places: Places::default() })
}

/// A listener that talks to the user who mounted, and to root.
struct Guarded {
    listener: UnixListener,
    places: Places,
}

impl Listener for Guarded {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok((stream, address)) => {
                    let allowed = Some(stream).filter(is_allowed);
                    if let Some(connection) = allowed.and_then(|stream| self.places.take(stream)) {
                        return (connection, address);
                    }
                }
                // Too many open files, most likely: some will be closed.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

fn is_allowed(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == own || peer.uid() == 0)
}
