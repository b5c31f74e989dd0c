//! PostgreSQL: a cluster made, run under pgbench, stopped, checked, by an ordinary user.

use std::path::Path;
use std::time::Duration;

use super::{is_installed, is_root, on_both};
use crate::support::Program;

/// Seconds of pgbench: the full run in release builds.
const SECONDS: &str = "20";

const WORK: &str = r#"
PATH="$PATH:$(echo /usr/lib/postgresql/*/bin | tr ' ' ':')"; export PATH
initdb -k -D "$0/data" -A trust -U bench >/dev/null
options="-c listen_addresses= -c unix_socket_directories=$1"
pg_ctl -D "$0/data" -l "$1/log" -w -t 60 -o "$options" start >/dev/null
trap 'pg_ctl -D "$0/data" -m immediate stop >/dev/null 2>&1 || true' EXIT
pgbench -h "$1" -U bench -i -s 2 -q postgres 2>/dev/null
pgbench -h "$1" -U bench -c 8 -j 2 -T "$2" postgres
pg_ctl -D "$0/data" -w -t 60 -m fast stop >/dev/null
trap - EXIT
pg_checksums --check -D "$0/data"
"#;

#[test]
fn postgresql_makes_a_cluster_and_survives_pgbench_with_sound_checksums() {
    if !is_installed("pgbench") {
        return;
    }
    on_both(|root| {
        let sockets = super::open();
        let ended = program(root)
            .arg(sockets.path())
            .arg(SECONDS)
            .directory(sockets.path())
            .within(Duration::from_secs(180))
            .succeed();
        ended.expect_said("number of failed transactions: 0").expect_said("Bad checksums:  0");
    });
}

/// PostgreSQL refuses to run as root.
fn program(root: &Path) -> Program {
    let program = Program::new("bash").args(["-euc", WORK]).arg(root);
    if is_root() { program.user(65534) } else { program }
}
