//! What rules select: paths, bytes, occurrences; what two rules do to the same bytes.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use errorfs::diagnostic::Severity;
use errorfs::scenario::parse;

use crate::mount::errno;
use crate::support::*;

const NAMES: &[&str] = &[
    "a.db",
    "b.db",
    "B.db",
    "a.log",
    "data/a.db",
    "data/sub/x.db",
    "tmp/x.db",
    "a*b",
    "axb",
    "a/b/c",
];

/// The paths that a pattern selects.
fn selected(path: &str) -> Vec<String> {
    let rule = format!(
        "version = 1\nseed = 1\n[[rule]]\nname = \"r\"\nselect = {{ path = {path} }}\n\
         [rule.fault.bit_flip]\nat = [{{ byte = 0, bit = 0 }}]\n"
    );
    let backing = NAMES.iter().fold(Backing::new(), |backing, name| backing.with(name, b"x"));
    let scratch = Backing::new().with("s.toml", rule.as_bytes());
    let preview =
        Program::errorfs("preview").args(["--json", "--scenario"]).arg(scratch.join("s.toml"));
    let said = preview.arg(backing.path()).run().stdout;
    let path = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        Some(line.get("path")?.as_str()?.to_owned())
    };
    let mut paths: Vec<String> = said.lines().filter_map(path).collect();
    paths.sort();
    paths
}

/// "**`path`** is relative to the mount's root, without a leading `/` or `./`." "`*` is any part of one
/// name and does not cross `/`; `**`, as a whole part, crosses folders: `*.db` selects in the root only,
/// `**/*.db` everywhere, `data/**` everything below `data`." "`?` is one byte, `[ab]` one of these, `[!ab]`
/// any other byte (`/` too: write `[!ab/]` to stay in the folder), `{a,b}` either; a backslash takes the
/// next character as it is." "Matching is by bytes, and case matters." "A leading `!` excludes; a path is
/// selected if any pattern without `!` matches it (or there is none such) and no pattern with `!` does."
#[test]
fn patterns_select_the_paths_that_they_say() {
    for (pattern, paths) in [
        ("\"*.db\"", &["B.db", "a.db", "b.db"][..]),
        ("\"**/*.db\"", &["B.db", "a.db", "b.db", "data/a.db", "data/sub/x.db", "tmp/x.db"]),
        ("\"data/**\"", &["data/a.db", "data/sub/x.db"]),
        ("\"?.db\"", &["B.db", "a.db", "b.db"]),
        ("\"[ab].db\"", &["a.db", "b.db"]),
        ("\"[!ab].db\"", &["B.db"]),
        ("\"a[!x]b/c\"", &["a/b/c"]),
        ("\"a[!x/]b*\"", &["a*b"]),
        ("\"a.{db,log}\"", &["a.db", "a.log"]),
        ("'a\\*b'", &["a*b"]),
        ("\"b.DB\"", &[]),
        ("[\"**/*.db\", \"!tmp/**\", \"!*.db\"]", &["data/a.db", "data/sub/x.db"]),
        ("[\"!**/*.db\"]", &["a*b", "a.log", "a/b/c", "axb"]),
    ] {
        assert_eq!(selected(pattern), paths, "{pattern}");
    }
    for pattern in ["/a.db", "./a.db"] {
        let rule = format!(
            "version = 1\n[[rule]]\nname = \"r\"\nselect.path = \"{pattern}\"\nfault.dead = {{}}\n"
        );
        assert_eq!(parse(&rule).diagnostics[0].code, "impossible-path", "{pattern}");
    }
}

/// "**`bytes`** selects operations that touch the range, and damage inside of it." "Only read, write,
/// fallocate and copy_file_range concern bytes: with `bytes`, a rule looks at no other operation (but see
/// `fsync`)."
#[test]
fn bytes_select_operations_that_touch_them_and_damage_inside() {
    require_fuse!();
    let backing = Backing::new().with("file", &[0; 16_384]).with("dark", &[0; 16_384]);
    let rules = "[[rule]]\nname = \"r\"\nselect = { path = \"file\", bytes = \"4096..8192\" }\n\
        [rule.fault.error]\nerrno = \"EIO\"\n\
        [[rule]]\nname = \"d\"\nselect = { path = \"dark\", bytes = \"4096..8192\" }\n\
        [rule.fault.bit_flip]\nrate = 0.5\n";
    let mount = Mount::new(backing.path()).scenario(rules).seed(1).start();
    let file = File::options().read(true).write(true).open(mount.join("file")).unwrap();
    let read = |at, len| errno(file.read_at(&mut vec![0; len], at));
    assert_eq!([read(0, 4_096), read(8_192, 10)], [None; 2]);
    assert_eq!([read(0, 4_097), read(8_191, 1), read(4_096, 9_999)], [Some(5); 3]);
    assert_eq!([errno(file.write_at(b"x", 0)), errno(file.write_at(b"x", 5_000))], [None, Some(5)]);
    let reserve = |at| {
        let keep = rustix::fs::FallocateFlags::KEEP_SIZE;
        rustix::fs::fallocate(&file, keep, at, 10).map_err(|error| error.raw_os_error())
    };
    assert_eq!([reserve(0), reserve(5_000)], [Ok(()), Err(5)]);
    file.sync_all().unwrap();
    file.set_len(5_000).unwrap();
    file.metadata().unwrap();
    let dark = fs::read(mount.join("dark")).unwrap();
    let flipped = |range: std::ops::Range<usize>| dark[range].iter().any(|byte| *byte != 0);
    assert_eq!(
        [flipped(0..4_096), flipped(4_096..8_192), flipped(8_192..16_384)],
        [false, true, false]
    );
}

/// "`nth`, `every` and `times` are counted for each rule by itself, over all files, in the order in which
/// the operations arrive, from 1 at arming."
#[test]
fn each_rule_counts_by_itself_over_all_files() {
    require_fuse!();
    let backing = Backing::new().with("a", b"x").with("b", b"x");
    let rule = |name: &str, select: &str, nth: u32| {
        format!(
            "[[rule]]\nname = \"{name}\"\nselect = {{ ops = [\"read\"]{select} }}\n\
             when = {{ nth = {nth} }}\n[rule.fault.error]\nerrno = \"EIO\"\n"
        )
    };
    let rules = rule("all", "", 3) + &rule("one", ", path = \"b\"", 3);
    let mount = Mount::new(backing.path()).scenario(&rules).start();
    let files = ["a", "b"].map(|name| File::open(mount.join(name)).unwrap());
    let read = |file: usize| files[file].read_at(&mut [0; 1], 0).is_err();
    let failed = [0, 1, 0, 1, 1, 1].map(read);
    assert_eq!(failed, [false, false, true, false, true, false]);
}

/// "0 is legal, for control runs, and gives a warning."
#[test]
fn zero_is_legal_and_gives_a_warning() {
    for fault in [
        "bit_flip = { rate = 0 }",
        "bad_sector = { rate = 0.0 }",
        "metadata = { rate = 0, size = 1 }",
    ] {
        let rule = format!("version = 1\n[[rule]]\nname = \"r\"\nfault = {{ {fault} }}\n");
        let parsed = parse(&rule);
        let said: Vec<_> = parsed.diagnostics.iter().map(|one| (one.code, one.severity)).collect();
        assert_eq!(said, [("never-fires", Severity::Warning)], "{fault}");
        assert!(parsed.scenario.is_some());
    }
}

/// "Sticky `rate` does not strike them; sticky `count`, `clusters` and `at` hold for generation 1, the
/// first that has an earlier one."
#[test]
fn stale_regions_are_of_the_first_generation_that_has_an_earlier_one() {
    require_fuse!();
    for (keys, second) in [("rate = 1.0", 2), ("count = 2", 3), ("clusters = { median = 1e6 }", 3)]
    {
        let backing = Backing::new().with("file", &[1; 8_192]);
        let rule =
            format!("[[rule]]\nname = \"r\"\n[rule.fault.corrupt]\ncontent = \"stale\"\n{keys}\n");
        let mut mount = Mount::new(backing.path()).scenario(&rule).seed(1).start();
        let first = || fs::read(mount.join("file")).unwrap()[0];
        let mut seen = vec![first()];
        let never_overwritten = mount.ledger().len();
        for byte in [2, 3] {
            write_at(&mount.join("file"), 0, &[byte; 4_096]).unwrap();
            seen.push(first());
        }
        assert_eq!((never_overwritten, seen), (0, vec![1, 1, second]), "{keys}");
        mount.stop();
    }
}

/// "As `count`, the damage holds for the first generation, or for the place (`permanent`)."
#[test]
fn damage_in_clusters_is_of_the_first_generation_or_of_the_place() {
    require_fuse!();
    for (persistence, stays) in [("sticky", false), ("permanent", true)] {
        let backing = Backing::new().with("file", &[1; 8_192]);
        let rule = format!(
            "[[rule]]\nname = \"r\"\n[rule.fault.corrupt]\ncontent = \"zero\"\n\
             clusters = {{ median = 1e6 }}\npersistence = \"{persistence}\"\n"
        );
        let mount = Mount::new(backing.path()).scenario(&rule).seed(1).start();
        let first = || fs::read(mount.join("file")).unwrap()[0];
        assert_eq!(first(), 0);
        write_at(&mount.join("file"), 0, &[2; 8_192]).unwrap();
        assert_eq!(first(), if stays { 0 } else { 2 }, "{persistence}");
    }
}

/// "A misdirected read gets what the medium holds elsewhere; of two that meet, the first rule's." "Other
/// damage is that of the place that was asked for."
#[test]
fn of_two_misdirected_reads_the_first_rule_has_the_block() {
    require_fuse!();
    let backing = Backing::new().with("file", &[[1; 4_096], [2; 4_096], [3; 4_096]].concat());
    let rule = |name: &str, to: u32| {
        format!(
            "[[rule]]\nname = \"{name}\"\nselect = {{ ops = [\"read\"] }}\n[rule.fault.misdirected]\n\
             at = 0\nto = {to}\n"
        )
    };
    let flips = "[[rule]]\nname = \"f\"\n[rule.fault.bit_flip]\n\
        at = [{ byte = 7, bit = 7 }, { byte = 4103, bit = 6 }, { byte = 8199, bit = 5 }]\n";
    for (one, other, wanted) in [(4_096, 8_192, 2), (8_192, 4_096, 3)] {
        let rules = format!("{}{}{flips}", rule("one", one), rule("other", other));
        let mount = Mount::new(backing.path()).scenario(&rules).seed(1).start();
        let seen = read_at(&mount.join("file"), 0, 4_096).unwrap();
        assert_eq!((seen[0], seen[7], seen[4_095]), (wanted, wanted | 128, wanted));
    }
}

/// "Of a write with `on = "write"` 5 and 6 are done to what it stores, in the backing directory."
#[test]
fn of_what_is_stored_wrong_regions_come_first_and_bits_are_flipped_in_them() {
    require_fuse!();
    let backing = Backing::new().with("file", &[1; 4_096]);
    let state = tempfile::tempdir().unwrap();
    let rules = "[[rule]]\nname = \"flip\"\n[rule.fault.bit_flip]\nat = [{ byte = 7, bit = 7 }]\n\
        on = \"write\"\n\
        [[rule]]\nname = \"nines\"\n[rule.fault.corrupt]\ncontent = { byte = 9 }\n\
        at = [{ byte = 0 }]\nregion = \"512B\"\non = \"write\"\n\
        [[rule]]\nname = \"zeros\"\n[rule.fault.corrupt]\ncontent = \"zero\"\n\
        at = [{ byte = 0 }]\nregion = \"1KiB\"\non = \"write\"\n";
    let setup = Mount::new(backing.path()).scenario(rules).seed(1);
    let mut mount =
        setup.args(["--allow-damage", "--state"]).args([state.path().join("state")]).start();
    write_at(&mount.join("file"), 0, &[2; 4_096]).unwrap();
    let mut wanted = [vec![9; 512], vec![0; 512], vec![2; 3_072]].concat();
    wanted[7] = 9 | 128;
    assert!(fs::read(backing.join("file")).unwrap() == wanted);
    mount.stop();
    Program::errorfs("heal").arg(state.path().join("state")).succeed();
    assert!(fs::read(backing.join("file")).unwrap() == [2; 4_096]);
}

/// "**`xattr`**: as many zeros, or every bit flipped; the attributes by which the kernel decides who may
/// do what stay as they are."
#[test]
fn values_of_attributes_are_wrong_but_for_those_of_the_kernel() {
    use rustix::fs::{XattrFlags, getxattr, setxattr};
    require_fuse!();
    require_root!();
    let attributes: [(&str, &[u8]); 3] = [
        ("user.k", b"\x01\xff"),
        ("trusted.k", b"\x01\xff"),
        // CAP_NET_RAW, permitted, as setcap(8) writes it.
        ("security.capability", b"\x00\x00\x00\x02\x00\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
    ];
    for (content, user) in [("zero", [0, 0]), ("inverted", [0xFE, 0])] {
        let backing = Backing::new().with("a", b"x");
        for (name, value) in attributes {
            if setxattr(backing.join("a"), name, value, XattrFlags::empty()).is_err() {
                return skipped("the temporary directory takes no such attributes");
            }
        }
        let rule =
            format!("[[rule]]\nname = \"r\"\n[rule.fault.metadata]\nxattr = \"{content}\"\n");
        let mount = Mount::new(backing.path()).scenario(&rule).start();
        let told = |name: &str| {
            let mut value = [0; 64];
            let len = getxattr(mount.join("a"), name, &mut value).unwrap();
            value[..len].to_vec()
        };
        assert_eq!([told("user.k"), told("trusted.k")], [user.to_vec(), user.to_vec()]);
        assert_eq!(told("security.capability"), attributes[2].1);
    }
}
