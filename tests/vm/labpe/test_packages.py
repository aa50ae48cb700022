import subprocess

import pytest

from netboot.errors import MissingTool, OperatorFault
from netboot.images.architecture import Architecture
from vm.labpe import packages
from vm.labpe.packages import AptTree, find_mirror, read_files


def test_the_operators_mirror_comes_first(monkeypatch):
    """NETBOOT_DEBIAN_MIRROR is taken as it is."""
    monkeypatch.setenv(packages.MIRROR_VARIABLE, "http://mirror.test/debian")

    assert find_mirror() == "http://mirror.test/debian"


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

    assert find_mirror() == expected


def test_a_host_that_is_no_debian_takes_the_mirror_that_apt_knows(monkeypatch, tmp_path):
    """Ubuntu's own packages tell where Debian's archive is; the security archive is another."""
    listed = tmp_path / "Debian.info"
    listed.write_text(
        "Suite: {series}-security\nBaseURI: https://security.test/\n\n"
        "Suite: bookworm\nBaseURI: https://archive.test/debian/\nDescription: Debian\n"
    )
    monkeypatch.delenv(packages.MIRROR_VARIABLE, raising=False)
    monkeypatch.setattr(packages, "_host_sources", list)
    monkeypatch.setattr(packages, "MIRROR_LIST", listed)

    assert find_mirror() == "https://archive.test/debian/"


def test_a_host_that_is_no_debian_is_told_what_to_do(monkeypatch, tmp_path):
    """Without a Debian mirror the message names the variable."""
    monkeypatch.delenv(packages.MIRROR_VARIABLE, raising=False)
    monkeypatch.setattr(packages, "MIRROR_LIST", tmp_path / "none")
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


def make_deb(folder, files, links=()):
    """A package made by dpkg-deb itself."""
    root = folder / "root"
    for name, text in {**files, "DEBIAN/control": CONTROL}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    for name, target in links:
        (root / name).symlink_to(target)
    deb = folder / "x_1_amd64.deb"
    subprocess.run(["dpkg-deb", "--build", str(root), str(deb)], check=True, capture_output=True)
    return deb


CONTROL = "Package: x\nVersion: 1\nArchitecture: amd64\nMaintainer: x <x@test>\nDescription: x\n"


def test_files_and_what_links_lead_to_are_read(tmp_path):
    """Wanted files come by their path; a library's short name gives the library."""
    deb = make_deb(
        tmp_path,
        {"usr/lib/libx.so.1.2": "library", "usr/share/doc/x": "text"},
        [("usr/lib/libx.so.1", "libx.so.1.2"), ("usr/lib/libx.so", "/usr/lib/libx.so.1")],
    )

    assert read_files([deb], lambda path: path.startswith("usr/lib")) == {
        "usr/lib/libx.so.1.2": b"library",
        "usr/lib/libx.so.1": b"library",
        "usr/lib/libx.so": b"library",
    }


@pytest.mark.parametrize("size", [20, 200])
def test_a_damaged_archive_is_removed(tmp_path, size):
    """What cannot be unpacked is fetched anew the next time."""
    broken = make_deb(tmp_path, {"usr/lib/x": "text" * 1000})
    broken.write_bytes(broken.read_bytes()[:size])

    with pytest.raises(OperatorFault, match="cannot be unpacked"):
        read_files([broken], lambda _path: True)

    assert not broken.exists()


def test_each_architecture_has_its_kernel():
    """A kernel package is named for both."""
    assert set(Architecture) - {Architecture.ARM64} == set(packages.KERNEL_METAPACKAGE)
