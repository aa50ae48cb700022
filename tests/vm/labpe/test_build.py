from pathlib import Path

import pytest

from netboot.images.architecture import Architecture
from vm import labpe
from vm.labpe.build import Ingredients, build, damaged_files, file_digest, write_sums
from vm.labpe.packages import USERLAND, AptTree


def part(name: str) -> Ingredients:
    return Ingredients(Architecture.X64, "linux-image-6.1.0-50-amd64", (Path(name),))


@pytest.mark.parametrize(
    ("archive", "expected"),
    [
        ("linux-image-6.1.0-50-amd64_6.1.176-1_amd64.deb", "6.1.176.1"),
        ("linux-image_6.1_amd64.deb", "6.1.0.0"),
        ("linux-image_6.1.176-1+deb12u2_amd64.deb", "6.1.176.1"),
    ],
)
def test_a_package_version_becomes_four_numbers(archive, expected):
    """DriverVer wants w.x.y.z."""
    assert part(archive).driver_version == expected


def test_the_kernel_release_is_what_uname_says():
    """The package's name without its prefix."""
    assert part("a_1_b.deb").kernel_release == "6.1.0-50-amd64"


def test_sums_name_every_damaged_file(tmp_path):
    """Changed and missing files are found; a missing list is itself the damage."""
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text(name)
    write_sums(tmp_path)
    assert damaged_files(tmp_path) == ()

    (tmp_path / "b").write_text("other")
    (tmp_path / "c").unlink()
    assert damaged_files(tmp_path) == ("b", "c")

    (tmp_path / "SHA256SUMS").unlink()
    assert damaged_files(tmp_path) == ("SHA256SUMS",)


@pytest.mark.vm
def test_a_second_build_gives_the_same_bytes(lab_pe, tmp_path):
    """All files of two builds from the same packages have equal SHA-256 sums."""
    listed = (lab_pe.folder / "packages.txt").read_text().split()
    debs = labpe.cache_folder() / "apt" / "debs"
    ingredients = []
    for architecture in (Architecture.X64, Architecture.X86):
        folder = debs / architecture.value
        own = [folder / name for name in listed if (folder / name).exists()]
        if len(own) != len(USERLAND) + 1:
            tree = AptTree(labpe.cache_folder() / "apt")
            kernel = next(n.partition("_")[0] for n in listed if n.startswith("linux-image"))
            own = tree.download([kernel, *USERLAND], architecture)
        kernel = own[0].name.partition("_")[0]
        ingredients.append(Ingredients(architecture, kernel, tuple(own)))

    build(tuple(ingredients), tmp_path / "again", lambda _text: None)

    first, second = (file_digest(f / "SHA256SUMS") for f in (lab_pe.folder, tmp_path / "again"))
    assert first == second
