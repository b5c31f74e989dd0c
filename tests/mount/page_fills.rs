//! What fills the kernel's page cache: mappings, and copies inside the kernel.

use std::fs;

use crate::support::*;

/// Fails one read of `file`.
fn failing(backing: &Backing, nth: u32) -> Mount {
    let text = format!(
        "[[rule]]\nname = \"fails\"\nselect = {{ path = \"file\", ops = [\"read\"] }}\n\
         when = {{ nth = {nth} }}\n[rule.fault.error]\nerrno = \"EIO\"\n"
    );
    Mount::new(backing.path()).scenario(&text).seed(1).start()
}

/// cp(1) lets the kernel copy, which reads through its cache, and ahead. Only a failure of the first
/// page is an error: later ones make the copy a short one, which is simply gone on with.
#[test]
fn an_error_that_the_ledger_calls_delivered_reached_the_program_that_copies() {
    require_fuse!();
    for bytes in [1000, 300_000] {
        let backing = Backing::new().with_noise("file", bytes);
        let mut mount = failing(&backing, 1);
        let copy = Program::new("cp").arg(mount.join("file")).arg(mount.join("copy")).run();
        let delivered = mount.delivered();
        assert_eq!(!copy.status.success(), !delivered.is_empty(), "{bytes}: {delivered:?}\n{copy}");
        let occurrences: Vec<_> = delivered.iter().map(|event| event.occurrence).collect();
        assert!(occurrences.iter().all(|of| *of == Some(1)), "{occurrences:?}");
        mount.stop();
    }
}

#[test]
fn a_page_fault_that_fails_is_one_occurrence_and_one_signal() {
    require_fuse!();
    let backing = Backing::new().with_noise("file", 65536);
    let mut mount = failing(&backing, 1);
    let touch = "m = mmap.mmap(os.open(sys.argv[1], 0), 0, prot=1); m[5]";
    python(touch, [mount.join("file")]).run().expect_signal(libc::SIGBUS);
    assert!(mount.delivered().iter().all(|event| event.occurrence == Some(1)));
    python(touch, [mount.join("file")]).succeed();
    mount.stop();
}

/// Taking it for the end of the file is what is to be found out.
#[test]
fn a_read_that_ends_early_at_a_bad_sector_is_in_the_ledger() {
    require_fuse!();
    let backing = Backing::new().with_noise("file", 100_000);
    let text = "[[rule]]\nname = \"bad\"\n[rule.fault.bad_sector]\nat = [8192]\n";
    let mut mount = Mount::new(backing.path()).scenario(text).seed(1).start();
    let out = Backing::new();
    let dd = Program::new("dd").args(["bs=100000", "count=1", "status=none"]);
    let input = format!("if={}", mount.join("file").display());
    dd.arg(input).arg(format!("of={}", out.join("out").display())).succeed();
    assert_eq!(fs::metadata(out.join("out")).unwrap().len(), 8192);
    let event = mount.delivered().pop().unwrap();
    assert_eq!((event.returned, event.sector, event.errno), (Some(8192), Some((8192, 4096)), None));
    mount.stop();
}
