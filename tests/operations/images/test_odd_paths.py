"""Paths that name no file which can be imported: each is refused with what it is."""

import os

import pytest

from netboot.errors import InvalidInput
from netboot.operations.images import images


def circle(folder):
    (folder / "a.wim").symlink_to(folder / "b.wim")
    (folder / "b.wim").symlink_to(folder / "a.wim")
    return folder / "a.wim"


def below_a_file(folder):
    (folder / "boot.wim").write_bytes(b"x")
    return folder / "boot.wim" / "below"


def pipe(folder):
    os.mkfifo(folder / "boot.wim")
    return folder / "boot.wim"


ODD = {
    "a circle of links": (circle, "cannot be read"),
    "a name of 300 letters": (lambda folder: folder / ("x" * 300), "cannot be read"),
    "a path below a file": (below_a_file, "there is no file"),
    "a pipe": (pipe, "is not a file"),
    "a folder": (lambda folder: folder, "is not a file"),
    "nothing": (lambda folder: folder / "none.wim", "there is no file"),
}


@pytest.mark.parametrize("kind", ODD)
def test_what_is_no_file_is_refused_with_the_reason(site, tmp_path, kind):
    make, words = ODD[kind]

    with pytest.raises(InvalidInput, match=words) as refused:
        images.import_image(site, make(tmp_path), name="Odd PE")
    assert "Name a .wim or .iso file" in refused.value.hint
    assert images.list_images(site) == []
