//! A command in a mount namespace of its own that leaves no process and no mount behind.
//!
//! `run` and trials use it. Knows nothing of errorfs' own mount, scenarios or printing.

mod descendants;
mod enclosure;
mod keeper;
mod layer;
mod namespace;
mod seclusion;

pub use descendants::*;
pub use enclosure::*;
pub use keeper::*;
pub use layer::*;
pub use namespace::*;
pub use seclusion::*;
