"""What the benchmark is made with: packages that are missing, errorfs, the program in C."""

import os
import shutil
import sys
from pathlib import Path

from benchmark.process import Failed, attempt, run

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {
    "fio": "fio",
    "git": "git",
    "tar": "tar",
    "find": "findutils",
    "cc": "gcc",
    "fusermount3": "fuse3",
    "mkfs.ext4": "e2fsprogs",
    "findmnt": "util-linux",
}
ALWAYS = {"cc", "fusermount3", "findmnt"}
BUILD_SECONDS = 1800
INSTALL_SECONDS = 600


def install(programs):
    """Installs what is missing of these, as scripts/setup does, or says what to install."""
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    missing = [PACKAGES[name] for name in sorted(ALWAYS | programs) if not shutil.which(name)]
    if not missing:
        return
    print(f"bench: installing {' '.join(missing)}", file=sys.stderr)
    command = [*as_root(), "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y",
               "-qq", "--no-install-recommends", *missing]
    if attempt(command, INSTALL_SECONDS):
        return
    attempt([*as_root(), "apt-get", "update", "-qq"], INSTALL_SECONDS)
    if not attempt(command, INSTALL_SECONDS):
        raise Failed(f"run 'apt-get install {' '.join(missing)}' as root, then this again")


def as_root():
    """What makes a command root's: nothing, for root."""
    return [] if os.geteuid() == 0 else ["sudo", "-n"]


def build_errorfs():
    """The release build of this tree."""
    print("bench: building errorfs", file=sys.stderr)
    run(["cargo", "build", "--locked", "--release", "--quiet", "--manifest-path",
         ROOT / "Cargo.toml"], BUILD_SECONDS)
    target = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
    return target.absolute() / "release" / "errorfs"


def compile_metadata(directory):
    """The program whose loops cost nothing beside the system calls that they time."""
    program = directory / "metadata"
    source = Path(__file__).parent / "metadata.c"
    run(["cc", "-O2", "-Wall", "-Werror", "-o", program, source])
    return program
