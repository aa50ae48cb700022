"""The network check from the page: asked for there, done by the worker, on a real network."""

import sys
import time

import pytest

from netboot.operations.boots import network as operations
from netboot.site import Site
from tests.diagnose.conftest import new_network
from tests.support.netlab import needs_netns
from tests.web.support.seeding import add_accounts
from web.app import create_app

pytestmark = [pytest.mark.netns, needs_netns]

SECONDS = 120


@pytest.fixture
def served(tmp_path):
    """A network with a DHCP server, and a site with its worker on it."""
    with new_network(tmp_path) as made:
        made.address_server()
        made.site.start()
        command = (sys.executable, "-m", "netboot", "--data", str(made.site.data), "worker")
        made.site.host.start(*command)
        yield made


def ended(site):
    """The newest check, once the worker is done with it."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        (job, *_) = operations.list_checks(site)
        if job.finished:
            return job
        time.sleep(0.1)  # another process works: its database is all that tells
    raise AssertionError(f"the check stays {job}")


def test_a_check_from_the_page_tells_the_truth_and_its_cure(served, make_client):
    """First with TFTP blocked by a firewall, then without."""
    site = Site.open(served.site.data)
    add_accounts(site)
    operator = make_client(site, "operator", app=create_app(site))
    form = {"kind": "uefi-x64", "patience": "4"}
    with served.blocked("udp dport 69"):
        assert operator.post("/network/", data=form).status_code == 303
        failed = ended(site)
    text = operator.get("/network/").text

    assert failed.state == "succeeded", failed.message
    assert [one["outcome"] for one in failed.result["verdicts"]] == ["fails"]
    assert "No answer by TFTP for snponly.efi [PXE-E32]." in text
    assert "Open UDP port 69 on the server" in text

    operator.post("/network/", data=form)
    well = ended(site)
    assert [one["outcome"] for one in well.result["verdicts"]] == ["boots"], well
    assert "1 failed" in operator.get("/network/").text
    assert "02:6e:62" not in operator.get("/boots/").text
    site.journal.close()
    site.database.close()
