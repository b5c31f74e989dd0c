//! What the medium holds: blocks that went astray, power, and what the next mount knows.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use errorfs::ledger::Outcome;

use crate::mount::errno;
use crate::support::*;

const LEN: usize = 16_384;

fn astray(args: &[&str]) -> (Backing, Mount) {
    let backing = Backing::new().with("file", &[1; LEN]);
    let rule = "[[rule]]\nname = \"r\"\nselect = { ops = [\"write\"] }\nwhen = { nth = 1 }\n\
        [rule.fault.misdirected]\nat = 0\nto = 8192\n";
    let mount = Mount::new(backing.path()).scenario(rule).seed(1).args(args).start();
    (backing, mount)
}

fn blocks(path: &std::path::Path) -> Vec<u8> {
    let bytes = fs::read(path).unwrap();
    assert!(bytes.chunks(4_096).all(|block| block.iter().all(|byte| *byte == block[0])));
    bytes.chunks(4_096).map(|block| block[0]).collect()
}

fn count(mount: &Mount, outcome: Outcome) -> usize {
    mount.ledger().iter().filter(|event| event.outcome == outcome).count()
}

/// "What the same write stores at the other place is there first."
#[test]
fn a_block_lands_upon_what_the_same_write_stores_there() {
    require_fuse!();
    let (backing, mount) = astray(&[]);
    let written: Vec<u8> = (2..5).flat_map(|byte| [byte; 4_096]).collect();
    write_at(&mount.join("file"), 0, &written).unwrap();
    assert_eq!(blocks(&mount.join("file")), [1, 3, 2, 1]);
    assert_eq!(blocks(&backing.join("file")), [2, 3, 4, 1]);
    let lost = mount.delivered().into_iter().filter(|event| event.op == "write");
    let lost: Vec<_> = lost.flat_map(|event| event.lost).collect();
    let hash = |byte: u8| Some(format!("blake3:{}", blake3::hash(&[byte; 4_096]).to_hex()));
    assert_eq!((&lost[1].before, &lost[1].after), (&hash(4), &hash(2)));
}

/// "`--keep-max`, cutting, renames, mappings and what nobody read are as with `lost_write`."
#[test]
fn blocks_that_went_astray_are_kept_cut_renamed_and_told_as_lost_ones() {
    require_fuse!();
    let (_backing, mut mount) = astray(&["--keep-max", "1KiB"]);
    write_at(&mount.join("file"), 0, &[2; 4_096]).unwrap();
    assert_eq!(blocks(&mount.join("file")), [2, 1, 1, 1], "what does not fit is stored");
    mount.stop();
    assert_eq!((count(&mount, Outcome::Skipped), count(&mount, Outcome::Delivered)), (1, 0));
    let (_backing, mut mount) = astray(&[]);
    write_at(&mount.join("file"), 0, &[2; 4_096]).unwrap();
    fs::rename(mount.join("file"), mount.join("moved")).unwrap();
    fs::hard_link(mount.join("moved"), mount.join("file")).unwrap();
    assert_eq!(blocks(&mount.join("moved")), [1, 1, 2, 1]);
    let file = File::options().write(true).open(mount.join("file")).unwrap();
    file.set_len(8_192).unwrap();
    file.set_len(LEN as u64).unwrap();
    assert_eq!(blocks(&mount.join("file")), [1, 1, 0, 0]);
    mount.stop();
    assert_eq!(count(&mount, Outcome::Gone), 1);
    let (_backing, mut mount) = astray(&[]);
    write_at(&mount.join("file"), 0, &[2; 4_096]).unwrap();
    mount.stop();
    let unread = mount.ledger().into_iter().filter(|event| event.outcome == Outcome::NeverRead);
    assert_eq!(unread.map(|event| event.lost.len()).sum::<usize>(), 2);
}

/// A mount whose power goes when a program looks for `CUT`, or for `OFF`, as two rules say.
fn powered(first: &str, second: &str) -> (Backing, tempfile::TempDir, Mount) {
    let backing = Backing::new().with("file", &[1; LEN]);
    let state = tempfile::tempdir().unwrap();
    let rule = |name: &str, keys: &str| {
        format!(
            "[[rule]]\nname = \"{name}\"\nselect = {{ path = \"{name}\", ops = [\"lookup\"] }}\n\
             when = {{ every = 1 }}\n[rule.fault.power_cut]\n{keys}"
        )
    };
    let rules = rule("CUT", first) + &rule("OFF", second);
    let setup = Mount::new(backing.path()).scenario(&rules).seed(1);
    let mount = setup.args(["--allow-damage", "--state"]).args([state.path().join("s")]).start();
    (backing, state, mount)
}

/// "Of several rules the first one says which names last and how often syncs lie, for the whole mount; the
/// one that cuts says the rest."
#[test]
fn the_first_rule_says_which_names_last_and_the_one_that_cuts_what_bytes() {
    require_fuse!();
    for (names, there) in [("strict", false), ("ordered", true)] {
        let first = format!("unsynced = \"old\"\nnames = \"{names}\"\n");
        let other = if there { "strict" } else { "ordered" };
        let second =
            format!("unsynced = \"new\"\nnames = \"{other}\"\nlies = 1.0\nthen = \"off\"\n");
        let (backing, _state, mount) = powered(&first, &second);
        fs::write(mount.join("new"), b"x").unwrap();
        write_at(&mount.join("file"), 0, &[2; 4_096]).unwrap();
        File::open(mount.join("new")).unwrap().sync_all().unwrap();
        assert!(mount.delivered().is_empty(), "no sync lies");
        assert_eq!(errno(fs::metadata(mount.join("OFF"))), Some(5));
        assert_eq!(errno(fs::read(mount.join("file"))), Some(5), "and it stays off");
        assert_eq!(blocks(&backing.join("file")), [2, 1, 1, 1], "new bytes");
        assert_eq!(backing.join("new").exists(), there, "{names}");
    }
}

/// "With `mixed` some more of them last, up to a drawn one; with `new` all of them, with `old` none."
#[test]
fn names_last_up_to_a_drawn_one_all_of_them_or_none() {
    require_fuse!();
    let mut seen = std::collections::BTreeSet::new();
    for (model, seed) in (0..8).map(|seed| ("mixed", seed)).chain([("new", 1), ("old", 1)]) {
        let backing = Backing::new();
        let state = tempfile::tempdir().unwrap();
        let rule = format!(
            "[[rule]]\nname = \"r\"\nselect = {{ path = \"CUT\" }}\nwhen = {{ every = 1 }}\n\
             [rule.fault.power_cut]\nunsynced = \"{model}\"\n"
        );
        let setup = Mount::new(backing.path()).scenario(&rule).seed(seed);
        let setup = setup.args(["--allow-damage", "--state"]).args([state.path().join("s")]);
        let mount = setup.start();
        for name in 0..8 {
            fs::create_dir(mount.join(&name.to_string())).unwrap();
        }
        fs::metadata(mount.join("CUT")).unwrap_err();
        let there: Vec<bool> =
            (0..8).map(|name| backing.join(&name.to_string()).exists()).collect();
        let lasting = there.iter().take_while(|there| **there).count();
        assert!(there[lasting..].iter().all(|there| !there), "in their order: {there:?}");
        match model {
            "mixed" => drop(seen.insert(lasting)),
            model => assert_eq!(lasting, if model == "new" { 8 } else { 0 }),
        }
    }
    assert!(seen.len() > 2, "drawn: {seen:?}");
}

/// "What programs on the backing directory itself do is not seen, and sync(2) is not passed on by the
/// kernel."
#[test]
fn neither_writes_behind_the_mount_nor_sync_are_seen() {
    require_fuse!();
    let (backing, _state, mount) = powered("unsynced = \"old\"\n", "");
    write_at(&backing.join("file"), 0, &[3; 4_096]).unwrap();
    fs::write(backing.join("behind"), b"x").unwrap();
    write_at(&mount.join("file"), 4_096, &[2; 4_096]).unwrap();
    rustix::fs::sync();
    fs::metadata(mount.join("CUT")).unwrap_err();
    assert_eq!(blocks(&backing.join("file")), [3, 1, 1, 1]);
    assert!(backing.join("behind").exists());
}

/// One backing directory and one state directory for several mounts.
fn remembering(backing: &Backing, state: &tempfile::TempDir, rules: &str) -> Mount {
    let setup = Mount::new(backing.path()).scenario(rules).seed(1);
    setup.args(["--allow-damage", "--state"]).args([state.path().join("s")]).start()
}

/// "What is drawn for each operation (`probability`, latencies), what stays once it has begun (`dead`,
/// `readonly`) and what a power cut has to know begin anew with each mount."
#[test]
fn draws_and_what_has_begun_begin_anew_with_each_mount() {
    require_fuse!();
    let backing =
        Backing::new().with("drawn", &[1; 10]).with("dead", &[1; 10]).with("ro", &[1; 10]);
    let backing = backing.with("power", &[1; 10]);
    let state = tempfile::tempdir().unwrap();
    let rules = "[[rule]]\nname = \"drawn\"\nselect = { path = \"drawn\", ops = [\"read\"] }\n\
        when = { probability = 0.5 }\n[rule.fault.error]\nerrno = \"EIO\"\n\
        [[rule]]\nname = \"dead\"\nselect = { path = \"dead\", ops = [\"read\"] }\nwhen = { nth = 1 }\n\
        [rule.fault.dead]\n\
        [[rule]]\nname = \"ro\"\nselect = { path = \"ro\", ops = [\"write\"] }\nwhen = { nth = 1 }\n\
        [rule.fault.readonly]\n\
        [[rule]]\nname = \"power\"\nselect = { path = \"CUT\" }\nwhen = { every = 1 }\n\
        [rule.fault.power_cut]\nunsynced = \"old\"\n";
    let draws = |mount: &Mount| -> Vec<bool> {
        let file = File::open(mount.join("drawn")).unwrap();
        (0..40).map(|_| file.read_at(&mut [0; 1], 0).is_err()).collect()
    };
    let gone = |mount: &Mount| {
        (fs::read(mount.join("dead")).is_err(), write_at(&mount.join("ro"), 0, b"y").is_err())
    };
    let mut mount = remembering(&backing, &state, rules);
    let first = draws(&mount);
    assert!(first.contains(&true) && first.contains(&false));
    assert_eq!([gone(&mount), gone(&mount)], [(true, true); 2]);
    write_at(&mount.join("power"), 0, b"2").unwrap();
    mount.stop();
    let mount = remembering(&backing, &state, rules);
    assert_eq!(draws(&mount), first);
    assert_eq!(gone(&mount), (false, false));
    fs::metadata(mount.join("CUT")).unwrap_err();
    assert_eq!(fs::read(backing.join("power")).unwrap()[0], b'2', "the end of a mount is no cut");
}

/// "Files that are removed or replaced while nothing is mounted are others."
#[test]
fn files_that_are_replaced_meanwhile_are_others() {
    require_fuse!();
    let backing = Backing::new().with("stays", &[0; 10]).with("replaced", &[0; 10]);
    let state = tempfile::tempdir().unwrap();
    let rule = "[[rule]]\nname = \"r\"\n[rule.fault.bit_flip]\nat = [{ byte = 0, bit = 0 }]\n";
    let first = |mount: &Mount| ["stays", "replaced"].map(|n| fs::read(mount.join(n)).unwrap()[0]);
    let mut mount = remembering(&backing, &state, rule);
    for name in ["stays", "replaced"] {
        write_at(&mount.join(name), 0, &[0; 10]).unwrap();
    }
    assert_eq!(first(&mount), [0, 0]);
    mount.stop();
    fs::write(backing.join("aside"), [0; 10]).unwrap();
    fs::rename(backing.join("aside"), backing.join("replaced")).unwrap();
    assert_eq!(first(&remembering(&backing, &state, rule)), [0, 1]);
}

/// "What is overwritten while nothing is mounted, or without `--state`, is told by its bytes: what is not
/// as the damage left it is left alone."
#[test]
fn what_is_overwritten_while_nothing_is_mounted_is_left_alone() {
    require_fuse!();
    let backing = Backing::new().with("file", &[1; 4_096]);
    let state = tempfile::tempdir().unwrap();
    let rule = "[[rule]]\nname = \"r\"\n[rule.fault.corrupt]\ncontent = { byte = 9 }\nat = [{ byte = 0 }]\n\
        on = \"write\"\n";
    let mut mount = remembering(&backing, &state, rule);
    write_at(&mount.join("file"), 0, &[2; 4_096]).unwrap();
    mount.stop();
    write_at(&backing.join("file"), 100, &[3; 50]).unwrap();
    let mut mount = Mount::new(backing.path()).start();
    write_at(&mount.join("file"), 200, &[4; 50]).unwrap();
    mount.stop();
    Program::errorfs("heal").arg(state.path().join("s")).succeed();
    let mut wanted = vec![2; 4_096];
    wanted[100..150].fill(3);
    wanted[200..250].fill(4);
    assert!(fs::read(backing.join("file")).unwrap() == wanted);
}

/// "It is a property of paths: a path is one of those or is not, by the present name, in every look and
/// after a remount, until `after`, `for` and `cycle` end it." "What is stored stays right, and so does
/// what setting it does." "The event says what was told (`mistold`: `what`, `before`, `after`); what
/// failed has an `errno`."
#[test]
fn what_is_told_wrong_ends_with_its_time_and_setting_sets_what_is_stored() {
    require_fuse!();
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let backing = Backing::new().with("a", &[1; 10]).with("other", &[1; 10]);
    let rule = "[[rule]]\nname = \"r\"\nselect = { path = \"a\" }\n\
        when = { cycle = { on = \"2s\", off = \"1s\" } }\n[rule.fault.metadata]\nsize = 77\nmode = 0o400\n";
    let mount = Mount::new(backing.path()).scenario(rule).start();
    let told = |name: &str| fs::metadata(mount.join(name)).unwrap().len();
    let within = std::time::Duration::from_secs(20);
    wait_until("it is told", within, || told("a") == 77);
    wait_until("its time is over", within, || told("a") == 10);
    wait_until("and comes again", within, || told("a") == 77);
    fs::set_permissions(mount.join("a"), fs::Permissions::from_mode(0o640)).unwrap();
    File::options().write(true).open(mount.join("a")).unwrap().set_len(20).unwrap();
    let stored = fs::metadata(backing.join("a")).unwrap();
    assert_eq!((stored.len(), stored.mode() & 0o777), (20, 0o640));
    let event = mount.delivered().swap_remove(0);
    let size = event.mistold.iter().find(|told| told.what == "size").unwrap();
    assert_eq!((&*size.before, &*size.after, event.errno), ("10", "77", None));
    fs::rename(mount.join("other"), mount.join("b")).unwrap();
    fs::rename(mount.join("a"), mount.join("c")).unwrap();
    assert_eq!((told("b"), told("c")), (10, 20));
}
