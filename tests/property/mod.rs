//! What holds for all operations: random ones that shrink to the smallest that fails.

mod decision;
mod medium;
mod overwrites;
mod region;
pub(crate) mod subject;
