//! Scenario files: every diagnostic word for word, every shipped file and documented block checked.

mod fixtures;
mod formats;
mod merging;
mod reference;
mod round_trip;
