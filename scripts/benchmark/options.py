"""The command line: what was typed, checked before anything is built or mounted."""

import argparse
import re
import shlex
from pathlib import Path

from benchmark.suite import NAMES
from benchmark.way import OWN

FILESYSTEMS = ("tmpfs", "ext4")

DESCRIPTION = """\
Compares mounts with the plain directory below them. Every way does the same work within every
round; what is printed is the ratio to the plain directory in the same round: the median over the
rounds, and the least and greatest. 1 is as fast as native, bigger is better, for times as well."""


def parse(arguments):
    """What was typed; ends the program with status 2 where it makes no sense."""
    parser = build()
    options = parser.parse_args(arguments)
    try:
        options.only = names(options.only, NAMES, "workload")
        options.over = names(options.over, FILESYSTEMS, "filesystem")
        options.peers = dict(peer(text) for text in options.peer)
        places(options)
    except ValueError as error:
        parser.error(str(error))
    if options.rounds is None:
        options.rounds = 1 if options.quick else 3
    if options.rounds < 1:
        parser.error("--rounds: at least 1")
    return options


def build():
    """The options, each with its help."""
    parser = argparse.ArgumentParser(
        prog="bench",
        description=DESCRIPTION,
        epilog="workloads: " + " ".join(NAMES),
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="small and short: shows that it works, not how fast")
    add("--rounds", type=int, metavar="N", help="default: 3, with --quick 1")
    add("--only", metavar="NAME,..", help="these workloads only")
    add("--over", metavar="NAME,..", help="over these filesystems only: tmpfs, ext4")
    add("--base", type=Path, metavar="DIR", help="not ext4 in an image: below this directory")
    add("--peer", action="append", default=[], metavar="NAME=COMMAND",
        help="compare this too; COMMAND mounts {backing} at {mnt}")
    add("--errorfs", type=Path, metavar="FILE", help="this program, instead of building it")
    add_outputs(add)
    return parser


def add_outputs(add):
    """Where results go, and where they may come from."""
    add("--json", type=Path, metavar="FILE", help="write all that was measured")
    add("--svg", type=Path, metavar="FILE", help="write a chart")
    add("--markdown", type=Path, metavar="FILE", help="write BENCHMARKS.md")
    add("--from", type=Path, metavar="FILE", dest="source",
        help="measure nothing: take what --json wrote")


def places(options):
    """Refuses now what could not be written after half an hour."""
    for path in filter(None, (options.json, options.svg, options.markdown)):
        if not path.absolute().parent.is_dir():
            raise ValueError(f"{path}: there is no such directory")
    if options.base and not options.base.is_dir():
        raise ValueError(f"--base {options.base}: no directory")
    if options.errorfs and not options.errorfs.is_file():
        raise ValueError(f"--errorfs {options.errorfs}: no file")


def names(typed, known, what):
    """The names in a list with commas, in the order in which they are known."""
    if typed is None:
        return list(known)
    asked = [name.strip() for name in typed.split(",")]
    for name in asked:
        if name not in known:
            raise ValueError(f"no {what} is called {name!r}; there are: {', '.join(known)}")
    return [name for name in known if name in asked]


def peer(text):
    """A name and the words of a command."""
    name, equals, command = text.partition("=")
    if not equals or not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
        raise ValueError(f"--peer {text!r}: write NAME=COMMAND, the name in small letters")
    if name in OWN:
        raise ValueError(f"--peer {name}: that is one of errorfs' own ways")
    for placeholder in ("{backing}", "{mnt}"):
        if placeholder not in command:
            raise ValueError(f"--peer {name}: the command does not say {placeholder}")
    return name, shlex.split(command)
