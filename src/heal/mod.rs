//! `errorfs heal`: undoes real damage, from the journal of a state directory.
//!
//! From the last record back to the first; each is undone whether its change was made, was made in
//! part, or was never made, so that it does not matter when a mount or a heal was killed. What
//! programs have written over since is theirs and stays.

mod bytes;
mod names;

use std::collections::HashMap;
use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use crate::errno::Errno;
use crate::fs::{SurveyError, Tree, survey};
use crate::ledger::unescape;
use crate::media::{Content, FileKey, Piece, Pieces};
use crate::state::{Frame, Record, StateError, Undo};

/// What was, or would be, undone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Bytes that are as programs wrote them again.
    pub bytes: u64,
    /// Changes of names that were undone.
    pub names: u64,
    /// What was left as it is, and why; in words.
    pub left: Vec<String>,
}

/// Why nothing more could be undone. Nothing is lost: it can be tried again.
#[derive(Debug, thiserror::Error)]
pub enum HealError {
    /// The state directory cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The backing directory cannot be read.
    #[error(transparent)]
    Survey(#[from] SurveyError),
    /// The journal cannot be read or written.
    #[error("the journal of {}", state.display())]
    Journal {
        /// The state directory.
        state: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A change cannot be undone.
    #[error("cannot give back `{}`: {errno}", path.display())]
    Refused {
        /// Below the backing directory.
        path: PathBuf,
        /// Why.
        errno: Errno,
    },
}

/// One heal under way.
struct Healing<'a> {
    state: &'a Undo,
    root: &'a OwnedFd,
    tree: Tree<'a>,
    /// Says what it would do, and does nothing.
    dry: bool,
    /// What programs have written since, seen from the end of the journal.
    overwritten: HashMap<FileKey, Pieces<()>>,
    /// Where files are, by device and inode number; made when it is first needed.
    paths: Option<HashMap<(u64, u64), PathBuf>>,
    /// Names under which there are copies again, not the files that were there.
    copies: Vec<PathBuf>,
    /// Which files the copies are now.
    renewed: HashMap<FileKey, FileKey>,
    report: Report,
}

/// Undoes all that the journal of this state directory says; `dry`: says what that would be.
pub fn heal(state: &Undo, records: &[(Record, Frame)], dry: bool) -> Result<Report, HealError> {
    let root = state.backing()?;
    let tree = Tree::below(&root).map_err(|source| refused(PathBuf::new(), source))?;
    let (overwritten, paths, copies, renewed, report) = Default::default();
    let mut healing =
        Healing { state, root: &root, tree, dry, overwritten, paths, copies, renewed, report };
    for (record, frame) in records.iter().rev() {
        healing.undo(record, frame)?;
    }
    for Range { start, end } in &state.unreadable {
        let what =
            format!("bytes {start} to {end} of the journal are damaged: what they would undo");
        healing.report.left.push(what);
    }
    // What is left is to be found there by whoever can mend it.
    if !dry && state.unreadable.is_empty() {
        healing.finish()?;
    }
    Ok(healing.report)
}

impl Healing<'_> {
    fn undo(&mut self, record: &Record, frame: &Frame) -> Result<(), HealError> {
        match record {
            Record::Bytes { .. } => self.bytes(record, frame),
            Record::Overwritten { file, start, end } => {
                let piece = Piece { bytes: *start..*end, content: Content::ZEROS, of: () };
                self.overwritten.entry(*file).or_default().put(piece);
                Ok(())
            }
            names => self.names(names),
        }
    }

    /// What is undone is on the disk before the journal forgets it.
    fn finish(&self) -> Result<(), HealError> {
        let failed = |source| HealError::Journal { state: self.state.path().into(), source };
        let synced = Tree::below(self.root)
            .and_then(|tree| tree.open(std::path::Path::new(""), rustix::fs::OFlags::RDONLY))
            .map_err(|source| refused(PathBuf::new(), source))?;
        rustix::fs::syncfs(synced).map_err(|errno| failed(errno.into()))?;
        self.state.journal.restart().map_err(failed)
    }

    /// Whether this is a file that the journal means, or its copy.
    fn stands(&self, path: &std::path::Path, file: FileKey) -> bool {
        let key = self.tree.key(path);
        key.is_some() && (key == Some(file) || key.as_ref() == self.renewed.get(&file))
    }

    /// Where a file is now.
    fn path_of(&mut self, file: FileKey) -> Result<Option<PathBuf>, HealError> {
        if self.paths.is_none() {
            let found = survey(self.root.as_fd())?.files.into_iter();
            self.paths = Some(found.map(|file| ((file.dev, file.ino), file.path)).collect());
        }
        let file = self.renewed.get(&file).copied().unwrap_or(file);
        let paths = self.paths.as_ref();
        Ok(paths.and_then(|paths| paths.get(&(file.dev, file.ino)).cloned()))
    }
}

/// A path as the journal has it.
fn path(escaped: &str) -> PathBuf {
    use std::os::unix::ffi::OsStringExt as _;
    let bytes = unescape(escaped).unwrap_or_default();
    PathBuf::from(std::ffi::OsString::from_vec(bytes))
}

fn refused(path: PathBuf, errno: Errno) -> HealError {
    HealError::Refused { path, errno }
}
