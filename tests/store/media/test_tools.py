"""Foreign tools: found, timed, and their words handed on."""

import pytest

from netboot.errors import MissingTool, OperatorFault
from netboot.store.media import tools as media_tools
from netboot.store.media.tools import PACKAGES, Tools, grub_folder
from tests.test_scripts import packages


def test_a_tool_that_is_missing_is_asked_for_by_package(monkeypatch):
    """Installing it is what to do next."""
    monkeypatch.setattr(media_tools.shutil, "which", lambda *_words, **_more: None)
    with pytest.raises(MissingTool) as caught:
        Tools(0).run("mformat", [])

    assert caught.value.hint == "Install it: apt-get install mtools"


def test_what_a_tool_complains_of_is_the_reason(tmp_path):
    """Not an exit code alone."""
    with pytest.raises(OperatorFault, match="mcopy failed: .*nowhere"):
        Tools(0).run("mcopy", ["-i", tmp_path / "nowhere", "::/x", tmp_path / "x"])


def test_grub_without_its_parts_is_asked_for_by_package(monkeypatch, tmp_path):
    """Each platform has a package of its own."""
    monkeypatch.setattr(media_tools, "GRUB", tmp_path)
    with pytest.raises(MissingTool) as caught:
        grub_folder("i386-pc-eltorito")

    assert caught.value.hint == "Install it: apt-get install grub-pc-bin"


def test_the_set_up_installs_every_tool():
    """What is asked for here is in the list of packages that running needs."""
    listed = {name for profile, name, _ in packages() if profile == "run"}

    assert {*PACKAGES.values(), *media_tools.GRUB_PACKAGES.values()} <= listed


def test_a_loader_is_the_same_each_time(tmp_path):
    """Its first commands are inside; two of one kind are one file."""
    made = []
    for number in range(2):
        out = tmp_path / f"{number}.efi"
        Tools(1_700_000_000).grub("i386-efi", "set root=cd0\n", ("normal", "fat"), out)
        made.append(out.read_bytes())

    assert made[0] == made[1]
    assert b"set root=cd0" in made[0]
    assert made[0][:2] == b"MZ"
