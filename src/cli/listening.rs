//! How a live mount is asked and changed: what was typed, and listening there.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::eprint;
use super::exit::{Exit, Failure};
use super::place::Place;
use crate::control::{Address, Director, Listening, Server, Token, default_path, serve};
use crate::fuse::Session;
use crate::scenario::duration;

/// How the mount is asked and changed while it lives.
#[derive(Debug, Args)]
pub(super) struct ControlArgs {
    /// Where to listen for `errorfs status` and the like; default: a socket of its own in
    /// $XDG_RUNTIME_DIR/errorfs, for root /run/errorfs. tcp:127.0.0.1:PORT is a port beside that
    /// socket; 0: any
    #[arg(long, value_name = "SOCKET", conflicts_with = "no_control")]
    control: Option<Address>,
    /// For a port: a file with the token that requests must have, which nobody else can read
    #[arg(long, value_name = "FILE", requires = "control")]
    token_file: Option<PathBuf>,
    /// How long a connection is kept that asks nothing
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, hide = true)]
    control_patience: Option<Duration>,
    /// Listen nowhere
    #[arg(long)]
    no_control: bool,
    /// Disarm everything after this time
    #[arg(long = "for", value_name = "DURATION", value_parser = duration::parse)]
    pub(super) limit: Option<Duration>,
    /// Load the scenario and arm none of its rules: `errorfs arm` does
    #[arg(long, requires = "scenario")]
    pub(super) disarmed: bool,
    /// Load the scenario files anew when they change: disarmed, if everything was; with a mistake in
    /// one, what was loaded stays
    #[arg(long, requires = "scenario")]
    pub(super) watch: bool,
}

impl ControlArgs {
    /// Nobody asks, and nothing changes.
    pub(super) fn nowhere() -> ControlArgs {
        let (control, token_file, control_patience) = (None, None, None);
        let (no_control, limit, disarmed, watch) = (true, None, false, false);
        ControlArgs { control, token_file, control_patience, no_control, limit, disarmed, watch }
    }

    /// Where to listen, if anywhere.
    pub(super) fn listening(&self, place: &Place) -> Result<Option<Listening>, Failure> {
        let patience = self.control_patience;
        let (socket, tcp) = match &self.control {
            _ if self.no_control => return Ok(None),
            Some(Address::Unix(socket)) => {
                place.must_not_hold(socket, "control socket")?;
                let own = |error: std::io::Error| Failure::new(Exit::Internal, error.to_string());
                (Some(std::path::absolute(socket).map_err(own)?), None)
            }
            Some(Address::Tcp(port)) => (usual(place), Some((*port, self.token()?))),
            None => (usual(place), None),
        };
        if socket.is_none() && tcp.is_none() {
            eprint(&format!(
                "nobody can ask this mount: no place for its control socket; {}",
                remedy()
            ));
        }
        if socket.is_none() && tcp.is_some() {
            let message = "there is no directory for the control socket: set XDG_RUNTIME_DIR";
            return Err(Failure::new(Exit::Usage, message));
        }
        let elsewhere = matches!(self.control, Some(Address::Unix(_)));
        let pointer = elsewhere.then(|| usual(place)).flatten();
        Ok(socket.map(|socket| Listening { socket, pointer, tcp, patience }))
    }

    fn token(&self) -> Result<Token, Failure> {
        let usage = |message: String| Failure::new(Exit::Usage, message);
        let file = self.token_file.as_ref();
        let file = file.ok_or_else(|| usage("a port takes a token: --token-file FILE".into()))?;
        Token::read(file).map_err(|error| usage(error.to_string()))
    }
}

/// How a mount without a place for its control socket gets one.
fn remedy() -> &'static str {
    match rustix::process::geteuid().is_root() {
        true => "name a socket: --control SOCKET",
        false => "set XDG_RUNTIME_DIR, or name a socket: --control SOCKET",
    }
}

/// The socket that nobody named, if there is a place for it.
fn usual(place: &Place) -> Option<PathBuf> {
    let chosen = default_path(&place.mountpoint);
    chosen.filter(|path| place.must_not_hold(path, "control socket").is_ok())
}

/// A socket that was asked for must come about; without the usual one the mount goes on.
pub(super) fn listen(
    listening: &Listening,
    director: &Director,
    place: &Place,
    session: &Session,
) -> Result<Server, Failure> {
    let places = (&*session.mounted().mountpoint, &*place.backing);
    match serve(director, listening, places, session.passthrough().is_ok()) {
        Ok(server) => Ok(server),
        Err(error) => {
            let message = format!("nobody can ask this mount: {}: {error}", named(listening));
            let unmounted = session.unmount();
            unmounted.unwrap_or_else(|error| eprint(&error.to_string()));
            Err(Failure::new(Exit::Usage, message))
        }
    }
}

fn named(listening: &Listening) -> String {
    let port = listening.tcp.as_ref().map(|(port, _)| format!(" or tcp:{port}"));
    format!("{}{}", listening.socket.display(), port.unwrap_or_default())
}
