//! Redis: an append-only file under its own benchmark, loaded again after a restart.

use super::{is_installed, on_both, shell};

const WORK: &str = r#"
socket=$(mktemp -u /tmp/errorfs-redis-XXXXXX)
start() {
    redis-server --port 0 --unixsocket "$socket" --dir "$0" --appendonly yes \
        --appendfsync everysec --daemonize no --save '' --logfile '' >/dev/null &
    server=$!
    for try in $(seq 200); do
        [ "$(redis-cli -s "$socket" ping 2>/dev/null)" != PONG ] || return 0
        sleep 0.05
    done
    return 1
}
trap 'kill $server 2>/dev/null || true; rm -f "$socket"' EXIT
start
redis-benchmark -s "$socket" -q -n 20000 -r 5000 -t set,lpush,hset >/dev/null
redis-cli -s "$socket" bgrewriteaof >/dev/null
redis-cli -s "$socket" set marker there >/dev/null
before=$(redis-cli -s "$socket" dbsize)
redis-cli -s "$socket" shutdown
wait $server
start
[ "$(redis-cli -s "$socket" dbsize)" = "$before" ]
redis-cli -s "$socket" get marker
redis-cli -s "$socket" shutdown
wait $server
redis-check-aof "$0"/appendonlydir/*.manifest
"#;

#[test]
fn redis_keeps_what_its_append_only_file_says() {
    if !is_installed("redis-server") {
        return;
    }
    on_both(|root| {
        let ended = shell(WORK, root).within(std::time::Duration::from_secs(120)).succeed();
        ended.expect_said("there").expect_said("All AOF files and manifest are valid");
    });
}
