//! All integration tests, in one binary.

mod ledger;
mod preview;
mod property;
mod scenario;
mod statistical;
