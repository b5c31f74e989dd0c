"""pytest: a mount for a test, and what it delivered in the report of a test that fails.

    @pytest.mark.errorfs(scenario="bitrot.toml", seed=7)
    def test_reads_are_checked(errorfs_mount):
        program_under_test(errorfs_mount.path)

`errorfs_mount` mounts `tmp_path / "backing"`, which a fixture of yours may fill; `errorfs` makes any
number of mounts. Tests that need them are skipped where errorfs cannot mount, unless
--errorfs-required.
"""

import pytest

from .ledger import describe
from .mount import MountError, mount

MOUNTS = pytest.StashKey()
# More events than these say nothing more to a reader.
SHOWN = 20


def pytest_addoption(parser):
    group = parser.getgroup("errorfs")
    group.addoption("--errorfs-required", action="store_true", default=False,
                    help="fail tests that need errorfs where it cannot mount, instead of skipping them")


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "errorfs(scenario, seed, options): what is mounted for `errorfs_mount`")


@pytest.fixture
def errorfs(request):
    """Mounts as `errorfs.mount` does; unmounts at the end of the test."""
    mounts = request.node.stash.setdefault(MOUNTS, [])

    def start(*args, **kwargs):
        try:
            made = mount(*args, **kwargs)
        except MountError as error:
            if request.config.getoption("--errorfs-required"):
                raise
            if "errorfs doctor" not in str(error) and "no errorfs in PATH" not in str(error):
                raise
            pytest.skip(f"errorfs cannot mount here: {error}")
        mounts.append(made)
        return made

    yield start
    for made in mounts:
        made.close()


@pytest.fixture
def errorfs_mount(request, errorfs, tmp_path):
    """One mount over `tmp_path / "backing"`, as the marker `errorfs` says."""
    marker = request.node.get_closest_marker("errorfs")
    backing = tmp_path / "backing"
    backing.mkdir(exist_ok=True)
    return errorfs(backing, **(marker.kwargs if marker else {}))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if call.when != "call":
        return
    for made in item.stash.get(MOUNTS, []):
        item.user_properties.append(("errorfs_seed", made.seed))
        if report.failed:
            report.sections.append(("errorfs", _told(made)))


def _told(made):
    delivered = made.delivered()
    lines = [describe(event) for event in delivered[:SHOWN]]
    if len(delivered) > SHOWN:
        lines.append(f"... and {len(delivered) - SHOWN} more in {made.ledger}")
    if not lines:
        lines.append("no fault reached any program")
    return "\n".join([f"mounted at {made.path}, seed {made.seed}", *lines])
