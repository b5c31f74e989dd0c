//! What the simulated medium remembers of each file: who it was at arming, and which of its bytes
//! have been overwritten since; and how much of it all files take.
//!
//! Memory only, no files: `fs` says what happened, `injector` asks what is stored.

mod fates;
mod generations;
mod medium;
mod table;
mod usage;

pub use fates::Fates;
pub use generations::Generations;
pub use medium::{Binding, Medium};
pub use table::{FileKey, Media};
pub use usage::Usage;
