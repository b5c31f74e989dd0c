//! Asking a live mount: which one, and what its answers mean to an operator.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;

use super::exit::{Exit, Failure};
use super::{eprint, out};
use crate::control::{Address, AddressError, Client, ClientError, ENVIRONMENT, Reply, Token, find};

/// Which mount to ask.
#[derive(Clone, Debug, Args)]
pub(super) struct Mounted {
    /// The mount to ask; default: the one that $ERRORFS_CONTROL names, else the only one that is
    /// yours
    #[arg(long, value_name = "MOUNTPOINT")]
    on: Option<PathBuf>,
    /// The same by its socket or tcp:ADDRESS:PORT (`mount --control`)
    #[arg(long, value_name = "SOCKET", conflicts_with = "on")]
    socket: Option<Address>,
    /// For a port: the file with its token (`mount --token-file`); default: $ERRORFS_TOKEN_FILE
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// The same for verbs that are about nothing but a mount.
#[derive(Clone, Debug, Args)]
pub(super) struct MountedAt {
    /// The mount to ask, as --on says
    #[arg(conflicts_with_all = ["on", "socket"])]
    mountpoint: Option<PathBuf>,
    #[command(flatten)]
    mounted: Mounted,
}

/// Of verbs that load rules into a mount.
#[derive(Clone, Debug, Args)]
pub(super) struct Loading {
    #[command(flatten)]
    mounted: Mounted,
    /// Arm no rule that is new
    #[arg(long)]
    disarmed: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

impl Loading {
    /// Loads, and says what it came to.
    pub(super) fn load(
        &self,
        method: &str,
        route: &str,
        body: Option<(&str, Vec<u8>)>,
    ) -> Result<Exit, Failure> {
        let arm = if self.disarmed { "?arm=0" } else { "" };
        self.mounted.find()?.change(method, &format!("{route}{arm}"), body, self.json)?;
        Ok(Exit::Done)
    }
}

/// A mount that can be asked.
#[derive(Debug)]
pub(super) struct Asking {
    client: Client,
}

impl MountedAt {
    /// Finds it.
    pub(super) fn find(&self) -> Result<Asking, Failure> {
        let on = self.mountpoint.clone().or(self.mounted.on.clone());
        Mounted { on, ..self.mounted.clone() }.find()
    }
}

impl Mounted {
    /// Finds it.
    pub(super) fn find(&self) -> Result<Asking, Failure> {
        let address = match (&self.socket, &self.on) {
            (Some(address), _) => address.clone(),
            (None, Some(on)) => found(Some(on))?,
            (None, None) => match told(ENVIRONMENT) {
                Some(told) => named(&told)?,
                None => found(None)?,
            },
        };
        let token = match &address {
            Address::Unix(_) => None,
            Address::Tcp(_) => Some(self.token()?),
        };
        let internal = |error: std::io::Error| Failure::new(Exit::Internal, error.to_string());
        Ok(Asking { client: Client::at(address, token).map_err(internal)? })
    }

    fn token(&self) -> Result<Token, Failure> {
        let file = self.token_file.clone().or_else(|| told(TOKEN).map(PathBuf::from));
        let missing = || Failure::new(Exit::Usage, "a port takes a token: --token-file FILE");
        let read = Token::read(&file.ok_or_else(missing)?);
        read.map_err(|error| Failure::new(Exit::Usage, error.to_string()))
    }
}

/// The variable that names a file with the token.
const TOKEN: &str = "ERRORFS_TOKEN_FILE";

fn told(variable: &str) -> Option<OsString> {
    std::env::var_os(variable).filter(|told| !told.is_empty())
}

/// What the variable says; a path may be no text.
fn named(told: &OsStr) -> Result<Address, Failure> {
    let Some(text) = told.to_str() else { return Ok(Address::Unix(told.into())) };
    text.parse().map_err(|error: AddressError| Failure::new(Exit::Usage, error.to_string()))
}

fn found(mountpoint: Option<&Path>) -> Result<Address, Failure> {
    find(mountpoint)
        .map(Address::Unix)
        .map_err(|error| Failure::new(Exit::CannotMount, error.to_string()))
}

impl Asking {
    /// Asks for something that is there to be read.
    pub(super) fn get(&self, path: &str) -> Result<Reply, Failure> {
        self.ask("GET", path, None)
    }

    /// Asks; an answer that says no is a failure.
    pub(super) fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<(&str, Vec<u8>)>,
    ) -> Result<Reply, Failure> {
        let reply = self.client.ask(method, path, body).map_err(|error| no_answer(&error))?;
        if reply.is_done() { Ok(reply) } else { Err(refused(&reply)) }
    }

    /// Asks, and hands over the answer line by line as it comes, until `take` says no.
    pub(super) fn lines(
        &self,
        path: &str,
        mut take: impl FnMut(&[u8]) -> bool,
    ) -> Result<(), Failure> {
        let mut rest = Vec::new();
        let mut cut = |bytes: &[u8]| {
            rest.extend_from_slice(bytes);
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = rest.drain(..=end).collect();
                if !take(&line[..end]) {
                    return false;
                }
            }
            true
        };
        let status = self.client.follow("GET", path, None, &mut cut);
        match status.map_err(|error| no_answer(&error))? {
            200..300 => Ok(()),
            status => Err(refused(&Reply { status, body: rest })),
        }
    }

    /// Makes a change, and says what it came to.
    pub(super) fn change(
        &self,
        method: &str,
        path: &str,
        body: Option<(&str, Vec<u8>)>,
        json: bool,
    ) -> Result<Value, Failure> {
        let changed = self.ask(method, path, body)?.json();
        tell_pending(&changed);
        match json {
            true => out(&changed.to_string())?,
            false => {
                let rule = changed["rule"].as_str().map(|rule| format!(", rule {rule}"));
                out(&format!("generation {}{}", changed["generation"], rule.unwrap_or_default()))?;
            }
        }
        Ok(changed)
    }
}

/// Says which rules wait, for what, and for whom.
fn tell_pending(changed: &Value) {
    for rule in changed["unselected"].as_array().into_iter().flatten() {
        let rule = rule.as_str().unwrap_or_default();
        eprint(&format!("rule `{rule}` selects no file that is there now"));
    }
    for file in changed["pending"].as_array().into_iter().flatten() {
        let until = match file["waits"].as_str() {
            Some("passthrough") => "when all who have it open have closed it (kernel passthrough)",
            _ => "when it is opened again: what the page cache answers is not counted",
        };
        let path = file["path"].as_str().unwrap_or_default();
        eprint(&format!("{path} is open: {} hold {until}{}", rules(file), holders(file)));
    }
}

fn rules(file: &Value) -> String {
    let rules = file["rules"].as_array().into_iter().flatten();
    let rules: Vec<_> = rules.filter_map(Value::as_str).map(|rule| format!("`{rule}`")).collect();
    rules.join(", ")
}

fn holders(file: &Value) -> String {
    let holders = file["holders"].as_array().into_iter().flatten();
    let one = |holder: &Value| {
        format!("{} ({})", holder["comm"].as_str().unwrap_or_default(), holder["pid"])
    };
    let holders: Vec<_> = holders.map(one).collect();
    if holders.is_empty() { String::new() } else { format!("; open in {}", holders.join(", ")) }
}

fn no_answer(error: &ClientError) -> Failure {
    Failure::new(Exit::CannotMount, error.to_string())
}

/// What a mount says when it says no.
fn refused(reply: &Reply) -> Failure {
    let problem = reply.json();
    let exit = match (problem["code"].as_str(), reply.status) {
        (Some("nothing-matched"), _) => Exit::NothingMatched,
        (Some("generation-mismatch" | "ending" | "ledger-failed"), _) => Exit::TryAgain,
        (Some("unknown-rule" | "no-fault" | "bad-path" | "bad-byte" | "unauthorized"), _) => {
            Exit::Usage
        }
        (_, 422 | 409) => Exit::BadFile,
        _ => Exit::Internal,
    };
    let detail = problem["detail"].as_str().unwrap_or("the mount gave no reason");
    let diagnostics = problem["diagnostics"].as_array().into_iter().flatten();
    let lines = diagnostics.map(|one| {
        let said = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
        let help = match said("help") {
            help if help.is_empty() => help,
            help => format!("; {help}"),
        };
        format!("{}[{}]: {}{help}", said("severity"), said("code"), said("message"))
    });
    let lines: Vec<String> = lines.collect();
    let message = if lines.is_empty() { detail.to_owned() } else { lines.join("\n") };
    Failure::new(exit, message)
}

/// A part of a path of the API.
pub(super) fn part(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let part = |byte: u8| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rules_are_parts_of_paths() {
        assert_eq!(part("bit-rot"), "bit-rot");
        assert_eq!(part("a/b?c d\u{e9}"), "a%2Fb%3Fc%20d%C3%A9");
    }
}
