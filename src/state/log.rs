//! A file of records, each with its checksum: what a crash cut short at the end is no record.
//!
//! One call of write(2) each time, at the end of the file: what was appended survives `kill -9`,
//! and after [`Log::sync`] also a crash of the machine. No lock is held over a call.

use std::fs::File;
use std::io::{self, BufReader, Read as _, Write as _};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Bytes before a record: lengths of head and payload, and the first half of their BLAKE3.
const PREFIX: usize = 4 + 4 + 16;

/// No head or payload is longer: what says so is no record.
const LEN_MAX: u32 = 1 << 30;

/// One record of a log: JSON, and bytes that go with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it says.
    pub head: Vec<u8>,
    /// Where its bytes begin in the file.
    pub at: u64,
    /// How many they are.
    pub len: usize,
}

/// An open log.
#[derive(Debug)]
pub struct Log {
    file: File,
    failed: AtomicBool,
}

impl Log {
    /// Opens a log, or makes it; gives what it holds, and cuts off what a crash left unfinished.
    /// `title` is its first line.
    pub fn open(path: &Path, title: &str) -> io::Result<(Vec<Frame>, Log)> {
        let mut options = File::options();
        let file = options.read(true).append(true).create(true).open(path)?;
        let mut first = vec![0; title.len()];
        let begun = file.read_exact_at(&mut first, 0).is_ok();
        if begun && first != title.as_bytes() {
            let message = format!("{} does not begin with `{}`", path.display(), title.trim());
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        let (frames, end) = match begun {
            true => read(&file, title.len() as u64)?,
            false => (Vec::new(), 0),
        };
        file.set_len(end)?;
        let log = Log { file, failed: AtomicBool::new(false) };
        if !begun {
            log.put(title.as_bytes())?;
            log.sync()?;
        }
        Ok((frames, log))
    }

    /// Appends records, all at once.
    pub fn append<'a>(
        &self,
        records: impl IntoIterator<Item = (Vec<u8>, &'a [u8])>,
    ) -> io::Result<()> {
        let mut bytes = Vec::new();
        for (head, payload) in records {
            bytes.extend((head.len() as u32).to_le_bytes());
            bytes.extend((payload.len() as u32).to_le_bytes());
            bytes.extend(sum(&head, payload));
            bytes.extend(head);
            bytes.extend(payload);
        }
        self.put(&bytes)
    }

    /// After a record that was written in part nothing could be read any more: the first failure is
    /// the last one.
    fn put(&self, bytes: &[u8]) -> io::Result<()> {
        if self.failed.load(Ordering::Acquire) {
            return Err(io::Error::other("it could not be written before"));
        }
        let written = (&self.file).write_all(bytes);
        self.failed.fetch_or(written.is_err(), Ordering::AcqRel);
        written
    }

    /// Forgets all records.
    pub fn clear(&self, title: &str) -> io::Result<()> {
        self.file.set_len(title.len() as u64)?;
        self.sync()
    }

    /// All that was appended is on the disk.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Whether nothing can be appended any more.
    pub fn failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// The bytes that go with a record.
    pub fn payload(&self, frame: &Frame) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; frame.len];
        self.file.read_exact_at(&mut bytes, frame.at)?;
        Ok(bytes)
    }
}

/// All whole records from a byte on, and where they end.
fn read(file: &File, from: u64) -> io::Result<(Vec<Frame>, u64)> {
    use std::io::Seek as _;
    let mut reader = BufReader::new(file);
    let mut end = reader.seek(io::SeekFrom::Start(from))?;
    let mut frames = Vec::new();
    while let Some(frame) = next(&mut reader, end)? {
        end = frame.at + frame.len as u64;
        frames.push(frame);
    }
    Ok((frames, end))
}

/// The record that begins at a byte; `None` if there is no whole one.
fn next(reader: &mut BufReader<&File>, from: u64) -> io::Result<Option<Frame>> {
    let Some(prefix) = take(reader, PREFIX)? else { return Ok(None) };
    let number = |at: usize| {
        prefix[at..at + 4].iter().rev().fold(0_u32, |number, byte| number << 8 | u32::from(*byte))
    };
    let (head_len, len) = (number(0), number(4));
    if head_len > LEN_MAX || len > LEN_MAX {
        return Ok(None);
    }
    let (head_len, len) = (head_len as usize, len as usize);
    let Some(head) = take(reader, head_len)? else { return Ok(None) };
    let Some(payload) = take(reader, len)? else { return Ok(None) };
    let at = from + (PREFIX + head_len) as u64;
    let whole = prefix[8..] == sum(&head, &payload);
    Ok(whole.then_some(Frame { head, at, len }))
}

fn take(reader: &mut impl io::Read, len: usize) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    reader.take(len as u64).read_to_end(&mut bytes)?;
    Ok((bytes.len() == len).then_some(bytes))
}

fn sum(head: &[u8], payload: &[u8]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(head).update(payload);
    let mut sum = [0; 16];
    sum.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heads(path: &Path) -> (Vec<Vec<u8>>, Log) {
        let (frames, log) = Log::open(path, "a log\n").unwrap();
        (frames.into_iter().map(|frame| frame.head).collect(), log)
    }

    #[test]
    fn what_was_cut_short_is_no_record_and_the_log_goes_on_after_what_is_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let (none, log) = heads(&path);
        assert!(none.is_empty());
        log.append([(b"one".to_vec(), &b"bytes"[..]), (b"two".to_vec(), &b""[..])]).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for cut in 0..=whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let (before, log) = heads(&path);
            log.append([(b"more".to_vec(), &b"x"[..])]).unwrap();
            let (after, _) = heads(&path);
            assert_eq!(after.len(), before.len() + 1, "cut at {cut}");
            assert_eq!(after.last().unwrap(), b"more");
        }
    }

    #[test]
    fn a_changed_byte_ends_a_log() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let (_, log) = heads(&path);
        log.append([(b"one".to_vec(), &b"bytes"[..]), (b"two".to_vec(), &b""[..])]).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        let last_of_one = bytes.len() - 3 - PREFIX - 1;
        bytes[last_of_one] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert!(heads(&path).0.is_empty());
    }

    #[test]
    fn another_file_is_not_taken_for_a_log() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        std::fs::write(&path, "somebody's own words").unwrap();
        assert!(Log::open(&path, "a log\n").is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"somebody's own words");
    }
}
