//! Random operations under rules that damage every write: `heal` gives back the tree as it is without
//! errorfs. `ERRORFS_DAMAGE_OPERATIONS` says how many (200).

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::{Kept, same_times};
use crate::support::*;

pub(super) const RULES: &str = "[[rule]]\nname = \"flips\"\n[rule.fault.bit_flip]\ncount = 3\non = \"write\"\n\
    [[rule]]\nname = \"junk\"\nwhen = { probability = 0.5 }\n[rule.fault.corrupt]\n\
    content = \"junk\"\ncount = 1\nregion = \"512B\"\non = \"write\"\n";

/// One operation, the same on every directory, from eight bytes of noise.
pub(crate) fn operate(root: &Path, step: &[u8]) -> std::io::Result<()> {
    let name =
        |byte: u8| root.join(format!("{}f{}", if byte & 8 == 0 { "" } else { "d/" }, byte % 6));
    let (one, other) = (name(step[0]), name(step[1]));
    let at = u64::from(u16::from_le_bytes([step[2], step[3]])) % 20_000;
    let len = 1 + usize::from(u16::from_le_bytes([step[4], step[5]])) % 6_000;
    let open = || File::options().read(true).write(true).create(true).truncate(false).open(&one);
    match step[6] % 16 {
        0 => fs::rename(one, other),
        1 => fs::remove_file(one),
        2 => fs::hard_link(one, other),
        3 => open()?.set_len(at),
        4 => {
            let how =
                rustix::fs::FallocateFlags::PUNCH_HOLE | rustix::fs::FallocateFlags::KEEP_SIZE;
            Ok(rustix::fs::fallocate(open()?, how, at, len as u64)?)
        }
        5 => fs::OpenOptions::new().append(true).create(true).open(one).and_then(|mut file| {
            use std::io::Write as _;
            file.write_all(&vec![step[7]; len])
        }),
        _ => open()?.write_all_at(&vec![step[7]; len], at),
    }
}

pub(super) fn operations(default: usize) -> usize {
    let said = std::env::var("ERRORFS_DAMAGE_OPERATIONS").ok();
    said.and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// "`errorfs heal DIR` gives everything back, byte for byte, after the mount has ended, in order or
/// by `kill -9`." "Damage and its undoing do not show in the times of the last change."
#[test]
fn after_random_damaging_operations_heal_gives_back_the_exact_tree() {
    require_fuse!();
    let kept = Kept::new(Backing::new().with("d/f1", &[1; 10_000]));
    let plain = Backing::new().with("d/f1", &[1; 10_000]);
    let mut mount = kept.mount(RULES);
    for step in noise(77, 8 * operations(200)).chunks(8) {
        let (here, there) = (operate(mount.path(), step), operate(plain.path(), step));
        assert_eq!(here.map_err(|e| e.kind()), there.map_err(|e| e.kind()), "{step:?}");
    }
    mount.stop();
    same_times(kept.backing.path(), plain.path());
    assert_ne!(tree_hash(kept.backing.path()), tree_hash(plain.path()), "nothing was damaged");
    kept.heal().expect_status(0);
    assert_eq!(tree_hash(kept.backing.path()), tree_hash(plain.path()));
}
