//! restic: a backup, a full check, a restore that is the same byte for byte.

use super::{is_installed, on_both, shell};
use crate::support::Backing;

#[test]
fn restic_backs_up_checks_and_restores_the_same_bytes() {
    if !is_installed("restic") {
        return;
    }
    on_both(|root| {
        let data = Backing::new().with_noise("a/large", 6 << 20).with_noise("a/b/small", 777);
        let script = "export RESTIC_PASSWORD=test\n\
            restic -q -r repo --no-cache init\n\
            restic -q -r repo --no-cache backup \"$1\"; restic -q -r repo --no-cache backup \"$1\"\n\
            restic -r repo --no-cache check --read-data\n\
            restic -q -r repo --no-cache restore latest --verify --target restored\n\
            diff -r \"$1\" \"restored$1\"; restic -q -r repo --no-cache forget --keep-last 1 --prune\n\
            restic -r repo --no-cache check";
        let ended = shell(script, root).arg(data.path()).succeed();
        ended.expect_said("no errors were found");
    });
}
