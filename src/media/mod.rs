//! What the simulated medium remembers of each file: who it was at arming, and which of its bytes
//! have been overwritten since; what it still holds where it did not get what was written; and how
//! much of it all files take.
//!
//! Memory only, no files: `fs` says what happened, `injector` asks what is stored.

mod behind;
mod earlier;
mod fates;
mod generations;
mod medium;
mod pieces;
mod table;
mod unsynced;
mod usage;
mod volatile;

pub use behind::{Behind, Elsewhere, Loss, Stale};
pub use earlier::Earlier;
pub use fates::Fates;
pub use generations::Generations;
pub use medium::{Binding, Medium};
pub use pieces::{Content, Piece, Pieces, Room};
pub use table::{FileKey, Media};
pub use unsynced::{Eviction, Unsynced, Until};
pub use usage::Usage;
pub use volatile::{Rolled, Volatile};
