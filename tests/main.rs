//! All integration tests, in one binary.

mod ledger;
mod scenario;
