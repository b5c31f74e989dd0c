"""The program: what was typed, everything measured, everything told, everything taken away."""

import json
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmark import backing, chart, document, machine, options, result, suite, table, toolchain
from benchmark.comparison import Comparison
from benchmark.process import Failed
from benchmark.size import FULL, QUICK
from benchmark.way import ways

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(arguments):
    """Ends with 1 if something of ours was not measured; what a peer cannot do is a result."""
    asked = options.parse(arguments)
    leave_on_signals()
    try:
        found = read(asked.source) if asked.source else measure(asked)
    except Failed as failed:
        print(f"bench: {failed}", file=sys.stderr)
        return 1
    tell(found, asked)
    return 1 if result.failures(found, peers=False) else 0


def leave_on_signals():
    """Turns signals into an ordinary end, in which mounts are unmounted; once."""

    def leave(number, _frame):
        for other in SIGNALS:
            signal.signal(other, signal.SIG_IGN)
        raise SystemExit(128 + number)

    for number in SIGNALS:
        signal.signal(number, leave)


def read(source):
    """What an earlier measurement has written."""
    try:
        found = json.loads(source.read_text())
    except (OSError, ValueError) as error:
        raise Failed(f"{source}: {error}") from error
    if not isinstance(found, dict) or found.get("format") != result.FORMAT:
        raise Failed(f"{source}: not written by this program, or by another version of it")
    return found


def measure(asked):
    """Everything that was asked for, as data."""
    toolchain.install(programs(asked))
    if needs_image(asked):
        backing.check_room()
    errorfs = (asked.errorfs or toolchain.build_errorfs()).absolute()
    with ExitStack() as stack:
        scratch = Path(tempfile.mkdtemp(prefix="errorfs-bench-")).resolve()
        stack.callback(backing.remove, scratch)
        tools = {"errorfs": errorfs, "metadata": toolchain.compile_metadata(scratch)}
        machine.warn()
        place = machine.describe()
        comparison = Comparison(asked, ways(asked.peers), QUICK if asked.quick else FULL, tools,
                                scratch)
        for name in asked.over:
            comparison.over(name)
        return result.collect(comparison, place, machine.versions(errorfs))


def programs(asked):
    """What the workloads and filesystems that were asked for are made with."""
    wanted = {name for workload in suite.selected(asked.only) for name in workload.programs}
    return wanted | ({"mkfs.ext4"} if needs_image(asked) else set())


def needs_image(asked):
    """Whether a filesystem is made in a file."""
    return "ext4" in asked.over and not asked.base


def tell(found, asked):
    """The table, and the files that were asked for."""
    print(table.text(found))
    for failed in result.failures(found):
        print(f"not measured: {failed}", file=sys.stderr)
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1) + "\n")
    if asked.svg:
        asked.svg.write_text(chart.chart(found))
    if asked.markdown:
        asked.markdown.write_text(document.document(found, asked.svg and asked.svg.name))
