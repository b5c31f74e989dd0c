//! Scenario files that change: loaded anew when they have another content, however that came about.
//!
//! Written in place, replaced by a rename, or behind a symbolic link that is (Kubernetes' `..data`):
//! something happens in the directory of the file's name. The rest (a link that leads elsewhere, a
//! directory that was replaced) a look every other second finds. What somebody has open for writing is
//! not loaded before that is closed: half of a rule may be one about everything.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

use super::{ScenarioFiles, ScenarioTexts};

/// How often it is looked whatever happens.
const LOOK: Duration = Duration::from_secs(2);
/// A file is read when nothing has happened for so long, and says the same for so long: an editor
/// writes in several steps. Whatever happens, it is looked no more often.
const REST: Duration = Duration::from_millis(100);
/// But no later than so long after something did.
const PATIENCE: Duration = Duration::from_secs(2);

/// Files, and what they said.
#[derive(Debug)]
pub struct Watching {
    files: ScenarioFiles,
    known: blake3::Hash,
}

impl Watching {
    /// Files as they are now.
    pub fn over(files: ScenarioFiles) -> Watching {
        Watching { known: files.read().fingerprint(), files }
    }

    /// Calls `changed` with what they say whenever that is another content than before, on a thread of
    /// its own, for as long as the process lives.
    pub fn begin(self, changed: impl Fn(ScenarioTexts) + Send + 'static) -> io::Result<()> {
        let events = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let Watching { files, mut known } = self;
        let look = move || {
            loop {
                wait(&events, &files);
                if let Some(texts) = settled(&files, known) {
                    known = texts.fingerprint();
                    changed(texts);
                }
            }
        };
        std::thread::Builder::new().name("watch".into()).spawn(look)?;
        Ok(())
    }
}

/// What they say, if that is not known and whole. What is not will be looked at again: whoever writes
/// closes the file, which happens in its directory.
fn settled(files: &ScenarioFiles, known: blake3::Hash) -> Option<ScenarioTexts> {
    let first = files.read();
    if first.fingerprint() == known || first.are_being_written() == Some(true) {
        return None;
    }
    // Where the kernel does not tell who writes, time has to.
    std::thread::sleep(if first.are_being_written().is_some() { REST } else { LOOK });
    let second = files.read();
    let whole = second.are_being_written() != Some(true);
    (whole && second.fingerprint() == first.fingerprint()).then_some(second)
}

/// Until something has happened in a directory and it is quiet again, or it is time to look.
fn wait(events: &OwnedFd, files: &ScenarioFiles) {
    // A directory may have been replaced: what is watched already stays so.
    files.directories().iter().for_each(|directory| add(events, directory));
    if !is_pending(events, LOOK) {
        return;
    }
    let until = Instant::now() + PATIENCE;
    // At rest before they are read: each that came alone would wake the thread.
    while is_pending(events, Duration::ZERO) && Instant::now() < until {
        drain(events);
        std::thread::sleep(REST);
    }
}

fn add(events: &OwnedFd, directory: &std::path::Path) {
    let changes = WatchFlags::CREATE
        | WatchFlags::MOVED_TO
        | WatchFlags::MOVED_FROM
        | WatchFlags::DELETE
        | WatchFlags::MODIFY
        | WatchFlags::CLOSE_WRITE
        | WatchFlags::ATTRIB;
    if let Err(error) = inotify::add_watch(events, directory, changes | WatchFlags::ONLYDIR) {
        tracing::debug!("{} is not watched: {error}", directory.display());
    }
}

/// Whether anything happens in this time that nobody has taken note of.
fn is_pending(events: &OwnedFd, time: Duration) -> bool {
    let time = Timespec { tv_sec: time.as_secs() as i64, tv_nsec: i64::from(time.subsec_nanos()) };
    let mut ready = [PollFd::new(events, PollFlags::IN)];
    poll(&mut ready, Some(&time)).is_ok_and(|count| count > 0)
}

/// Takes note of all that has happened; no longer than that lasts, as it may never end.
fn drain(events: &OwnedFd) {
    let until = Instant::now() + REST;
    let mut buffer = [const { MaybeUninit::uninit() }; 4096];
    let mut reader = inotify::Reader::new(events, &mut buffer);
    while reader.next().is_ok() && Instant::now() < until {}
}
