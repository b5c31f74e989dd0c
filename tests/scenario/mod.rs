//! Scenario files: every diagnostic word for word, every shipped file and documented block checked.

pub(crate) mod fixtures;
mod formats;
mod merging;
mod reference;
mod round_trip;
mod schema;
mod strategies;
