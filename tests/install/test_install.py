"""What an administrator does with the package, in the order in which they do it."""

import json
import time

import pytest

from tests.install.conftest import APT, OLDER, OUTPUT
from tests.install.server_machine import ADDRESS
from vm.machine.firmware import find_firmware, find_nic
from vm.machine.spec import MachineSpec
from vm.machine.virtual_machine import Limits, Machine
from vm.network.lab_network import Slot
from vm.summary import record

SERVICES = ("boot", "http", "web", "projector", "worker", "lab")
NAME = "Lab PE x64"
# The first test waits until the package is built and a system is made, started and installed.
pytestmark = pytest.mark.timeout(1800)

FIRST_EPHEMERAL = 32768  # net.ipv4.ip_local_port_range


def wait_for(server, script, *, seconds=600):
    """Wait until a script succeeds in the machine; it prints what it waits for."""
    loop = (
        f"end=$(( $(date +%s) + {seconds} )); until {script}; do"
        " [ $(date +%s) -lt $end ] || exit 1; sleep 1; done"
    )
    done = server.sh(loop, seconds=seconds + 60)
    assert done.code == 0, f"{script}\n{journal(server)}"


def journal(server):
    return server.sh("journalctl -u 'netboot*' --no-pager -n 60 -o cat").text


NO_START = "/usr/sbin/policy-rc.d"
"""Where it says 101, Debian's packages start no service."""

BOOT_SERVICES = ("boot", "http")
"""What machines boot from. On an emulated processor the start of all takes minutes."""


def install(server, package, *, start=True):
    """Install a package without any network; `start`: with its services, as usual."""
    if not start:
        server.must(f"printf '#!/bin/sh\\nexit 101\\n' > {NO_START}; chmod +x {NO_START}")
    done = server.sh(f"{APT} install /root/{package}", seconds=600)
    server.must(f"rm -f {NO_START}")
    assert done.code == 0, done.text


def start(server, *services):
    server.must(f"systemctl start {' '.join(f'netboot-{one}' for one in services)}")
    active(server, *services)
    wait_for(server, "systemctl show -p StatusText netboot-boot | grep -q serves")


def active(server, *services):
    for one in services:  # asked for several, systemctl is content with one
        wait_for(server, f"systemctl is-active --quiet netboot-{one}")


def ask(server, *words):
    """What a command of the product prints as JSON."""
    return json.loads(server.must(f"netboot {' '.join(words)} --json"))


def ports(server):
    """The ports that the product has open: protocol and port, with their addresses."""
    rows = server.must("ss -Hlntup | grep python").splitlines()
    local = [(row.split()[0], row.split()[4]) for row in rows]
    return {(protocol, *address.rsplit(":", 1)) for protocol, address in local}


def test_it_is_installed_without_a_network_and_without_a_complaint(server):
    text = server.installed.text.lower()
    assert [word for word in ("error", "traceback", "failed") if word in text] == []
    assert "netboot account setup-token" in text


def test_its_files_have_an_owner_who_can_do_nothing_else(server):
    """A system user without a shell; state that nobody else can read."""
    entry = server.must("getent passwd netboot").strip().split(":")
    assert (entry[5], entry[6]) == ("/var/lib/netboot", "/usr/sbin/nologin")
    assert server.must("stat -c '%U %a' /var/lib/netboot").strip() == "netboot 700"
    assert server.must("find /usr/lib/netboot -newer /usr/bin/netboot -user netboot") == ""


def test_the_pages_of_help_are_installed_where_the_console_finds_them(server):
    """Every user may read them; Sphinx is not there."""
    find = "from web.pages.site.help_pages import help_folder; print(help_folder())"
    python = "runuser -u netboot -- /usr/lib/netboot/bin/python3"
    folder = server.must(f"{python} -c '{find}'").strip()
    assert folder == "/usr/lib/netboot/lib/common/web/help"
    assert "Settings" in server.must(f"cat {folder}/reference/settings.html")
    assert server.must("find /usr/lib/netboot -iname 'sphinx*' -path '*dist-info*'") == ""


def test_the_page_is_there_before_any_network_is_named(server):
    """The system is in order; the boot services say what they wait for."""
    active(server, *SERVICES)
    assert server.must("systemctl is-system-running --wait").strip() == "running"
    assert ports(server) == {("tcp", "127.0.0.1", "8080")}
    status = server.must("systemctl show -p StatusText netboot-boot")
    assert "waits: no network was named" in status


def test_the_network_is_served_once_it_is_set(server):
    """Without a restart, since nothing was served before; with exactly these ports."""
    server.must("netboot settings set interface=eth0")
    wait_for(server, "ss -Hlnt | grep -q :8081 && ss -Hlnu | grep -q :69")
    wait_for(server, "systemctl show -p StatusText netboot-boot | grep -q serves")
    opened = ports(server)
    # Each TFTP transfer has a port of its own (RFC 1350), which the kernel chooses.
    fixed = {(protocol, port) for protocol, _, port in opened if int(port) < FIRST_EPHEMERAL}
    assert fixed == {
        ("udp", "67"), ("udp", "69"), ("udp", "4011"), ("tcp", "8081"), ("tcp", "8080"),
    }  # fmt: skip
    assert ("tcp", ADDRESS, "8081") in opened


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_has_no_right_that_it_does_not_need(server, service):
    """Its user, its capabilities, and what the system says of its unit."""
    pid = server.must(f"systemctl show -P MainPID netboot-{service}").strip()
    rows = dict(
        row.split(":", 1) for row in server.must(f"cat /proc/{pid}/status").splitlines() if row
    )
    user = server.must("id -u netboot").strip()
    assert set(rows["Uid"].split()) == {user}
    # CAP_NET_BIND_SERVICE and CAP_NET_RAW
    assert int(rows["CapEff"], 16) == ((1 << 10 | 1 << 13) if service == "boot" else 0)
    assert rows["NoNewPrivs"].strip() == "1"
    level = server.must(f"systemd-analyze security --no-pager netboot-{service} | tail -1")
    assert float(level.split(":")[1].split()[0]) <= 2.5


def test_what_boot_tests_and_the_lab_pe_need_is_named(server):
    """This system has neither QEMU nor a compiler; the lab sees no card of the network."""
    lab = ask(server, "test-machine", "choices")
    assert (lab["available"], "qemu-system-x86" in lab["reason"]) == (False, True)
    assert "gcc" in ask(server, "lab-pe", "show")["missing"]
    done = server.sh("netboot lab-pe build")
    assert (done.code, "apt-get install gcc" in done.text) == (2, True)
    pid = server.must("systemctl show -P MainPID netboot-lab").strip()
    cards = server.must(f"cat /proc/{pid}/net/dev").splitlines()[2:]
    assert [line.split(":")[0].strip() for line in cards] == ["lo"]


def test_root_imports_what_only_root_can_read(server):
    """And every file in the data folder stays one that the services can write."""
    server.must(f"netboot image import /root/boot.wim --name '{NAME}'")
    server.must("netboot driver import /root/e1000 && netboot driver enable e1000")
    server.must(f"netboot image add-driver '{NAME}' e1000 && netboot image build '{NAME}'")
    server.must(f"netboot points update '{NAME}'")
    assert server.must("find /var/lib/netboot ! -user netboot") == ""
    (row,) = ask(server, "points", "status")
    assert row["status"] == "CURRENT"


def test_a_place_that_the_user_netboot_may_not_write_is_refused(server):
    done = server.sh("netboot export /root/site")
    assert (done.code, "Traceback" in done.text) == (2, False)
    assert "/root/site cannot be written" in done.text
    assert "the user netboot may write" in done.text


def boots_online(server, network, tmp_path, firmware, what):
    """Whether a machine boots from it and comes up online, and why not; for the summary, too."""
    spec = MachineSpec(find_firmware(firmware), find_nic("e1000"), Slot(len(what) % 40))
    began = time.monotonic()
    with Machine(spec, network, tmp_path, accelerator="tcg") as machine:
        run = machine.run(Limits(wall=400, processor=300))
    found = [one for one in ask(server, "boots", "--limit", "5") if one["mac"] == spec.boot_mac]
    well = bool(found) and "result=online" in run.serial
    record(OUTPUT / "boots.json", name=what, passed=well, seconds=time.monotonic() - began)
    return well, f"{run.ending} {run.words} {run.stages}\n{journal(server)}"


@pytest.mark.parametrize("firmware", ["bios-x64", "uefi-x64"])
def test_a_machine_boots_from_it_and_comes_up_online(server, network, firmware, tmp_path):
    """Over the network between the two, beside an ordinary DHCP server."""
    well, why = boots_online(server, network, tmp_path, firmware, f"installed: {firmware}")
    assert well, why


def test_a_second_site_on_the_folder_is_refused_with_those_who_serve_it(server):
    done = server.sh("netboot run")
    assert done.code == 2
    for service in SERVICES:
        assert f"`netboot {service}`, process" in done.text


def test_services_that_are_killed_come_back(server):
    before = {one: restarts(server, one) for one in SERVICES}
    for one in SERVICES:
        server.must(f"systemctl kill -s KILL netboot-{one}")
    for one in SERVICES:
        wait_for(
            server,
            f'[ "$(systemctl show -P NRestarts netboot-{one})" -gt {before[one]} ]'
            f" && systemctl is-active --quiet netboot-{one}",
        )
    assert "Traceback" not in journal(server)


def restarts(server, service):
    return int(server.must(f"systemctl show -P NRestarts netboot-{service}"))


def test_the_journal_has_no_error_of_ours(server):
    text = server.must("journalctl -u 'netboot*' --no-pager -o cat")
    wrong = [line for line in text.splitlines() if "Traceback" in line or "[error" in line]
    assert wrong == []


def test_a_backup_is_made_by_the_command_and_by_the_worker(server):
    """Into the folder that the installation made; the worker may write no other."""
    server.must(f"netboot backup {WHOLE}")
    assert "is intact" in server.must(f"netboot backup verify {WHOLE}")
    assert server.must(f"stat -c '%U %a' {WHOLE}").strip() == "netboot 600"
    server.must(QUEUE_BACKUP)
    wait_for(server, "ls /var/backups/netboot/netboot-*.tar")
    assert ask(server, "backup", "last")["last"]["incremental"]


WHOLE = "/var/backups/netboot/whole.tar"

# As the page and the API ask for it.
QUEUE_BACKUP = """cd / && setpriv --reuid netboot --regid netboot --init-groups env \
NETBOOT_DATA=/var/lib/netboot NETBOOT_DEFAULTS=/etc/netboot/netboot.toml \
/usr/lib/netboot/bin/python3 -c '
from pathlib import Path
from netboot.operations.backups import making
from netboot.site import Site
making.ask_backup(Site.open(Path("/var/lib/netboot")))
'"""


def test_a_restore_onto_a_site_that_is_served_is_refused(server):
    done = server.sh(f"netboot restore {WHOLE} --force")
    assert done.code == 2
    assert "already running" in done.text


def test_removal_keeps_the_site(server):
    """No service, program or link of a unit is left; the site is."""
    server.must(f"{APT} remove netboot", seconds=600)
    assert server.sh("pgrep -u netboot").out == ""
    assert server.sh("ls -d /usr/lib/netboot /usr/bin/netboot").out == ""
    assert server.must("find /etc/systemd/system -name 'netboot*'") == ""
    assert "site.db" in server.must("ls /var/lib/netboot")


def test_a_purge_without_an_answer_keeps_the_site(server):
    done = server.sh(f"{APT} purge netboot", seconds=600)
    assert done.code == 0, done.text
    assert "is kept" in done.text
    assert "site.db" in server.must("ls /var/lib/netboot")
    assert server.sh("ls /etc/netboot/netboot.toml").code != 0


def test_a_later_installation_continues_with_the_site(server):
    """Its settings are part of the site, too: the network is served at once."""
    install(server, "netboot.deb", start=False)
    start(server, *BOOT_SERVICES)
    (row,) = ask(server, "points", "status")
    assert row["status"] == "CURRENT"


def test_a_purge_with_consent_deletes_the_site_but_no_backup(server):
    server.must("echo netboot netboot/delete-site boolean true | debconf-set-selections")
    done = server.sh(f"{APT} purge netboot", seconds=600)
    assert "Backups in /var/backups/netboot are kept" in done.text
    assert server.sh("ls -d /var/lib/netboot").code != 0


def test_an_upgrade_keeps_settings_and_site_and_migrates_its_database(server):
    """From a package of a lower number, with a database of an older schema."""
    install(server, "older.deb", start=False)
    assert server.must("netboot --version").split()[-1] == OLDER
    server.must("rm -rf /var/lib/netboot/* && cp -r /root/older-site/. /var/lib/netboot/")
    server.must("chown -R netboot: /var/lib/netboot")
    server.must("echo 'tftp_workers = 1' >> /etc/netboot/netboot.toml")
    install(server, "netboot.deb")
    active(server, *SERVICES)
    assert server.must("netboot --version").split()[-1] != OLDER
    assert [one["name"] for one in ask(server, "image", "list")] == [NAME]
    (kept,) = server.must("ls /var/lib/netboot/before-upgrade").split()
    assert kept.startswith("database-")
    assert "tftp_workers = 1" in server.must("cat /etc/netboot/netboot.toml")
    server.must("systemctl stop netboot.target")
    assert "is back" in server.must("netboot site take-back")


def test_a_lost_site_is_restored_on_a_new_installation_and_machines_boot_from_it(
    server, network, tmp_path
):
    """What was purged, from the backup; the site that is there gives way only by force."""
    done = server.sh(f"netboot restore {WHOLE}")
    assert (done.code, "--force" in done.text) == (2, True)
    assert "is restored" in server.must(f"netboot restore --force {WHOLE}")
    start(server, *BOOT_SERVICES)
    (row,) = ask(server, "points", "status")
    assert row["status"] == "CURRENT"
    assert server.must("find /var/lib/netboot ! -user netboot") == ""
    well, why = boots_online(
        server, network, tmp_path, "uefi-x64", "installed: restored from a backup"
    )
    assert well, why
