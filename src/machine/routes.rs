//! The routes by which errorfs can mount here: as it is, in a user namespace, through fusermount3.
//!
//! The first two are tried, in a child and a private namespace; the third is looked at.

use std::env;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::{Check, Probe};

/// One check a route: ok means open.
pub(super) fn all() -> Vec<Check> {
    vec![direct(), user_namespace(), helper()]
}

fn direct() -> Check {
    const NAME: &str = "mount-directly";
    match Probe::Mount.run() {
        Ok(()) => Check::ok(NAME, "this process may mount(2): errorfs mount and run work"),
        Err(error) => Check::fail(
            NAME,
            error,
            "needed by nobody who has another route; else run as root, and in a container with \
             --cap-add SYS_ADMIN --security-opt apparmor=unconfined",
        ),
    }
}

fn user_namespace() -> Check {
    const NAME: &str = "mount-in-user-namespace";
    match Probe::UserMount.run() {
        Ok(()) => Check::ok(NAME, "works: errorfs run needs no privileges here"),
        Err(error) => Check::fail(NAME, error, user_namespace_remedy()),
    }
}

fn user_namespace_remedy() -> String {
    let is = |sysctl: &str, value: &str| {
        let path = format!("/proc/sys/{}", sysctl.replace('.', "/"));
        fs::read_to_string(path).is_ok_and(|text| text.trim() == value)
    };
    for (sysctl, bad, good) in [
        ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
        ("kernel.unprivileged_userns_clone", "0", "1"),
        ("user.max_user_namespaces", "0", "10000"),
    ] {
        if is(sysctl, bad) {
            return format!("sysctl -w {sysctl}={good}, as root");
        }
    }
    "/dev/fuse must be open to this user (0666), and user namespaces allowed (in a container: \
     --security-opt seccomp=unconfined)"
        .into()
}

/// A program of this name in PATH.
#[derive(Clone, Debug)]
struct Helper {
    path: PathBuf,
    setuid_root: bool,
}

fn helper() -> Check {
    const NAME: &str = "fusermount3";
    let found = helpers();
    let Some(first) = found.first() else {
        let remedy = "install fuse3, if ordinary users are to use errorfs mount";
        return Check::warn(NAME, "not in PATH", remedy);
    };
    let path = first.path.display();
    if !first.setuid_root {
        let found_text = format!("{path} is not setuid root: it cannot mount for ordinary users");
        let better = found.iter().find(|helper| helper.setuid_root);
        let remedy = match better {
            Some(better) => format!(
                "it hides {}, which is: put that first in PATH, or set FUSERMOUNT_PATH to it",
                better.path.display()
            ),
            None => format!("chown root {path} && chmod u+s {path}, as root"),
        };
        return Check::warn(NAME, found_text, remedy);
    }
    if !Path::new("/dev/fuse").exists() {
        return Check::warn(NAME, format!("{path}"), "there is no /dev/fuse for it to open");
    }
    Check::ok(NAME, format!("{path}, setuid root: ordinary users may mount"))
}

/// All that PATH has, in the order in which they win: every fusermount3 before any fusermount.
fn helpers() -> Vec<Helper> {
    let path = env::var_os("PATH").unwrap_or_default();
    let named = env::var_os("FUSERMOUNT_PATH").map(PathBuf::from);
    let searched = ["fusermount3", "fusermount"].into_iter().flat_map(|name| {
        let dirs: Vec<_> = env::split_paths(&path).collect();
        dirs.into_iter().map(move |dir| dir.join(name))
    });
    let candidates = named.into_iter().chain(searched);
    candidates.filter_map(|path| look(&path)).collect()
}

fn look(path: &Path) -> Option<Helper> {
    let metadata = fs::metadata(path).ok()?;
    let mode = metadata.permissions().mode();
    (metadata.is_file() && mode & 0o111 != 0).then(|| Helper {
        path: path.to_owned(),
        setuid_root: metadata.uid() == 0 && mode & 0o4000 != 0,
    })
}
