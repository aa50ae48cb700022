"""The command line from outside: what an operator types, sees, and gets as exit code."""

import json
import os
import socket
import subprocess
import sys
import time

import pytest
from sqlalchemy import text

from netboot.boot.told.events import (
    DhcpStarted,
    ForeignOffer,
    NetworksChanged,
    OfferSent,
    RequestIgnored,
)
from netboot.cli import SUBJECTS, main
from netboot.images.architecture import Architecture
from netboot.operations import remembered as facts
from netboot.operations.accounts import accounts
from netboot.operations.images import images
from netboot.site import Site
from tests.support.media_versions import add_lab_version
from tests.support.netlab import Lan
from tests.web.support.seeding import add_driver, add_image, add_version

NAME = "Lab PE x64"


def one_message_and_a_hint(done):
    """Two lines on standard error: what is wrong, and what to do."""
    first, *rest = done.stderr.strip().splitlines()
    return first.startswith("netboot: ") and len(rest) == 1 and rest[0].startswith("  -> ")


def test_the_loop_works_word_by_word(netboot, lab):
    """Import, enable, add, build, update: each says what comes next."""
    netboot("image", "import", lab.wim[Architecture.X64], "--name", NAME)
    assert "points update" in netboot("image", "build", NAME).stdout
    assert "Lab PE x64 v1 is served. It is the default" in netboot("points", "update", NAME).stdout
    netboot("driver", "import", lab.driver_folder("e1000", Architecture.X64))
    netboot("driver", "enable", "e1000")
    netboot("image", "add-driver", NAME, "e1000")
    assert "Driver added: e1000" in netboot("image", "show", NAME).stdout
    netboot("image", "build", NAME)
    assert "Nothing to build" in netboot("image", "build", NAME).stdout
    (shown,) = json.loads(netboot("image", "list", "--json").stdout)
    assert (shown["current"], shown["served"], shown["state"]) == (2, 1, "OUT_OF_DATE")
    updated = netboot("points", "update", "--all").stdout
    assert f'to undo: netboot points rollback "{NAME}" 1' in updated
    (row,) = json.loads(netboot("points", "status", "--json").stdout)
    assert (row["held"], row["status"]) == (2, "CURRENT")
    assert "v1" in netboot("points", "rollback", NAME, 1).stdout
    assert "OUT_OF_DATE" in netboot("points", "verify", NAME).stdout


def test_a_file_that_is_no_wim_is_one_message(netboot, data, tmp_path):
    """Exit code 2, and nothing is left of it."""
    notes = tmp_path / "notes.wim"
    notes.write_text("no image at all\n" * 50)

    assert one_message_and_a_hint(netboot("image", "import", notes, "--name", "Notes", code=2))
    site = Site.open(data)
    assert (images.list_images(site), list(site.blobs.digests())) == ([], [])


def test_a_truncated_wim_is_one_message(netboot, data, lab, tmp_path):
    """Exit code 2, and nothing is left of it."""
    cut = tmp_path / "cut.wim"
    whole = lab.wim[Architecture.X64].read_bytes()
    cut.write_bytes(whole[: len(whole) * 2 // 3])

    assert one_message_and_a_hint(netboot("image", "import", cut, "--name", "Cut", code=2))
    site = Site.open(data)
    assert list(site.blobs.digests()) == []
    assert list(site.blobs.staging.iterdir()) == []


def test_a_folder_without_an_inf_is_one_message(netboot, tmp_path):
    """Exit code 2."""
    folder = tmp_path / "empty"
    folder.mkdir()
    (folder / "readme.txt").write_text("nothing here")

    assert one_message_and_a_hint(netboot("driver", "import", folder, code=2))


def test_a_driver_that_may_not_be_added_is_one_message(netboot, lab):
    """First it is not enabled, then it is of another architecture."""
    netboot("image", "import", lab.wim[Architecture.X64], "--name", NAME)
    netboot("driver", "import", lab.driver_folder("e1000", Architecture.X86))
    done = netboot("image", "add-driver", NAME, "e1000", code=2)
    assert one_message_and_a_hint(done)
    assert "not enabled" in done.stderr
    netboot("driver", "enable", "e1000")
    done = netboot("image", "add-driver", NAME, "e1000", code=2)
    assert one_message_and_a_hint(done)
    assert "x86" in done.stderr


def test_what_is_not_there_is_named_with_what_there_is(netboot):
    """Images, drivers, folders."""
    for words in (
        ("image", "show", "nobody"),
        ("driver", "show", "nobody"),
        ("driver", "import", "/nowhere/at/all"),
        ("image", "import", "/nowhere/boot.wim", "--name", "X"),
    ):
        assert netboot(*words, code=2).stderr.startswith("netboot: ")


def test_a_folder_that_holds_no_site_is_told(tmp_path):
    """A mistyped --data must not make an empty site."""
    done = subprocess.run(
        [sys.executable, "-m", "netboot", "--data", str(tmp_path / "typo"), "image", "list"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (
        done.returncode,
        one_message_and_a_hint(done),
        (tmp_path / "typo").exists(),
    ) == (2, True, False)


def test_a_second_site_on_the_same_folder_is_refused(netboot, data):
    """The message names the process that runs it."""
    lock = Site.open(data).claim()
    done = netboot("run", code=2)
    lock.release()

    assert one_message_and_a_hint(done)
    assert "already running" in done.stderr


def test_a_page_port_that_is_taken_is_told_before_anything_starts(netboot, data):
    """By whom, and how to choose another."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (data / "netboot.toml").write_text(f"web_port = {port}\n")
        done = netboot("run", code=2)

    assert one_message_and_a_hint(done)
    assert str(port) in done.stderr


def test_a_setting_that_makes_no_sense_is_named(netboot, data):
    """The file and the setting stand in the message."""
    (data / "netboot.toml").write_text("http_port = 'eighty'\n")
    done = netboot("run", code=2)

    assert one_message_and_a_hint(done)
    assert "http_port" in done.stderr


def test_an_interface_that_is_not_there_is_told(netboot):
    """With the interfaces that there are."""
    done = netboot("run", "--interface", "no-such0", code=2)

    assert one_message_and_a_hint(done)
    assert "lo" in done.stderr


def test_accounts_are_made_on_the_console(netboot, data):
    """A name, a role and a password that is asked for twice."""
    netboot("account", "create", "ada", "--role", "viewer", typed="long enough\nlong enough\n")

    assert accounts.authenticate(Site.open(data), "ada", "long enough").role == "viewer"
    assert "ada" in netboot("account", "list").stdout


def test_a_missing_driver_is_foreseen_and_mended(netboot, lab):
    """Told before the machine boots, with the driver that would mend it and why; then mended."""
    mac = "52:54:00:ab:cd:ef"
    netboot("image", "import", lab.wim[Architecture.X64], "--name", NAME)
    report = netboot("driver", "import", lab.driver_folder("e1000", Architecture.X64), "--ids")
    assert "covered    PCI\\VEN_8086&DEV_100E" in report.stdout
    netboot("machine", "import", mac, typed="PCI\\VEN_8086&DEV_100E&SUBSYS_11001AF4&REV_03\n")
    shown = netboot("machine", "show", mac).stdout
    assert "NO DRIVER" in shown
    assert "fixed by e1000" in shown
    (first,) = json.loads(netboot("driver", "match", "8086:100e", "--json").stdout)
    assert (first["name"], first["enabled"]) == ("e1000", False)
    assert "takes      e1000" in netboot("driver", "match", "8086:100e").stdout
    assert "No driver" in netboot("driver", "match", "8086:100e", "--architecture", "x86").stdout

    assert "added e1000" in netboot("image", "coverage", NAME, "--fix").stdout
    (covered,) = json.loads(netboot("image", "coverage", NAME, "--json").stdout)
    assert (mac, "covered", []) == (covered["machine"], covered["network"], covered["lacking"])
    assert "needed by 1" in netboot("image", "coverage", NAME).stdout


def test_a_pair_of_drivers_is_noted_and_told_where_it_matters(netboot, data, tmp_path):
    """By the drivers, by the image, among the conflicts; and forgotten again."""
    site = Site.open(data)
    add_image(site)
    for name, device in (("early", "1"), ("late", "2")):
        add_driver(site, tmp_path, name, ids=(f"PCI\\VEN_{device}",), enabled=True)
    netboot("image", "add-driver", NAME, "late", "early")
    words = ("--first", "early.inf", "--second", "service:late", "--reason", "It hangs.")
    assert (
        "own-1  Load early.inf before service late."
        in netboot("driver", "pair", "add", "order", *words, "--source", "ticket 17").stdout
    )

    assert "It hangs." in netboot("driver", "show", "early").stdout
    assert "It hangs." in netboot("image", "show", NAME).stdout
    told = json.loads(netboot("driver", "conflicts", "--image", NAME, "--json").stdout)
    assert [one["id"] for one in told["pairs"]] == ["own-1"]
    assert "image arrange" in netboot("driver", "conflicts", "--image", NAME).stdout
    assert "early, late" in netboot("image", "arrange", NAME).stdout
    assert "No drivers conflict." in netboot("driver", "conflicts", "--image", NAME).stdout
    assert "ticket 17" in netboot("driver", "pair", "list").stdout
    assert "own-1 was deleted" in netboot("driver", "pair", "remove", "own-1").stdout
    assert one_message_and_a_hint(netboot("driver", "pair", "remove", "own-1", code=2))
    refused = netboot(
        "driver", "pair", "add", "apart", *words[:2], "--second", "*", *words[4:], code=2
    )
    assert one_message_and_a_hint(refused)


def test_deployments_and_machines_are_listed(netboot, lab):
    """By MAC address, in any spelling; a list of devices becomes a machine."""
    netboot("image", "import", lab.wim[Architecture.X64], "--name", NAME)
    netboot("deployment", "set", "52-54-00-AB-CD-EF", NAME)
    rows = json.loads(netboot("deployment", "list", "--json").stdout)
    assert {"machine": "52:54:00:ab:cd:ef", "image": NAME, "comment": ""} in rows
    netboot("deployment", "remove", "525400abcdef")
    netboot("machine", "import", "pool", typed="PCI\\VEN_8086&DEV_15BE&SUBSYS_00000000&REV_01\n")
    (machine,) = json.loads(netboot("machine", "list", "--json").stdout)
    assert (machine["machine"], machine["devices"]) == ("pool", ["8086:15BE"])
    (covered,) = json.loads(netboot("image", "coverage", NAME, "--json").stdout)
    assert (covered["machine"], covered["lacking"]) == ("pool", [])
    assert "pool (-)" in netboot("machine", "show", "pool").stdout
    netboot("machine", "forget", "pool")
    assert json.loads(netboot("boots", "--json").stdout) == []


def test_decisions_and_other_boot_servers_are_told(netboot, data):
    """Who was answered and why, what we serve, and who else answers."""
    site = Site.open(data)
    for event in (
        DhcpStarted(at=1.0, interface="eth0", address="10.0.0.2", ports="4011", notes="67 taken"),
        OfferSent(at=2.0, mac="52:54:00:00:00:01", file="snponly.efi", reason="default for x64"),
        RequestIgnored(at=3.0, mac="52:54:00:00:00:02", reason="no default image for arm64"),
        ForeignOffer(at=4.0, mac="52:54:00:00:00:01", server="10.0.0.66", file="evil"),
    ):
        site.journal.emit(event)
    assert site.journal.flush()
    site.journal.close()

    told = netboot("network", "log").stdout
    assert "snponly.efi" in told
    assert "no default image for arm64" in told
    (ignored,) = json.loads(netboot("network", "log", "--ignored", "--json").stdout)
    assert (ignored["mac"], ignored["ignored"]) == ("52:54:00:00:00:02", True)
    told = netboot("network", "servers").stdout
    assert "Serving eth0 as 10.0.0.2 on UDP 4011." in told
    assert "67 taken" in told
    assert "10.0.0.66" in told
    assert json.loads(netboot("network", "servers", "--json").stdout)["others"][0]["file"] == "evil"


def test_the_networks_are_listed_with_what_was_heard_there(netboot, data):
    lines = [
        {"name": "eth0", "address": "10.1.0.2", "state": "serves", "heard": 3, "last": 9.0},
        {"name": "eth9", "state": "waits", "reason": "there is no network interface eth9"},
    ]
    journal = Site.open(data).journal
    journal.emit(NetworksChanged(at=1.0, networks=json.dumps(lines)))
    assert journal.flush()
    told = netboot("network", "list").stdout
    listed = json.loads(netboot("network", "list", "--json").stdout)

    assert "waits: there is no network interface eth9" in told
    assert [(one["name"], one["heard"]) for one in listed] == [("eth0", 3), ("eth9", 0)]


def test_before_the_first_start_no_network_is_known(netboot):
    """Said plainly, exit code 0."""
    told = netboot("network", "servers").stdout

    assert "have never served a network here" in told
    assert "No other boot server was seen." in told


def test_every_subject_is_listed_and_helps(capsys):
    """Each with its own help."""
    assert main(["--help"]) == 0
    listed = capsys.readouterr().out
    for subject in SUBJECTS:
        assert f"  {subject} " in listed
        if subject != "check":
            assert main([subject, "--help"]) == 0


def test_help_loads_no_database_and_no_web_server():
    """The first answer must come at once."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "netboot", "--help"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    loaded = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert set() == {"sqlalchemy", "flask", "scapy", "pydantic", "rich"} & loaded


# --- without rights -------------------------------------------------------------------------

POWERLESS = ("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--")
"""Before a command: it may do nothing that needs more than its files' owner, though it is root."""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="rights can only be taken away by root")


def powerless(data, *words, before=()):
    """The command without any rights; its code, output and errors."""
    command = [*before, *POWERLESS, sys.executable, "-m", "netboot", "--data", str(data)]
    return subprocess.run(
        [*command, *map(str, words)], capture_output=True, text=True, timeout=120, check=False
    )


@needs_root
@pytest.mark.netns
@pytest.mark.parametrize("words", [("boot", "--address", "10.1.0.1"), ("run",)])
def test_who_may_not_open_low_ports_is_told_how_to(netboot, data, words):
    """One message and what to grant; a whole site ends with it, and nothing of it goes on."""
    facts.remember(Site.open(data), facts.DEFAULTS_PROVIDED, {"at": 1.0})
    with Lan() as lan:
        inside = ["ip", "netns", "exec", lan.host("srv", "10.1.0.1/24").namespace]
        done = powerless(data, *words, "--interface", "eth0", before=inside)

    assert done.returncode == 2
    assert "netboot: the system does not allow opening UDP port 69 of 10.1.0.1" in done.stderr
    assert "  -> Run as root, or grant CAP_NET_BIND_SERVICE" in done.stderr
    assert "Traceback" not in done.stderr
    assert words != ("run",) or "boot services cannot work here" in done.stdout


@needs_root
@pytest.mark.netns
def test_where_no_private_network_can_be_made_the_lab_says_so(netboot, data):
    """No rights, and a system that lets ordinary users make none: code 2, reason and hint."""
    facts.remember(Site.open(data), facts.DEFAULTS_PROVIDED, {"at": 1.0})
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (data / "netboot.toml").write_text(f"web_port = {port}\n")
    forbid = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"'
    done = powerless(
        data, "run", before=("unshare", "--user", "--map-root-user", "sh", "-c", forbid, "sh")
    )

    assert done.returncode == 2
    assert "cannot create a private network" in done.stderr
    assert "  -> " in done.stderr
    assert done.stdout.endswith("lab cannot work here (see its message above); the site ends.\n")


@needs_root
@pytest.mark.parametrize("words", [("image", "list"), ("run",), ("account", "setup-token")])
def test_a_data_folder_of_somebody_else_is_told(netboot, data, words):
    """Neither a traceback nor a second, empty site."""
    os.chown(data, 65534, 65534)
    done = powerless(data, *words)

    assert (done.returncode, one_message_and_a_hint(done)) == (2, True)
    assert f"the data folder {data} cannot be" in done.stderr


@needs_root
def test_a_wim_that_may_not_be_read_is_told(netboot, data, tmp_path):
    """It is not taken for a damaged one, and nothing is left."""
    wim = tmp_path / "boot.wim"
    wim.write_bytes(b"MSWIM\0\0\0" + bytes(1000))
    wim.chmod(0)
    os.chown(wim, 65534, 65534)
    done = powerless(data, "image", "import", wim, "--name", "Secret")

    assert (done.returncode, one_message_and_a_hint(done)) == (2, True)
    assert "boot.wim cannot be read: Permission denied" in done.stderr
    assert list((data / "staging").iterdir()) == []


# --- the data folder ------------------------------------------------------------------------


def test_a_site_is_cleaned_and_verified(netboot, data):
    """What nothing names goes; what is not what it should be is told with exit code 1."""
    site = Site.open(data)
    add_image(site, NAME)
    version = add_version(site, NAME)
    site.point.update(version, site.blobs, now=time.time())
    orphan = site.blobs.add_bytes(b"o" * (3 << 20))
    os.utime(site.blobs.path(orphan.digest), (1e9, 1e9))

    assert "4 blobs are intact." in netboot("site", "verify").stdout
    assert "1 blobs, 0 leftovers" in netboot("site", "clean").stdout
    assert not site.blobs.holds(orphan.digest)
    site.blobs.remove(version.files[0].digest)
    done = netboot("site", "verify", code=1)
    assert f"{NAME} v1: blob {version.files[0].digest} is missing" in done.stderr
    assert "netboot: 1 of 3 blobs are damaged" in done.stderr


def test_a_site_whose_database_was_lost_is_not_cleaned_by_accident(netboot, data):
    """The refusal says what to check; nothing is gone."""
    site = Site.open(data)
    site.blobs.add_bytes(b"source of an image")
    done = netboot("site", "clean", code=2)

    assert one_message_and_a_hint(done)
    assert len(list(site.blobs.digests())) == 1


def test_altered_content_is_exit_code_1(netboot, data):
    """Damage is not the operator's fault, and a script can tell the two apart."""
    site = Site.open(data)
    add_image(site, NAME)
    version = add_version(site, NAME)
    netboot("points", "update", NAME)
    path = site.point.blobs.path(version.files[0].digest)
    path.chmod(0o644)
    path.write_bytes(b"altered")
    done = netboot("points", "verify", NAME, code=1)

    assert (one_message_and_a_hint(done), "boot.wim" in done.stderr) == (True, True)


def test_a_point_that_cannot_be_read_keeps_daemons_from_starting(netboot, data):
    """Exit code 1: whoever supervises tries again, and the reason is on the console."""
    Site.open(data).point.pointer.write_text("{half")

    for words in (("boot", "--address", "127.0.0.1"), ("http", "--address", "127.0.0.1")):
        assert "current.json is damaged" in netboot(*words, code=1).stderr


def test_accounts_are_managed_on_the_console(netboot, data):
    """Make, change, disable, delete; the last administrator stays."""
    password = ("--password", "correct horse battery")
    netboot("account", "create", "ada", "--role", "admin", *password)
    netboot("account", "create", "zoe", "--role", "viewer", *password)
    netboot("account", "role", "zoe", "operator")
    netboot("account", "disable", "zoe")
    (_, zoe) = json.loads(netboot("account", "list", "--json").stdout)
    assert (zoe["name"], zoe["role"], zoe["disabled"]) == ("zoe", "operator", True)
    netboot("account", "enable", "zoe")
    netboot("account", "delete", "zoe", "--yes")
    assert one_message_and_a_hint(netboot("account", "role", "ada", "viewer", code=2))
    assert [one.name for one in accounts.list_accounts(Site.open(data))] == ["ada"]


def test_a_token_is_made_and_revoked_on_the_console(netboot):
    """The token alone on standard output, for a script to take."""
    netboot("account", "create", "ada", "--password", "correct horse battery")
    token = netboot("account", "token", "ada", "--scope", "operate", "--days", "3").stdout.strip()
    (shown,) = json.loads(netboot("account", "tokens", "ada", "--json").stdout)

    assert token.startswith(f"nb_{shown['handle']}_")
    assert "was revoked" in netboot("account", "revoke", "ada", shown["id"]).stdout
    assert json.loads(netboot("account", "tokens", "ada", "--json").stdout) == []
    assert one_message_and_a_hint(
        netboot("account", "token", "ada", "--scope", "administer", code=2)
    )


def test_what_is_changed_on_the_console_is_in_the_audit_log(netboot, data):
    """Changes, not looks; no passwords; and a log that was altered is exit code 1."""
    netboot("account", "create", "ada", "--password", "correct horse battery")
    netboot("account", "password", "ada", "--password=another horse battery")
    netboot("account", "list")
    found = json.loads(netboot("audit", "list", "--json").stdout)

    assert [entry["action"] for entry in found] == ["accounts.password", "accounts.create"]
    assert {"cli"} == {entry["via"] for entry in found}
    assert found[1]["subject"] == "accounts/ada"
    assert "horse" not in json.dumps(found)
    verified = netboot("audit", "verify")
    assert "The log is intact: 2 entries" in verified.stdout
    assert json.loads(netboot("audit", "verify", "--json").stdout)["head"] in verified.stdout
    with Site.open(data).database.writing() as session:
        session.execute(text("UPDATE audit SET actor = 'mallory' WHERE id = 1"))
    told = netboot("audit", "verify", code=1).stderr
    assert "entry 1 or an entry before it was changed" in told


def test_webhooks_are_managed_on_the_console(netboot):
    """Added, tested, switched, removed."""
    added = netboot("webhook", "add", "https://chat.example/x", "boot.*", "job.failed", "--json")
    number = json.loads(added.stdout)["id"]
    netboot("webhook", "test", number)
    (told,) = json.loads(netboot("webhook", "deliveries", number, "--json").stdout)
    assert told["event"] == "webhook.test"
    netboot("webhook", "switch", number, "off")
    (shown,) = json.loads(netboot("webhook", "list", "--json").stdout)
    assert (shown["enabled"], shown["events"]) == (False, ["boot.*", "job.failed"])
    netboot("webhook", "remove", number)
    assert one_message_and_a_hint(netboot("webhook", "add", "chat.example", "*", code=2))
    here = netboot("webhook", "add", "http://127.0.0.1:9/x", "*", code=2)
    assert one_message_and_a_hint(here)
    assert "webhook_networks" in here.stderr


def test_settings_are_read_and_written_on_the_console(netboot, data):
    """Each says where it comes from; a list is parted by commas; secrets stay out of the log."""
    words = ("web_port=9001", "trusted_hosts=a.example, b.example", "oidc_client_secret=hush")
    told = json.loads(netboot("settings", "set", *words, "--json").stdout)
    found = {one["name"]: one for one in told["settings"]}
    assert (found["web_port"]["text"], found["web_port"]["origin"]) == ("9001", "file")
    assert found["trusted_hosts"]["text"] == "a.example\nb.example"
    assert "hush" not in netboot("settings", "list", "--json").stdout
    assert "hush" not in netboot("audit", "list", "--json").stdout
    assert one_message_and_a_hint(netboot("settings", "set", "web_port=none", code=2)) is False
    assert "web_port = 9001" in (data / "netboot.toml").read_text()


def test_a_job_is_waited_for_on_the_console(netboot, data):
    """Its end is the command's: code 1 for one that did not succeed."""
    site = Site.open(data)
    job = site.jobs.submit("clean_up", {}, title="Clean up")
    site.jobs.cancel(job.id)

    done = netboot("job", "wait", job.id, "--json", code=1)
    assert json.loads(done.stdout)["state"] == "cancelled"
    netboot("job", "screenshot", job.id, data / "x.png", code=2)


def test_codes_on_a_screen_are_explained_on_the_console(netboot):
    """As somebody types them."""
    assert "PXE-E55" in netboot("boots", "code", "e55").stdout
    assert json.loads(netboot("boots", "code", "C000000F", "--json").stdout)["code"] == "0xc000000f"
    assert one_message_and_a_hint(netboot("boots", "code", "nonsense", code=2))
    assert len(json.loads(netboot("boots", "hours", "--json").stdout)["starts"]) == 24


def test_jobs_are_shown_and_cancelled_on_the_console(netboot, data):
    """As the page does it."""
    job = Site.open(data).jobs.submit("clean_up", {}, title="Clean up")
    assert "Clean up: queued" in netboot("job", "show", job.id).stdout
    assert "was asked to stop" in netboot("job", "cancel", job.id).stdout
    (shown,) = json.loads(netboot("job", "list", "--json").stdout)
    assert shown["state"] == "cancelled"
    netboot("job", "show", 77, code=2)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("a", {"account", "apply", "audit"}),
        ("account to", {"token", "tokens"}),
        ("--da", {"--data"}),
    ],
)
def test_the_shell_completes_subjects_verbs_and_options(typed, expected):
    """As bash asks for it."""
    words = ["netboot", *typed.split()]
    environment = {
        **os.environ,
        "_NETBOOT_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(words),
        "COMP_CWORD": str(len(words) - 1),
    }
    command = [sys.executable, "-m", "netboot"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert {line.partition(",")[2] for line in done.stdout.split()} == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_is_printed(capsys, shell):
    """For each shell its own."""
    assert main(["completion", shell]) == 0
    assert "_NETBOOT_COMPLETE" in capsys.readouterr().out


def test_media_are_made_listed_copied_and_deleted(netboot, data, tmp_path):
    """The medium says what it carries and what comes next."""
    site = Site.open(data)
    add_lab_version(site)
    site.database.close()
    made = netboot("media", "build", NAME, "--kind", "usb", "--label", "STICK").stdout
    (shown,) = json.loads(netboot("media", "list", "--json").stdout)
    netboot("media", "save", shown["id"], tmp_path / "stick.img")

    assert "carries  Lab PE x64 v1, boot.wim sha256:" in made
    assert f"netboot media save {shown['id']} FILE" in made
    assert (shown["label"], shown["firmware"]) == ("STICK", ["bios", "uefi-ia32", "uefi-x64"])
    assert shown["size"] == (tmp_path / "stick.img").stat().st_size
    assert one_message_and_a_hint(netboot("media", "save", shown["id"], tmp_path / "stick.img",
                                          code=2))  # fmt: skip
    assert "STICK" not in netboot("media", "delete", shown["id"]).stdout
    assert json.loads(netboot("media", "list", NAME, "--json").stdout) == []


@pytest.mark.parametrize(
    "words",
    [
        ("build", "Nothing like it"),
        ("build", NAME, "--version", "9"),
        ("build", NAME, "--label", "much too long a label"),
        ("build", NAME, "--format", "vhdx"),
        ("build", NAME, "--expires", "tomorrow"),
        ("build", NAME, "--report-home", "site"),
        ("build", NAME, "--with", NAME),
        ("package", NAME, "--address", "http://10.0.0.2:8081"),
        ("delete", "7"),
    ],
)
def test_media_that_cannot_be_made_are_refused_in_two_lines(netboot, data, words):
    """What is wrong, and what to do; code 2."""
    site = Site.open(data)
    add_lab_version(site)
    site.database.close()

    assert one_message_and_a_hint(netboot("media", *words, code=2))


def test_a_link_for_a_machines_disk_is_printed_with_what_to_type(netboot, data):
    """For scripts as JSON."""
    site = Site.open(data)
    site.point.update(add_lab_version(site), site.blobs, now=time.time())
    site.database.close()
    words = ("media", "package", NAME, "--system", "linux", "--address", "http://10.0.0.2:8081")
    told = netboot(*words).stdout
    link = json.loads(netboot(*words, "--json").stdout)

    assert "curl -fsS -o netboot-disk.sh http://10.0.0.2:8081/package/" in told
    assert link["url"] not in told
    assert link["url"] in link["commands"][0]


def test_help_says_where_the_page_is_and_how_to_reach_it_from_elsewhere():
    """In both places that a new user looks at first."""
    asked = (["make", "help"], [sys.executable, "-m", "netboot", "run", "--help"])
    for command in asked:
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        for words in ("http://127.0.0.1:8080/", "ssh -L 8080:127.0.0.1:8080", "web_port"):
            assert words in text, command
