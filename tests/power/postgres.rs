//! PostgreSQL through power cuts at random points: what it said is committed is there, and sound.
//! `ERRORFS_POWER_CUTS` says how many cuts each (4).

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use crate::programs::is_installed;
use crate::support::*;

/// Where Debian has the server's programs, and how everybody finds the server.
const AROUND: &str = r#"
PATH="$PATH:$(echo /usr/lib/postgresql/*/bin | tr ' ' ':')"; export PATH
beside=$1; export PGHOST="$beside" PGUSER=bench PGDATABASE=postgres
ask() { psql -XAtq -v ON_ERROR_STOP=1 "$@"; }
serve() {
    rm -f "$0/data/postmaster.pid"
    # Whoever kills this shell leaves no server behind.
    setpriv --pdeathsig KILL postgres -D "$0/data" -c listen_addresses= -c unix_socket_directories="$beside" -c fsync=on \
        -c shared_buffers=4MB -c max_wal_size=8MB -c restart_after_crash=off >> "$beside/log" 2>&1 &
    server=$!
    # Run inside a function the trap has that function's $1.
    trap 'kill -QUIT $server 2> "$beside/null" || true; wait $server || true' EXIT
    until ask -c 'SELECT 1' > "$beside/null" 2>&1; do
        kill -0 $server 2> "$beside/null" || exit 3
        sleep 0.05
    done
}
"#;

/// A cluster with one table, shut down in order.
const MAKE: &str = r#"
initdb -k --wal-segsize=1 -D "$0/data" -A trust -U bench > "$beside/null"
serve
ask -c 'CREATE EXTENSION amcheck' -c 'CREATE TABLE t (x bigint PRIMARY KEY, data text)'
kill -TERM $server; wait $server; trap - EXIT
"#;

/// Recovers, says which rows are there, then adds others by two clients, and says each that is
/// committed, until the power goes. 3: it does not start; 4: it is not sound.
const WORK: &str = r#"
serve
ask -c "SELECT 'row ' || x FROM t" -c "SELECT bt_index_check('t_pkey', true)" || exit 4
add() {
    for n in $(seq "$1" 2 $(($1 + 2000))); do
        echo "INSERT INTO t VALUES ($n, repeat(md5(random()::text), 20));"
        echo "\\echo committed $n"
        [ $((n % 97)) != 0 ] || echo "CHECKPOINT;"
    done | ask -f - || true
}
add "$2" & one=$!
add $(($2 + 1)) & other=$!
wait $one $other
"#;

/// Reads everything, which finds every checksum right.
const CHECK: &str = r#"
serve
ask -c "SELECT bt_index_check('t_pkey', true)"
pg_dumpall > "$beside/dump"
kill -TERM $server; wait $server; trap - EXIT
"#;

/// What one round may take on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(900);

/// A cluster below a mount whose power goes now and then.
struct Cluster {
    backing: Backing,
    /// Sockets, the log and the state.
    beside: Backing,
    mount: Mount,
}

/// What was found after so many cuts.
#[derive(Debug, Default)]
struct Found {
    lost: BTreeSet<u64>,
    unsound: Vec<String>,
}

fn open() -> Backing {
    let backing = Backing::new();
    std::fs::set_permissions(backing.path(), PermissionsExt::from_mode(0o777)).unwrap();
    backing
}

/// PostgreSQL refuses to run as root.
fn run(script: &str, root: &Path, beside: &Path, first: u64) -> Ended {
    let script = format!("{AROUND}{script}");
    let program = Program::new("bash").args(["-euc", &script]).arg(root).arg(beside);
    let program = program.arg(first.to_string()).directory(beside).within(PATIENCE);
    if rustix::process::geteuid().is_root() { program.user(65534).run() } else { program.run() }
}

impl Cluster {
    fn new(model: &str) -> Cluster {
        let (backing, beside) = (open(), open());
        run(MAKE, backing.path(), beside.path(), 0).expect_status(0);
        let rule = |name: &str, select: &str| {
            format!(
                "[[rule]]\nname = \"{name}\"\nselect = {select}\nwhen = {{ probability = 0.003 }}\n\
                 [rule.fault.power_cut]\n{model}"
            )
        };
        let rules = rule("at-a-write", "{ ops = [\"write\"] }")
            + &rule("at-a-sync", "{ ops = [\"fsync\"], path = \"data/pg_wal/*\" }");
        let others: &[&str] =
            if rustix::process::geteuid().is_root() { &["--allow-other"] } else { &[] };
        let setup = Mount::new(backing.path()).scenario(&rules).seed(5).args(others);
        let setup = setup.args(["--allow-damage", "--state"]).args([beside.join("state")]);
        let mount = setup.within(Duration::from_secs(20_000)).start();
        Cluster { backing, beside, mount }
    }

    fn power_cuts(&self) -> usize {
        self.mount.delivered().iter().filter(|event| event.occurrence.is_some()).count()
    }

    /// Works, loses power, recovers, again and again; then everything is looked at once more.
    fn torment(mut self, cuts: usize) -> Found {
        let (mut found, mut committed) = (Found::default(), BTreeSet::new());
        for round in 1.. {
            let before = self.power_cuts();
            let done = before >= cuts;
            let ended = run(WORK, self.mount.path(), self.beside.path(), round * 10_000);
            let rows: BTreeSet<u64> = numbers(&ended.stdout, "row ");
            assert!(self.mount.is_mounted(), "errorfs is gone: {}", self.mount.said());
            assert!(ended.status.code().is_some(), "too slow to show anything: {ended}");
            let sound = ended.status.code() == Some(0);
            if sound {
                found.lost.extend(committed.difference(&rows));
            } else if self.power_cuts() == before {
                found.unsound.push(ended.to_string());
            }
            committed.extend(numbers(&ended.stdout, "committed "));
            if (done && sound) || !found.unsound.is_empty() || !found.lost.is_empty() {
                break;
            }
        }
        self.mount.stop();
        let ended = run(CHECK, self.backing.path(), self.beside.path(), 0);
        if ended.status.code() != Some(0) {
            found.unsound.push(ended.to_string());
        }
        if !found.unsound.is_empty() {
            found.unsound.push(std::fs::read_to_string(self.beside.join("log")).unwrap());
        }
        found
    }
}

fn numbers(text: &str, what: &str) -> BTreeSet<u64> {
    text.lines().filter_map(|line| line.strip_prefix(what)?.parse().ok()).collect()
}

fn cuts() -> usize {
    number("ERRORFS_POWER_CUTS").map_or(4, |cuts| cuts as usize)
}

/// "What is lost is lost really": and PostgreSQL, which syncs what it promises, loses none of it.
#[test]
fn postgresql_loses_nothing_that_it_committed() {
    if !is_installed("pgbench") {
        return;
    }
    require_fuse!();
    let found = Cluster::new("torn = 0.1\n").torment(cuts());
    assert!(found.lost.is_empty() && found.unsound.is_empty(), "{found:#?}");
}

#[test]
fn postgresql_above_a_device_that_lies_loses_what_it_committed() {
    if !is_installed("pgbench") {
        return;
    }
    require_fuse!();
    let found = Cluster::new("torn = 0.1\nlies = 0.5\n").torment(200);
    assert!(!found.lost.is_empty() || !found.unsound.is_empty(), "{found:?}");
}
