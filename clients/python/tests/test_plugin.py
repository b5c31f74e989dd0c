"""The plugin on a sample project with a passing and a failing test."""

SAMPLE = """
import pytest

SCENARIO = '''
version = 1
seed = 7
[[rule]]
name = "bit"
select = { path = "data" }
[rule.fault.bit_flip]
at = [{ byte = 3, bit = 0 }]
'''

@pytest.fixture
def filled(tmp_path):
    (tmp_path / "backing").mkdir()
    for name in ("data", "other"):
        (tmp_path / "backing" / name).write_bytes(b"seven bytes")

@pytest.mark.errorfs(scenario=SCENARIO)
def test_that_reads_what_is_whole(filled, errorfs_mount):
    assert (errorfs_mount.path / "other").read_bytes() == b"seven bytes"

@pytest.mark.errorfs(scenario=SCENARIO)
def test_that_trusts_its_disk(filled, errorfs_mount):
    assert (errorfs_mount.path / "data").read_bytes() == b"seven bytes"
"""


def test_the_report_of_a_failing_test_names_the_fault_and_the_seed(pytester):
    pytester.makepyfile(SAMPLE)
    ended = pytester.runpytest("-p", "errorfs.pytest_plugin", "--errorfs-required")
    ended.assert_outcomes(passed=1, failed=1)
    ended.stdout.fnmatch_lines([
        "*test_that_trusts_its_disk*",
        "* errorfs *",
        "mounted at *, seed 7",
        "bit: bit_flip delivered, read of data at 0+*, byte 3 bit 0 (0x65 -> 0x64); by *",
    ])
    assert ended.stdout.str().count("bit_flip delivered") == 1


def test_without_errorfs_tests_are_skipped_unless_it_is_required(pytester, monkeypatch):
    pytester.makepyfile(SAMPLE)
    monkeypatch.delenv("ERRORFS")
    monkeypatch.setenv("PATH", "")
    arguments = ["-p", "errorfs.pytest_plugin"]
    pytester.runpytest(*arguments, "-rs").assert_outcomes(skipped=2)
    pytester.runpytest(*arguments, "--errorfs-required").assert_outcomes(errors=2)
