//! What a trial runs: words with placeholders, and how a shell reads them.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

/// Stands for the directory, as the trial sees it.
pub const MNT: &str = "{mnt}";
/// Stands for an empty directory of the trial's own.
pub const TMP: &str = "{tmp}";

/// What a trial runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Workload {
    /// A program and its arguments.
    Words(Vec<OsString>),
    /// A line for the shell.
    Line(String),
}

/// What the placeholders stand for. The same in every trial, so that outputs can be compared.
#[derive(Clone, Copy, Debug)]
pub struct Places<'a> {
    /// The directory.
    pub mnt: &'a Path,
    /// The empty directory.
    pub tmp: &'a Path,
}

impl Workload {
    /// Whether it names the directory anywhere.
    pub fn names_the_directory(&self) -> bool {
        match self {
            Workload::Words(words) => words.iter().any(|word| contains(word.as_bytes(), MNT)),
            Workload::Line(line) => line.contains(MNT),
        }
    }

    /// Program and arguments with the placeholders filled in; in a line for the shell as one word
    /// each, whatever the paths contain.
    pub fn argv(&self, places: Places<'_>) -> Vec<OsString> {
        let (mnt, tmp) = (places.mnt.as_os_str(), places.tmp.as_os_str());
        match self {
            Workload::Words(words) => {
                words.iter().map(|word| replace(&replace(word, MNT, mnt), TMP, tmp)).collect()
            }
            Workload::Line(line) => {
                let line = replace(OsStr::new(line), MNT, &shell_word(mnt));
                vec!["sh".into(), "-c".into(), replace(&line, TMP, &shell_word(tmp))]
            }
        }
    }

    /// As one would type it.
    pub fn display(&self) -> String {
        match self {
            Workload::Line(line) => line.trim().to_owned(),
            Workload::Words(words) => {
                let words: Vec<_> = words.iter().map(|word| shell_word(word)).collect();
                words.join(OsStr::new(" ")).to_string_lossy().into_owned()
            }
        }
    }
}

fn contains(text: &[u8], word: &str) -> bool {
    text.windows(word.len()).any(|window| window == word.as_bytes())
}

fn replace(text: &OsStr, word: &str, by: &OsStr) -> OsString {
    let (mut rest, mut replaced) = (text.as_bytes(), Vec::new());
    while let Some(first) = rest.first() {
        match rest.strip_prefix(word.as_bytes()) {
            Some(tail) => {
                replaced.extend_from_slice(by.as_bytes());
                rest = tail;
            }
            None => {
                replaced.push(*first);
                rest = &rest[1..];
            }
        }
    }
    OsString::from_vec(replaced)
}

/// The word as a shell takes it for one word and leaves it as it is.
pub fn shell_word(word: &OsStr) -> OsString {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"%+,-./:=@_{}".contains(byte);
    if !word.is_empty() && word.as_bytes().iter().all(is_plain) {
        return word.to_owned();
    }
    let mut quoted = vec![b'\''];
    for byte in word.as_bytes() {
        match byte {
            b'\'' => quoted.extend_from_slice(b"'\\''"),
            byte => quoted.push(*byte),
        }
    }
    quoted.push(b'\'');
    OsString::from_vec(quoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACES: fn() -> (&'static Path, &'static Path) = || (Path::new("/a b"), Path::new("/t"));

    #[test]
    fn placeholders_are_filled_in_anywhere_in_a_word() {
        let (mnt, tmp) = PLACES();
        let words = Workload::Words(["x", "--in={mnt}/f", "{tmp}"].map(OsString::from).to_vec());
        let argv = words.argv(Places { mnt, tmp });
        assert_eq!(argv, ["x", "--in=/a b/f", "/t"]);
        assert!(words.names_the_directory());
        assert!(!Workload::Line("cat {tmp}".into()).names_the_directory());
    }

    #[test]
    fn a_path_stays_one_word_of_a_shell_line() {
        let (mnt, tmp) = PLACES();
        let argv = Workload::Line("cat {mnt}/f >{tmp}/g".into()).argv(Places { mnt, tmp });
        assert_eq!(argv, ["sh", "-c", "cat '/a b'/f >/t/g"]);
    }

    #[test]
    fn words_are_quoted_only_where_a_shell_needs_it() {
        for (word, quoted) in
            [("-x=/a", "-x=/a"), ("a b", "'a b'"), ("it's", r"'it'\''s'"), ("", "''")]
        {
            assert_eq!(shell_word(OsStr::new(word)), quoted);
        }
    }
}
