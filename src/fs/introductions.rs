//! Files that the kernel learns of while it lists a directory: names and attributes in one answer
//! (READDIRPLUS), so that looking at what was listed asks nothing more.

use super::stat::stat_name;
use super::{Answer, DirEntry, Entry, FileHandle, Filesystem, NodeId};

/// What is told of one entry.
#[derive(Clone, Debug)]
pub enum Introduced {
    /// The file under that name. Counts as one lookup of its node.
    File(Entry),
    /// The number and kind that are listed, and nothing else: of the directory itself and the one
    /// above, and where the entry is not what is there, or no longer.
    Listed,
}

impl Filesystem {
    /// Looks at an entry of an open directory, for the kernel to know.
    pub fn introduce(&self, handle: FileHandle, listed: &DirEntry) -> Introduced {
        if listed.is_itself_or_above() {
            return Introduced::Listed;
        }
        match self.meet(handle, listed) {
            Ok(found) if found.id.0 != listed.ino => {
                self.forget(found.id, 1);
                self.unconnected(listed)
            }
            Ok(found) if found.attr.kind != listed.kind => Introduced::Listed,
            Ok(found) => Introduced::File(found),
            Err(_) => self.unconnected(listed),
        }
    }

    /// There was no room in the answer.
    pub fn take_back(&self, told: &Introduced, listed: &DirEntry) {
        match told {
            Introduced::File(entry) => self.forget(entry.id, 1),
            Introduced::Listed if !listed.is_itself_or_above() => {
                self.forget(NodeId(listed.ino), 1);
            }
            Introduced::Listed => {}
        }
    }

    fn meet(&self, handle: FileHandle, listed: &DirEntry) -> Answer<Entry> {
        let open = self.open_directories.get(handle)?;
        let attr = stat_name(&*open.directory, &listed.name)?;
        self.known(&attr, &open.node, &listed.name)
    }

    /// The kernel will not connect the entry with a file, and forgets the node of its number once for
    /// that.
    fn unconnected(&self, listed: &DirEntry) -> Introduced {
        self.nodes.count_again(NodeId(listed.ino));
        Introduced::Listed
    }
}

impl DirEntry {
    /// `.` and `..`, which the kernel takes for no files of the directory.
    pub(super) fn is_itself_or_above(&self) -> bool {
        self.name == "." || self.name == ".."
    }
}
