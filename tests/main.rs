//! All integration tests, in one binary.

mod property;
mod scenario;
mod statistical;
