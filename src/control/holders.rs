//! Which processes have a file of the mount open. Reads proc only, never the mount.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::ledger::escape;

/// The processes that have any of these open or mapped, of those that errorfs may look into: each
/// with its id and name. `paths` are absolute, below the mountpoint.
pub(super) fn holders(paths: &[PathBuf]) -> Vec<Vec<Value>> {
    let mut holders = vec![Vec::new(); paths.len()];
    for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let name = process.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let held = held(&process.path());
        for (path, holders) in paths.iter().zip(&mut holders) {
            if held.contains(path) {
                let comm = std::fs::read(process.path().join("comm")).unwrap_or_default();
                let comm = escape(comm.strip_suffix(b"\n").unwrap_or(&comm));
                holders.push(json!({ "pid": pid, "comm": comm }));
            }
        }
    }
    holders
}

/// What a process has open, and what it has mapped.
fn held(process: &Path) -> Vec<PathBuf> {
    let links = ["fd", "map_files"].iter().flat_map(|list| std::fs::read_dir(process.join(list)));
    let links = links.flatten().flatten();
    links.filter_map(|link| std::fs::read_link(link.path()).ok()).collect()
}
