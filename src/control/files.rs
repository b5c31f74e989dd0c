//! The scenario files that a mount was started with, read by the mount itself.
//!
//! Never by way of the mount: errorfs would ask itself, under its own faults, and might wait for ever.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags, ResolveFlags, open, openat2};

use super::texts::{ScenarioText, ScenarioTexts};
use crate::sys::lease::is_being_written;

/// Scenario files. Those below the mountpoint (a mount in place, `run`) are found from a directory
/// that was opened before the mount.
#[derive(Clone, Debug, Default)]
pub struct ScenarioFiles(Arc<[ScenarioFile]>);

#[derive(Debug)]
struct ScenarioFile {
    /// Absolute.
    path: PathBuf,
    /// Without symbolic links.
    mountpoint: PathBuf,
    /// Of a file below the mountpoint: its directory, and its name there.
    below: Option<(OwnedFd, PathBuf)>,
}

impl ScenarioFiles {
    /// Files as they were named. To be called before the mount; `mountpoint` is without symbolic
    /// links.
    pub fn new(files: &[PathBuf], mountpoint: &Path) -> io::Result<ScenarioFiles> {
        let file = |file: &PathBuf| {
            let path = std::path::absolute(file)?;
            let mountpoint = mountpoint.to_owned();
            Ok(ScenarioFile { below: below(&path, &mountpoint)?, path, mountpoint })
        };
        Ok(ScenarioFiles(files.iter().map(file).collect::<io::Result<_>>()?))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What all of them say now.
    pub(super) fn read(&self) -> ScenarioTexts {
        let text =
            |file: &ScenarioFile| ScenarioText { path: file.path.clone(), said: file.read() };
        ScenarioTexts(self.0.iter().map(text).collect())
    }

    /// The directories in which they have their names, by paths that do not lead through the mount.
    pub(super) fn directories(&self) -> Vec<PathBuf> {
        let directory = |file: &ScenarioFile| match &file.below {
            Some((directory, _)) => Some(format!("/proc/self/fd/{}", directory.as_raw_fd()).into()),
            None => Some(past(file.path.parent()?, &file.mountpoint).ok()?),
        };
        let mut directories: Vec<PathBuf> = self.0.iter().filter_map(directory).collect();
        directories.dedup();
        directories
    }
}

impl ScenarioFile {
    fn read(&self) -> io::Result<(String, Option<bool>)> {
        // A pipe without a writer shall not hold whoever reads it.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let mode = Mode::empty();
        let mut file = File::from(match &self.below {
            Some((directory, name)) => {
                let inside = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
                openat2(directory, name, flags, mode, inside)?
            }
            None => open(past(&self.path, &self.mountpoint)?, flags | OFlags::NOFOLLOW, mode)?,
        });
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        // Asked last: whoever wrote until then is about to be seen by the next look.
        let written = is_being_written(&file);
        Ok((text, written.ok()))
    }
}

/// The way to a file that is below the mountpoint, by its own name: that may be a symbolic link, which
/// changes.
fn below(path: &Path, mountpoint: &Path) -> io::Result<Option<(OwnedFd, PathBuf)>> {
    let named = || Some(std::fs::canonicalize(path.parent()?).ok()?.join(path.file_name()?));
    let meant = [named(), std::fs::canonicalize(path).ok()];
    let in_directory = |path: PathBuf| Some((path.parent()?.to_owned(), path.file_name()?.into()));
    let found = meant.into_iter().flatten().filter_map(in_directory);
    let mut found = found.filter(|(directory, _)| directory.starts_with(mountpoint));
    let Some((directory, name)) = found.next() else { return Ok(None) };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(Some((open(&directory, flags, Mode::empty())?, name)))
}

/// A path without symbolic links, found without asking the mount anything: what leads through it is
/// refused before it is looked at.
fn past(path: &Path, mountpoint: &Path) -> io::Result<PathBuf> {
    /// As the kernel has it.
    const LINKS_MAX: usize = 40;
    let (mut found, mut links) = (PathBuf::from("/"), 0);
    let mut rest: Vec<PathBuf> = parts(path);
    while let Some(part) = rest.pop() {
        match part.components().next() {
            Some(Component::ParentDir) => drop(found.pop()),
            Some(Component::Normal(name)) => found.push(name),
            _ => found = PathBuf::from("/"),
        }
        if found.starts_with(mountpoint) {
            return Err(io::Error::other("it leads through the mount itself"));
        }
        if let Ok(target) = std::fs::read_link(&found) {
            links += 1;
            if links > LINKS_MAX {
                return Err(rustix::io::Errno::LOOP.into());
            }
            found.pop();
            rest.extend(parts(&target));
        }
    }
    Ok(found)
}

/// The parts of a path, the first one last.
fn parts(path: &Path) -> Vec<PathBuf> {
    path.components().rev().map(|part| PathBuf::from(part.as_os_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_are_followed_and_none_through_the_mount() {
        let scratch = tempfile::tempdir().unwrap();
        let here = std::fs::canonicalize(scratch.path()).unwrap();
        std::fs::create_dir_all(here.join("a/b")).unwrap();
        std::fs::create_dir(here.join("mnt")).unwrap();
        std::fs::write(here.join("a/s.toml"), "x").unwrap();
        std::fs::write(here.join("mnt/s.toml"), "x").unwrap();
        for (target, name) in
            [("../a/b/../s.toml", "a/relative"), ("mnt", "door"), ("loop", "loop")]
        {
            symlink(target, here.join(name)).unwrap();
        }
        symlink(here.join("a/relative"), here.join("absolute")).unwrap();
        symlink("../door/s.toml", here.join("a/through")).unwrap();
        let to = |name: &str| past(&here.join(name), &here.join("mnt")).map_err(|e| e.to_string());
        assert_eq!(to("absolute"), Ok(here.join("a/s.toml")));
        assert_eq!(to("a/./b/../relative"), Ok(here.join("a/s.toml")));
        for through in ["a/through", "mnt/s.toml", "door", "mnt"] {
            assert_eq!(to(through).unwrap_err(), "it leads through the mount itself", "{through}");
        }
        assert!(to("loop").unwrap_err().contains("ymbolic link"), "{:?}", to("loop"));
    }
}
