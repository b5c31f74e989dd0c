//! A file of records, each with its checksum: what a crash cut short at the end is no record.
//!
//! One call of write(2) each time, at the end of the file: what was appended survives `kill -9`,
//! and after [`Log::sync`] also a crash of the machine. No lock is held over a call.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read as _, Write as _};
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt as _};
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
        let file = options().create(true).open(path)?;
        let begun = has_title(&file, path, title)?;
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

    /// Opens a log of which nothing may get lost, and that is there: gives all records that are
    /// whole, and the bytes between them that are none. Only what a crash left unfinished at the end
    /// is cut off.
    pub fn open_whole(path: &Path, title: &str) -> io::Result<(Vec<Frame>, Vec<Range<u64>>, Log)> {
        let file = options().open(path)?;
        if !has_title(&file, path, title)? {
            return Err(no_title(path, title));
        }
        let (mut frames, mut end) = read(&file, title.len() as u64)?;
        let mut damaged = Vec::new();
        while let Some(next) = whole_after(&file, end)? {
            damaged.push(end..next);
            let (more, until) = read(&file, next)?;
            frames.extend(more);
            end = until;
        }
        match is_unfinished(&file, end)? {
            true => file.set_len(end)?,
            false => damaged.push(end..file.metadata()?.len()),
        }
        Ok((frames, damaged, Log { file, failed: AtomicBool::new(false) }))
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
        // What the kernel could not write it forgets: the next attempt would only seem to succeed.
        self.file.sync_data().inspect_err(|_| self.failed.store(true, Ordering::Release))
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

/// For the one who mounts alone: there are bytes of files in it.
fn options() -> OpenOptions {
    let mut options = File::options();
    options.read(true).append(true).mode(0o600);
    options
}

/// Whether a log has been begun.
fn has_title(file: &File, path: &Path, title: &str) -> io::Result<bool> {
    let mut first = vec![0; title.len()];
    let begun = file.read_exact_at(&mut first, 0).is_ok();
    if begun && first != title.as_bytes() { Err(no_title(path, title)) } else { Ok(begun) }
}

fn no_title(path: &Path, title: &str) -> io::Error {
    let message = format!("{} does not begin with `{}`", path.display(), title.trim());
    io::Error::new(io::ErrorKind::InvalidData, message)
}

/// Where the next whole record begins, behind what is none.
fn whole_after(file: &File, from: u64) -> io::Result<Option<u64>> {
    let mut rest = vec![0; (file.metadata()?.len() - from) as usize];
    file.read_exact_at(&mut rest, from)?;
    let begins = |at: &usize| {
        let head = rest.get(at + PREFIX);
        let whole = || next(&mut &rest[*at..], 0).is_ok_and(|frame| frame.is_some());
        head == Some(&b'{') && whole()
    };
    Ok((1..rest.len()).find(begins).map(|at| from + at as u64))
}

/// Whether what stands behind the last whole record was not written to its end: there is less than
/// it says.
fn is_unfinished(file: &File, from: u64) -> io::Result<bool> {
    let rest = file.metadata()?.len() - from;
    let mut lens = [0; 8];
    if rest < PREFIX as u64 {
        return Ok(true);
    }
    file.read_exact_at(&mut lens, from)?;
    let [head, payload] = [0, 4].map(|at| u64::from(number(&lens, at)));
    Ok(rest < PREFIX as u64 + head + payload)
}

fn number(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte))
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
fn next(reader: &mut impl io::Read, from: u64) -> io::Result<Option<Frame>> {
    let Some(prefix) = take(reader, PREFIX)? else { return Ok(None) };
    let (head_len, len) = (number(&prefix, 0), number(&prefix, 4));
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
    fn of_a_log_that_is_needed_whole_every_changed_byte_is_told_and_the_other_records_are_there() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let (_, log) = heads(&path);
        let records = [b"{1}", b"{2}", b"{3}"].map(|head| (head.to_vec(), &b"bytes"[..]));
        log.append(records).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let (title, record) = ("a log\n".len(), PREFIX + 3 + 5);
        for place in title..title + 2 * record {
            let mut bytes = whole.clone();
            bytes[place] ^= 4;
            std::fs::write(&path, &bytes).unwrap();
            let (frames, damaged, _) = Log::open_whole(&path, "a log\n").unwrap();
            assert_eq!(frames.len(), 2, "{place}");
            let start = title + (place - title) / record * record;
            let bytes_of_it = start as u64..(start + record) as u64;
            assert_eq!(damaged, vec![bytes_of_it; 1], "{place}");
            assert_eq!(std::fs::read(&path).unwrap(), bytes, "nothing is cut off");
        }
        std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        let (frames, damaged, _) = Log::open_whole(&path, "a log\n").unwrap();
        assert_eq!((frames.len(), damaged), (2, Vec::new()), "what a crash cut short");
        std::fs::write(&path, "").unwrap();
        assert!(Log::open_whole(&path, "a log\n").is_err());
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
