//! Where a live mount is asked: a Unix socket, or a port of this machine.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// Where to listen, or to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A Unix socket, by its path.
    Unix(PathBuf),
    /// TCP on the loopback interface.
    Tcp(SocketAddr),
}

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum AddressError {
    #[error("`{0}` is not a port of this machine: write tcp:127.0.0.1:PORT or tcp:[::1]:PORT")]
    NotTcp(String),
    #[error("{0} can be reached from other machines: write tcp:127.0.0.1:PORT or tcp:[::1]:PORT")]
    NotLoopback(SocketAddr),
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Address, AddressError> {
        let Some(tcp) = text.strip_prefix("tcp:") else { return Ok(Address::Unix(text.into())) };
        let address: SocketAddr = tcp.parse().map_err(|_| AddressError::NotTcp(text.to_owned()))?;
        match address.ip().is_loopback() {
            true => Ok(Address::Tcp(address)),
            false => Err(AddressError::NotLoopback(address)),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Unix(path) => path.display().fmt(f),
            Address::Tcp(address) => write!(f, "tcp:{address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_can_be_named_by_its_ports() {
        for text in ["tcp:127.0.0.1:80", "tcp:[::1]:0", "tcp:127.9.9.9:1", "/run/a.sock", "a b"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        for text in ["tcp:0.0.0.0:80", "tcp:192.168.0.1:80", "tcp:[::]:80"] {
            let error = text.parse::<Address>().unwrap_err();
            assert!(matches!(error, AddressError::NotLoopback(_)), "{error}");
        }
        for text in ["tcp:", "tcp:80", "tcp:localhost:80", "tcp:127.0.0.1", "tcp:127.0.0.1:99999"] {
            let error = text.parse::<Address>().unwrap_err();
            assert!(matches!(error, AddressError::NotTcp(_)), "{error}");
        }
    }
}
