//! Short Python programs for what safe Rust cannot say: shared mappings, `fcntl` locks, odd flags.

use std::ffi::OsStr;
use std::path::Path;

use super::program::Program;

/// A Python program; `sys.argv[1:]` are the paths given, and `os`, `mmap` and others are imported.
pub(crate) fn python<P: AsRef<Path>>(text: &str, paths: impl IntoIterator<Item = P>) -> Program {
    let prelude = "import errno, fcntl, hashlib, mmap, os, random, signal, sys, time\n";
    let program =
        Program::new("python3").args([OsStr::new("-c"), OsStr::new(&format!("{prelude}{text}"))]);
    paths.into_iter().fold(program, |program, path| program.arg(path.as_ref()))
}
