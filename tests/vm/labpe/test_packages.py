import pytest

from netboot.errors import MissingTool, OperatorFault
from netboot.images.architecture import Architecture
from vm.labpe import packages
from vm.labpe.packages import AptTree, extract, find_mirror


def test_the_operators_mirror_comes_first(monkeypatch):
    """NETBOOT_DEBIAN_MIRROR is taken as it is."""
    monkeypatch.setenv(packages.MIRROR_VARIABLE, "http://mirror.test/debian")

    assert "http://mirror.test/debian" == find_mirror()


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([("http://m/debian/", "bookworm", "main", "Debian")], "http://m/debian/"),
        ([("http://m/debian", "trixie", "main", "")], "http://m/debian"),
        (
            [
                ("http://s/debian-security", "bookworm-security", "main", "Debian"),
                ("http://m/debian", "bookworm", "main", "Debian"),
            ],
            "http://m/debian",
        ),
    ],
)
def test_the_hosts_debian_mirror_is_found(monkeypatch, rows, expected):
    """A main archive of any Debian release serves ours; the security archive does not."""
    monkeypatch.delenv(packages.MIRROR_VARIABLE, raising=False)
    monkeypatch.setattr(packages, "_host_sources", lambda: rows)

    assert expected == find_mirror()


def test_a_host_that_is_no_debian_is_told_what_to_do(monkeypatch):
    """Without a Debian mirror the message names the variable."""
    monkeypatch.delenv(packages.MIRROR_VARIABLE, raising=False)
    rows = [("http://m/ubuntu", "noble", "main", "Ubuntu")]
    monkeypatch.setattr(packages, "_host_sources", lambda: rows)

    with pytest.raises(MissingTool) as caught:
        find_mirror()

    assert packages.MIRROR_VARIABLE in caught.value.hint


def test_a_mirror_that_does_not_answer_is_the_operators_fault(monkeypatch, tmp_path):
    """apt's own words are in the message, and the hint says what to check."""
    monkeypatch.setenv(packages.MIRROR_VARIABLE, "http://127.0.0.1:9/debian")

    with pytest.raises(OperatorFault, match="apt-get update failed") as caught:
        AptTree(tmp_path).update()

    assert "Debian mirror" in caught.value.hint


def test_a_damaged_archive_is_removed(tmp_path):
    """What cannot be unpacked is fetched anew the next time."""
    broken = tmp_path / "busybox-static_1_amd64.deb"
    broken.write_bytes(b"!<arch>\nnot really")

    with pytest.raises(OperatorFault, match="cannot be unpacked"):
        extract([broken], tmp_path / "root")

    assert not broken.exists()


def test_each_architecture_has_its_kernel():
    """A kernel package is named for both."""
    assert set(Architecture) - {Architecture.ARM64} == set(packages.KERNEL_METAPACKAGE)
