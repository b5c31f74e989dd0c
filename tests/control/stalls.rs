//! Thousands of operations that wait, and changes that let them go.

use std::time::Instant;

use super::*;

/// So many operations wait: `ERRORFS_STALLED`, or two thousand.
fn threads() -> usize {
    std::env::var("ERRORFS_STALLED").map_or(2000, |text| text.parse().unwrap())
}

/// So many threads that read one byte each; prints how many got it.
const CROWD: &str = "import threading\nthreading.stack_size(65536)\n\
    fd, got, all = os.open(sys.argv[1], os.O_RDONLY), [], int(sys.argv[2])\n\
    crowd = [threading.Thread(target=lambda: got.append(os.pread(fd, 1, 0))) for _ in range(all)]\n\
    for one in crowd: one.start()\n\
    for one in crowd: one.join()\n\
    print(len(got), set(got))";

fn stalling(name: &str) -> String {
    format!(
        "[[rule]]\nname = \"{name}\"\nselect = {{ path = \"{name}\", ops = [\"read\"] }}\n\
         [rule.fault.stall]\n"
    )
}

#[test]
fn disarming_answers_everything_that_is_stalled_and_the_mount_is_idle() {
    require_fuse!();
    let threads = threads();
    let limit = Duration::from_secs(120 + threads as u64 / 20);
    let backing = Backing::new().with("file", b"x").with("other", b"y");
    let rules = [stalling("file"), stalling("other")].concat();
    let mut mount = Mount::new(backing.path()).scenario(&rules).seed(1).within(limit).start();
    let crowd = |name: &str, count: usize| {
        let count = count.to_string();
        let program = python(CROWD, [mount.join(name), count.into()]).within(limit);
        std::thread::spawn(move || program.run())
    };
    let (many, one) = (crowd("file", threads), crowd("other", 1));
    let api = Api::of(&mount);
    let waiting = || api.get("/v1/status")["waiting"].as_u64().unwrap();
    wait_until("all of them wait", limit, || waiting() == threads as u64 + 1);
    let start = Instant::now();
    api.post("/v1/rules/file/disarm");
    let answered = Instant::now();
    assert_eq!(waiting(), 1, "that of the rule that stays armed");
    let idle = answered.elapsed();
    println!("{threads} answered in {:?}, idle {idle:?} after", answered - start);
    assert!(idle < Duration::from_secs(1), "{idle:?}");
    let said = many.join().unwrap().expect_status(0).stdout;
    assert_eq!(said.trim(), format!("{threads} {{b'x'}}"));
    api.post("/v1/disarm");
    assert_eq!(waiting(), 0);
    assert_eq!(one.join().unwrap().expect_status(0).stdout.trim(), "1 {b'y'}");
    let released = mount.ledger().into_iter();
    let released = released.filter(|event| event.outcome == errorfs::ledger::Outcome::Released);
    assert_eq!(released.count(), threads + 1);
    mount.stop();
}

/// A stalled page fault holds its page, which the kernel could not drop otherwise.
#[test]
fn a_change_does_not_wait_for_page_faults_that_are_stalled() {
    require_fuse!();
    let backing = Backing::new().with("file", &[7; 9000]).with("other", b"y");
    let mut mount = Mount::new(backing.path()).scenario(&stalling("file")).seed(1).start();
    let touch = "print(mmap.mmap(os.open(sys.argv[1], 0), 0, prot=1)[5000])";
    let program = python(touch, [mount.join("file")]);
    let faults = std::thread::spawn(move || program.run());
    let api = Api::of(&mount);
    wait_until("it waits", LONG, || api.get("/v1/status")["waiting"] == 1);
    assert!(api.load(&[stalling("file"), stalling("other")].concat()).is_done());
    assert_eq!(faults.join().unwrap().expect_status(0).stdout.trim(), "7");
    mount.stop();
}

/// While a truncation is not answered the kernel writes back no page of the file, and so cannot drop
/// one that a program has changed: whoever changes the plan would wait for the stall, and so would
/// everybody who wants to end it.
#[test]
fn a_change_does_not_wait_for_a_truncation_that_is_stalled() {
    require_fuse!();
    let backing = zeros();
    let hangs = "[[rule]]\nname = \"hangs\"\nselect = { path = \"file\", ops = [\"setattr\"] }\n\
                 [rule.fault.stall]\n";
    let rules = [hangs, ROT].concat();
    let mut mount = Mount::new(backing.path()).scenario(&rules).seed(1).start();
    let signs = Backing::new();
    let program = "import threading\n\
        fd = os.open(sys.argv[1], os.O_RDWR)\npage = mmap.mmap(fd, 0)\n\
        cuts = threading.Thread(target=lambda: os.ftruncate(fd, 20000))\ncuts.start()\n\
        while not os.path.exists(sys.argv[2]): time.sleep(0.01)\n\
        page[9000] = 7\nopen(sys.argv[3], 'w').close()\n\
        cuts.join()\nprint(page[9000])";
    let paths = [mount.join("file"), signs.join("waits"), signs.join("dirty")];
    let program = python(program, &paths);
    let cuts = std::thread::spawn(move || program.run());
    let api = Api::of(&mount);
    wait_until("it waits", LONG, || api.get("/v1/status")["waiting"] == 1);
    std::fs::write(signs.join("waits"), b"").unwrap();
    wait_until("a page is changed", LONG, || signs.join("dirty").exists());
    let disarm = Program::errorfs("disarm").arg("rot").arg("--on").arg(mount.path());
    let disarmed = disarm.within(LONG).run();
    if !disarmed.status.success() {
        mount.signal(rustix::process::Signal::TERM);
    }
    let said = cuts.join().unwrap();
    disarmed.expect_status(0);
    assert_eq!(said.expect_status(0).stdout.trim(), "7");
    let released = mount.ledger().into_iter();
    let released = released.filter(|event| event.outcome == errorfs::ledger::Outcome::Released);
    assert_eq!(released.count(), 1, "it is told that the stall has ended");
    mount.stop();
    assert_eq!(std::fs::read(backing.join("file")).unwrap()[9000], 7);
}
