"""What should be handed out, from a file and from a site."""

from pathlib import Path

import pytest

from netboot.diagnose.expectation import (
    Expectation,
    Promised,
    PromisedImage,
    read_expectation,
    site_expectation,
)
from netboot.errors import InvalidInput
from netboot.images.architecture import Architecture
from tests.diagnose.conftest import BootSite
from tests.support.netlab import Host

WIM = Promised("sha256:" + "1" * 64, 11)
PROGRAM = Promised("sha256:" + "2" * 64, 22)
LOADER = Promised("sha256:" + "3" * 64, 33)
EXPECTED = Expectation(
    server="10.0.0.2",
    programs={"snponly.efi": PROGRAM},
    images=(
        PromisedImage(
            label="A v1",
            architecture="x64",
            default=True,
            path="/v/a/1/",
            files={"boot.wim": WIM, "bootmgfw.efi": LOADER},
        ),
        PromisedImage(
            label="B v1",
            architecture="x64",
            default=False,
            path="/v/b/1/",
            files={"boot.wim": PROGRAM},
        ),
    ),
)


def test_a_file_of_expectations_can_be_written_and_read(tmp_path: Path) -> None:
    """They are inverses."""
    path = tmp_path / "expected.json"
    path.write_text(EXPECTED.to_json())

    assert read_expectation(path) == EXPECTED


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"server": 1, "programs": [], "images": 3}'])
def test_a_damaged_file_is_refused_with_a_hint(tmp_path: Path, text: str) -> None:
    """How to make it anew."""
    path = tmp_path / "expected.json"
    path.write_text(text)

    with pytest.raises(InvalidInput) as refused:
        read_expectation(path)
    assert "--write-expected" in refused.value.hint


@pytest.mark.parametrize(
    ("name", "promised"),
    [("snponly.efi", PROGRAM), ("bootmgfw.efi", LOADER), ("boot.wim", WIM), ("x", None)],
)
def test_tftp_names_mean_programs_and_default_images(name: str, promised: Promised | None) -> None:
    """What a machine without an image of its own gets."""
    assert EXPECTED.promised(name) == promised


@pytest.mark.parametrize(
    ("path", "promised"),
    [
        ("/p/snponly.efi", PROGRAM),
        ("/v/a/1/boot.wim", WIM),
        ("/v/b/1/boot.wim", PROGRAM),
        ("/v/a/2/boot.wim", None),
        ("/boot.ipxe", None),
    ],
)
def test_paths_mean_programs_and_versions(path: str, promised: Promised | None) -> None:
    """By HTTP every version that is served can be had."""
    assert EXPECTED.promised_at(path) == promised


def test_architectures_without_a_default_are_not_served() -> None:
    assert [EXPECTED.serves(one) for one in ("x64", "x86")] == [True, False]
    assert EXPECTED.is_complete
    assert not Expectation().is_complete


def test_a_site_promises_what_its_point_holds(tmp_path: Path) -> None:
    """Programs and files with digests and sizes."""
    BootSite(tmp_path / "data", Host("none", "none")).publish(Architecture.X64)
    expected = site_expectation(tmp_path / "data", "10.0.0.2")

    assert expected.serves("x64")
    assert expected.programs is not None
    assert expected.programs["undionly.kpxe"].size > 10_000
    image = expected.images[0]
    assert (image.label, image.path) == ("PE x64 v1", "/v/pe-x64/1/")
    assert expected.promised_at(image.path + "boot.wim") == image.files["boot.wim"]
    assert image.files["boot.wim"].head.startswith("sha256:")
    assert image.files["boot.wim"].head != image.files["boot.wim"].digest


def test_a_machine_gets_the_image_of_the_first_architecture_that_has_one() -> None:
    assert EXPECTED.image_for(("x86", "x64")) == EXPECTED.images[0]
    assert EXPECTED.image_for(("x86",)) is None


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"1", b"\xff", b'{"files": 1}', b'{"server": []}', b"[" * 50_000]
)
def test_a_file_that_is_no_such_list_is_refused_by_its_name(tmp_path: Path, data: bytes) -> None:
    """Never a traceback."""
    path = tmp_path / "expected.json"
    path.write_bytes(data)

    with pytest.raises(InvalidInput, match=r"expected\.json"):
        read_expectation(path)
