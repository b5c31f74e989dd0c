//! All integration tests, in one binary.

mod cli;
mod ledger;
mod property;
mod scenario;
mod statistical;
