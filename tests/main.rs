//! All integration tests, in one binary.

#![expect(clippy::unwrap_used, reason = "what panics in a test fails it, with the place")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the harness collects it")]

mod allocation;
mod bench;
mod campaign;
mod cli;
mod clients;
mod compliance;
mod control;
mod damage;
mod differential;
mod documents;
mod drill;

mod ledger;
mod mount;
mod nodes;
mod power;
mod preview;
mod probes;
mod programs;
mod property;
mod robustness;
mod scenario;
mod semantics;
mod state;
mod statistical;
mod support;
mod tidy;
mod trace;
