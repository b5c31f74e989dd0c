//! `mount.errorfs`: errorfs as mount(8) calls it, for fstab and `mount -t errorfs`. Translates the
//! arguments of mount(8) into those of `errorfs mount`, and its exit codes back.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;
use std::process::ExitCode;

use super::exit::Exit;
use super::{eprint, obey};
use crate::fuse::Restriction;

/// Names under which mount(8) looks for the program of a type.
const NAMES: [&str; 2] = ["mount.errorfs", "mount.fuse.errorfs"];

/// Words of `-o` that are switches of `errorfs mount`, with `_` for `-`.
const SWITCHES: &[&str] = &[
    "allow_damage",
    "allow_other",
    "disarmed",
    "exclusive",
    "force",
    "in_place",
    "no_control",
    "no_passthrough",
    "watch",
];

/// Words that take a value there.
const VALUES: &[&str] = &[
    "control",
    "for",
    "id",
    "keep_max",
    "ledger",
    "log",
    "log_file",
    "ready_fd",
    "scenario",
    "seed",
    "state",
    "token_file",
    "trace",
];

/// What other programs want to know of a line in fstab, and what errorfs does anyway.
const OTHERS: &[&str] = &[
    "_netdev",
    "auto",
    "auto_unmount",
    "comment",
    "defaults",
    "fsname",
    "group",
    "noauto",
    "nofail",
    "nouser",
    "owner",
    "relatime",
    "subtype",
    "user",
    "users",
];

/// Whether mount(8), or somebody who types like it, called: by the program's name, or by
/// `errorfs SOURCE DIRECTORY -o ...`, which is what the helper of libfuse makes of fstab.
pub(super) fn is_meant(typed: &[OsString]) -> bool {
    let name = typed.first().map(Path::new).and_then(Path::file_name);
    let dashed = |argument: &OsString| argument.as_bytes().starts_with(b"-");
    name.is_some_and(|name| NAMES.iter().any(|known| name == OsStr::new(known)))
        || matches!(typed, [_, source, _, o, ..] if o == "-o" && !dashed(source) && !is_verb(source))
}

fn is_verb(word: &OsStr) -> bool {
    use clap::CommandFactory as _;
    let command = super::Cli::command();
    command.get_subcommands().any(|verb| word == OsStr::new(verb.get_name()))
}

/// Mounts, with the exit codes of mount(8).
pub(super) fn main(typed: &[OsString]) -> ExitCode {
    match Asked::parse(&typed[1..]) {
        Ok(asked) if asked.pretend => ExitCode::SUCCESS,
        Ok(asked) => ExitCode::from(status(obey(&asked.words))),
        Err(message) => {
            eprint(&format!("{message}; usage: mount.errorfs BACKING MOUNTPOINT [-o OPTIONS]"));
            ExitCode::from(status(Exit::Usage))
        }
    }
}

/// mount(8), EXIT STATUS: 1 incorrect invocation, 2 system error, 4 internal bug, 32 mount failure.
fn status(exit: Exit) -> u8 {
    match exit.status() {
        0 => 0,
        2 => 1,
        3 => 4,
        75 => 2,
        _ => 32,
    }
}

/// What mount(8) asked for, in the words of `errorfs mount`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    words: Vec<OsString>,
    /// `-f`: all but the mounting.
    pretend: bool,
}

impl Asked {
    fn parse(arguments: &[OsString]) -> Result<Asked, String> {
        let (mut places, mut options) = (Vec::new(), Vec::new());
        let (mut pretend, mut sloppy) = (false, false);
        let mut left = arguments.iter();
        while let Some(argument) = left.next() {
            match argument.to_str() {
                Some("-o") => options.extend(split(left.next().ok_or("-o needs options")?)),
                Some("-t") => drop(left.next()),
                Some("-N") => return Err("errorfs cannot mount in another namespace (-N)".into()),
                Some(flags) if flags.len() > 1 && flags.starts_with('-') => {
                    pretend |= flags.contains('f');
                    sloppy |= flags.contains('s');
                    known_flags(flags)?;
                }
                _ => places.push(argument.clone()),
            }
        }
        let [_, _] = *places else { return Err("give two directories".into()) };
        let mut words: Vec<OsString> = ["errorfs", "mount"].map(OsString::from).into();
        words.extend(translated(&options, sloppy)?);
        words.push("--".into());
        words.extend(places);
        Ok(Asked { words, pretend })
    }
}

fn known_flags(flags: &str) -> Result<(), String> {
    match flags.chars().skip(1).find(|flag| !"sfnv".contains(*flag)) {
        Some(flag) => Err(format!("unknown flag -{flag}")),
        None => Ok(()),
    }
}

/// At commas, but for those behind a backslash.
fn split(options: &OsStr) -> Vec<OsString> {
    let (mut words, mut word, mut escaped) = (Vec::new(), Vec::new(), false);
    for &byte in options.as_bytes() {
        match byte {
            b'\\' if !escaped => escaped = true,
            b',' if !escaped => words.push(OsString::from_vec(std::mem::take(&mut word))),
            _ => {
                if escaped && byte != b',' {
                    word.push(b'\\');
                }
                escaped = false;
                word.push(byte);
            }
        }
    }
    words.push(OsString::from_vec(word));
    words.retain(|word| !word.is_empty());
    words
}

fn translated(options: &[OsString], sloppy: bool) -> Result<Vec<OsString>, String> {
    let mut words = Vec::new();
    let mut foreground = false;
    for option in options {
        let at = option.as_bytes().iter().position(|byte| *byte == b'=');
        let (name, value) = option.as_bytes().split_at(at.unwrap_or(option.len()));
        let name = String::from_utf8_lossy(name).into_owned();
        let long = format!("--{}", name.replace('_', "-"));
        match value.get(1..) {
            _ if name.starts_with("x-") || OTHERS.contains(&&*name) => {}
            None if name == "foreground" => foreground = true,
            None if SWITCHES.contains(&&*name) => words.push(long.into()),
            None if name.parse::<Restriction>().is_ok() => words.extend(["-o".into(), name.into()]),
            Some(value) if VALUES.contains(&&*name) => {
                words.extend([long.into(), OsStr::from_bytes(value).to_owned()]);
            }
            _ if sloppy => {}
            _ => return Err(unknown(option)),
        }
    }
    words.extend((!foreground).then(|| "--daemon".into()));
    Ok(words)
}

fn unknown(option: &OsStr) -> String {
    format!(
        "unknown option {}; there are {}, {}=, foreground, and those of mount(8) that errorfs knows",
        option.display(),
        SWITCHES.join(", "),
        VALUES.join("=, "),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(arguments: &[&str]) -> Result<String, String> {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        let words = Asked::parse(&arguments)?.words;
        Ok(words.join(OsStr::new(" ")).into_string().unwrap_or_default())
    }

    #[test]
    fn what_mount_passes_on_becomes_a_command_line() {
        let options = "rw,scenario=a.toml,allow_other,seed=7,nofail,x-systemd.automount";
        assert_eq!(
            asked(&["S", "M", "-v", "-o", options]).as_deref(),
            Ok("errorfs mount -o rw --scenario a.toml --allow-other --seed 7 --daemon -- S M")
        );
        assert_eq!(
            asked(&["S", "M", "-o", "foreground,ledger=a\\,b,in_place"]).as_deref(),
            Ok("errorfs mount --ledger a,b --in-place -- S M")
        );
        assert_eq!(
            asked(&["-t", "errorfs", "S", "M"]).as_deref(),
            Ok("errorfs mount --daemon -- S M")
        );
    }

    #[test]
    fn what_errorfs_does_not_know_is_refused_unless_mount_is_sloppy() {
        for wrong in [
            &["S", "M", "-o", "sed=7"][..],
            &["S", "M", "-o", "seed"],
            &["S", "M", "-x"],
            &["S", "M", "-N", "1"],
            &["S", "M", "-o"],
            &["S"],
            &["S", "M", "T"],
        ] {
            assert!(asked(wrong).is_err(), "{wrong:?}");
        }
        assert_eq!(
            asked(&["S", "M", "-s", "-o", "sed=7"]).as_deref(),
            Ok("errorfs mount --daemon -- S M")
        );
    }

    #[test]
    fn a_mount_that_is_pretended_is_told_from_one_that_is_not() {
        let asked =
            |flag: &str| Asked::parse(&["S", "M", flag].map(OsString::from)).map(|a| a.pretend);
        assert_eq!([asked("-f"), asked("-v"), asked("-vf")], [Ok(true), Ok(false), Ok(true)]);
    }

    #[test]
    fn only_mount_and_who_types_like_it_are_taken_for_it() {
        let meant = |line: &str| is_meant(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert!(meant("/usr/sbin/mount.errorfs S M"));
        assert!(meant("mount.fuse.errorfs S M -o rw"));
        assert!(meant("errorfs S M -o rw,dev,suid"));
        for line in [
            "errorfs",
            "errorfs mount S -o",
            "errorfs mount -o ro S M",
            "errorfs S M",
            "errorfs check",
        ] {
            assert!(!meant(line), "{line}");
        }
    }
}
