"""A Debian 12 system as a disk that QEMU starts, made once and kept in the cache.

The kernel is unpacked instead of installed (its package would make an initrd, which takes longer
than all else here); busybox and the modules of a virtual disk are the initrd.
"""

import gzip
import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

from netboot.images.architecture import Architecture
from vm.labpe import cache_folder
from vm.labpe.cpio import CpioArchive
from vm.labpe.packages import KEYRING, AptTree, find_mirror

SYSTEM = (
    *("systemd", "systemd-sysv", "dbus", "udev", "kmod", "iproute2", "procps", "netbase", "login"),
    *("apt", "libpam-systemd", "busybox-static", "qemu-guest-agent", "init-system-helpers"),
)
NEEDED = (
    *("python3", "ca-certificates", "wimtools", "libhivex0", "libseccomp2", "ipxe", "cabextract"),
    *("p7zip-full", "grub-common", "grub-efi-ia32-bin", "grub-efi-amd64-bin", "grub-pc-bin"),
    *("xorriso", "mtools", "pci.ids"),
)
"""What the package depends on, and most of what it recommends: it is installed without network."""

MODULES = ("virtio_pci", "virtio_blk", "virtio_console", "ext4")
NETWORK = """\
[Match]
Driver=virtio_net
[Network]
Address=10.77.0.3/24
LinkLocalAddressing=no
IPv6AcceptRA=no
"""
ENABLED = ("systemd-networkd.service", "qemu-guest-agent.service")
MASKED = (
    *("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "fstrim.timer"),
    *("e2scrub_all.timer", "e2scrub_reap.service", "systemd-timesyncd.service"),
    *("getty@tty1.service", "systemd-pstore.service", "systemd-binfmt.service"),
    "systemd-networkd-wait-online.service",
)
INIT = """\
#!/bin/busybox sh
/bin/busybox mount -t proc none /proc
/bin/busybox mount -t sysfs none /sys
/bin/busybox mount -t devtmpfs none /dev
for module in /m/*; do /bin/busybox insmod "$module"; done
until [ -b /dev/vda ]; do /bin/busybox usleep 20000; done
/bin/busybox mount -t ext4 -o ro,noatime /dev/vda /new
/bin/busybox umount /proc
/bin/busybox umount /sys
/bin/busybox mount --move /dev /new/dev
exec /bin/busybox switch_root /new /lib/systemd/systemd
"""


def server_disk() -> Path:
    """The folder with `root.ext4`, `vmlinuz` and `initrd.gz`; made if it is not in the cache."""
    recipe = Path(__file__).read_bytes()
    folder = cache_folder().parent / "install" / hashlib.sha256(recipe).hexdigest()[:16]
    if not (folder / "root.ext4").exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            _make(Path(scratch))
            for old in folder.parent.iterdir():
                if old != Path(scratch) and not old.name.startswith("tmp"):
                    shutil.rmtree(old)
            made = Path(scratch) / "made"
            made.mkdir()
            for name in ("root.ext4", "vmlinuz", "initrd.gz"):
                (Path(scratch) / name).rename(made / name)
            made.rename(folder)
    return folder


def _make(out: Path) -> None:
    root = out / "root"
    source = f"deb [signed-by={KEYRING}] {find_mirror()} bookworm main"
    _run(
        *("mmdebstrap", "--mode=root", "--variant=minbase", "--architectures=amd64", "--quiet"),
        *("--format=directory", f"--include={','.join((*SYSTEM, *NEEDED))}"),
        *('--aptopt=APT::Install-Recommends "false"', "--dpkgopt=force-unsafe-io"),
        *("--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/locale/*"),
        *("bookworm", root, source),
    )
    _settle(root)
    release = _add_kernel(root, out)
    (out / "initrd.gz").write_bytes(gzip.compress(_initrd(root, release), 1))
    used = int(_run("du", "-sm", "--apparent-size", root).split()[0])
    _run(
        *("mkfs.ext4", "-q", "-d", root, "-L", "root", "-O", "^has_journal", "-N", "150000"),
        *("-E", "lazy_itable_init=0,nodiscard", out / "root.ext4", f"{used * 13 // 10 + 1200}M"),
    )


def _settle(root: Path) -> None:
    """Names, the network, and which of the system's services run."""
    (root / "etc/hostname").write_text("netboot-test\n")
    (root / "etc/hosts").write_text("127.0.0.1 localhost netboot-test\n")
    (root / "etc/fstab").write_text("/dev/vda / ext4 defaults 0 0\n")
    (root / "etc/machine-id").write_text("")
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    (root / "etc/systemd/network").mkdir(exist_ok=True)
    (root / "etc/systemd/network/10-lab.network").write_text(NETWORK)
    units = root / "etc/systemd/system"
    (units / "multi-user.target.wants").mkdir(exist_ok=True)
    for unit in ENABLED:
        link = units / "multi-user.target.wants" / unit
        link.unlink(missing_ok=True)
        link.symlink_to(f"/lib/systemd/system/{unit}")
    for unit in MASKED:
        (units / unit).unlink(missing_ok=True)
        (units / unit).symlink_to("/dev/null")


def _add_kernel(root: Path, out: Path) -> str:
    """Put the kernel's modules below `root`, and the kernel next to it; returns its release."""
    tree = AptTree(cache_folder() / "apt")
    tree.update()
    newest = tree.kernel_package(Architecture.X64)
    cloud = newest.removesuffix("-amd64") + "-cloud-amd64"
    (archive,) = tree.download([cloud], Architecture.X64)
    unpacked = out / "kernel"
    _run("dpkg-deb", "-x", archive, unpacked)
    (modules,) = (unpacked / "lib/modules").iterdir()
    release = modules.name
    (root / "usr/lib/modules").mkdir(exist_ok=True)
    shutil.move(modules, root / "usr/lib/modules" / release)
    shutil.copy(unpacked / f"boot/vmlinuz-{release}", out / "vmlinuz")
    shutil.rmtree(unpacked)
    _run("chroot", root, "depmod", release)
    return release


def _initrd(root: Path, release: str) -> bytes:
    archive = CpioArchive()
    for name in ("proc", "sys", "dev", "new"):
        archive.add_folder(name)
    archive.add_file("bin/busybox", (root / "bin/busybox").read_bytes(), mode=0o755)
    archive.add_file("init", INIT.encode(), mode=0o755)
    found: dict[str, None] = {}
    for module in MODULES:
        listed = _run("chroot", root, "modprobe", "-S", release, "--show-depends", module)
        lines = (line.split() for line in listed.splitlines())
        found |= {words[1]: None for words in lines if words[0] == "insmod"}
    for number, path in enumerate(found):
        name = f"m/{number:02}-{Path(path).name}"
        archive.add_file(name, (root / path.removeprefix("/")).read_bytes())
    return bytes(archive)


def _run(*command: object) -> str:
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words[0]}: {done.stderr[-2000:]}"
    return done.stdout
