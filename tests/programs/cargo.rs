//! cargo: a small crate without dependencies, built, run, changed, built again, all on the mount.

use super::{on_both, shell};

const WORK: &str = r#"
cargo init -q --vcs none --name small --bin crate
cd crate
cargo run -q --offline
sed -i 's/Hello, world!/Hello again!/' src/main.rs
cargo run -q --offline
cargo build -q --offline --release
target/release/small
"#;

#[test]
fn cargo_builds_runs_and_rebuilds_a_crate() {
    on_both(|root| {
        let program = shell(WORK, root).env("CARGO_TARGET_DIR", "target");
        let ended = program.within(std::time::Duration::from_secs(180)).succeed();
        assert_eq!(ended.stdout, "Hello, world!\nHello again!\nHello again!\n");
    });
}
