"""A site is made without being started: in seconds, without network, compiler or image."""

import json
import os
import subprocess
import sys
import time

import pytest

from netboot.errors import SiteAlreadyRunning
from netboot.operations.accounts import accounts
from netboot.operations.site_making import create_site
from netboot.site import Site
from netboot.store.media.boot_programs import made_for, read_programs
from tests.support.netlab import needs_netns
from tests.web.support.seeding import add_accounts


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "new" / "site"


def settings(folder, text):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "netboot.toml").write_text(text)


def valid(site, token):
    """Whether the token makes the first administrator."""
    return accounts.create_first_administrator(site, token, "root", "a long password").id > 0


def test_a_new_site_has_boot_programs_a_policy_and_a_token(folder):
    made = create_site(folder)
    site = Site.open(folder)

    assert made.is_new
    assert "undionly.kpxe" in read_programs(site.point)
    assert dict(site.point.load().assignments) == {}
    assert valid(site, made.setup_token)
    assert (site.data.stat().st_mode & 0o777, site.data / "secret") == (
        0o700,
        folder / "secret",
    )


def test_a_site_that_is_there_keeps_what_it_has(folder):
    """It is made ready: staging of killed work goes, the policy is published again."""
    create_site(folder)
    site = Site.open(folder)
    add_accounts(site)
    (site.blobs.staging / "999999999-half").write_bytes(b"half a WIM")
    secret = site.secret
    made = create_site(folder)

    assert (made.is_new, made.setup_token) == (False, "")
    assert list(site.blobs.staging.iterdir()) == []
    assert Site.open(folder).secret == secret


def test_no_token_is_issued_that_nobody_asked_for(folder):
    """An older one stays valid."""
    first = create_site(folder)
    second = create_site(folder, with_token=False)

    assert second.setup_token == ""
    assert valid(Site.open(folder), first.setup_token)


def test_programs_are_made_for_the_address_when_it_is_known(folder):
    """GRUB has our address inside; without one it waits for the boot services."""
    settings(folder, 'interface = "no-such-card"\n')
    create_site(folder)
    assert made_for(Site.open(folder).point) == ()
    settings(folder, 'interface = "lo"\n')
    create_site(folder)
    assert made_for(Site.open(folder).point) == ("127.0.0.1",)


def test_a_site_can_be_made_where_no_boot_program_is(folder):
    """What machines would miss is said first."""
    settings(folder, 'programs = ["/nowhere"]\n')
    made = create_site(folder)

    assert made.missing[0].packages == ("ipxe",)
    assert "no iPXE boot programs in /nowhere" in made.missing[0].what


def test_a_running_site_is_left_alone(folder):
    """Its staging is in use."""
    create_site(folder)
    lock = Site.open(folder).claim()
    with pytest.raises(SiteAlreadyRunning, match=f"process {os.getpid()}"):
        create_site(folder)
    lock.release()


@needs_netns
@pytest.mark.netns
def test_it_needs_no_network_and_takes_seconds(folder):
    """In a namespace without any interface but a loopback that is down."""
    command = [sys.executable, "-m", "netboot", "--data", str(folder), "site", "create", "--json"]
    began = time.monotonic()
    done = subprocess.run(
        ["unshare", "--net", *command], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["is_new"] is True
    assert time.monotonic() - began < 30
