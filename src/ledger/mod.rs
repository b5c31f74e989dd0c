//! The ledger: one JSON line for each fault that reached the target, written before the reply leaves.

mod escape;
mod event;
mod reader;
mod replay;
mod writer;

pub use escape::*;
pub use event::*;
pub use reader::*;
pub use replay::*;
pub use writer::*;
