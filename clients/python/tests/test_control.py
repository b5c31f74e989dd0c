"""A live mount changed from Python: every change holds when its call returns."""

import pytest

import errorfs
from conftest import ONE_BIT


def read(mount):
    return (mount.path / "file").read_bytes()


def test_faults_come_and_go_while_programs_run(data):
    with errorfs.mount(data, scenario=ONE_BIT) as mount:
        assert read(mount) == b"sevdn bytes"
        assert mount.control.disarm()["generation"] == 2
        assert read(mount) == b"seven bytes"
        mount.control.arm("bit")
        assert read(mount) == b"sevdn bytes"
        (rule,) = mount.control.status()["rules"]
        assert rule["name"] == "bit" and rule["delivered"] == 2


def test_a_mount_without_faults_can_be_given_some(data):
    with errorfs.mount(data) as mount:
        mount.control.scenario(ONE_BIT)
        assert read(mount) == b"sevdn bytes"
        mount.control.scenario("version = 1\n")
        assert read(mount) == b"seven bytes"


def test_faults_of_a_scenario_that_came_later_are_told(data, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with errorfs.mount(data) as mount:
        assert mount.ledger is None and mount.delivered() == []
        mount.control.scenario(ONE_BIT)
        read(mount)
        (event,) = mount.delivered()
        assert event["rule"] == "bit" and mount.ledger == mount.control.status()["ledger"]
    assert mount.delivered() == [event], "also when it is gone"


def test_faults_of_a_scenario_that_came_later_are_told_after_the_end(data, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with errorfs.mount(data) as mount:
        mount.control.scenario(ONE_BIT)
        read(mount)
    assert [event["rule"] for event in mount.delivered()] == ["bit"]


def test_one_fault_at_an_exact_position_and_its_event(data):
    with errorfs.mount(data) as mount:
        mount.control.inject(path="file", byte=0, bit=5)
        assert read(mount) == b"Seven bytes"
        assert read(mount) == b"seven bytes"
        (event,) = [event for event in mount.control.events() if event.get("bits")]
        assert event["bits"][0]["byte"] == 0


def test_what_the_mount_refuses_is_an_error_with_its_reason(data):
    with errorfs.mount(data) as mount:
        with pytest.raises(errorfs.ControlError, match="unknown-key|no key") as refused:
            mount.control.scenario("version = 1\nfualts = 3\n")
        assert refused.value.status == 422
        assert mount.control.status()["rules"] == []
