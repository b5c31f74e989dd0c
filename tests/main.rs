//! All integration tests, in one binary.

mod property;
mod statistical;
