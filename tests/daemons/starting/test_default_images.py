"""The trial's images are made beside the site, which neither waits for them nor ends with them."""

import os
import select

import pytest

from netboot.daemons.starting import default_images as module
from netboot.daemons.starting.default_images import DefaultImages
from netboot.operations import remembered as facts


@pytest.fixture
def said():
    return []


@pytest.fixture
def images(site, said):
    with DefaultImages(site, said.append) as made:
        yield made


def make(monkeypatch, code):
    """Let this program make the images."""
    monkeypatch.setattr(module, "MAKER", ("-c", code))


def test_what_they_need_may_be_missing(images, said, monkeypatch):
    """No compiler, no mirror: it is said, and nothing is raised."""
    make(monkeypatch, "raise SystemExit(2)")
    images.begin()
    images.wait()

    assert "The Lab PE images were not made (see the message above)." in said


def test_they_are_made_once_in_a_sites_life(images, said, site, monkeypatch):
    """Whoever deletes them afterwards means it."""
    facts.remember(site, facts.DEFAULTS_PROVIDED, {"at": 1.0})
    make(monkeypatch, "raise SystemExit(2)")
    images.begin()
    images.wait()

    assert said == []


def test_a_site_that_ends_takes_them_along(site, said, monkeypatch):
    """The process and what it started; it is nothing that failed."""
    out, into = os.pipe()
    os.set_inheritable(into, True)  # noqa: FBT003
    monkeypatch.setattr(module.subprocess, "Popen", keeping(module.subprocess.Popen, into))
    make(
        monkeypatch,
        "import os, subprocess, sys;"
        f"child = subprocess.Popen(['/bin/sleep', '600'], pass_fds=({into},));"
        f"os.write({into}, b'up'); child.wait()",
    )
    with DefaultImages(site, said.append) as images:
        images.begin()
        assert os.read(out, 2) == b"up"
    images.wait()
    os.close(into)

    assert select.select([out], [], [], 20)[0]
    assert os.read(out, 1) == b"", "the pipe is still held by a child"
    os.close(out)
    assert not [line for line in said if "not made" in line]


def keeping(popen, descriptor):
    """`Popen` that hands over this descriptor, too."""
    return lambda *words, **named: popen(*words, pass_fds=(descriptor,), **named)


def test_a_site_that_has_ended_begins_nothing(site, said, monkeypatch):
    make(monkeypatch, f"open({str(site.data / 'begun')!r}, 'w')")
    with DefaultImages(site, said.append) as images:
        pass
    images.begin()
    images.wait()

    assert not (site.data / "begun").exists()
