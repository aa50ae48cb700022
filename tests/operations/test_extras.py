"""What a system lacks for what, by the files of the packages."""

from pathlib import Path

import pytest

from netboot.operations.extras import EXTRAS, list_missing

ROOT = Path(__file__).resolve().parents[2]
NAMES = sorted({package for extra in EXTRAS for package, _ in extra.packages})


@pytest.fixture
def bare(tmp_path):
    """The root folder of a system without any package."""
    return tmp_path


def install(root, name):
    """The file by which the package is known."""
    file = next(file for extra in EXTRAS for p, file in extra.packages if p == name)
    if ".so." in file:
        path = root / "usr/lib/x86_64-linux-gnu" / file
    else:
        path = root / (file[1:] if file.startswith("/") else f"usr/bin/{file}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o755)


def test_a_bare_system_lacks_everything_and_each_package_fills_its_gap(bare):
    """Each extra is named with what it needs, until nothing is missing."""
    assert [extra.what for extra in EXTRAS] == [lack.what for lack in list_missing(bare)]
    for name in NAMES:
        assert name in {package for lack in list_missing(bare) for package in lack.packages}
        install(bare, name)
    assert list_missing(bare) == ()


def test_every_package_is_one_that_set_up_knows():
    """The names are those of Debian, as set-up asks for them."""
    known = {line.split()[1] for line in (ROOT / "scripts/packages.txt").read_text().splitlines()
             if line and not line.startswith("#")}  # fmt: skip

    assert set() == set(NAMES) - known
