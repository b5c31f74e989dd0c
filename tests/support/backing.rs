//! Backing directories and the data in them: the same bytes for the same seed, everywhere.

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A backing directory that vanishes with its owner.
#[derive(Debug)]
pub(crate) struct Backing {
    directory: tempfile::TempDir,
}

impl Backing {
    pub(crate) fn new() -> Backing {
        Backing {
            directory: tempfile::Builder::new()
                .prefix("errorfs-backing-")
                .tempdir()
                .expect("the temporary directory is writable"),
        }
    }

    /// This backing directory with one file more, of `len` incompressible bytes.
    pub(crate) fn with_noise(self, name: &str, len: usize) -> Backing {
        self.with(name, &noise(len as u64, len))
    }

    /// This backing directory with one file more.
    pub(crate) fn with(self, name: &str, bytes: &[u8]) -> Backing {
        let path = self.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
        self
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }
}

/// Bytes without a pattern, the same for the same seed (xorshift64*).
pub(crate) fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_F491_4F6C_DD1D).to_le_bytes()
    };
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        bytes.extend_from_slice(&next());
    }
    bytes.truncate(len);
    bytes
}

/// Every bit in which two equally long pieces differ: (offset of its byte, bit).
pub(crate) fn differing_bits(one: &[u8], other: &[u8]) -> Vec<(u64, u8)> {
    assert_eq!(one.len(), other.len());
    let mut bits = Vec::new();
    for (chunk, (a, b)) in one.chunks(4096).zip(other.chunks(4096)).enumerate() {
        if a == b {
            continue;
        }
        for (byte, (a, b)) in a.iter().zip(b).enumerate() {
            let place = (chunk * 4096 + byte) as u64;
            bits.extend((0..8).filter(|bit| (a ^ b) >> bit & 1 == 1).map(|bit| (place, bit)));
        }
    }
    bits
}

/// Reads exactly these bytes.
pub(crate) fn read_at(path: &Path, offset: u64, len: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; len];
    std::fs::File::open(path)?.read_exact_at(&mut bytes, offset)?;
    Ok(bytes)
}

/// Writes these bytes in place.
pub(crate) fn write_at(path: &Path, offset: u64, bytes: &[u8]) -> std::io::Result<()> {
    let file = std::fs::File::options().write(true).open(path)?;
    file.write_all_at(bytes, offset)
}

/// Makes the kernel forget the cached bytes of one file.
pub(crate) fn forget_cached(path: &Path) {
    let file = std::fs::File::open(path).unwrap();
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
}

/// Makes the kernel forget everything that it cached, names too; only root can.
pub(crate) fn drop_caches() {
    rustix::fs::sync();
    std::fs::write("/proc/sys/vm/drop_caches", "3").expect("only root can drop caches");
}
