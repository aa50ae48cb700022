"""Links to packages for machines' own disks."""

import time

import pytest

from netboot.daemons.boot_http import BootPages
from netboot.errors import InvalidInput, NotFound, OperatorFault
from netboot.images.media.disk_package import System
from netboot.operations.media import disk_packages
from netboot.pe_reports import ReportTokens
from netboot.serve.http.message import Request
from tests.support.media_versions import add_lab_version

NAME = "Lab PE x64"
HOME = "http://10.0.0.2:8081"


@pytest.fixture
def published(site):
    """A site that serves version 1."""
    site.point.update(add_lab_version(site), site.blobs, now=time.time())
    return site


def link(site, **wishes):
    return disk_packages.make_link(site, NAME, 1, system=System.LINUX, home=HOME, **wishes)


def get(site, url, method="GET"):
    return BootPages(site, address="10.0.0.2").package(
        Request(method, url.removeprefix(HOME), "10.0.0.99")
    )


def test_the_link_gives_the_script_once(published):
    """Then it is used up; asking how large it is does not use it."""
    made = link(published)

    assert get(published, made.url, "HEAD").status == 405
    first = get(published, made.url)
    assert (first.status, first.body.startswith(b"#!/bin/sh\n")) == (200, True)
    assert ("Cache-Control", "no-store") in first.fields
    assert get(published, made.url).status == 404


def test_the_script_fetches_that_very_version_and_reports_as_a_package(published):
    """Addresses, digests and a token for its reports."""
    script = get(published, link(published).url).body.decode()
    token = script.partition(f"{HOME}/report/")[2].split("'")[0]
    wim = published.point.load().current[NAME].file("boot.wim")

    assert f"NB_BASE='{HOME}/v/lab-pe-x64/1'" in script
    assert f"{wim.digest[7:]} {wim.size} boot.wim" in script
    assert ReportTokens(published.secret).read_lasting(token) == ("lab-pe-x64", 1, "package")


def test_what_is_to_be_typed_stands_beside_the_link(published):
    """Two lines on Linux."""
    made = link(published)

    assert f"curl -fsS -o netboot-disk.sh {made.url}" == made.commands[0]
    assert made.commands[1] == "sudo sh netboot-disk.sh install"


def test_a_version_that_machines_cannot_fetch_gets_no_link(site):
    """Updating the point is what to do."""
    add_lab_version(site)
    with pytest.raises(OperatorFault) as caught:
        link(site)

    assert "points update" in caught.value.hint


@pytest.mark.parametrize("hours", [0, 25])
def test_a_link_does_not_outlive_what_it_leads_to(published, hours):
    """A superseded version is kept for a day."""
    with pytest.raises(InvalidInput, match="1 to 24 hours"):
        link(published, hours=hours)


def test_the_wrong_system_or_version_is_told(published):
    """The Lab PE starts from no Windows machine."""
    with pytest.raises(InvalidInput, match="Windows machine"):
        disk_packages.make_link(published, NAME, 1, system=System.WINDOWS, home=HOME)
    with pytest.raises(NotFound):
        disk_packages.make_link(published, NAME, 5, system=System.LINUX, home=HOME)
