//! Text to [`Scenario`]: parse, validate, collect every diagnostic.
//!
//! Knows spans and words; knows nothing of mounts, clocks or randomness.

mod model;

pub use model::*;
