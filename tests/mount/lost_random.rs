//! Random writes, cuts and punches under rules that lose writes and fail to write back, against a
//! model of bytes: reads get what the medium holds, the backing directory has what was written.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use rustix::fs::FallocateFlags;

use super::lost_write::{backing, start};
use crate::support::*;

/// What the file should be: as programs see it, and as it is stored.
struct Model {
    seen: Vec<u8>,
    stored: Vec<u8>,
    writes: usize,
}

impl Model {
    fn new() -> Model {
        Model { seen: vec![1; 65_536], stored: vec![1; 65_536], writes: 0 }
    }

    /// Every third write is lost, every fourth torn after its first sector, the first rule first.
    fn write(&mut self, at: usize, bytes: &[u8]) {
        self.writes += 1;
        let end = at + bytes.len();
        for file in [&mut self.seen, &mut self.stored] {
            file.resize(file.len().max(end), 0);
        }
        self.stored[at..end].copy_from_slice(bytes);
        let arrives = match self.writes {
            number if number.is_multiple_of(3) => at,
            number if number.is_multiple_of(4) => end.min((at / 512 + 1) * 512),
            _ => end,
        };
        self.seen[at..arrives].copy_from_slice(&bytes[..arrives - at]);
    }

    fn zero(&mut self, at: usize, len: usize) {
        for file in [&mut self.seen, &mut self.stored] {
            let end = file.len().min(at + len);
            file[at.min(end)..end].fill(0);
        }
    }

    fn cut(&mut self, len: usize) {
        self.seen.resize(len, 0);
        self.stored.resize(len, 0);
    }
}

const RULES: &str = "[[rule]]\nname = \"l\"\nwhen = { every = 3 }\n[rule.fault.lost_write]\n\
    [[rule]]\nname = \"t\"\nwhen = { every = 4 }\n[rule.fault.torn_write]\nkeep = 1\n";

#[test]
fn whatever_is_written_cut_and_punched_reads_get_what_the_medium_holds() {
    require_fuse!();
    for seed in 0..4 {
        let backing = backing();
        let mut mount = start(&backing, RULES);
        let mut model = Model::new();
        let file = File::options().read(true).write(true).open(mount.join("file")).unwrap();
        for step in noise(seed + 100, 8 * 150).chunks(8) {
            let at = usize::from(u16::from_le_bytes([step[0], step[1]]));
            let len = 1 + usize::from(u16::from_le_bytes([step[2], step[3]])) % 9_000;
            match step[4] % 16 {
                0 => {
                    file.set_len((at + len) as u64).unwrap();
                    model.cut(at + len);
                }
                1 | 2 => {
                    let how = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
                    rustix::fs::fallocate(&file, how, at as u64, len as u64).unwrap();
                    model.zero(at, len);
                }
                _ => {
                    file.write_all_at(&vec![step[5]; len], at as u64).unwrap();
                    model.write(at, &vec![step[5]; len]);
                }
            }
            assert!(fs::read(mount.join("file")).unwrap() == model.seen, "seed {seed}");
        }
        assert!(fs::read(backing.join("file")).unwrap() == model.stored, "seed {seed}");
        mount.stop();
        assert!(fs::read(backing.join("file")).unwrap() == model.stored, "seed {seed}, after");
    }
}
