//! SQLite through power cuts at random points: what it said is committed is there, and sound.
//! `ERRORFS_POWER_CUTS` says how many cuts each (20).

use crate::support::*;

/// Adds rows in transactions, and says each that is committed; ends when the power goes.
const WORK: &str = "import sqlite3\n\
    db = sqlite3.connect(sys.argv[1] + '/db', isolation_level=None, timeout=1)\n\
    try:\n\
    \x20 db.execute('PRAGMA journal_mode = ' + JOURNAL)\n\
    \x20 db.execute('PRAGMA synchronous = ' + SYNC)\n\
    \x20 db.execute('CREATE TABLE IF NOT EXISTS t (x INTEGER PRIMARY KEY, data BLOB)')\n\
    \x20 n = db.execute('SELECT coalesce(max(x), 0) FROM t').fetchone()[0]\n\
    \x20 for x in range(n + 1, n + 200):\n\
    \x20   db.execute('BEGIN')\n\
    \x20   db.execute('INSERT INTO t VALUES (?, ?)', (x, os.urandom(random.randrange(5000))))\n\
    \x20   db.execute('UPDATE t SET data = ? WHERE x = ?', (os.urandom(100), random.randrange(1, x + 1)))\n\
    \x20   db.execute('COMMIT')\n\
    \x20   print(x, flush=True)\n\
    except sqlite3.Error as error:\n\
    \x20 print('error', error, file=sys.stderr)\n";

/// Says whether the database is sound, and which rows it has.
const CHECK: &str = "import sqlite3\n\
    db = sqlite3.connect(sys.argv[1] + '/db', timeout=1)\n\
    print(db.execute('PRAGMA integrity_check').fetchone()[0])\n\
    if db.execute(\"SELECT count(*) FROM sqlite_master\").fetchone()[0]:\n\
    \x20 print(*[row[0] for row in db.execute('SELECT x FROM t')])\n";

/// What was found after so many cuts.
#[derive(Debug, Default)]
struct Found {
    lost: usize,
    unsound: usize,
}

fn cuts() -> usize {
    let said = std::env::var("ERRORFS_POWER_CUTS").ok();
    said.and_then(|text| text.parse().ok()).unwrap_or(20)
}

/// Works, loses power, recovers, again and again.
fn torment(model: &str, journal: &str, sync: &str) -> Found {
    let (backing, state) = (Backing::new(), tempfile::tempdir().unwrap());
    let rule = "[[rule]]\nname = \"power\"\nselect = { ops = [\"write\", \"fsync\", \"unlink\"] }\n\
        when = { probability = 0.02 }\n[rule.fault.power_cut]\n";
    let setup = Mount::new(backing.path()).scenario(&format!("{rule}{model}")).seed(5);
    let setup = setup.args(["--allow-damage", "--state"]).args([state.path().join("state")]);
    let mut mount = setup.within(std::time::Duration::from_secs(1_200)).start();
    let settings = format!("JOURNAL, SYNC = '{journal}', '{sync}'\n");
    let (mut found, mut committed) = (Found::default(), 0_u64);
    while power_cuts(&mount) < cuts() {
        let work = python(&format!("{settings}{WORK}"), [mount.path()]).run();
        let said = work.stdout.lines().filter_map(|line| line.parse().ok()).max();
        committed = committed.max(said.unwrap_or(0));
        let Some(rows) = check(&mount) else {
            found.unsound += 1;
            break;
        };
        if (1..=committed).any(|row| !rows.contains(&row)) {
            found.lost += 1;
            committed = rows.iter().copied().max().unwrap_or(0);
        }
    }
    mount.stop();
    found
}

fn power_cuts(mount: &Mount) -> usize {
    mount.delivered().iter().filter(|event| event.occurrence.is_some()).count()
}

/// The rows of a sound database, once it can be read without another cut.
fn check(mount: &Mount) -> Option<std::collections::HashSet<u64>> {
    loop {
        let before = power_cuts(mount);
        let checked = python(CHECK, [mount.path()]).run();
        if power_cuts(mount) > before {
            continue;
        }
        let (sound, rows) = checked.stdout.split_once('\n')?;
        let rows = rows.split_whitespace().filter_map(|row| row.parse().ok()).collect();
        return (sound == "ok" && checked.status.success()).then_some(rows);
    }
}

fn nothing_is_lost(model: &str, journal: &str, sync: &str) {
    require_fuse!();
    let found = torment(model, journal, sync);
    assert!(found.lost == 0 && found.unsound == 0, "{model} {journal} {sync}: {found:?}");
}

const HONEST: &str = "torn = 0.1\nnames = \"strict\"\n";

#[test]
fn sqlite_with_a_write_ahead_log_loses_nothing_that_it_committed() {
    nothing_is_lost(HONEST, "wal", "full");
}

#[test]
fn sqlite_with_a_rollback_journal_loses_nothing_that_it_committed() {
    nothing_is_lost(HONEST, "truncate", "full");
}

/// Removing the journal commits, and only `extra` syncs the directory then.
#[test]
fn sqlite_that_removes_its_journal_loses_nothing_if_it_syncs_the_directory() {
    nothing_is_lost(HONEST, "delete", "extra");
}

#[test]
fn sqlite_that_removes_its_journal_without_a_sync_stays_sound_and_loses_the_last_transaction() {
    require_fuse!();
    let found = torment(HONEST, "delete", "full");
    assert!(found.unsound == 0 && found.lost > 0, "{found:?}");
}

#[test]
fn sqlite_above_a_device_that_lies_loses_what_it_committed() {
    require_fuse!();
    let found = torment("torn = 0.1\nlies = 0.5\n", "wal", "full");
    assert!(found.lost + found.unsound > 0, "{found:?}");
}
