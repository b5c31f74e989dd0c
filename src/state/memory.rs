//! What the simulated medium remembers from one mount to the next: a log that is played again at the
//! start, and written anew then and when it has grown, with what is left of it.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Log;
use super::compaction::Growing;
use crate::ledger::{escape, unescape};
use crate::media::{Content, FileKey, Generations, Media, Piece, Pieces, Room};

/// The first line of the log.
pub(super) const TITLE: &str = "errorfs memory 1\n";

/// One thing to remember. Paths are relative to the backing directory, as ledgers write them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Memo {
    /// What was added has been written as one, up to the file with this number.
    Through {
        /// The number.
        number: u64,
    },
    /// A plan was armed. What another one had counted and placed is nobody's business any more.
    Armed {
        /// Hash of the canonical scenario.
        plan: String,
        /// The seed in force.
        seed: u64,
        /// The mount's id.
        id: String,
    },
    /// Where a rule has placed its `count` in one file.
    Placed {
        /// Name of the rule.
        rule: String,
        /// The path that keys the file's damage.
        path: String,
        /// Byte and bit.
        bits: Vec<(u64, u8)>,
        /// Numbers.
        regions: Vec<u64>,
        /// Numbers.
        sectors: Vec<u64>,
    },
    /// A file came into being through the mount.
    Born {
        /// Which.
        file: FileKey,
    },
    /// The path that a file had at arming, where it has another one now.
    Origin {
        /// Which.
        file: FileKey,
        /// The path.
        path: String,
    },
    /// The path that keys the damage of one rule in a file.
    Bound {
        /// Which.
        file: FileKey,
        /// Name of the rule.
        rule: String,
        /// The path.
        path: String,
    },
    /// Bytes of a file were replaced.
    Replaced {
        /// Which.
        file: FileKey,
        /// The first of them.
        start: u64,
        /// The end.
        end: u64,
        /// How long the file was.
        size: u64,
    },
    /// How often bytes of a file have been overwritten: all of them that were.
    Generations {
        /// Which.
        file: FileKey,
        /// First byte, end, and how often.
        pieces: Vec<(u64, u64, u32)>,
    },
    /// A file is gone.
    Removed {
        /// Which.
        file: FileKey,
    },
    /// What the medium holds in a range in place of what is stored: this and nothing else. The bytes
    /// of those that are no zeros go with it.
    Holds {
        /// Which.
        file: FileKey,
        /// The first byte of the range.
        start: u64,
        /// The end.
        end: u64,
        /// In order.
        pieces: Vec<Held>,
    },
    /// What was stored before it was overwritten last, where some region reads as that. The bytes of
    /// those that are no zeros go with it.
    Earlier {
        /// Which.
        file: FileKey,
        /// First byte, end, and whether there were zeros, in order.
        pieces: Vec<(u64, u64, bool)>,
    },
    /// How many operations a rule has looked at, and how often it fired.
    Counted {
        /// Name of the rule.
        rule: String,
        /// Operations.
        matched: u64,
        /// Fires.
        fired: u64,
    },
}

/// A stretch that the medium did not get, and by whose doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The first byte.
    pub start: u64,
    /// The end.
    pub end: u64,
    /// Whether there are zeros.
    pub zeros: bool,
    /// Name of the rule.
    pub rule: String,
    /// Which of its operations it was.
    pub occurrence: u64,
    /// The damage id.
    pub id: u64,
    /// The path that the file had then.
    pub file: String,
    /// Sectors that were kept.
    pub keep: Option<u64>,
    /// Of a write that was misdirected: whether its bytes are here, the first byte of the whole
    /// stretch, and the first one of the other place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub astray: Option<(bool, u64, u64)>,
}

/// What is remembered of one file.
#[derive(Clone, Debug, Default)]
pub struct FileMemory {
    born: bool,
    origin: Option<PathBuf>,
    generations: Generations,
    /// By name of the rule.
    pub bound: HashMap<String, PathBuf>,
    held: Pieces<Arc<Held>>,
    earlier: Pieces<()>,
}

/// The places of a rule in a file: bits, regions, sectors.
pub type Places = (Vec<(u64, u8)>, Vec<u64>, Vec<u64>);

/// All that is remembered.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// Of each file.
    pub files: HashMap<FileKey, FileMemory>,
    /// Of each rule: what it has looked at, and how often it fired.
    pub counts: HashMap<String, (u64, u64)>,
    /// Plan, seed and id that were armed last.
    pub armed: Option<(String, u64, String)>,
    /// Where that plan has placed what it counts, by rule and path.
    pub placed: HashMap<(String, PathBuf), Places>,
    /// The last file of what was added that this has, by its number.
    pub(super) through: u64,
}

/// The log while a mount lives.
#[derive(Debug)]
pub struct MemoryLog {
    growing: Growing,
}

impl MemoryLog {
    /// Plays what a state directory remembers and writes it anew. The lock is held as long as any of it
    /// is written.
    pub(super) fn open(path: &Path, lock: Option<Arc<File>>) -> io::Result<(Memory, MemoryLog)> {
        let (memory, growing) = Growing::open(path, lock)?;
        Ok((memory, MemoryLog { growing }))
    }

    /// Remembers.
    pub fn note(&self, memos: &[(Memo, Vec<u8>)]) -> io::Result<()> {
        self.growing.append(records(memos).collect())
    }

    /// Whether nothing can be remembered any more.
    pub fn failed(&self) -> bool {
        self.growing.failed()
    }
}

impl Memory {
    /// What one file has.
    pub(super) fn read(path: &Path) -> io::Result<Memory> {
        let mut memory = Memory::default();
        memory.add(path)?;
        Ok(memory)
    }

    /// And what another one has added to that.
    pub(super) fn add(&mut self, path: &Path) -> io::Result<()> {
        let (frames, log) = Log::open(path, TITLE)?;
        // What is played is no part of what a mount may keep: there was room for it once.
        let room = Room::new(u64::MAX / 2);
        for frame in &frames {
            let memo: Memo = serde_json::from_slice(&frame.head).map_err(io::Error::other)?;
            self.play(memo, &log.payload(frame)?, &room);
        }
        Ok(())
    }

    /// Tells the media what of their files was overwritten; and of the plan that was armed then also
    /// who they are. Files that came into being then are none of those that the first plan of this
    /// mount has found.
    pub fn recall(&self, media: &Media, same_plan: bool) {
        const FIRST: u64 = 1;
        for (key, file) in &self.files {
            if file.born && same_plan {
                media.born(*key, FIRST);
            }
            if let Some(origin) = file.origin.as_ref().filter(|_| same_plan) {
                media.keep_origin(*key, origin);
            }
            if !file.generations.is_empty() {
                media.medium(*key).recall(file.generations.clone());
            }
        }
    }

    fn play(&mut self, memo: Memo, bytes: &[u8], room: &Arc<Room>) {
        match memo {
            Memo::Through { number } => self.through = number,
            Memo::Armed { plan, seed, id } => {
                let armed = Some((plan, seed, id));
                if self.armed != armed {
                    (self.armed, self.placed, self.counts) =
                        (armed, HashMap::new(), HashMap::new());
                }
            }
            Memo::Placed { rule, path, bits, regions, sectors } => {
                self.placed.insert((rule, plain(&path)), (bits, regions, sectors));
            }
            Memo::Counted { rule, matched, fired } => {
                self.counts.insert(rule, (matched, fired));
            }
            Memo::Removed { file } => drop(self.files.remove(&file)),
            Memo::Born { file } => self.file(file).born = true,
            Memo::Origin { file, path } => self.file(file).origin = Some(plain(&path)),
            Memo::Bound { file, rule, path } => {
                self.file(file).bound.insert(rule, plain(&path));
            }
            Memo::Replaced { file, start, end, size } => {
                let file = self.file(file);
                file.generations.replace(start..end, size);
                // Nobody knows what was there, unless it is told next.
                file.earlier.take(&(start..end));
            }
            Memo::Earlier { file, pieces } => {
                let earlier = &mut self.file(file).earlier;
                let like = |(start, end, zeros)| (start..end, zeros, ());
                let pieces = with_contents(pieces.into_iter().map(like), bytes, room);
                pieces.into_iter().for_each(|piece| drop(earlier.put(piece)));
            }
            Memo::Generations { file, pieces } => {
                self.file(file).generations = Generations::from_pieces(pieces);
            }
            Memo::Holds { file, start, end, pieces } => {
                let held = &mut self.file(file).held;
                held.take(&(start..end));
                let like = |held: Held| (held.start..held.end, held.zeros, Arc::new(held));
                let pieces = with_contents(pieces.into_iter().map(like), bytes, room);
                pieces.into_iter().for_each(|piece| drop(held.put(piece)));
            }
        }
    }

    fn file(&mut self, file: FileKey) -> &mut FileMemory {
        self.files.entry(file).or_default()
    }

    /// Writes it in as few words as there are; how long it is then.
    pub(super) fn write(&self, path: &Path) -> io::Result<u64> {
        let meanwhile = path.with_extension("new");
        let _ = std::fs::remove_file(&meanwhile);
        let (_, log) = Log::open(&meanwhile, TITLE)?;
        write(&log, &[(Memo::Through { number: self.through }, Vec::new())])?;
        write(&log, &self.of_plan())?;
        for (key, file) in &self.files {
            write(&log, &file.memos(*key))?;
        }
        log.sync()?;
        std::fs::rename(&meanwhile, path)?;
        Ok(std::fs::metadata(path)?.len())
    }

    fn of_plan(&self) -> Vec<(Memo, Vec<u8>)> {
        let mut memos = Vec::new();
        if let Some((plan, seed, id)) = self.armed.clone() {
            memos.push(Memo::Armed { plan, seed, id });
        }
        for ((rule, path), (bits, regions, sectors)) in self.placed.clone() {
            memos.push(Memo::Placed { rule, path: escaped(&path), bits, regions, sectors });
        }
        for (rule, (matched, fired)) in self.counts.clone() {
            memos.push(Memo::Counted { rule, matched, fired });
        }
        memos.into_iter().map(|memo| (memo, Vec::new())).collect()
    }
}

impl FileMemory {
    /// What the medium holds in place of what is stored.
    pub fn held(&self) -> Vec<Piece<Arc<Held>>> {
        self.held.within(&(0..u64::MAX))
    }

    #[cfg(test)]
    pub(super) fn overwritten(&self, range: Range<u64>) -> Vec<(Range<u64>, u32)> {
        self.generations.pieces(range)
    }

    /// What was stored before it was overwritten last.
    pub fn earlier(&self) -> Vec<Piece<()>> {
        self.earlier.within(&(0..u64::MAX))
    }

    fn memos(&self, file: FileKey) -> Vec<(Memo, Vec<u8>)> {
        let mut memos = Vec::new();
        if self.born {
            memos.push((Memo::Born { file }, Vec::new()));
        }
        if let Some(path) = &self.origin {
            memos.push((Memo::Origin { file, path: escaped(path) }, Vec::new()));
        }
        for (rule, path) in self.bound.clone() {
            memos.push((Memo::Bound { file, rule, path: escaped(&path) }, Vec::new()));
        }
        if !self.generations.is_empty() {
            let pieces = self.generations.as_pieces();
            memos.push((Memo::Generations { file, pieces }, Vec::new()));
        }
        for piece in self.held() {
            let (start, end) = (piece.bytes.start, piece.bytes.end);
            let (held, bytes) = held(&piece, (*piece.of).clone());
            memos.push((Memo::Holds { file, start, end, pieces: vec![held] }, bytes));
        }
        memos.extend(self.earlier().chunks(1).filter_map(|piece| earlier_memo(file, piece)));
        memos
    }
}

/// Memos as a log has them.
fn records(memos: &[(Memo, Vec<u8>)]) -> impl Iterator<Item = (Vec<u8>, &[u8])> {
    let head = |memo: &Memo| serde_json::to_vec(memo).expect("a memo is plain data");
    memos.iter().map(move |(memo, bytes)| (head(memo), &**bytes))
}

fn write(log: &Log, memos: &[(Memo, Vec<u8>)]) -> io::Result<()> {
    log.append(records(memos))
}

/// A stretch as a memo has it, with its bytes; of `like` the place is its own.
pub fn held<T: Clone>(piece: &Piece<T>, like: Held) -> (Held, Vec<u8>) {
    let bytes = bytes_of(piece);
    let zeros = bytes.is_empty();
    (Held { start: piece.bytes.start, end: piece.bytes.end, zeros, ..like }, bytes)
}

fn with_contents<T>(
    pieces: impl IntoIterator<Item = (Range<u64>, bool, T)>,
    bytes: &[u8],
    room: &Arc<Room>,
) -> Vec<Piece<T>> {
    let mut rest = bytes;
    let mut made = Vec::new();
    for (bytes, zeros, of) in pieces {
        let len = if zeros { 0 } else { (bytes.end - bytes.start) as usize };
        let Some((own, others)) = rest.split_at_checked(len) else { break };
        rest = others;
        let content = match zeros {
            true => Some(Content::ZEROS),
            false => Content::new(own.to_vec(), room),
        };
        made.extend(content.map(|content| Piece { bytes, content, of }));
    }
    made
}

/// What was stored before, as a memo, if there is any.
pub fn earlier_memo(file: FileKey, pieces: &[Piece<()>]) -> Option<(Memo, Vec<u8>)> {
    let told = pieces.iter().map(|piece| {
        let bytes = bytes_of(piece);
        ((piece.bytes.start, piece.bytes.end, bytes.is_empty()), bytes)
    });
    let (pieces, bytes): (Vec<_>, Vec<_>) = told.unzip();
    (!pieces.is_empty()).then(|| (Memo::Earlier { file, pieces }, bytes.concat()))
}

/// The bytes of a stretch; none if they are all zeros.
fn bytes_of<T: Clone>(piece: &Piece<T>) -> Vec<u8> {
    let mut bytes = vec![0; (piece.bytes.end - piece.bytes.start) as usize];
    piece.copy_to(&mut bytes, piece.bytes.start);
    if bytes.iter().all(|byte| *byte == 0) { Vec::new() } else { bytes }
}

/// A path as memos have it.
pub fn escaped(path: &Path) -> String {
    escape(path.as_os_str().as_encoded_bytes())
}

/// The opposite of [`escaped`].
pub fn plain(escaped: &str) -> PathBuf {
    use std::os::unix::ffi::OsStringExt as _;
    let bytes = unescape(escaped).unwrap_or_default();
    PathBuf::from(std::ffi::OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: FileKey = FileKey { dev: 1, ino: 2, birth: 3 };

    fn lost(start: u64, end: u64) -> Held {
        let rule = "r".to_owned();
        let file = "f".to_owned();
        Held {
            start,
            end,
            zeros: false,
            rule,
            occurrence: 7,
            id: 9,
            file,
            keep: None,
            astray: None,
        }
    }

    #[test]
    fn what_was_remembered_is_the_same_however_often_it_is_played() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("memory");
        let (_, log) = MemoryLog::open(&path, None).unwrap();
        let note = |memo, bytes: &[u8]| log.note(&[(memo, bytes.to_vec())]).unwrap();
        note(Memo::Armed { plan: "p".into(), seed: 7, id: String::new() }, b"");
        note(Memo::Born { file: FILE }, b"");
        for start in 0..50 {
            note(Memo::Replaced { file: FILE, start, end: start + 10, size: 100 }, b"");
        }
        note(Memo::Holds { file: FILE, start: 0, end: 20, pieces: vec![lost(5, 15)] }, &[8; 10]);
        note(Memo::Holds { file: FILE, start: 10, end: 12, pieces: vec![] }, b"");
        note(Memo::Counted { rule: "r".into(), matched: 9, fired: 2 }, b"");
        drop(log);
        let mut lengths = Vec::new();
        for _ in 0..3 {
            let (memory, _) = MemoryLog::open(&path, None).unwrap();
            let file = &memory.files[&FILE];
            let held: Vec<_> = file.held().into_iter().map(|piece| piece.bytes).collect();
            assert_eq!(held, [5..10, 12..15]);
            assert_eq!(file.generations.pieces(9..11), [(9..11, 10)]);
            assert!(file.born && memory.counts["r"] == (9, 2));
            lengths.push(std::fs::metadata(&path).unwrap().len());
        }
        assert!(lengths[0] == lengths[2], "written anew, it does not grow: {lengths:?}");
    }

    #[test]
    fn another_plan_begins_with_no_counts_and_the_same_files() {
        let (mut memory, room) = (Memory::default(), Room::new(0));
        let mut play = |memo| memory.play(memo, b"", &room);
        let armed = |plan: &str| Memo::Armed { plan: plan.into(), seed: 7, id: String::new() };
        play(armed("one"));
        play(Memo::Counted { rule: "r".into(), matched: 9, fired: 2 });
        play(Memo::Born { file: FILE });
        play(armed("one"));
        play(armed("other"));
        assert!(memory.counts.is_empty() && memory.files[&FILE].born);
        memory.play(Memo::Removed { file: FILE }, b"", &room);
        assert!(memory.files.is_empty());
    }
}
