//! errorfs: a FUSE filesystem that makes storage misbehave exactly as a scenario says.

pub mod cli;
pub mod diagnostic;
pub mod errno;
pub mod fs;
pub mod fuse;
pub mod injector;
pub mod isolation;
pub mod ledger;
pub mod machine;
pub mod media;
pub mod op;
pub mod plan;
pub mod scenario;
pub mod sys;
