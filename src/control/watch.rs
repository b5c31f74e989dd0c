//! Scenario files that change: loaded anew when they have another content, however that came about.
//!
//! Written in place, replaced by a rename, or behind a symbolic link that is (Kubernetes' `..data`):
//! something happens in the directory of the file's name. The rest (a link that leads elsewhere, a
//! directory that was replaced) a look every other second finds.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};

use super::ScenarioFiles;

/// How often it is looked whatever happens.
const LOOK: Duration = Duration::from_secs(2);
/// A file is read when nothing has happened for so long: an editor writes in several steps.
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
        Watching { known: files.fingerprint(), files }
    }

    /// Calls `changed` whenever they have another content than before, on a thread of its own, for as
    /// long as the process lives.
    pub fn begin(self, changed: impl Fn() + Send + 'static) -> io::Result<()> {
        let events = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let Watching { files, mut known } = self;
        let look = move || {
            loop {
                wait(&events, &files);
                let now = files.fingerprint();
                if std::mem::replace(&mut known, now) != now {
                    changed();
                }
            }
        };
        std::thread::Builder::new().name("watch".into()).spawn(look)?;
        Ok(())
    }
}

/// Until something has happened in a directory and it is quiet again, or it is time to look.
fn wait(events: &OwnedFd, files: &ScenarioFiles) {
    // A directory may have been replaced: what is watched already stays so.
    files.directories().iter().for_each(|directory| add(events, directory));
    if !happens(events, LOOK) {
        return;
    }
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until && happens(events, REST) {}
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

/// Whether anything happens in this time; takes note of all that has.
fn happens(events: &OwnedFd, time: Duration) -> bool {
    let time = Timespec { tv_sec: time.as_secs() as i64, tv_nsec: i64::from(time.subsec_nanos()) };
    let mut ready = [PollFd::new(events, PollFlags::IN)];
    let some = poll(&mut ready, Some(&time)).is_ok_and(|count| count > 0);
    let mut buffer = [const { MaybeUninit::uninit() }; 4096];
    let mut reader = inotify::Reader::new(events, &mut buffer);
    while reader.next().is_ok() {}
    some
}
