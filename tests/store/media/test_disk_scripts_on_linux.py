"""The script for Linux, run whole by dash in a root of its own: what it refuses changes nothing.

There is no machine here and no restart: kernel and firmware are files that say what this machine
is like, kexec notes what it was asked. Machines run the script in tests/media_boots.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from netboot.images.architecture import Architecture
from netboot.images.media.disk_package import DiskPackage, System
from netboot.images.versions.content_version import ContentVersion, ManifestFile
from netboot.store.media.disk_scripts import make_package
from tests.media_boots.old_system import GRUB_CFG, add_grub_modules, add_programs

pytestmark = [
    pytest.mark.loopback,
    pytest.mark.skipif(os.geteuid() != 0, reason="a root of one's own needs root"),
]

FILES = {
    "vmlinuz": b"a kernel " * 900,
    "initrd.gz": b"its first file system " * 300,
    "boot.wim": b"MSWIM\0\0\0" + b"an image " * 5000,
}
OTHERS = "# of somebody else\nset superusers=root\n"
KEXEC = """#!/bin/sh
echo "$@" >> /kexec.log
for word; do case $word in --initrd=*) cp "${word#--initrd=}" /kexec.initrd ;; esac; done
exit ${KEXEC_ENDS:-0}
"""
GRUB, KEXEC_FOLDER = "boot/netboot-image", "var/lib/netboot-image"
UNWATCHED = ("dev", "proc", "sys", "kexec.log", "kexec.initrd", "root/netboot-disk.sh")


class Files(BaseHTTPRequestHandler):
    """Hands out a version's files; `server` says what goes wrong."""

    def do_GET(self):
        name = self.path.rpartition("/")[2]
        self.server.asked.append(name)
        data = FILES.get(name)
        if data is None or self.server.lacks == name:
            self.send_error(404)
            return
        if self.server.alters == name:
            data = data[:-1] + b"!"
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.server.holds == name:
            self.wfile.write(data[:100])
            self.wfile.flush()
            self.server.reached.set()
            self.server.let_go.wait(60)
            return
        self.wfile.write(data)

    def log_message(self, *words):
        """The tests look at what came, not at a log."""


@pytest.fixture
def server():
    """A server of boot files on loopback."""
    made = ThreadingHTTPServer(("127.0.0.1", 0), Files)
    made.asked, made.lacks, made.alters, made.holds = [], "", "", ""
    made.reached, made.let_go = threading.Event(), threading.Event()
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    yield made
    made.let_go.set()
    made.shutdown()
    made.server_close()
    thread.join()


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A root like Debian's: dash, GRUB's files, a kernel that tells of an ordinary machine."""
    tree = tmp_path_factory.mktemp("root") / "tree"
    add_programs(tree, ("/usr/bin/grub-editenv", "/bin/dash"))
    for name in ("sh", "reboot", "halt", "poweroff", "init", "kexec"):
        (tree / "bin" / name).unlink(missing_ok=True)
    (tree / "bin/sh").symlink_to("dash")
    (tree / "bin/sync").unlink()  # it would wait for every disk of the machine that tests
    (tree / "bin/sync").symlink_to("/bin/true")
    for folder in ("boot/grub", "var/lib", "root", "tmp", "dev", "proc", "sys/kernel"):
        (tree / folder).mkdir(parents=True)
    (tree / "boot/grub/grub.cfg").write_text(GRUB_CFG)
    add_grub_modules(tree)
    subprocess.run(["grub-editenv", str(tree / "boot/grub/grubenv"), "create"], check=True)
    (tree / "proc/cpuinfo").write_text("flags\t\t: fpu vme lm constant_tsc\n")
    (tree / "proc/mounts").write_text("/dev/vda1 / ext4 rw,relatime 0 0\n")
    (tree / "sys/kernel/kexec_loaded").write_text("0\n")
    (tree / "usr/sbin").mkdir(parents=True, exist_ok=True)
    (tree / "usr/sbin/kexec").write_text(KEXEC)
    (tree / "usr/sbin/kexec").chmod(0o755)
    return tree


@pytest.fixture
def machine(installed, server, tmp_path):
    """A copy of that root, with the script in it."""
    tree = shutil.copytree(installed, tmp_path / "root", symlinks=True)
    made = Linux(tree, server)
    made.put_script()
    return made


class Linux:
    """A root in which the script is run."""

    def __init__(self, tree, server):
        self.tree = tree
        self.server = server

    def put_script(self, size=0):
        """As the site hands it out; `size` is a lie about the image's."""
        listed = tuple(
            ManifestFile(name, f"sha256:{hashlib.sha256(data).hexdigest()}", len(data))
            for name, data in FILES.items()
        )
        version = ContentVersion(
            "Lab PE x64", 7, Architecture.X64, "sha256:0", 0.0, listed, ("linux",)
        )
        base = f"http://127.0.0.1:{self.server.server_port}/v/lab-pe-x64/7"
        package = DiskPackage(version=version, system=System.LINUX, base=base, arguments="quiet")
        script = make_package(package).data
        if size:
            script = script.replace(b"%d boot.wim" % len(FILES["boot.wim"]), b"%d boot.wim" % size)
        self.write("root/netboot-disk.sh", script)

    def command(self, words, user="0:0", **settings):
        """With process numbers of its own, so that nothing in there reaches what is outside."""
        names = [f"{name}={value}" for name, value in settings.items()]
        chroot = ["chroot", f"--userspec={user}", str(self.tree)]
        path = "PATH=/usr/sbin:/usr/bin:/sbin:/bin"
        return ["unshare", "--fork", "--pid", *chroot, "/bin/env", "-i", path, *names,
                "/bin/sh", "/root/netboot-disk.sh", *words]  # fmt: skip

    def run(self, *words, **settings):
        return subprocess.run(
            self.command(words, **settings), capture_output=True, text=True, timeout=60
        )

    def files(self):
        """Every file's rights and bytes, but for what the kernel would tell."""
        found = {}
        for path in sorted(self.tree.rglob("*")):
            name = path.relative_to(self.tree).as_posix()
            if name.startswith(UNWATCHED):
                continue
            data = path.readlink() if path.is_symlink() else path.is_file() and path.read_bytes()
            found[name] = (path.lstat().st_mode, data)
        return found

    def without(self, *names):
        """Take programs away."""
        for name in names:
            for folder in ("bin", "sbin", "usr/bin", "usr/sbin"):
                (self.tree / folder / name).unlink(missing_ok=True)

    def write(self, path, content):
        target = self.tree / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode())

    def text(self, path):
        return (self.tree / path).read_text()


def lacking(*names):
    return lambda machine: machine.without(*names)


def mounted(line):
    return lambda machine: machine.write("proc/mounts", f"{line} rw 0 0\n")


def grub_cfg(without):
    return lambda machine: machine.write("boot/grub/grub.cfg", GRUB_CFG.replace(without, "x"))


REFUSED = {
    "no sha256sum": (lacking("sha256sum"), [], "sha256sum is not installed"),
    "nothing to fetch with": (lacking("wget", "curl"), [], "neither curl nor wget"),
    "32 bits": (lambda m: m.write("proc/cpuinfo", "flags : fpu\n"), [], "for 64-bit processors"),
    "Secure Boot": (
        lambda m: m.write("sys/firmware/efi/efivars/SecureBoot-8be4", b"\x06\0\0\0\1"), [],
        "Secure Boot is on",
    ),
    "neither GRUB nor kexec": (
        lambda m: (m.without("kexec"), (m.tree / "boot/grub/grub.cfg").unlink()), [],
        "neither way works here: no GRUB in /boot, and kexec is not installed",
    ),
    "no grub-editenv": (lacking("grub-editenv"), ["--method", "grub"], "no grub-editenv"),
    "no custom.cfg": (grub_cfg("custom.cfg"), ["--method", "grub"], "reads no custom.cfg"),
    "no single starts": (grub_cfg("next_entry"), ["--method", "grub"], "no start for one time"),
    "no module for digests": (
        lambda m: (m.tree / "boot/grub/i386-pc/hashsum.mod").unlink(),
        ["--method", "grub"],
        "no hashsum.mod in /boot/grub",
    ),
    "LVM": (mounted("/dev/mapper/vg-root / ext4"), ["--method", "grub"], "cannot write to /dev/ma"),
    "btrfs": (mounted("/dev/vda1 / btrfs"), ["--method", "grub"], "to this file system"),
    "no kexec": (lacking("kexec"), ["--method", "kexec"], "kexec is not installed"),
    "kexec for good": (lambda m: None, ["--method", "kexec", "--keep"], "--keep needs GRUB"),
    "no room": (lambda m: m.put_script(size=10**12), [], "KB are free"),
    "no kernel there": (lambda m: setattr(m.server, "lacks", "vmlinuz"), [], "vmlinuz cannot be"),
    "no image there": (lambda m: setattr(m.server, "lacks", "boot.wim"), [], "boot.wim cannot be"),
    "altered": (lambda m: setattr(m.server, "alters", "boot.wim"), [], "boot.wim came altered"),
    "altered, kexec": (
        lambda m: setattr(m.server, "alters", "initrd.gz"), ["--method", "kexec"],
        "initrd.gz came altered",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_when_anything_is_missing_every_file_stays_as_it_was(machine, case):
    """The reason is said, with the promise that is kept here."""
    change, words, said = REFUSED[case]
    change(machine)
    before = machine.files()
    done = machine.run("install", "--no-restart", *words)

    assert done.returncode == 1
    assert said in done.stderr
    assert "Nothing was changed." in done.stderr
    assert before == machine.files()


def test_ordinary_users_change_nothing(machine):
    """Neither by installing nor by removing."""
    before = machine.files()
    for verb in ("install", "remove"):
        done = machine.run(verb, user="1000:1000")

        assert (done.returncode, "this needs root" in done.stderr) == (1, True)
    assert before == machine.files()


@pytest.mark.parametrize(
    ("words", "settings", "said"),
    [
        (["--method", "grub"], {}, "exit status"),
        (["--method", "kexec"], {"KEXEC_ENDS": 1}, "this kernel starts no other"),
    ],
)
def test_what_fails_when_all_is_copied_is_taken_back(machine, words, settings, said):
    """A GRUB environment that cannot be written; a kernel that starts no other."""
    editenv = machine.tree / "usr/bin/grub-editenv"
    editenv.unlink()
    machine.write("usr/bin/grub-editenv", "#!/bin/sh\necho exit status >&2\nexit 3\n")
    editenv.chmod(0o755)
    before = machine.files()
    done = machine.run("install", "--no-restart", *words, **settings)

    assert done.returncode != 0
    assert said in done.stderr
    assert before == machine.files()
    assert "boot.wim" in machine.server.asked


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_who_stops_it_half_way_finds_the_disk_as_it_was(machine, told):
    """As Control-C does: everybody of the terminal is told."""
    machine.server.holds = "boot.wim"
    before = machine.files()
    running = subprocess.Popen(
        machine.command(["install", "--no-restart"]), start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert machine.server.reached.wait(30)
        assert (machine.tree / f"{GRUB}.new/vmlinuz").exists()
        for pid in children(running.pid):
            os.kill(pid, told)
        machine.server.let_go.set()
        assert running.wait(30) != 0
    finally:
        running.kill()
        running.wait()

    assert before == machine.files()


def children(pid):
    """All processes below one, the nearest first."""
    found = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return found + [below for each in found for below in children(each)]


def test_grub_starts_the_image_once_and_removal_leaves_no_trace(machine):
    """What others wrote into custom.cfg stays, with its rights; GRUB's own checker reads ours."""
    machine.write("boot/grub/custom.cfg", OTHERS)
    (machine.tree / "boot/grub/custom.cfg").chmod(0o600)
    before = machine.files()
    done = machine.run("install", "--no-restart")
    custom = machine.tree / "boot/grub/custom.cfg"

    assert done.returncode == 0, done.stderr
    assert custom.read_text().startswith(OTHERS)
    assert "set default=" not in custom.read_text()
    assert custom.stat().st_mode & 0o777 == 0o600
    subprocess.run(["grub-script-check", custom], check=True)
    assert "next_entry=netboot-image" in machine.text("boot/grub/grubenv")
    assert FILES["boot.wim"] == (machine.tree / GRUB / "boot.wim").read_bytes()
    listed = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=machine.tree / GRUB,
                            capture_output=True)  # fmt: skip
    assert listed.returncode == 0
    assert "Lab PE x64 v7 is in /boot/netboot-image (grub)" in machine.run("status").stdout

    second = machine.run("install", "--no-restart")
    assert (second.returncode, "is installed in /boot/netboot-image" in second.stderr) == (1, True)

    assert machine.run("remove").returncode == 0
    assert before == machine.files()
    assert "no boot image is installed here" in machine.run("status").stdout


def test_what_is_kept_stays_the_choice_until_it_is_removed(machine):
    """With a menu that can be seen; `start` does not make a single start of it."""
    before = machine.files()
    assert machine.run("install", "--no-restart", "--keep").returncode == 0
    custom = machine.text("boot/grub/custom.cfg")

    assert 'if [ -z "${boot_once}" ]; then set default=netboot-image; fi' in custom
    assert "set timeout_style=menu" in custom
    assert "next_entry" not in machine.text("boot/grub/grubenv")
    subprocess.run(["grub-script-check", machine.tree / "boot/grub/custom.cfg"], check=True)
    assert machine.run("start", "--no-restart").returncode == 0
    assert custom == machine.text("boot/grub/custom.cfg")
    assert "started each time until it is removed" in machine.run("status").stdout
    machine.run("remove")
    assert before == machine.files()


def test_kexec_is_handed_kernel_and_image_in_one_piece(machine):
    """First file system, head of the archive, image; nothing of GRUB is touched."""
    before = machine.files()
    done = machine.run("install", "--no-restart", "--method", "kexec")
    folder = machine.tree / KEXEC_FOLDER
    handed = (machine.tree / "kexec.initrd").read_bytes()

    assert done.returncode == 0, done.stderr
    assert f"-l /{KEXEC_FOLDER}/vmlinuz" in machine.text("kexec.log")
    assert "--command-line=quiet" in machine.text("kexec.log")
    assert handed.startswith(FILES["initrd.gz"] + b"070701")
    assert handed.endswith(FILES["boot.wim"])
    assert not (folder / "initrd.all").exists()
    machine.write("sys/kernel/kexec_loaded", "1\n")
    assert machine.run("remove").returncode == 0
    assert machine.text("kexec.log").endswith("-u\n")
    assert before == machine.files()


@pytest.mark.parametrize(("method", "folder"), [("grub", GRUB), ("kexec", KEXEC_FOLDER)])
def test_an_image_that_was_altered_on_the_disk_is_not_made_to_start(machine, method, folder):
    """It is named, with what to do."""
    machine.run("install", "--no-restart", "--method", method)
    (machine.tree / "kexec.log").unlink(missing_ok=True)
    data = bytearray(FILES["boot.wim"])
    data[1000] ^= 1
    machine.write(f"{folder}/boot.wim", bytes(data))
    before = machine.files()
    done = machine.run("start", "--no-restart")

    assert done.returncode == 1
    assert f"/{folder}/boot.wim was altered: it is not started" in done.stderr
    assert before == machine.files()
    assert not (machine.tree / "kexec.log").exists()
