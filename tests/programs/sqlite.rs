//! SQLite: a write-ahead log with several connections, 100,000 rows, its own self-test.

use super::{is_installed, on_both, shell};

#[test]
fn sqlite_writes_100_000_rows_in_wal_mode_and_finds_them_sound() {
    if !is_installed("sqlite3") {
        return;
    }
    on_both(|root| {
        let script = "sqlite3 db <<'SQL'\n\
            PRAGMA journal_mode = wal;\n\
            CREATE TABLE t (id INTEGER PRIMARY KEY, word TEXT, data BLOB);\n\
            CREATE INDEX by_word ON t (word);\n\
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)\n\
            INSERT INTO t SELECT i, printf('%08d', i * 7919 % 100000), randomblob(50) FROM n;\n\
            .selftest --init\n\
            SQL\n\
            for k in 1 2 3 4; do\n\
              (for i in 1 2 3 4 5 6 7 8 9 10; do sqlite3 -cmd '.timeout 20000' db \
               'UPDATE t SET word = word || 1 WHERE id % 1000 = '$k; done) &\n\
            done; wait\n\
            sqlite3 db 'SELECT count(*) FROM t WHERE length(word) = 18'\n\
            sqlite3 db 'PRAGMA integrity_check; PRAGMA wal_checkpoint(TRUNCATE); SELECT count(*) FROM t'\n\
            sqlite3 db 'VACUUM; PRAGMA integrity_check'";
        let ended = shell(script, root).within(std::time::Duration::from_secs(120)).succeed();
        assert!(ended.stdout.ends_with("400\nok\n0|0|0\n100000\nok\n"), "{ended}");
    });
}

#[test]
fn sqlite_passes_its_own_selftest() {
    if !is_installed("sqlite3") {
        return;
    }
    on_both(|root| {
        let script = "sqlite3 db 'CREATE TABLE t (x); INSERT INTO t VALUES (1), (2)' && \
            sqlite3 db '.selftest --init' && sqlite3 db .selftest";
        shell(script, root).succeed().expect_said("0 errors out of");
    });
}
