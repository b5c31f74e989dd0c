//! Where to mount what: refuses what would deadlock, hide or endanger somebody's data.

use std::fs::Metadata;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use clap::Args;
use rustix::fs::{Mode, OFlags};

use super::exit::{Exit, Failure};
use crate::fuse::{Restriction, Restrictions};
use crate::machine::{Detach, absolute, mount_at, remove};

/// Directories that the running system lives in.
const SYSTEM: &[&str] = &[
    "/", "/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/run", "/sbin", "/sys",
    "/usr", "/var",
];

/// Backing directory and mountpoint, as typed.
#[derive(Debug, Args)]
pub(super) struct PlaceArgs {
    /// Let other users use the mount; the backing files' owners and modes decide what they may
    #[arg(long)]
    allow_other: bool,
    /// Mount over the backing directory itself, so that programs find it at its own path
    #[arg(long)]
    in_place: bool,
    /// As of mount(8): ro, nosuid, nodev, noexec, noatime, sync, dirsync, and their opposites
    #[arg(short, value_name = "OPTION", value_delimiter = ',')]
    options: Vec<Restriction>,
    /// Accept a system directory as the backing directory
    #[arg(long)]
    force: bool,
    /// The directory with the true bytes
    backing: PathBuf,
    /// An empty directory (with --in-place: the backing directory again, or nothing)
    mountpoint: Option<PathBuf>,
}

/// A backing directory, open, and a mountpoint that suits it.
#[derive(Debug)]
pub(super) struct Place {
    /// Open before anything is mounted over it.
    pub(super) root: OwnedFd,
    /// Absolute, without symbolic links.
    pub(super) backing: PathBuf,
    /// Absolute, without symbolic links.
    pub(super) mountpoint: PathBuf,
    /// Whether other users may use the mount.
    pub(super) allow_other: bool,
    /// What the kernel is not to allow or do there.
    pub(super) restrictions: Restrictions,
    /// Whether nobody sees the backing directory after the mount: it may be damaged.
    pub(super) thrown_away: bool,
}

impl Place {
    /// Checks what was typed.
    pub(super) fn check(args: &PlaceArgs) -> Result<Place, Failure> {
        let typed = match (&args.mountpoint, args.in_place) {
            (Some(mountpoint), _) => mountpoint,
            (None, true) => &args.backing,
            (None, false) => return Err(usage("no mountpoint: give one, or --in-place")),
        };
        recover(typed)?;
        let backing = directory(&args.backing, "backing directory")?;
        let mountpoint = directory(typed, "mountpoint")?;
        suits(&backing, &mountpoint, args)?;
        let place = Place::open(backing, mountpoint)?;
        let asked: Restrictions = args.options.iter().copied().collect();
        let restrictions = place.restrictions.and(asked);
        Ok(Place { allow_other: args.allow_other, restrictions, ..place })
    }

    /// The backing directory as its own mountpoint.
    pub(super) fn in_place(directory: &Path, force: bool) -> Result<Place, Failure> {
        let directory = self::directory(directory, "directory")?;
        is_nobody_elses(&directory, force)?;
        is_not_below_errorfs(&directory)?;
        Place::open(directory.clone(), directory)
    }

    fn open(backing: PathBuf, mountpoint: PathBuf) -> Result<Place, Failure> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(&backing, flags, Mode::empty())
            .map_err(|errno| usage(format!("cannot open {}: {errno}", backing.display())))?;
        // What the backing directory's own mount forbids, this one does not allow.
        let restrictions = Restrictions::of(&root)
            .map_err(|errno| usage(format!("{}: {errno}", backing.display())))?;
        let (allow_other, thrown_away) = (false, false);
        Ok(Place { root, backing, mountpoint, allow_other, restrictions, thrown_away })
    }

    /// Refuses files of errorfs' own below the mount: writing there would wait for itself.
    pub(super) fn must_not_hold(&self, file: &Path, what: &str) -> Result<(), Failure> {
        self.must_not_be_above(file, file, what)
    }

    /// The same for what is not there yet, as it was `typed`: `probe` would be in the directory in
    /// which it would be made.
    pub(super) fn must_not_be_above(
        &self,
        probe: &Path,
        typed: &Path,
        what: &str,
    ) -> Result<(), Failure> {
        let parent = probe.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        let parent = std::fs::canonicalize(parent).map_err(|error| {
            let parent = parent.display();
            usage(format!("no directory for the {what} {}: {parent}: {error}", typed.display()))
        })?;
        match [&self.mountpoint, &self.backing].into_iter().find(|place| holds(place, &parent)) {
            Some(place) => Err(usage(format!(
                "the {what} {} would be inside {}; put it somewhere else",
                typed.display(),
                place.display()
            ))),
            None => Ok(()),
        }
    }
}

/// A mountpoint that a killed errorfs left dead is made usable again.
fn recover(mountpoint: &Path) -> Result<(), Failure> {
    let dead = |path: &Path| {
        use rustix::io::Errno;
        let error = std::fs::metadata(path).err().and_then(|error| error.raw_os_error());
        let dead = [Errno::NOTCONN, Errno::CONNABORTED].map(Errno::raw_os_error);
        error.is_some_and(|error| dead.contains(&error))
    };
    let Ok(path) = absolute(mountpoint) else {
        return Ok(());
    };
    match mount_at(&path) {
        Ok(Some(mount)) if mount.is_errorfs() && dead(&path) => remove(&mount, Detach::Lazily)
            .map_err(|error| Failure::new(Exit::CannotMount, error.to_string())),
        _ => Ok(()),
    }
}

fn suits(backing: &Path, mountpoint: &Path, args: &PlaceArgs) -> Result<(), Failure> {
    is_nobody_elses(backing, args.force)?;
    if backing == mountpoint {
        return match args.in_place {
            true => is_not_below_errorfs(backing),
            false => {
                Err(usage("the mountpoint is the backing directory; --in-place if you mean it"))
            }
        };
    }
    if args.in_place {
        return Err(usage(
            "--in-place mounts over the backing directory: give no other mountpoint",
        ));
    }
    if holds(backing, mountpoint) {
        let message = "the mountpoint is inside the backing directory, which would contain itself; \
                       mount somewhere else";
        return Err(usage(message));
    }
    empty(mountpoint)
}

fn is_nobody_elses(backing: &Path, force: bool) -> Result<(), Failure> {
    if SYSTEM.iter().any(|system| backing == Path::new(system)) && !force {
        let message =
            format!("{} belongs to the system; --force if you mean it", backing.display());
        return Err(usage(message));
    }
    Ok(())
}

/// errorfs itself needs what the kernel shows there: over it, it would wait for itself.
fn is_not_below_errorfs(directory: &Path) -> Result<(), Failure> {
    let needed = ["/proc", "/sys"].iter().any(|needed| directory.starts_with(needed));
    if needed || ["/", "/dev"].iter().any(|needed| directory == Path::new(needed)) {
        let message = format!("errorfs needs {} itself: not in place", directory.display());
        return Err(usage(message));
    }
    Ok(())
}

/// Whether a path is a directory or below it, by whatever names: through bind mounts as well.
fn holds(directory: &Path, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let identity = |path: &Path| {
        let found = std::fs::metadata(path).ok()?;
        Some((found.dev(), found.ino()))
    };
    let wanted = identity(directory);
    path.ancestors().any(|ancestor| ancestor == directory || identity(ancestor) == wanted)
}

fn empty(mountpoint: &Path) -> Result<(), Failure> {
    let unreadable = |error| usage(format!("mountpoint {}: {error}", mountpoint.display()));
    let mut entries = std::fs::read_dir(mountpoint).map_err(unreadable)?;
    match entries.next() {
        None => Ok(()),
        Some(_) => Err(usage(format!(
            "the mountpoint {} is not empty: what it holds would be hidden; use an empty directory",
            mountpoint.display()
        ))),
    }
}

fn directory(typed: &Path, what: &str) -> Result<PathBuf, Failure> {
    let wrong = |error: std::io::Error| usage(format!("{what} {}: {error}", typed.display()));
    let path = std::fs::canonicalize(typed).map_err(wrong)?;
    match std::fs::metadata(&path).map_err(wrong)? {
        found if Metadata::is_dir(&found) => Ok(path),
        _ => Err(usage(format!("{what} {} is not a directory", typed.display()))),
    }
}

fn usage(message: impl Into<String>) -> Failure {
    Failure::new(Exit::Usage, message)
}
