from dataclasses import replace

import pytest

from netboot.errors import EditConflict, InvalidInput, NotFound
from netboot.formats.sdi import build_sdi
from netboot.operations.images import images
from netboot.operations.images import properties as operations
from netboot.store.images.rows import find_image
from tests.samples.pictures import jpeg
from tests.web.support.seeding import add_image

NAME = "Windows PE"


@pytest.fixture
def site(site):
    """One image of Windows PE that has everything."""
    add_image(site, NAME, is_lab=False)
    with site.database.writing() as session:
        row = find_image(session, NAME)
        row.facts = {**row.facts, "hives": ["DEFAULT", "SYSTEM"], "has_background": True}
    return site


def lacking(site, **facts):
    with site.database.writing() as session:
        row = find_image(session, NAME)
        row.facts = {**row.facts, **facts}


def file(tmp_path, name, data):
    path = tmp_path / name
    path.write_bytes(data)
    return path


def test_values_are_kept_and_need_a_build(site):
    """What is not named stays as it was."""
    operations.set_properties(site, NAME, {"scratch_space_mb": 512, "keyboard": "00000407"})
    view = operations.set_properties(site, NAME, {"command_shell": True})

    assert (
        view.properties.scratch_space_mb,
        view.properties.keyboard,
        view.properties.command_shell,
    ) == (512, "00000407", True)
    assert view.needs_build


@pytest.mark.parametrize(
    ("facts", "changes", "reason"),
    [
        ({"hives": []}, {"scratch_space_mb": 64}, "no SYSTEM hive"),
        ({"hives": ["SYSTEM"]}, {"locale": "de-DE"}, "no DEFAULT hive"),
        ({}, {"scratch_space_mb": 77}, "cannot be 77 MB"),
        ({}, {"colour": "red"}, "no property called colour"),
        ({}, {"extra_files": ()}, "no property called extra_files"),
        ({"startnet": "@echo off\r\nown.exe\r\n"}, {"prestart_command": "a.cmd"}, "wpeinit"),
    ],
)
def test_what_the_image_cannot_take_is_refused_with_the_reason(site, facts, changes, reason):
    """And nothing is changed by it."""
    lacking(site, **facts)
    before = images.get_image(site, NAME)

    with pytest.raises(InvalidInput, match=reason):
        operations.set_properties(site, NAME, changes)
    assert before == images.get_image(site, NAME)


def test_a_recipe_that_could_not_be_built_can_be_mended_step_by_step(site):
    """An old fault is no reason to refuse a change of something else."""
    operations.set_properties(site, NAME, {"locale": "de-DE"})
    lacking(site, hives=["SYSTEM"])

    view = operations.set_properties(site, NAME, {"scratch_space_mb": 64})
    assert view.properties.scratch_space_mb == 64
    assert operations.set_properties(site, NAME, {"locale": ""}).properties.locale == ""


def test_the_background_is_a_jpeg_or_the_images_own(site, tmp_path):
    """Other pictures and images without a picture are refused."""
    view = operations.set_background(site, NAME, file(tmp_path, "a.jpg", jpeg(800, 600)))
    assert jpeg(800, 600) == site.blobs.require(view.properties.background).read_bytes()
    with pytest.raises(
        InvalidInput, match=r"a\.png cannot be the background: not a JPEG file"
    ) as refusal:
        operations.set_background(site, NAME, file(tmp_path, "a.png", b"\x89PNG"))
    assert ".jpg" in refusal.value.hint
    assert operations.set_background(site, NAME, None).properties.background == ""
    lacking(site, has_background=False)
    with pytest.raises(InvalidInput, match=r"no winpe\.jpg"):
        operations.set_background(site, NAME, tmp_path / "a.jpg")


def test_files_are_put_in_and_taken_out(site, tmp_path):
    """A folder, a whole path, and the prestart command's own folder; one path once."""
    tool = file(tmp_path, "tool.cmd", b"echo 1")
    operations.add_file(site, NAME, tool, "/Tools/")
    operations.add_file(site, NAME, tool, "\\Tools\\other.cmd")
    operations.add_file(site, NAME, file(tmp_path, "tool.cmd", b"echo 22"), "/TOOLS/tool.cmd")
    view = operations.add_file(site, NAME, tool)

    assert [(held.path, held.size) for held in sorted(view.properties.extra_files, key=str)] == [
        ("/TOOLS/tool.cmd", 7),
        ("/Tools/other.cmd", 6),
        ("/Windows/Prestart/tool.cmd", 7),
    ]
    view = operations.remove_file(site, NAME, "/tools/TOOL.cmd")
    assert len(view.properties.extra_files) == 2
    with pytest.raises(NotFound, match="no extra file") as refusal:
        operations.remove_file(site, NAME, "/tools/TOOL.cmd")
    assert "/Tools/other.cmd" in refusal.value.hint


@pytest.mark.parametrize("target", ["/../up", "/Windows/System32/startnet.cmd", "/a:b", "/aux"])
def test_files_lie_only_where_they_may(site, tmp_path, target):
    """Neither outside, nor where netboot writes itself."""
    with pytest.raises(InvalidInput):
        operations.add_file(site, NAME, file(tmp_path, "a", b"a"), target)
    assert images.get_image(site, NAME).properties.extra_files == ()


def test_a_boot_sdi_is_looked_at_before_it_is_taken(site, tmp_path):
    """What boot managers could not read is refused."""
    sdi = file(tmp_path, "boot.sdi", build_sdi(b"volume" * 400))
    assert operations.set_boot_sdi(site, NAME, sdi).properties.boot_sdi
    with pytest.raises(InvalidInput, match="cannot be boot.sdi"):
        operations.set_boot_sdi(site, NAME, file(tmp_path, "no.sdi", b"no"))
    assert operations.set_boot_sdi(site, NAME, None).properties.boot_sdi == ""


def test_files_that_cannot_be_read_are_told(site, tmp_path, monkeypatch):
    """Gone, or far too large."""
    with pytest.raises(InvalidInput, match="cannot be read"):
        operations.set_background(site, NAME, tmp_path / "nowhere.jpg")
    small = replace(operations.BACKGROUND, limit=1 << 20)
    monkeypatch.setattr(operations, "BACKGROUND", small)
    large = file(tmp_path, "large.jpg", jpeg(9, 9) + bytes(1 << 20))
    with pytest.raises(InvalidInput, match="larger than 1 MB"):
        operations.set_background(site, NAME, large)


def test_label_and_comment_need_no_build(site):
    """They are for people; what is None stays."""
    before = images.get_image(site, NAME)
    operations.set_details(site, NAME, version_label="24H2, August")
    view = operations.set_details(site, NAME, comment="for the lecture hall")

    assert (view.version_label, view.comment) == ("24H2, August", "for the lecture hall")
    with pytest.raises(EditConflict):
        operations.set_details(site, NAME, comment="mine", row_version=before.row_version)
    for words in ({"version_label": "x" * 65}, {"comment": "x" * 5000}, {"version_label": "a\nb"}):
        with pytest.raises(InvalidInput):
            operations.set_details(site, NAME, **words)
