//! errorfs has less memory than the data that moves through it.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::support::*;

/// A control group of its own, for its memory.
struct Squeezed(PathBuf);

impl Squeezed {
    /// `None` where this user may make none, or the kernel has none.
    fn to(bytes: u64) -> Option<Squeezed> {
        let name = format!("errorfs-test-{}", std::process::id());
        let places =
            [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")];
        places.into_iter().find_map(|(root, limit)| {
            let group = PathBuf::from(root).join(&name);
            fs::create_dir(&group).ok()?;
            let group = Squeezed(group);
            fs::write(group.0.join(limit), bytes.to_string()).ok()?;
            Some(group)
        })
    }

    fn hold(&self, pid: u32) {
        fs::write(self.0.join("cgroup.procs"), pid.to_string()).unwrap();
    }
}

impl Drop for Squeezed {
    fn drop(&mut self) {
        let gone = || fs::remove_dir(&self.0).is_ok();
        wait_until("the control group is empty", Duration::from_secs(20), gone);
    }
}

/// Sixteen times the memory that errorfs has: its own, and what the backing directory caches for it.
#[test]
fn with_32_mebibytes_errorfs_moves_half_a_gibibyte_in_every_way() {
    require_fuse!();
    require_root!();
    const MEMORY: u64 = 32 << 20;
    let Some(group) = Squeezed::to(MEMORY) else {
        return println!("skipped: no control group for memory can be made here");
    };
    for way in Way::ALL {
        let backing = Backing::new();
        let mut mount = way.mount(backing.path()).start();
        group.hold(mount.pid());
        let block = noise(7, 1 << 20);
        let text = "import os, sys\nblock = sys.stdin.buffer.read(); p = sys.argv[1]\n\
            with open(p, 'wb', 0) as f:\n for n in range(512): assert f.write(block) == len(block)\n\
            with open(p, 'rb', 0) as f:\n for n in range(512): assert f.read(len(block)) == block, n\n";
        let block_file = backing.join("block");
        fs::write(&block_file, &block).unwrap();
        let script = format!("python3 -c \"$1\" \"$2\" < '{}'", block_file.display());
        let program = Program::new("sh").arg("-c").arg(script).arg("sh").arg(text);
        program.arg(mount.join("large")).within(Duration::from_secs(100)).succeed();
        mount.stop();
    }
}
