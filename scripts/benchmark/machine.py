"""What was measured on: enough to understand a figure, nothing that names the machine."""

import os
import platform
import sys
from datetime import datetime, timezone
from pathlib import Path

from benchmark.process import Failed, run
from benchmark.toolchain import ROOT

# Above this somebody else was at work.
QUIET_LOAD = 0.5


def describe():
    """Processor, memory, kernel, how busy it was."""
    return {
        "when": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
        "load_before": os.getloadavg()[0],
        "user": "root" if os.geteuid() == 0 else "an ordinary user",
        "drops_caches": may_drop_caches(),
    }


def may_drop_caches():
    """Whether the kernel can be told to forget what it cached; only root can."""
    return os.access("/proc/sys/vm/drop_caches", os.W_OK)


def processor():
    """Its name, where the kernel tells it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            return value.strip()
    return "unknown"


def versions(errorfs):
    """The programs that took part."""
    told = {
        "errorfs": first_line([errorfs, "--version"]),
        "commit": first_line(["git", "-C", ROOT, "-c", "safe.directory=*", "describe", "--always",
                              "--dirty", "--abbrev=12"]),
        "fio": first_line(["fio", "--version"]),
        "git": first_line(["git", "--version"]),
        "tar": first_line(["tar", "--version"]),
    }
    return {**told, "python": platform.python_version()}


def first_line(command):
    """What a program says of itself."""
    try:
        return run(command, 20).splitlines()[0]
    except (Failed, IndexError):
        return "unknown"


def warn():
    """Says what makes the figures worth less."""
    if not may_drop_caches():
        print("bench: only root can empty caches: cold are the mounts' own only", file=sys.stderr)
    load = os.getloadavg()[0]
    if load > QUIET_LOAD:
        print(f"bench: the machine is busy (load {load:.1f}): the figures are rough",
              file=sys.stderr)
