"""What a mount costs before anybody uses it: the time until it answers, and memory.

These are no ratios: the plain directory has no such costs. They are told beside the verdicts.
"""

import time
from contextlib import closing

from benchmark.mount import READY_SECONDS, Mount
from benchmark.process import Failed, end, start, timed

# `errorfs run` is given this way's scenario: it fires nothing.
RUN_WAY = "counted"


def start_seconds(mount, metadata):
    """From starting the program until a stat of the mountpoint is answered by the mount."""
    watcher = start([str(metadata), "answered", str(mount.root)])
    try:
        watcher.stdout.readline()
        begin = time.monotonic()
        mount.spawn()
        said, _ = watcher.communicate(timeout=READY_SECONDS)
        return float(said) - begin
    except Exception as error:
        raise Failed(f"{mount.way.name}: no answer: {error!r}: {mount.said()}") from error
    finally:
        end(watcher)


def starts(way, errorfs, backing, scratch, metadata, times):
    """As often as asked, each on a new mountpoint and undone before the next."""
    found = []
    for number in range(times):
        with closing(Mount(way, errorfs, backing, scratch / f"start-{way.name}-{number}")) as mount:
            found.append(start_seconds(mount, metadata))
    return found


def runs(way, errorfs, backing, scratch, times):
    """Seconds of `errorfs run` of a command that does nothing; for native of that command alone."""
    found = []
    for number in range(times):
        scenario = scratch / "run.toml"
        ledger = scratch / f"run-{number}.ledger"
        words = ["true"]
        if not way.is_native:
            scenario.write_text(way.scenario())
            words = [errorfs, "run", "--scenario", scenario, "--ledger", ledger, "--on", backing,
                     "--", *words]
        found.append(timed(words, cwd=scratch))
    return found
