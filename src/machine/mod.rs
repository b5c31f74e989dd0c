//! The machine that errorfs runs on: its mounts, how to remove them, and what it lacks.
//!
//! Looks and removes mounts; prints nothing, mounts nothing that outlives a probe.

mod checks;
mod guard;
mod mounts;
mod parent;
mod probe;
mod routes;
mod server;
mod unmount;

pub use checks::*;
pub use guard::*;
pub use mounts::*;
pub use parent::when_parent_ends;
pub use probe::*;
pub use server::ServerProcess;
pub use unmount::*;
