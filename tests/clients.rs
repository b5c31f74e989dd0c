//! The clients' own tests, against this build.

use crate::programs::is_installed;
use crate::support::{Program, require_fuse};

#[test]
fn the_python_package_and_its_pytest_plugin_pass_their_tests() {
    require_fuse!();
    // Debian's, which is where scripts/setup puts pytest.
    if !is_installed("/usr/bin/python3") {
        return;
    }
    let package = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/python");
    Program::new("/usr/bin/python3")
        .args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"])
        .directory(package.as_ref())
        .env("PYTHONPATH", package)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("ERRORFS", env!("CARGO_BIN_EXE_errorfs"))
        .succeed()
        .expect_said(" passed");
}
