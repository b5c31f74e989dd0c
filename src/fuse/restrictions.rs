//! `-o`: what a mount does not allow or do, in the words of mount(8). The kernel sees to it alone.

use std::os::fd::OwnedFd;
use std::str::FromStr;

use fuser::MountOption;
use rustix::fs::StatVfsMountFlags;
use rustix::mount::MountFlags;

/// One word of `-o`: something that is off or on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restriction {
    flag: MountFlags,
    on: bool,
}

/// The restrictions of one mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restrictions(MountFlags);

/// Word, flag, and whether the word sets it.
const WORDS: [(&str, MountFlags, bool); 14] = [
    ("ro", MountFlags::RDONLY, true),
    ("rw", MountFlags::RDONLY, false),
    ("nosuid", MountFlags::NOSUID, true),
    ("suid", MountFlags::NOSUID, false),
    ("nodev", MountFlags::NODEV, true),
    ("dev", MountFlags::NODEV, false),
    ("noexec", MountFlags::NOEXEC, true),
    ("exec", MountFlags::NOEXEC, false),
    ("noatime", MountFlags::NOATIME, true),
    ("atime", MountFlags::NOATIME, false),
    ("sync", MountFlags::SYNCHRONOUS, true),
    ("async", MountFlags::SYNCHRONOUS, false),
    ("dirsync", MountFlags::DIRSYNC, true),
    // Always so: whether a caller may is for the kernel to decide.
    ("default_permissions", MountFlags::empty(), true),
];

/// A word that is none of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no option of a mount that errorfs knows; it knows {}", known())]
pub struct UnknownRestriction;

fn known() -> String {
    WORDS.map(|(word, ..)| word).join(", ")
}

impl FromStr for Restriction {
    type Err = UnknownRestriction;

    fn from_str(word: &str) -> Result<Restriction, UnknownRestriction> {
        let found = WORDS.iter().find(|(known, ..)| *known == word);
        found.map(|(_, flag, on)| Restriction { flag: *flag, on: *on }).ok_or(UnknownRestriction)
    }
}

impl Default for Restrictions {
    fn default() -> Restrictions {
        Restrictions(MountFlags::empty())
    }
}

impl FromIterator<Restriction> for Restrictions {
    /// The last word counts.
    fn from_iter<I: IntoIterator<Item = Restriction>>(words: I) -> Restrictions {
        let mut flags = MountFlags::empty();
        words.into_iter().for_each(|word| flags.set(word.flag, word.on));
        Restrictions(flags)
    }
}

impl Restrictions {
    /// What the mount of an open directory forbids: a file that may not be run as its owner, be
    /// used as a device or be run at all there, may not be so through us.
    pub fn of(directory: &OwnedFd) -> rustix::io::Result<Restrictions> {
        let found = rustix::fs::fstatvfs(directory)?.f_flag;
        let mut flags = MountFlags::empty();
        flags.set(MountFlags::NOSUID, found.contains(StatVfsMountFlags::NOSUID));
        flags.set(MountFlags::NODEV, found.contains(StatVfsMountFlags::NODEV));
        flags.set(MountFlags::NOEXEC, found.contains(StatVfsMountFlags::NOEXEC));
        Ok(Restrictions(flags))
    }

    /// Both together.
    pub fn and(self, other: Restrictions) -> Restrictions {
        Restrictions(self.0 | other.0)
    }

    /// For mount(2).
    pub(super) fn flags(self) -> MountFlags {
        self.0
    }

    /// For the setuid helper, which adds `nosuid` and `nodev` by itself.
    pub(super) fn for_helper(self) -> impl Iterator<Item = MountOption> {
        let words = [
            (MountFlags::RDONLY, MountOption::RO),
            (MountFlags::NOSUID, MountOption::NoSuid),
            (MountFlags::NODEV, MountOption::NoDev),
            (MountFlags::NOEXEC, MountOption::NoExec),
            (MountFlags::NOATIME, MountOption::NoAtime),
            (MountFlags::SYNCHRONOUS, MountOption::Sync),
            (MountFlags::DIRSYNC, MountOption::DirSync),
        ];
        words.into_iter().filter(move |(flag, _)| self.0.contains(*flag)).map(|(_, word)| word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &str) -> Result<Restrictions, UnknownRestriction> {
        words.split(',').map(Restriction::from_str).collect()
    }

    #[test]
    fn the_last_word_counts_and_unknown_ones_are_refused() {
        let flags = |words| read(words).unwrap().flags();
        assert_eq!(flags("ro,nosuid,rw"), MountFlags::NOSUID);
        assert_eq!(flags("rw,suid,dev,exec,atime,async"), MountFlags::empty());
        assert_eq!(flags("default_permissions,noexec"), MountFlags::NOEXEC);
        assert_eq!(read("ro,fast"), Err(UnknownRestriction));
        assert!(UnknownRestriction.to_string().contains("nosuid, suid"));
    }

    #[test]
    fn the_helper_is_told_the_same() {
        let told: Vec<_> = read("ro,noexec,dirsync").unwrap().for_helper().collect();
        assert_eq!(told, [MountOption::RO, MountOption::NoExec, MountOption::DirSync]);
    }
}
