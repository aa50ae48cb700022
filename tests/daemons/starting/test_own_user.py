"""Root's commands as the user of the data folder: with real users, processes and files."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from netboot.daemons.starting import own_user as module
from netboot.daemons.starting.own_user import NET_BIND_SERVICE, NET_RAW, NETWORK, Account, Stays
from tests.support.dhcp_servers import wait_for
from tests.support.netlab import Lan, needs_netns

NOBODY = 65534
SOMEBODY = Account(NOBODY, NOBODY, "nobody", "/nonexistent")
BY_SUDO = {"SUDO_UID": str(NOBODY), "SUDO_GID": str(NOBODY), "SUDO_USER": "nobody"}
ADDRESS = "10.77.0.2"

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def folder():
    """A folder that all users can reach; pytest's own is for its user alone."""
    with tempfile.TemporaryDirectory(prefix="netboot-user-") as made:
        os.chmod(made, 0o755)
        if os.geteuid() == 0 and module.obstacle(Path(made), SOMEBODY):
            pytest.skip("other users cannot read this checkout")
        yield Path(made)


def netboot(data, *words, before=(), **environment):
    command = [*before, sys.executable, "-m", "netboot", "--data", str(data), *words]
    without = {k: v for k, v in os.environ.items() if not k.startswith("SUDO_")}
    return subprocess.run(
        command, capture_output=True, text=True, env=without | environment, cwd=module_root()
    )


def module_root():
    return Path(module.netboot.__file__).parents[1]


def owners(data):
    return {path.lstat().st_uid for path in (data, *data.rglob("*"))}


# --- whom root becomes ------------------------------------------------------------------------


@needs_root
def test_a_folder_of_somebody_decides_for_them_even_if_another_user_calls_sudo(tmp_path):
    os.chown(tmp_path, NOBODY, NOBODY)
    assert module.choose(tmp_path, {"SUDO_UID": "1"}) == SOMEBODY


@needs_root
@pytest.mark.parametrize("state", ["absent", "empty", "of a new file system"])
def test_a_new_folder_is_for_who_called_sudo(tmp_path, state):
    data = tmp_path / "data"
    if state != "absent":
        data.mkdir()
    if state == "of a new file system":
        (data / "lost+found").mkdir()
    assert module.choose(data, BY_SUDO) == SOMEBODY


@needs_root
@pytest.mark.parametrize("environment", [{}, {"SUDO_UID": "0"}, {"SUDO_UID": "x"}])
def test_without_sudo_a_new_folder_is_for_the_user_netboot(tmp_path, monkeypatch, environment):
    """Where there is none, root's process stays root's and says how to make one."""
    monkeypatch.setattr(module, "USER", "nobody")
    assert module.choose(tmp_path / "data", environment) == SOMEBODY
    monkeypatch.setattr(module, "USER", "no-such-user")
    stays = module.choose(tmp_path / "data", environment)
    assert stays.reason == "no user called sudo, and there is no user no-such-user"
    assert stays.hint.startswith("Create that user: useradd --system ")


@needs_root
def test_a_site_of_root_stays_roots(tmp_path):
    """Nothing in it is changed; the hint names the user who called sudo."""
    (tmp_path / "site.db").touch()
    stays = module.choose(tmp_path, BY_SUDO)
    assert stays.reason == f"the data folder {tmp_path} belongs to root"
    assert stays.hint == f"With the site stopped: chown -R nobody: {tmp_path}"


@needs_root
def test_an_owner_without_an_entry_is_known_by_number(tmp_path):
    os.chown(tmp_path, 54321, 54322)
    assert module.choose(tmp_path, {}) == Account(54321, 54322, "54321", "/")


@needs_root
def test_what_the_user_cannot_reach_is_named(folder):
    """The data folder need not be there yet."""
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    assert module.obstacle(closed / "data", SOMEBODY) == f"the user nobody cannot reach {closed}"
    assert module.obstacle(folder / "data", SOMEBODY) == ""
    assert (os.geteuid(), os.getegid()) == (0, 0)


@needs_root
def test_a_user_whom_a_namespace_does_not_have_is_not_become(folder):
    """Root of a user namespace sees the folders of all others as the user nobody's."""
    data = folder / "data"
    data.mkdir(mode=0o755)
    os.chown(data, 54321, 54321)
    ask = (
        "import sys; from pathlib import Path; from netboot.daemons.starting import own_user;"
        " data = Path(sys.argv[1]); owner = own_user.choose(data, {});"
        " print(owner.uid, own_user.obstacle(data, owner))"
    )
    command = ["unshare", "--user", "--map-root-user", sys.executable, "-c", ask, str(data)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=module_root())
    assert done.stdout.startswith(f"{NOBODY} the user nobody cannot reach "), done.stderr


def test_nobody_but_root_becomes_anybody(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert module.enter(tmp_path / "data", NETWORK) is None
    assert not (tmp_path / "data").exists()


@needs_root
def test_where_root_may_become_nobody_a_site_is_made_all_the_same(folder):
    """As in a container without CAP_SETUID."""
    before = ("setpriv", "--bounding-set=-setuid", "--inh-caps=-setuid", "--")
    made = netboot(folder / "data", "site", "create", "--no-token", before=before, **BY_SUDO)
    assert (made.returncode, "Owner" in made.stdout, owners(folder / "data")) == (0, False, {0})


# --- what root left in the folder ---------------------------------------------------------------


@needs_root
def test_what_root_left_in_a_users_folder_is_handed_over(folder):
    """But no file that has a name outside: it may be somebody's whom the user may not read."""
    data, outside = folder / "data", folder / "outside"
    (data / "blobs").mkdir(parents=True)
    (data / "points").mkdir()
    (data / "blobs" / "one").write_text("bytes")
    os.link(data / "blobs" / "one", data / "points" / "one")
    outside.write_text("for root")
    os.link(outside, data / "blobs" / "linked")
    (data / "points" / "pointer").symlink_to("/etc/passwd")
    os.chown(data, NOBODY, NOBODY)

    module._hand_over(data, SOMEBODY)
    assert owners(data) == {NOBODY, 0}
    assert [path.name for path in data.rglob("*") if path.lstat().st_uid == 0] == ["linked"]
    assert (outside.stat().st_uid, os.stat("/etc/passwd").st_uid) == (0, 0)


@needs_root
def test_a_handover_that_is_interrupted_is_finished_by_the_next(folder, monkeypatch):
    """The folder itself comes last: until then it counts as root's."""
    data = folder / "data"
    data.mkdir()
    (data / "lost+found").mkdir()
    chown, given = os.chown, []

    def fails_at_the_folder(path, *words, **options):
        if path == data:
            raise PermissionError(1, "Operation not permitted")
        given.append(path)
        chown(path, *words, **options)

    monkeypatch.setattr(os, "chown", fails_at_the_folder)
    monkeypatch.setenv("SUDO_UID", str(NOBODY))
    stays = module.enter(data, NETWORK)
    assert isinstance(stays, Stays)
    assert stays.reason == f"{data} cannot be given to nobody (Operation not permitted)"
    assert (os.geteuid(), data.stat().st_uid, given) == (0, 0, ["lost+found"])
    monkeypatch.undo()
    module._hand_over(data, SOMEBODY)
    assert owners(data) == {NOBODY}


# --- rights -----------------------------------------------------------------------------------


BECOME = """
import subprocess, sys
from netboot.daemons.starting.own_user import NET_RAW, NETWORK, Account, become, with_rights
become(Account(65534, 65534, "nobody", "/nonexistent"), own=NETWORK, inherited=NETWORK)
for rights in (NETWORK, {NET_RAW}, ()):
    show = ["grep", "-E", "^(Uid|CapPrm|CapAmb|NoNewPrivs)", "/proc/self/status"]
    command = with_rights(show, rights)
    print(subprocess.run(command, capture_output=True, text=True).stdout.replace('\\n', ' '))
"""


@needs_root
def test_a_program_inherits_the_rights_it_needs_and_no_other(folder):
    done = subprocess.run(
        [sys.executable, "-c", BECOME], capture_output=True, text=True, cwd=module_root()
    )
    rows = [line.split() for line in done.stdout.splitlines()]
    masks = [1 << NET_BIND_SERVICE | 1 << NET_RAW, 1 << NET_RAW, 0]
    user = ["Uid:", *["65534"] * 4]
    assert rows == [
        [*user, "CapPrm:", f"{mask:016x}", "CapAmb:", f"{mask:016x}", "NoNewPrivs:", "1"]
        for mask in masks
    ], done.stderr


READ = """
import sys
from netboot.daemons.starting.own_user import DAC_READ_SEARCH, Account, become
become(Account(65534, 65534, "nobody", "/nonexistent"), own={DAC_READ_SEARCH}, inherited=())
print(open(sys.argv[1]).read())
try:
    open(sys.argv[1], "a")
except PermissionError:
    print("not written")
"""


@needs_root
def test_roots_command_reads_what_root_may_read_and_writes_nothing_of_it(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("for root")
    secret.chmod(0o600)
    done = subprocess.run(
        [sys.executable, "-c", READ, secret], capture_output=True, text=True, cwd=module_root()
    )
    assert done.stdout.splitlines() == ["for root", "not written"], done.stderr


@needs_root
def test_a_folder_that_becomes_a_link_does_not_lead_root_outside(folder, monkeypatch):
    """Its owner may replace it while root hands over what is in it."""
    data, outside = folder / "data", folder / "outside"
    (data / "in").mkdir(parents=True)
    outside.mkdir()
    for place in (data / "in", outside):
        (place / "passwd").write_text("")
    chown, swapped = os.chown, []

    def swaps(name, *words, **options):
        if name == "passwd" and not swapped:
            (data / "in").rename(data / "out")
            (data / "in").symlink_to(outside)
            swapped.append(name)
        chown(name, *words, **options)

    monkeypatch.setattr(os, "chown", swaps)
    module._hand_over(data, SOMEBODY)
    assert swapped
    assert owners(outside) == {0}
    assert (data / "out/passwd").stat().st_uid == NOBODY


def test_without_rights_to_drop_a_command_is_started_as_it_is():
    assert module.with_rights(["netboot", "worker"], ()) == ["netboot", "worker"]


@pytest.mark.parametrize(("port", "rights"), [(1023, {NET_BIND_SERVICE}), (1024, set())])
def test_a_low_port_needs_a_right(port, rights):
    assert module.rights_of_port(port) == rights


# --- the whole site -------------------------------------------------------------------------------


@pytest.fixture
def lan():
    with Lan() as made:
        yield made


def status(pid):
    rows = Path(f"/proc/{pid}/status").read_text().splitlines()
    fields = dict(row.split(":\t", 1) for row in rows if ":\t" in row)
    return set(fields["Uid"].split()), int(fields["CapEff"], 16), fields["NoNewPrivs"]


@needs_root
@needs_netns
@pytest.mark.netns
def test_only_the_boot_services_of_roots_site_keep_rights_and_all_its_files_have_one_owner(
    folder, lan
):
    """Root's other commands work as that user, too."""
    data = folder / "data"
    made = netboot(data, "site", "create", **BY_SUDO)
    assert "  Owner        nobody, as whom `netboot run` works" in made.stdout.splitlines()
    (data / "left").write_text("by root, of the release before")
    host = lan.host("srv", f"{ADDRESS}/24")
    process = host.start(
        *("env", "NETBOOT_CACHE=/nonexistent", *(f"{k}={v}" for k, v in BY_SUDO.items())),
        *(sys.executable, "-m", "netboot", "--data", str(data), "run", "--interface", "eth0"),
    )
    said = wait_for(process, "Stop ")
    what = "the boot services alone may open low ports"
    assert f"This site runs as the user nobody; {what}." in said

    network = 1 << NET_BIND_SERVICE | 1 << NET_RAW
    assert status(process.pid) == ({"65534"}, network, "1")
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    kinds = {kind_of(pid): status(pid) for pid in children}
    none = ({"65534"}, 0, "1")
    kinds.pop("vm.defaults", None)  # it may have ended: nothing can be built here
    kinds["lab"] = kinds.pop("vm.standby", None) or kinds["lab"]  # one process, before and after
    assert kinds == {
        "boot": ({"65534"}, network, "1"),
        **dict.fromkeys(("http", "web", "projector", "worker", "lab"), none),
    }

    done = netboot(data, "settings", "set", "log_format=json")
    assert (done.returncode, done.stderr) == (0, "")
    assert owners(data) == {NOBODY}
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert owners(data) == {NOBODY}


def kind_of(pid):
    """What a child of `netboot run` is: its module, or the command of `netboot`."""
    words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    module_name = words[words.index("-m") + 1]
    return words[words.index("--data") + 2] if module_name == "netboot" else module_name
