"""What the tests of the package share: a directory of data, and scenarios."""

import pytest

pytest_plugins = ["pytester", "errorfs.pytest_plugin"]

ONE_BIT = """
version = 1
seed = 7
[[rule]]
name = "bit"
[rule.fault.bit_flip]
at = [{ byte = 3, bit = 0 }]
"""


@pytest.fixture
def data(tmp_path):
    """A directory with one file."""
    directory = tmp_path / "data"
    directory.mkdir()
    (directory / "file").write_bytes(b"seven bytes")
    return directory
