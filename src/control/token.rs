//! The secret by which whoever asks over TCP shows that they may: there, peers cannot be told apart.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, open};

/// Shorter ones are guessed, longer ones are other files.
const LENGTH: std::ops::RangeInclusive<usize> = 16..=1024;

/// The secret.
#[derive(Clone)]
pub struct Token(String);

/// Why a file has none.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum TokenError {
    #[error("the token file {}: {source}; make one: (umask 077; openssl rand -hex 32 > FILE)", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("others can read the token file {}, or it is theirs: chmod 0600, or make your own", .0.display())]
    Open(PathBuf),
    #[error("the token file {} does not hold 16 to 1024 visible letters and nothing else", .0.display())]
    NotToken(PathBuf),
}

impl Token {
    /// What stands in a file that nobody else can read.
    pub fn read(path: &Path) -> Result<Token, TokenError> {
        let unreadable = |source| TokenError::Unreadable { path: path.to_owned(), source };
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = open(path, flags, Mode::empty()).map_err(|errno| unreadable(errno.into()))?;
        let file = File::from(file);
        let found = file.metadata().map_err(unreadable)?;
        let own = [rustix::process::geteuid().as_raw(), 0].contains(&found.uid());
        if !own || !found.is_file() || found.mode() & 0o077 != 0 {
            return Err(TokenError::Open(path.to_owned()));
        }
        let mut text = String::new();
        file.take(*LENGTH.end() as u64 + 2).read_to_string(&mut text).map_err(unreadable)?;
        let token = text.trim_end();
        let sound = LENGTH.contains(&token.len()) && token.bytes().all(|b| b.is_ascii_graphic());
        sound.then(|| Token(token.to_owned())).ok_or_else(|| TokenError::NotToken(path.to_owned()))
    }

    /// Whether this is it. How long that takes says nothing of how much of it is right: hashes are
    /// compared, and `blake3::Hash` does so in constant time.
    pub(super) fn is(&self, given: &[u8]) -> bool {
        blake3::hash(given) == blake3::hash(self.0.as_bytes())
    }

    /// As the header `authorization` has it.
    pub(super) fn header(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn read(text: &str, mode: u32) -> Result<Token, TokenError> {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("token");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        Token::read(&path)
    }

    #[test]
    fn a_token_is_whole_and_nobody_elses() {
        let token = read("0123456789abcdef\n", 0o600).unwrap();
        assert!(token.is(b"0123456789abcdef") && !token.is(b"0123456789abcdeF"));
        assert!(!token.is(b"") && !token.is(b"0123456789abcdef0"));
        assert_eq!(format!("{token:?}"), "Token");
        for mode in [0o640, 0o604, 0o620] {
            let error = read("0123456789abcdef\n", mode).unwrap_err();
            assert!(matches!(error, TokenError::Open(_)), "{mode:o}: {error}");
        }
        let long = "x".repeat(1025);
        for text in ["", "short\n", "with a space in the middle", &long] {
            let error = read(text, 0o600).unwrap_err();
            assert!(matches!(error, TokenError::NotToken(_)), "{text}: {error}");
        }
        let error = Token::read(Path::new("/nowhere/token")).unwrap_err().to_string();
        assert!(error.contains("openssl rand -hex 32"), "{error}");
    }
}
