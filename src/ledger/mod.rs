//! The ledger: one JSON line for each fault that reached the target, written before the reply leaves.

mod event;

pub use event::*;
