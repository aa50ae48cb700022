"""An ordinary Linux on a disk of its own: GRUB, a kernel, a root file system, a network card.

It is laid out as Debian's: /boot/grub/grub.cfg knows starts for one time (`next_entry`) and reads
custom.cfg; programs are this machine's own. What it shall do comes on a second disk, as a script.
"""

import gzip
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from netboot.images.architecture import Architecture
from netboot.store.media.fat_image import MIB, PARTITION_AT, partitioned
from netboot.store.media.tools import Tools, grub_folder
from vm.labpe import build, cache_folder, elf, modules, packages
from vm.labpe.cpio import CpioArchive
from vm.machine.spec import Bus, Disk

X64 = Architecture.X64
SIZE = 160 * MIB
PROGRAMS = ("/usr/bin/grub-editenv", "/usr/sbin/kexec")
LIBRARIES = (Path("/lib/x86_64-linux-gnu"), Path("/usr/lib/x86_64-linux-gnu"))
MODULES = ("virtio_pci", "virtio_blk", "ext4", "crc32c_generic", "e1000")
WANTED = (
    *("/fs/ext4/", "/fs/jbd2/", "/fs/mbcache", "/lib/crc", "/lib/libcrc", "/crypto/crc32c"),
    *("/drivers/virtio/", "/drivers/block/virtio_blk", "/net/ethernet/intel/e1000/"),
    "/crypto/crc",
)
GRUB_MODULES = (
    *("biosdisk", "part_msdos", "ext2", "normal", "linux", "gzio", "configfile", "echo", "test"),
    *("sleep", "serial", "terminal", "minicmd", "loadenv", "search", "search_fs_file"),
    *("hashsum", "gcry_sha256", "gcry_sha512"),
)
NEEDED_MODULES = ("hashsum.mod", "gcry_sha256.mod")
GRUB_CFG = """
serial --unit=0 --speed=115200
terminal_input serial console
terminal_output serial console
if [ -s $prefix/grubenv ]; then load_env; fi
if [ "${next_entry}" ] ; then
  set default="${next_entry}"
  set next_entry=
  save_env next_entry
  set boot_once=true
else
  set default="0"
fi
set timeout=1
menuentry 'Old system' {
  echo 'starting the old system'
  linux /boot/vmlinuz root=/dev/vda1 console=tty0 console=ttyS0 quiet panic=-1 no_timer_check
  initrd /boot/initrd.gz
}
if [ -f ${config_directory}/custom.cfg ]; then
  source ${config_directory}/custom.cfg
elif [ -z "${config_directory}" -a -f  $prefix/custom.cfg ]; then
  source $prefix/custom.cfg
fi
"""
EARLY_INIT = """#!/bin/busybox sh
/bin/busybox mkdir -p /bin /dev /proc /root
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
for module in $(cat /modules/order); do insmod /modules/$module; done
while [ ! -b /dev/vda1 ]; do usleep 50000; done
mount -t ext4 /dev/vda1 /root
mount --move /dev /root/dev
umount /proc
exec switch_root /root /sbin/init
"""
INIT = """#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs run /run
ip link set eth0 up
udhcpc -i eth0 -n -q -f -t 8 -T 2 -s /sbin/lease > /run/lease.log 2>&1
echo "OLD-SYSTEM is up"
cat /dev/vdb > /run/task
trap 'restart=yes' TERM # what busybox's reboot asks of process 1
sh /run/task < /dev/null
code=$?
sync
mount -o remount,ro /
[ -z "$restart" ] || reboot -f
echo "LABPE $(cut -d' ' -f1 /proc/uptime) DONE result=old-system code=$code"
sleep 600
"""
LEASE = """#!/bin/sh
case $1 in bound | renew) ip addr add "$ip/24" dev "$interface" ;; esac
exit 0
"""


@dataclass(frozen=True)
class OldSystem:
    """The disk as it was installed."""

    image: Path

    @staticmethod
    def build(lab, work):
        """Install it below `work`."""
        tree = work / "tree"
        files = packages.read_files([_kernel_package(lab)], _is_wanted)
        _write(tree / "boot/vmlinuz", lab.kernel[X64].read_bytes())
        _write(tree / "boot/initrd.gz", _initrd(files))
        _write(tree / "boot/grub/grub.cfg", GRUB_CFG.encode())
        add_grub_modules(tree)
        add_programs(tree, PROGRAMS)
        for name, text in (("init", INIT), ("lease", LEASE)):
            _write(tree / "sbin" / name, text.encode(), mode=0o755)
        for name in ("proc", "sys", "dev", "run", "tmp", "root", "var/lib", "etc"):
            (tree / name).mkdir(parents=True, exist_ok=True)
        env = tree / "boot/grub/grubenv"
        subprocess.run(["grub-editenv", str(env), "create"], check=True)
        return OldSystem(_disk(tree, work))

    def copy(self, folder):
        """The disk of a machine of its own."""
        folder.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copy(self.image, folder / "old-system.img"))


def add_grub_modules(tree):
    """Those that the package needs, where grub-install puts all of them."""
    for name in NEEDED_MODULES:
        data = (grub_folder("i386-pc") / name).read_bytes()
        _write(tree / "boot/grub/i386-pc" / name, data)


def task_disk(folder, script):
    """A disk that says what the old system shall do."""
    path = folder / "task.img"
    text = script.encode() + b"\nexit $?\n"
    path.write_bytes(text.ljust(-(-len(text) // 4096) * 4096, b"\n"))
    return Disk(path, Bus.VIRTIO)


def file_on(disk, path):
    """A file of the old system's disk, read from outside by debugfs; empty where there is none."""
    where = f"{disk}?offset={PARTITION_AT}"
    done = subprocess.run(["debugfs", "-R", f"cat {path}", where], capture_output=True, check=True)
    return done.stdout


def _kernel_package(lab):
    name = (lab.folder / "packages.txt").read_text().splitlines()[0]
    path = cache_folder() / "apt" / "debs" / X64.value / name
    if not path.exists():
        build.fetch(packages.AptTree(cache_folder() / "apt"), print)
    return path


def _is_wanted(path):
    return path.endswith("/modules.builtin") or any(part in path for part in WANTED)


def _initrd(files):
    archive = CpioArchive()
    archive.add_folder("dev")
    archive.add_character_device("dev/console", 5, 1)
    archive.add_file("bin/busybox", Path("/bin/busybox").read_bytes(), mode=0o755)
    order = modules.KernelModules.among(files).load_order(MODULES)
    for module in order:
        archive.add_file(f"modules/{module.name}", module.data)
    archive.add_file("modules/order", "\n".join(each.name for each in order).encode())
    archive.add_file("init", EARLY_INIT.encode(), mode=0o755)
    return gzip.compress(bytes(archive), compresslevel=1, mtime=0)


def add_programs(tree, programs):
    """Busybox by all its names, and these programs of this machine with their libraries."""
    busybox = Path("/bin/busybox").read_bytes()
    _write(tree / "bin/busybox", busybox, mode=0o755)
    names = subprocess.run(["busybox", "--list"], capture_output=True, text=True, check=True)
    for name in names.stdout.split():
        if name not in {"busybox", "init"}:
            (tree / "bin" / name).symlink_to("busybox")
    waiting = []
    for program in map(Path, programs):
        _write(tree / str(program).lstrip("/"), program.read_bytes(), mode=0o755)
        waiting += elf.needed_libraries(program.read_bytes())
    while waiting:
        name = waiting.pop()
        target = tree / "lib/x86_64-linux-gnu" / name
        if not target.exists():
            data = next(f / name for f in LIBRARIES if (f / name).exists()).read_bytes()
            _write(target, data, mode=0o755)
            waiting += elf.needed_libraries(data)
    loader = Path("/lib64/ld-linux-x86-64.so.2")
    _write(tree / "lib64" / loader.name, loader.read_bytes(), mode=0o755)


def _disk(tree, work):
    core, image = work / "core.img", work / "old-system.img"
    early = "set root=(hd0,msdos1)\nset prefix=(hd0,msdos1)/boot/grub\nnormal\n"
    Tools(0).grub("i386-pc", early, GRUB_MODULES, core)
    size = partitioned(image, SIZE, core, b"OLDS")
    subprocess.run(
        ["mke2fs", "-q", "-t", "ext4", "-d", str(tree), "-E", f"offset={PARTITION_AT}",
         str(image), f"{size // 1024}k"],
        check=True, capture_output=True,
    )  # fmt: skip
    return image


def _write(path, data, mode=0o644):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode)
