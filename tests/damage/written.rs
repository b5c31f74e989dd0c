//! `on = "write"`: what is stored is wrong.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use errorfs::ledger::{Event, Outcome};

use super::Kept;
use crate::support::*;

const ONE: &str = "[[rule]]\nname = \"flip\"\nselect = { path = \"file\" }\nwhen = { nth = 2 }\n\
    [rule.fault.bit_flip]\ncount = 1\non = \"write\"\n";

fn ones() -> Kept {
    Kept::new(Backing::new().with("file", &[1; 65_536]))
}

/// "The write succeeds, and the backing directory gets the wrong bytes; every reader sees them,
/// also one that does not come through the mount." "`bit_flip` and `corrupt` with `on = "write"`
/// happen on the way to the medium: in memory, an adapter, a controller." "The event is one of the
/// write, with `before` as the program wrote it; reads have none."
#[test]
fn a_bit_that_flips_on_write_is_stored_and_told_of_the_write_alone() {
    require_fuse!();
    let kept = ones();
    let mut mount = kept.mount(ONE);
    write_at(&mount.join("file"), 0, &[7; 1_000]).unwrap();
    write_at(&mount.join("file"), 5_000, &[7; 10_000]).unwrap();
    let stored = fs::read(kept.backing.join("file")).unwrap();
    let seen = fs::read(mount.join("file")).unwrap();
    mount.stop();
    let mut wanted = vec![1; 65_536];
    wanted[..1_000].fill(7);
    wanted[5_000..15_000].fill(7);
    let bits = differing_bits(&wanted, &stored);
    assert!(seen == stored && bits.len() == 1, "{bits:?}");
    let events = mount.ledger();
    let [Event { outcome, op, occurrence, bits: told, .. }] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!((*outcome, &**op, *occurrence), (Outcome::Delivered, "write", Some(2)));
    assert_eq!((told[0].byte, told[0].bit), bits[0]);
    let after = stored[told[0].byte as usize];
    assert_eq!((told[0].before, told[0].after), (Some(7), Some(after)));
    kept.heal().expect_status(0).expect_said("1 byte healed");
    assert!(fs::read(kept.backing.join("file")).unwrap() == wanted);
}

/// "`rate` is drawn for the byte and its generation: how much is written at once changes nothing."
#[test]
fn a_rate_does_not_depend_on_how_much_is_written_at_once() {
    require_fuse!();
    let rate = "[[rule]]\nname = \"rot\"\n[rule.fault.bit_flip]\nrate = 1e-4\non = \"write\"\n\
        [[rule]]\nname = \"junk\"\n[rule.fault.corrupt]\ncontent = \"junk\"\nrate = 0.2\n\
        region = \"512B\"\non = \"write\"\n";
    let bytes = noise(5, 200_000);
    let write = |sizes: &[usize]| {
        let kept = Kept::new(Backing::new().with("file", &vec![0; 100_000]));
        let mut mount = kept.mount(rate);
        let file = File::options().write(true).open(mount.join("file")).unwrap();
        let (mut at, mut sizes) = (0, sizes.iter().cycle());
        while at < bytes.len() {
            let end = (at + sizes.next().unwrap()).min(bytes.len());
            file.write_all_at(&bytes[at..end], at as u64).unwrap();
            at = end;
        }
        drop(file);
        mount.stop();
        let damaged = fs::read(kept.backing.join("file")).unwrap();
        kept.heal().expect_status(0);
        assert!(fs::read(kept.backing.join("file")).unwrap() == bytes, "healed");
        damaged
    };
    let whole = write(&[200_000]);
    assert!(differing_bits(&bytes, &whole).len() > 1_000);
    assert!(write(&[4_096]) == whole, "pages");
    assert!(write(&[700, 3, 50_000]) == whole, "odd pieces");
}

/// "Overwriting is a new trial: `count` and `at` strike each write that `when` picks." "They are
/// wrong until they are overwritten, so there is no `persistence` to choose and no `generation`."
/// "`count` and `at` strike each write that `when` picks."
#[test]
fn given_bits_flip_in_every_write_of_them() {
    require_fuse!();
    let at = "[[rule]]\nname = \"at\"\n[rule.fault.bit_flip]\nat = [{ byte = 100, bit = 3 }]\non = \"write\"\n";
    let kept = ones();
    let mut mount = kept.mount(at);
    for byte in [0_u8, 0xFF, 8] {
        write_at(&mount.join("file"), 90, &[byte; 20]).unwrap();
        assert_eq!(read_at(&kept.backing.join("file"), 100, 1).unwrap(), [byte ^ 8]);
    }
    write_at(&mount.join("file"), 0, &[5; 100]).unwrap();
    assert_eq!(read_at(&kept.backing.join("file"), 99, 2).unwrap(), [5, 0]);
    mount.stop();
    assert_eq!(mount.delivered().len(), 3);
    kept.heal().expect_status(0);
    assert_eq!(read_at(&kept.backing.join("file"), 99, 2).unwrap(), [5, 8]);
}

/// "A mapping that is written back is a write of the bytes that were changed."
#[test]
fn what_a_mapping_writes_back_is_damaged_as_well() {
    require_fuse!();
    let at = "[[rule]]\nname = \"at\"\n[rule.fault.corrupt]\ncontent = \"zero\"\n\
        at = [{ byte = 4096 }]\non = \"write\"\n";
    let kept = ones();
    let mut mount = kept.mount(at);
    let script = "import mmap,sys\nf=open(sys.argv[1],'r+b')\nm=mmap.mmap(f.fileno(),0)\n\
        m[4000:5000]=b'\\x09'*1000\nm.flush()\nm.close()\n";
    python(script, [mount.join("file").as_os_str()]).succeed();
    let stored = fs::read(kept.backing.join("file")).unwrap();
    let mut wanted = vec![1; 65_536];
    wanted[4_000..4_096].fill(9);
    wanted[4_096..5_000].fill(0);
    assert!(stored == wanted);
    mount.stop();
    kept.heal().expect_status(0).expect_said("904 bytes healed");
}

/// "`errorfs replay` gives the same damage to the same writes."
#[test]
fn a_replayed_ledger_damages_the_same_writes_in_the_same_way() {
    require_fuse!();
    let text = "[[rule]]\nname = \"flip\"\nwhen = { every = 3 }\n[rule.fault.bit_flip]\ncount = 4\n\
        on = \"write\"\n[[rule]]\nname = \"junk\"\nwhen = { probability = 0.3 }\n\
        [rule.fault.corrupt]\ncontent = \"junk\"\ncount = 1\nregion = \"512B\"\non = \"write\"\n";
    let run = |text: &str| {
        let kept = ones();
        let mut mount = kept.mount(text);
        for place in 0..30 {
            write_at(&mount.join("file"), place * 1_500, &[place as u8; 3_000]).unwrap();
        }
        mount.stop();
        (fs::read(kept.backing.join("file")).unwrap(), mount)
    };
    let (first, mount) = run(text);
    let replay = Program::errorfs("replay").arg(mount.ledger_file()).succeed().stdout;
    let (second, _) = run(&replay.replacen("version = 1\n", "", 1));
    assert!(first == second);
    assert!(mount.delivered().len() > 10);
}
