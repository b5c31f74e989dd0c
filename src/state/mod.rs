//! The state directory of a mount (`--state`): what is needed to undo real damage, fsynced before
//! the damage is made; and what the simulated medium remembers from one mount to the next.
//!
//! It belongs to one backing directory, and to one mount or one `errorfs heal` at a time.

mod compaction;
mod directory;
mod journal;
mod log;
mod memory;
mod record;

pub use directory::{Belongs, StateDir, StateError, Undo};
pub use journal::{Damaged, Journal, Records};
pub use log::{Frame, Log};
pub use memory::{
    FileMemory, Held, Memo, Memory, MemoryLog, Places, earlier_memo, escaped, held, plain,
};
pub use record::Record;
