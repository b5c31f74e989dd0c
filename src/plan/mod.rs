//! Scenario to plan: pure and total. No input, output, clock or randomness of its own.

mod decision;

pub use decision::*;
