//! What this machine has and lacks for mounting, check by check.
//!
//! Only looks. How to mount is tried by `routes`; telling it is the business of `cli`.

use std::fs;
use std::path::Path;

use rustix::process::{Resource, geteuid, getrlimit};
use serde::Serialize;

use super::{Mount, mounts, probe_answer, probe_passthrough, routes};

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// As it should be.
    Ok,
    /// errorfs works, with less.
    Warn,
    /// One way to mount is closed.
    Fail,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Stable, for scripts.
    pub name: &'static str,
    /// How it went.
    pub status: Status,
    /// What was found.
    pub found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Check {
    pub(super) fn ok(name: &'static str, found: impl Into<String>) -> Check {
        Check { name, status: Status::Ok, found: found.into(), remedy: None }
    }

    pub(super) fn warn(
        name: &'static str,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Check {
        Check { status: Status::Warn, remedy: Some(remedy.into()), ..Check::ok(name, found) }
    }

    pub(super) fn fail(
        name: &'static str,
        found: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Check {
        Check { status: Status::Fail, ..Check::warn(name, found, remedy) }
    }
}

/// All checks, and whether errorfs can mount here by at least one route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Examination {
    /// Whether any route is open.
    pub can_mount: bool,
    /// In the order in which they are best read.
    pub checks: Vec<Check>,
}

/// Looks at everything. Takes a few seconds if mounts do not answer.
pub fn examine() -> Examination {
    let routes = routes::all();
    let can_mount = routes.iter().any(|check| check.status == Status::Ok);
    let mut checks = routes;
    checks.extend([device(), filesystem(), allow_other()]);
    checks.extend(kernel());
    checks.extend([passthrough(), io_uring(), fusectl(), open_files()]);
    checks.extend(stale());
    Examination { can_mount, checks }
}

fn device() -> Check {
    const NAME: &str = "/dev/fuse";
    let opened = fs::OpenOptions::new().read(true).write(true).open(NAME);
    match opened {
        Ok(_) => Check::ok(NAME, "there, and this user may open it"),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Check::fail(
            NAME,
            "not there",
            "load the module (modprobe fuse); in a container, start it with --device /dev/fuse",
        ),
        Err(error) => Check::fail(
            NAME,
            format!("user {} may not open it: {error}", geteuid().as_raw()),
            "chmod 0666 /dev/fuse, as distributions do; in a container, allow the device",
        ),
    }
}

fn filesystem() -> Check {
    let known = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    match known.split_whitespace().any(|word| word == "fuse") {
        true => Check::ok("kernel-fuse", "the kernel knows the filesystem"),
        false => Check::fail(
            "kernel-fuse",
            "the kernel does not know the filesystem",
            "modprobe fuse, or a kernel with CONFIG_FUSE_FS",
        ),
    }
}

fn allow_other() -> Check {
    const NAME: &str = "allow-other";
    let text = fs::read_to_string("/etc/fuse.conf").unwrap_or_default();
    if text.lines().any(|line| line.trim() == "user_allow_other") {
        return Check::ok(NAME, "/etc/fuse.conf lets ordinary users say --allow-other");
    }
    if geteuid().is_root() {
        return Check::ok(NAME, "root may say --allow-other; ordinary users may not");
    }
    Check::warn(
        NAME,
        "/etc/fuse.conf does not let ordinary users say --allow-other",
        "echo user_allow_other >> /etc/fuse.conf, as root, if other users must see a mount",
    )
}

fn kernel() -> Vec<Check> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let release = release.trim();
    let Some(version) = parse_version(release) else {
        let found = format!("a release that cannot be read: {release}");
        return vec![Check::warn("kernel", found, "errorfs needs Linux 5.4 or later")];
    };
    let since = |name, needed, (major, minor), without: &str| {
        let found = format!("Linux {release}");
        match version >= (major, minor) {
            true => Check::ok(name, format!("{found}: {needed}")),
            false => Check::warn(
                name,
                format!("{found}: {without}"),
                format!("Linux {major}.{minor} or later"),
            ),
        }
    };
    vec![
        since("kernel", "recent enough", (5, 4), "too old for errorfs"),
        since(
            "direct-io-mmap",
            "shared mmap works where every access is counted",
            (6, 6),
            "no shared mmap of files under rules that count accesses",
        ),
    ]
}

fn passthrough() -> Check {
    const NAME: &str = "passthrough";
    match probe_passthrough() {
        Ok(()) => Check::ok(NAME, "works: files that no rule can reach run at native speed"),
        Err(error) => Check::warn(
            NAME,
            format!("all data moves through errorfs: {error}"),
            "Linux 6.9 or later with CONFIG_FUSE_PASSTHROUGH, and root outside user namespaces, \
             if speed matters",
        ),
    }
}

fn parse_version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|letter: char| !letter.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn io_uring() -> Check {
    let enabled = fs::read_to_string("/sys/module/fuse/parameters/enable_uring");
    let found = match enabled.as_deref().map(str::trim) {
        Ok("Y" | "1") => "the kernel offers it to FUSE (errorfs does not use it yet)",
        Ok(_) => "switched off for FUSE (errorfs does not use it yet)",
        Err(_) => "not offered to FUSE by this kernel (errorfs does not use it yet)",
    };
    Check::ok("io-uring", found)
}

fn fusectl() -> Check {
    const DIR: &str = "/sys/fs/fuse/connections";
    let mounted = mounts().unwrap_or_default();
    match mounted.iter().any(|mount| mount.fstype == "fusectl") {
        true => Check::ok("fusectl", format!("mounted: {DIR} can abort a mount that hangs")),
        false => Check::warn(
            "fusectl",
            "not mounted: a mount that hangs cannot be aborted",
            format!("mount -t fusectl none {DIR}, as root"),
        ),
    }
}

fn open_files() -> Check {
    const ENOUGH: u64 = 1024;
    let limit = getrlimit(Resource::Nofile);
    let number = |limit: Option<u64>| limit.map_or("unlimited".into(), |n| n.to_string());
    let found = format!("{} open files, {} at most", number(limit.current), number(limit.maximum));
    match limit.maximum.is_none_or(|maximum| maximum >= ENOUGH) {
        true => Check::ok("open-files", found),
        false => Check::warn("open-files", found, format!("ulimit -Hn {ENOUGH} or more")),
    }
}

/// Mounts of errorfs that do not answer.
fn stale() -> Vec<Check> {
    const NAME: &str = "stale-mounts";
    let mounted = mounts().unwrap_or_default();
    let ours: Vec<_> = mounted.iter().filter(|mount| mount.is_errorfs()).collect();
    let dead = ours.iter().filter_map(|mount| told_dead(NAME, mount));
    let dead: Vec<_> = dead.collect();
    match (ours.len(), dead.is_empty()) {
        (_, false) => dead,
        (0, true) => vec![Check::ok(NAME, "none; errorfs has nothing mounted here")],
        (count, true) => vec![Check::ok(NAME, format!("none; {count} mounted, all answer"))],
    }
}

fn told_dead(name: &'static str, mount: &Mount) -> Option<Check> {
    let why = probe_answer(&mount.mountpoint).err()?;
    let path = mount.mountpoint.display();
    let remedy = format!("errorfs umount --lazy {}", quoted(&mount.mountpoint));
    Some(Check::warn(name, format!("{path}: {why}"), remedy))
}

/// A path as one word of a shell.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_of_all_distributions_are_read() {
        assert_eq!(parse_version("6.18.44-fc-v657"), Some((6, 18)));
        assert_eq!(parse_version("5.4.0-generic"), Some((5, 4)));
        assert_eq!(parse_version("6.9+"), Some((6, 9)));
        assert_eq!(parse_version("unknown"), None);
    }
}
