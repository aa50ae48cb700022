"""One file as a cpio archive: GNU cpio and bytes agree."""

import shutil
import subprocess
from pathlib import Path

import pytest

from netboot.errors import FormatError
from netboot.formats import cpio


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 4096, 100_001])
def test_an_archive_is_unpacked_by_another_program(size: int, tmp_path: Path):
    """busybox's cpio gets the same bytes out, whatever the padding."""
    if not shutil.which("busybox"):
        pytest.skip("busybox is not installed")
    data = bytes(n * 7 % 251 for n in range(size))
    archive = cpio.prefix("boot.wim", size) + data + cpio.suffix(size)

    subprocess.run(
        ["busybox", "cpio", "-i"], input=archive, cwd=tmp_path, check=True, capture_output=True
    )

    assert data == (tmp_path / "boot.wim").read_bytes()
    assert len(archive) % 4 == 0


def test_the_header_is_that_of_the_format():
    """110 bytes of ASCII hex: mode 0100444, one link, the size, the name with its end."""
    head = cpio.prefix("boot.wim", 0x1234)

    assert head[:22] == b"070701" + b"00000001" + b"00008124"
    assert head[54:62] == b"00001234"
    assert head[94:102] == b"00000009"
    assert head[110:119] == b"boot.wim\0"


def test_more_than_the_format_can_say_is_refused():
    """Sizes have eight digits."""
    with pytest.raises(ValueError, match="4 GiB"):
        cpio.prefix("boot.wim", 1 << 32)


@pytest.mark.parametrize("name", ["a", "boot.wim", "sources/boot.wim"])
def test_the_first_file_is_found_where_it_was_put(name: str):
    """Its place and size, from the first bytes alone."""
    head = cpio.prefix(name, 77)

    assert cpio.first_file(head) == (len(head), 77)
    assert cpio.first_file(head + b"x" * 77) == (len(head), 77)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not a cpio archive"),
        (b"070707" + b"0" * 104, "not a cpio archive"),
        (cpio.prefix("a", 1)[:109], "not a cpio archive"),
        (cpio.prefix("a", 1).replace(b"0000", b"00 0", 1), "not a cpio archive"),
        (cpio.prefix("a" * 50, 1)[:120], "the name in the cpio archive has 51 bytes"),
    ],
)
def test_what_is_no_archive_is_refused(data: bytes, reason: str):
    """Signs and spaces are no hex digits."""
    with pytest.raises(FormatError, match=reason):
        cpio.first_file(data)
