//! Pages that programs have mapped and change while plans come and go.

use super::*;

/// Writes to its mapping all the while; what is stored in the end is what it wrote, and no damage. What
/// it writes is never one flip away from what it wrote before: a byte that is set to exactly what was
/// served wrong there cannot be told from one that is not set.
const WRITER: &str = "fd = os.open(sys.argv[1], os.O_RDWR)\n\
    page = mmap.mmap(fd, 0)\nround = 0\n\
    while not os.path.exists(sys.argv[2]):\n\
    \x20   round = 0xF0 if round == 0x0F else 0x0F\n\
    \x20   for at in range(100, len(page), 4096): page[at] = round\n\
    \x20   open(sys.argv[3], 'w').close()\n\
    page.flush()\nprint(round)";

#[test]
fn damage_of_no_plan_gets_into_what_a_mapping_writes_back() {
    require_fuse!();
    for rules in [
        "[[rule]]\nname = \"r\"\nselect = { path = \"file\" }\n[rule.fault.bit_flip]\nrate = 1e-3\n",
        "[[rule]]\nname = \"r\"\nselect = { path = \"file\" }\n[rule.fault.corrupt]\ncount = 9\n\
         content = \"junk\"\n",
        "[[rule]]\nname = \"r\"\nselect = { path = \"file\" }\n[rule.fault.bit_flip]\nrate = 1e-3\n\
         persistence = \"transient\"\n",
    ] {
        let backing = Backing::new().with_noise("file", 200_000);
        let before = std::fs::read(backing.join("file")).unwrap();
        let mut mount = Mount::new(backing.path()).scenario(rules).seed(3).start();
        let signs = Backing::new();
        let paths = [mount.join("file"), signs.join("stop"), signs.join("wrote")];
        let writer = python(WRITER, &paths);
        let writer = std::thread::spawn(move || writer.run());
        let api = Api::of(&mount);
        for _ in 0..15 {
            for change in ["/v1/disarm", "/v1/arm"] {
                let _ = std::fs::remove_file(signs.join("wrote"));
                wait_until("it writes", LONG, || {
                    signs.join("wrote").exists() || writer.is_finished()
                });
                api.post(change);
            }
        }
        std::fs::write(signs.join("stop"), b"").unwrap();
        let round = writer.join().unwrap().expect_status(0).stdout.trim().parse().unwrap();
        mount.stop();
        let mut wanted = before;
        (100..wanted.len()).step_by(4096).for_each(|at| wanted[at] = round);
        assert!(std::fs::read(backing.join("file")).unwrap() == wanted, "{rules}");
    }
}
