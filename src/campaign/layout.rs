//! Where a campaign keeps what it has: one directory that belongs to it.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::PlanId;

/// The directory of a campaign. Absolute, so that data that name their own place stay right.
#[derive(Clone, Debug)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// In a directory that is there.
    pub fn new(root: PathBuf) -> Layout {
        Layout { root }
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The campaign file, as it was when the directory was made.
    pub fn campaign(&self) -> PathBuf {
        self.root.join("campaign.toml")
    }

    /// Names the variant that was chosen, if one was.
    pub fn variant(&self) -> PathBuf {
        self.root.join("variant")
    }

    /// The variant that was chosen.
    pub fn chosen(&self) -> Option<String> {
        std::fs::read_to_string(self.variant()).ok()
    }

    /// The nodes' directories.
    pub fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    /// The directory of one node.
    pub fn node(&self, name: &str) -> PathBuf {
        self.data().join(name)
    }

    /// Where each trial sees an empty directory of its own.
    pub fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// What the runs without faults did and said, a folder each.
    pub fn golden(&self) -> PathBuf {
        self.root.join("golden")
    }

    /// The plan.
    pub fn plan(&self) -> PathBuf {
        self.root.join("plan.json")
    }

    /// The results of a plan; of a sample of it, if it is not run whole.
    pub fn results(&self, plan: &PlanId, sample: Option<u64>) -> PathBuf {
        let part = sample.map_or("all".to_owned(), |trials| format!("sample-{trials}"));
        self.root.join("results").join(plan.short()).join(part)
    }

    /// Says that the data are being made, or were: half-made ones are not used.
    pub fn mark(&self, made: bool) -> PathBuf {
        self.root.join(if made { "data.made" } else { "data.making" })
    }
}

/// Puts a whole file in its place: whoever sees it sees all of it, also after a power cut. An error of
/// kind `AlreadyExists` if there is one already.
pub fn put_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let own = path.with_extension(format!("tmp.{}", std::process::id()));
    let put = || {
        let mut file = File::create(&own)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        renameat_with(CWD, &own, CWD, path, RenameFlags::NOREPLACE)?;
        sync_parent(path)
    };
    let done = put();
    if done.is_err() {
        let _ = std::fs::remove_file(&own);
    }
    done
}

/// Makes the names in a file's directory last.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
}
