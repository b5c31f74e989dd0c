//! What the journal of undo says: one record for each change that a fault makes to the backing
//! directory, written before the change.
//!
//! Each can be undone whether it was made, was made in part, or was not made at all.

use serde::{Deserialize, Serialize};

use crate::media::FileKey;

/// One record. Paths are relative to the backing directory, as ledgers write them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// Bytes of a file are about to be replaced. With it go the bytes as they are, then those that
    /// take their place: fewer if the file is cut off there, more if it grows.
    Bytes {
        /// Which file.
        file: FileKey,
        /// A path of it.
        path: String,
        /// The first of the bytes.
        at: u64,
        /// How many there are before.
        len: u64,
        /// The length of the file before and after.
        sizes: (u64, u64),
    },
    /// A program has written, cut off or removed these bytes of a damaged file since: they are its
    /// own.
    Overwritten {
        /// Which file.
        file: FileKey,
        /// The first of the bytes.
        start: u64,
        /// The end.
        end: u64,
    },
    /// What stands under a name is about to be moved to the attic of the state directory.
    Taken {
        /// The name.
        path: String,
        /// Its name in the attic.
        attic: u64,
        /// Which file it is.
        file: FileKey,
        /// Whether the attic is on another filesystem, and holds a copy.
        copied: bool,
        /// Of a copy: which files are below the name, by the rest of their paths. They are others
        /// when they are given back.
        below: Vec<(String, FileKey)>,
    },
    /// One of several names of a regular file is about to be removed.
    Unlinked {
        /// The name.
        path: String,
        /// Which file it is of.
        file: FileKey,
    },
    /// A file that had been removed is about to be made again: first under a name of errorfs' own
    /// beside it.
    Put {
        /// The name.
        path: String,
        /// The last part of the name that it has until it is complete.
        meanwhile: String,
    },
    /// The file that was made.
    Made {
        /// The name of the [`Record::Put`].
        path: String,
        /// Which file it is.
        file: FileKey,
    },
    /// A name is about to be changed.
    Moved {
        /// The name.
        from: String,
        /// The name that it gets.
        to: String,
        /// Which file it is of.
        file: FileKey,
    },
}

impl Record {
    /// As a log keeps it.
    pub fn head(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a record is plain data")
    }
}
