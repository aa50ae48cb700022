"""`netboot run` as an operator starts it: the whole site, in a network of the test's own."""

import json
import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from netboot.boot.networks import Network
from netboot.daemons import run_site as module
from netboot.errors import InvalidInput, PortTaken
from netboot.operations import remembered as facts
from netboot.operations.deployments import deployments as policy
from tests.support.content import serve, version_of
from tests.support.dhcp_servers import wait_for as lines_until
from tests.support.netlab import Lan, needs_netns
from tests.web.support.seeding import add_accounts, add_image

pytestmark = pytest.mark.loopback

ADDRESS = "10.77.0.2"
NETWORKS = (Network(name="lo", interface="lo", address="127.0.0.1"),)


@pytest.fixture
def stocked(site):
    """A site that has had its default images, so that its start is quick."""
    facts.remember(site, facts.DEFAULTS_PROVIDED, {"at": 1.0})
    add_image(site, "Lab PE x64")
    serve(site, version_of(site, 1), default=False)
    return site


@pytest.fixture
def lan():
    with Lan() as made:
        yield made


def start(site, lan):
    """`netboot run` for the network behind eth0."""
    host = lan.host("srv", f"{ADDRESS}/24")
    command = [sys.executable, "-m", "netboot", "--data", str(site.data)]
    return host, host.start(*command, "run", "--interface", "eth0")


def children_of(process):
    return Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()


@needs_netns
@pytest.mark.netns
def test_a_site_serves_a_real_network(stocked, lan):
    """Page, boot services, boot files and worker come up; the console says where and what next."""
    host, process = start(stocked, lan)
    said = lines_until(process, "Stop ")

    assert f"The site is up, serving the network behind eth0 as {ADDRESS}." in said
    assert "  Page         http://127.0.0.1:8080/" in said
    roots = f"Every part of this site runs as root: the data folder {stocked.data} belongs to root."
    assert roots in said  # a site of a release that did not ask
    token = next(line for line in said if "Set-up token" in line).split()[2]
    assert len(token) >= 12
    assert "netboot" in host.run("curl", "-sL", "-m", "20", "http://127.0.0.1:8080/")
    kernel = host.run(
        *("curl", "-s", "-m", "20", f"tftp://{ADDRESS}/undionly.kpxe"),
        *("-o", "/dev/null", "-w", "%{size_download}"),
    )
    assert int(kernel) > 50_000
    script = host.run("curl", "-s", "-m", "20", f"http://{ADDRESS}:8081/boot.ipxe?platform=efi")
    assert script.startswith("#!ipxe")
    job = stocked.jobs.submit("clean_up", {}, title="Clean")
    assert wait_for(stocked, job) == "succeeded"

    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    lock = stocked.claim()
    lock.release()


def wait_for(site, job):
    for _ in range(300):
        state = site.jobs.get(job.id).state
        if state in {"succeeded", "failed"}:
            break
        signal.sigtimedwait([], 0.1)
    return state


@needs_netns
@pytest.mark.netns
def test_a_daemon_that_dies_comes_back_and_a_killed_site_leaves_nobody(stocked, lan):
    """kill -9 of one child, then of the site itself."""
    _, process = start(stocked, lan)
    lines_until(process, "Stop ")
    before = children_of(process)
    os.kill(int(before[0]), signal.SIGKILL)
    lines_until(process, "boot services ended by SIGKILL; it starts again")
    lines_until(process, "boot.ready")
    after = children_of(process)
    assert set(before[1:]) < set(after)

    watches = {name_of(pid): os.pidfd_open(int(pid)) for pid in after}
    process.kill()
    process.wait()
    for child, watch in watches.items():
        assert ended(watch), f"{child} outlives the site"
    stocked.claim().release()


def name_of(pid):
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")


def ended(watch, seconds=20):
    import select

    poll = select.poll()
    poll.register(watch, select.POLLIN)
    try:
        return bool(poll.poll(seconds * 1000))
    finally:
        os.close(watch)


@needs_netns
@pytest.mark.netns
def test_a_site_with_an_administrator_shows_no_token(stocked, lan):
    """Who has set up the page needs none, and a console may be read by many."""
    add_accounts(stocked)
    _, process = start(stocked, lan)
    said = lines_until(process, "Stop ")

    assert not [line for line in said if "token" in line]
    assert "  Next         open the page and sign in." in said


@needs_netns
@pytest.mark.netns
def test_what_was_cut_off_is_mended_at_the_start(stocked, lan):
    """Staging of killed work goes, and the policy is handed to the point again."""
    policy.deploy(stocked, "525400abcdef", "Lab PE x64")
    stocked.point.publish_policy(lambda: ({}, {}))
    (stocked.blobs.staging / "999999999-half").write_bytes(b"half a WIM")
    _, process = start(stocked, lan)
    lines_until(process, "Stop ")

    assert list(stocked.blobs.staging.iterdir()) == []
    assert dict(stocked.point.load().assignments) == {"52:54:00:ab:cd:ef": "Lab PE x64"}


@needs_netns
@pytest.mark.netns
def test_without_boot_programs_nothing_is_started(stocked, lan):
    """The package is named, and the exit code is 2."""
    (stocked.data / "netboot.toml").write_text('programs = ["/nowhere"]\n')
    _, process = start(stocked, lan)
    output = process.stdout.read()

    assert process.wait(30) == 2
    assert "netboot: no iPXE boot programs in /nowhere" in output
    assert "apt-get install ipxe" in output


def test_a_page_port_in_use_names_its_holder(stocked):
    """Found out before anything is started; the hint shows how to take another."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (stocked.data / "netboot.toml").write_text(f"web_port = {port}\n")
        with pytest.raises(PortTaken, match=rf"TCP port {port} of 127.0.0.1 is taken by ") as fault:
            module.run_site(stocked.data, ("lo",))
    assert f"(process {os.getpid()})" in str(fault.value)
    assert "NETBOOT_WEB_PORT=" in fault.value.hint
    stocked.claim().release()


@pytest.mark.parametrize(
    ("address", "reached"),
    [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("10.0.0.5", "10.0.0.5")],
)
def test_an_address_that_means_all_is_asked_at_home(address, reached):
    """What listens everywhere is looked for on this machine."""
    assert reached == module._reachable(address)


def test_on_a_real_network_the_lab_is_one_more_child_and_in_lab_mode_it_serves(stocked):
    """In lab mode the boot services run inside its private network, started by it."""
    lan_names = [child.name for child in module._children(stocked, ("lo",), NETWORKS)]
    lab = module._children(stocked, (), ())

    served = ["boot services", "boot files over HTTP"]
    assert lan_names == [*served, "page", "projector", "worker", "lab"]
    assert [child.name for child in lab] == ["lab", "page", "projector", "worker"]
    boot = json.loads(lab[0].command[lab[0].command.index("--boot-command") + 1])
    assert boot[-5:] == ["boot", "--address", "10.77.0.2", "--interface", "eth0"]


def test_the_networks_are_those_that_are_named_and_none_in_the_lab(stocked):
    """An address that is set but not this server's is found out before anything starts."""
    assert module._networks(stocked, ()) == ()
    assert [one.address for one in module._networks(stocked, ("lo",))] == ["127.0.0.1"]
    with pytest.raises(InvalidInput, match="there is no network interface no-such-card"):
        module._networks(stocked, ("lo", "no-such-card"))
    (stocked.data / "netboot.toml").write_text('address = "192.0.2.7"\n')
    del vars(stocked)["settings"]
    with pytest.raises(InvalidInput, match="this server has no address 192.0.2.7"):
        module._networks(stocked, ("lo",))


@needs_netns
@pytest.mark.netns
def test_a_site_serves_two_networks_at_once(stocked, lan):
    """Each child is told both; machines load from the address of their own."""
    host = lan.host("srv", f"{ADDRESS}/24")
    lan.plug(host, "eth1", "10.78.0.2/24", lan="second")
    command = [sys.executable, "-m", "netboot", "--data", str(stocked.data), "run"]
    process = host.start(*command, "--interface", "eth0", "--interface", "eth1")
    said = lines_until(process, "Stop ")

    where = f"serving the networks eth0 as {ADDRESS}, eth1 as 10.78.0.2"
    assert f"The site is up, {where}." in said
    for address in (ADDRESS, "10.78.0.2"):
        script = host.run("curl", "-s", "-m", "20", f"http://{address}:8081/boot.ipxe?platform=efi")
        assert f"http://{address}:8081/" in script
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


@needs_netns
@pytest.mark.netns
def test_a_site_starts_where_no_lab_pe_can_be_made(site, lan):
    """No compiler and no mirror: the page is there at once, and the reason is said."""
    host = lan.host("srv", f"{ADDRESS}/24")
    command = [sys.executable, "-m", "netboot", "--data", str(site.data)]
    empty = site.data.parent / "cache"
    process = host.start(
        *("env", f"NETBOOT_CACHE={empty}", "NETBOOT_DEBIAN_MIRROR=http://192.0.2.1/debian"),
        *(*command, "run", "--interface", "eth0"),
    )
    said = lines_until(process, "Stop ")
    assert [line for line in said if "Set-up token" in line]
    said = lines_until(process, "The Lab PE images were not made")

    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
