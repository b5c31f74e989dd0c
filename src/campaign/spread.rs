//! Whether damage that one node read is stored by others afterwards.
//!
//! Looks for what the faulty node was given, a few bytes around each damaged place, in what the other
//! nodes have written. Bytes that somebody had before the trial show nothing.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use memchr::memmem::Finder;
use rustix::fs::{SeekFrom, seek};
use serde::{Deserialize, Serialize};

use crate::ledger::{self, Event, Outcome, escape, unescape};

/// So many bytes that follow each other are no accident.
const NEEDLE_BYTES: usize = 24;
/// So many of them at most are one byte.
const SAME_MAX: usize = 16;
/// So far apart they are looked for in a region.
const STEP_BYTES: u64 = 96;
/// No trial looks for more.
const NEEDLES_MAX: usize = 64;
/// Read at a time.
const CHUNK_BYTES: u64 = 1 << 20;

/// A place where another node stores what the faulty one was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    /// The other node.
    pub node: String,
    /// Its file, escaped as in ledgers.
    pub path: String,
    /// The first of the bytes.
    pub offset: u64,
    /// The event by which the faulty node was given them.
    pub seq: u64,
    /// The bytes, hexadecimal.
    pub bytes: String,
}

/// What a node's files are like: those that stay so need not be searched.
type Files = BTreeMap<PathBuf, (u64, Option<SystemTime>)>;

/// The nodes of a trial that get no faults, as they were before it.
#[derive(Debug)]
pub struct Bystanders(Vec<(String, PathBuf, Files)>);

impl Bystanders {
    /// As they are now: names and directories.
    pub fn of<'a>(nodes: impl Iterator<Item = (&'a String, &'a PathBuf)>) -> Bystanders {
        let known = nodes.map(|(name, root)| (name.clone(), root.clone(), files(root)));
        Bystanders(known.collect())
    }

    /// What they store since then of what a node was given by events up to a number.
    pub fn search(&self, faulty: &Path, ledger: &Path, last: u64) -> io::Result<Vec<Spread>> {
        if self.0.is_empty() {
            return Ok(Vec::new());
        }
        let events = ledger::read(ledger).map_err(io::Error::other)?.events;
        // What is written anew reads as it was meant: others may well have the same.
        let is_over = |event: &Event| {
            let ends = [Outcome::Repaired, Outcome::Gone];
            events.iter().any(|other| other.ino == event.ino && ends.contains(&other.outcome))
        };
        let given = events.iter().filter(|event| event.seq <= last);
        let given = given.filter(|event| event.outcome == Outcome::Delivered && !is_over(event));
        let mut needles: Vec<(u64, Vec<u8>)> = Vec::new();
        for (seq, needle) in given.flat_map(|event| needles_of(event, faulty)) {
            if needles.len() < NEEDLES_MAX && !needles.iter().any(|(_, known)| *known == needle) {
                needles.push((seq, needle));
            }
        }
        Ok(self.find(&needles))
    }

    /// The first place in each changed file.
    fn find(&self, needles: &[(u64, Vec<u8>)]) -> Vec<Spread> {
        let finders: Vec<Finder<'_>> =
            needles.iter().map(|(_, bytes)| Finder::new(bytes)).collect();
        let mut found = Vec::new();
        for (node, root, before) in &self.0 {
            for (path, as_it_is) in files(root) {
                if before.get(&path) == Some(&as_it_is) {
                    continue;
                }
                let Some((which, offset)) = first_of(&root.join(&path), &finders) else { continue };
                let (seq, bytes) = &needles[which];
                let path = escape(&path.into_os_string().into_vec());
                found.push(Spread {
                    node: node.clone(),
                    path,
                    offset,
                    seq: *seq,
                    bytes: hex(bytes),
                });
            }
        }
        found
    }
}

/// Leaves out what somebody had before: nobody need have got it from the faulty node.
pub fn is_new(spread: &Spread, roots: &[PathBuf]) -> bool {
    let Some(needle) = bytes_of(&spread.bytes) else { return false };
    let finder = [Finder::new(&needle)];
    let had = |root: &PathBuf| {
        files(root).keys().any(|path| first_of(&root.join(path), &finder).is_some())
    };
    !roots.iter().any(had)
}

/// All files below a directory, with what changes when they are written to.
fn files(root: &Path) -> Files {
    let (mut found, mut open) = (Files::new(), vec![PathBuf::new()]);
    while let Some(own) = open.pop() {
        for entry in std::fs::read_dir(root.join(&own)).into_iter().flatten().flatten() {
            let path = own.join(entry.file_name());
            match entry.metadata() {
                Ok(told) if told.is_dir() => open.push(path),
                Ok(told) if told.is_file() => {
                    found.insert(path, (told.size(), told.modified().ok()));
                }
                _ => {}
            }
        }
    }
    found
}

/// What a node was given by an event, as it is read now by way of its mount.
fn needles_of(event: &Event, faulty: &Path) -> Vec<(u64, Vec<u8>)> {
    let file = unescape(&event.path).map(std::ffi::OsString::from_vec);
    let Some(file) = file.and_then(|path| File::open(faulty.join(path)).ok()) else {
        return Vec::new();
    };
    let length = NEEDLE_BYTES as u64;
    let of_bits = event.bits.iter().flat_map(|bit| {
        let starts = [bit.byte.saturating_sub(length / 2), bit.byte + 1, bit.byte];
        [starts[0], starts[1].saturating_sub(length), starts[2]]
    });
    let of_regions = event.regions.iter().flat_map(|region| {
        let inside = (region.start..region.start + region.len).step_by(STEP_BYTES as usize);
        let edges = [region.start, region.start + region.len];
        edges.map(|edge| edge.saturating_sub(length / 2)).into_iter().chain(inside)
    });
    let needles = of_bits.chain(of_regions).filter_map(|start| {
        let mut bytes = vec![0; NEEDLE_BYTES];
        file.read_exact_at(&mut bytes, start).ok()?;
        is_telling(&bytes).then_some((event.seq, bytes))
    });
    needles.collect()
}

/// What is nearly all the same stands anywhere: a flipped bit among zeros is a small number.
fn is_telling(bytes: &[u8]) -> bool {
    let count = |byte: u8| bytes.iter().filter(|other| **other == byte).count();
    bytes.iter().all(|byte| count(*byte) <= SAME_MAX)
}

/// Which bytes stand in a file, and where. Its holes are passed over.
fn first_of(path: &Path, finders: &[Finder<'_>]) -> Option<(usize, u64)> {
    let (file, mut start) = (File::open(path).ok()?, 0);
    // The end of the last hole; an error at the end of the file.
    while let Ok(from) = seek(&file, SeekFrom::Data(start)) {
        let mut chunk = Vec::new();
        let wanted = CHUNK_BYTES + NEEDLE_BYTES as u64;
        io::Read::read_to_end(&mut io::Read::take(&file, wanted), &mut chunk).ok()?;
        let mut places = finders.iter().map(|finder| finder.find(&chunk)).enumerate();
        if let Some((which, place)) = places.find_map(|(which, place)| Some((which, place?))) {
            return Some((which, from + place as u64));
        }
        start = from + CHUNK_BYTES;
    }
    None
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok());
    digits.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bit_among_zeros_tells_nothing() {
        let mut bytes = [0; NEEDLE_BYTES];
        bytes[12] = 8;
        assert!(!is_telling(&bytes));
        assert!(is_telling(b"value-of-296-00000000000"));
    }

    #[test]
    fn bytes_are_found_across_chunks_and_behind_holes() {
        let files = tempfile::tempdir().unwrap();
        let (path, needle) = (files.path().join("f"), b"0123456789abcdefghijklmn");
        let place = 5 * CHUNK_BYTES - 7;
        let file = File::create(&path).unwrap();
        file.write_all_at(b"x", 0).unwrap();
        file.write_all_at(needle, place).unwrap();
        let finders = [&b"0123456789abcdefghijklmo"[..], needle].map(Finder::new);
        assert_eq!(first_of(&path, &finders), Some((1, place)));
        assert_eq!(first_of(&path, &finders[..1]), None);
        assert_eq!(bytes_of(&hex(needle)).as_deref(), Some(&needle[..]));
    }
}
