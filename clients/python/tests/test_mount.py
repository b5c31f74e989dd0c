"""Mounts from Python: what they show, tell and leave behind."""

import os

import pytest

import errorfs
from conftest import ONE_BIT


def is_mounted(path):
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        return any(line.split()[1] == os.fspath(path) for line in mounts)


def test_a_mount_shows_its_faults_and_tells_of_them(data):
    with errorfs.mount(data, scenario=ONE_BIT) as mount:
        assert (mount.path / "file").read_bytes() == b"sevdn bytes"
        (event,) = mount.delivered()
        assert mount.seed == 7
        assert errorfs.describe(event).startswith(
            "bit: bit_flip delivered, read of file at 0+")
        assert "byte 3 bit 0 (0x65 -> 0x64)" in errorfs.describe(event)
    assert (data / "file").read_bytes() == b"seven bytes"
    assert not mount.path.exists()


def test_a_mount_without_a_scenario_is_the_directory(data):
    with errorfs.mount(data) as mount:
        assert (mount.path / "file").read_bytes() == b"seven bytes"
        assert mount.ledger is None and mount.delivered() == []


def test_scenarios_may_be_files_and_the_mountpoint_ones_own(data, tmp_path):
    file, mnt = tmp_path / "bit.toml", tmp_path / "mnt"
    file.write_text(ONE_BIT)
    with errorfs.mount(data, mnt, scenario=file, seed=8, ledger=tmp_path / "ledger") as mount:
        assert mount.path == mnt and is_mounted(mnt) and mount.seed == 8
        (mnt / "file").read_bytes()
    assert not is_mounted(mnt)
    outcomes = [event["outcome"] for event in errorfs.events(tmp_path / "ledger")]
    assert outcomes == ["delivered"]


def test_a_scenario_with_mistakes_is_refused_in_the_words_of_errorfs(data, tmp_path):
    mnt = tmp_path / "mnt"
    with pytest.raises(errorfs.MountError, match="no key `fualt`"):
        errorfs.mount(data, mnt, scenario="version = 1\n[[rule]]\nname = 'x'\nfualt = {}\n")
    assert not is_mounted(mnt)


def test_an_exception_leaves_no_mount(data, tmp_path):
    with pytest.raises(ZeroDivisionError):
        with errorfs.mount(data, tmp_path / "mnt"):
            raise ZeroDivisionError
    assert not is_mounted(tmp_path / "mnt")


def test_a_program_that_cannot_be_started_is_a_mount_error(data, tmp_path, monkeypatch):
    monkeypatch.setenv("ERRORFS", str(tmp_path / "nowhere"))
    with pytest.raises(errorfs.MountError, match="nowhere cannot be started: No such file"):
        errorfs.mount(data)
