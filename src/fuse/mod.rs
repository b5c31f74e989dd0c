//! The kernel's protocol: the only place that names fuser. Translates, and nothing else.

mod adapter;
mod answer;
mod capabilities;
mod convert;
mod mounting;
mod open_reply;
mod restrictions;
mod session;
mod vigil;

pub use mounting::{MountError, MountOptions};
pub use restrictions::{Restriction, Restrictions, UnknownRestriction};
pub use session::{Passthrough, Session};
