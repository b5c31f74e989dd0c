//! Traces: what a workload asked of a directory, operation by operation.
//!
//! Format, writer and reader; CORDS' traces; the blocks that a workload touched, which is what
//! campaigns enumerate. Knows nothing of faults.

mod blocks;
mod cords;
mod reader;
mod record;
mod writer;

pub use blocks::*;
pub use cords::*;
pub use reader::*;
pub use record::*;
pub use writer::*;
