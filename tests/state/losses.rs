//! What the medium did not get.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use super::{ENDS, End, Remembering};
use crate::support::*;

fn ones() -> Backing {
    Backing::new().with("file", &[1; 20_000])
}

fn ones_but(parts: &[(std::ops::Range<usize>, u8)]) -> Vec<u8> {
    let mut bytes = vec![1; 20_000];
    parts.iter().for_each(|(range, byte)| bytes[range.clone()].fill(*byte));
    bytes
}

/// "What lost and torn writes left is still what reads get", and is still repaired by overwriting.
/// "What lost and torn writes left is still what reads get, and is still repaired by overwriting."
#[test]
fn lost_and_torn_writes_are_still_lost_and_torn() {
    require_fuse!();
    for end in ENDS {
        let rules = "[[rule]]\nname = \"lost\"\nwhen = { nth = 1 }\n[rule.fault.lost_write]\n\
            [[rule]]\nname = \"torn\"\nwhen = { nth = 2 }\n[rule.fault.torn_write]\nkeep = 1\nrest = \"zero\"\n";
        let kept = Remembering::new(ones(), rules);
        let mount = kept.mount();
        write_at(&mount.join("file"), 0, &[7; 4_000]).unwrap();
        write_at(&mount.join("file"), 8_192, &[8; 4_096]).unwrap();
        write_at(&mount.join("file"), 1_000, &[9; 1_000]).unwrap();
        let wanted = ones_but(&[(1_000..2_000, 9), (8_192..8_704, 8), (8_704..12_288, 0)]);
        assert!(fs::read(mount.join("file")).unwrap() == wanted);
        let mount = kept.again(mount, end);
        assert!(fs::read(mount.join("file")).unwrap() == wanted, "{end:?}");
        let lost = mount.delivered().into_iter().flat_map(|event| event.lost).count();
        assert!(lost > 0, "reads of it are told");
        write_at(&mount.join("file"), 9_000, &[3; 1_000]).unwrap();
        let mut mount = kept.again(mount, end);
        let wanted = [(1_000..2_000, 9), (8_192..8_704, 8), (8_704..12_288, 0), (9_000..10_000, 3)];
        assert!(fs::read(mount.join("file")).unwrap() == ones_but(&wanted), "{end:?}");
        mount.stop();
    }
}

/// "Pages that failed to be written back are evicted by the end of the mount."
#[test]
fn what_an_fsync_did_not_write_back_is_evicted_by_the_end() {
    require_fuse!();
    for (end, model) in [(ENDS[0], "xfs"), (End::Killed, "ext4-ordered"), (End::Killed, "btrfs")] {
        let rule = format!(
            "[[rule]]\nname = \"sync\"\n[rule.fault.fsync]\nmodel = \"{model}\"\nsequence = \"xW\"\n"
        );
        let kept = Remembering::new(ones(), &rule);
        let mount = kept.mount();
        let file = File::options().read(true).write(true).open(mount.join("file")).unwrap();
        file.write_all_at(&[7; 5_000], 0).unwrap();
        assert!(file.sync_all().is_err());
        file.write_all_at(&[8; 5_000], 10_000).unwrap();
        file.sync_all().unwrap();
        drop(file);
        let mut mount = kept.again(mount, end);
        let wanted = ones_but(&[(10_000..15_000, 8)]);
        assert!(fs::read(mount.join("file")).unwrap() == wanted, "{end:?} {model}");
        mount.stop();
    }
}
