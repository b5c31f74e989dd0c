//! All integration tests, in one binary.

mod cli;
mod ledger;
mod preview;
mod property;
mod scenario;
mod statistical;
