//! The live mount's API: HTTP/1.1 and JSON over a Unix socket, or a port of this machine.
//!
//! `stage` holds what is loaded and changes it, `director` does so one change at a time; `routes`
//! has every request in one table; `server` listens, `client` asks. Nothing here ever touches the
//! mount: errorfs would wait for itself.

mod additions;
mod address;
mod answer;
mod asked;
mod changed;
mod client;
mod connections;
mod director;
mod events;
mod files;
mod holders;
mod metrics;
mod openapi;
mod operations;
mod orders;
mod peer;
mod power;
mod problem;
mod reasons;
mod remembered;
mod requests;
mod routes;
mod server;
mod shot;
mod socket;
mod stage;
mod status;
mod texts;
mod token;
mod watch;

pub use address::{Address, AddressError};
pub use changed::Changed;
pub use client::{Client, ClientError, Reply};
pub use director::Director;
pub use events::EventsQuery;
pub use files::ScenarioFiles;
pub use problem::Problem;
pub use routes::{ROUTES, Route};
pub use server::{Listening, Server, serve};
pub use shot::Shot;
pub use socket::{ENVIRONMENT, FindError, default_path, find};
pub use stage::{Arming, Stage, Terms};
pub use texts::ScenarioTexts;
pub use token::{Token, TokenError};
pub use watch::Watching;

/// More rules than that a plan does not number.
const RULES_MAX: usize = 1 << 16;
