//! All integration tests, in one binary.

mod mount;
mod programs;
mod support;
mod tidy;
