"""One file as a cpio archive: GNU cpio and bytes agree."""

import shutil
import subprocess
from pathlib import Path

import pytest

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
