"""ISOs that xorriso and genisoimage make."""

import subprocess
from pathlib import Path

from tests.samples.synthetic_winpe import imagex


def make_iso(folder: Path, files: dict[str, bytes]) -> Path:
    """An ISO with Joliet, as other tools than Microsoft's make them."""
    tree = folder / "tree"
    for name, data in files.items():
        file = tree / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    iso = folder / "media.iso"
    subprocess.run(
        ["xorriso", "-as", "mkisofs", "-J", "-R", "-o", iso, tree], check=True, capture_output=True
    )
    return iso


def make_udf(folder: Path, files: dict[str, bytes]) -> Path:
    """An ISO in Microsoft's form: UDF holds the files, ISO 9660 only a readme."""
    tree = folder / "udf"
    for name, data in {"README.TXT": b"This disc is UDF.\n", **files}.items():
        file = tree / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    iso = folder / "udf.iso"
    names = [path.name for path in tree.iterdir() if path.name != "README.TXT"]
    hidden = [word for name in names for word in ("-hide", name)]
    command = ["genisoimage", "-quiet", "-udf", "-allow-limited-size", *hidden, "-o", iso, tree]
    subprocess.run(command, check=True, capture_output=True)
    return iso


def make_windows_iso(folder: Path, wim: Path) -> Path:
    """Windows installation media, laid out as Microsoft does, with the image of `wim` as both.

    The boot.wim of such media has two images: 1 is Windows PE, 2 (which is marked as bootable)
    starts Setup.
    """
    boot_wim = folder / "both.wim"
    imagex("export", wim, "1", boot_wim, "Microsoft Windows PE (x64)")
    imagex("export", wim, "1", boot_wim, "Microsoft Windows Setup (x64)", "--boot")
    others = (
        *("autorun.inf", "bootmgr", "bootmgr.efi", "setup.exe"),
        *("boot/bcd", "boot/boot.sdi", "boot/bootfix.bin", "boot/etfsboot.com"),
        *("boot/fonts/wgl4_boot.ttf", "efi/boot/bootx64.efi"),
        *("efi/microsoft/boot/bcd", "efi/microsoft/boot/efisys.bin"),
        *("sources/install.wim", "sources/setup.exe", "support/logging/readme.txt"),
    )
    stand_ins = {name: f"stand-in for {name}".encode() for name in others}
    return make_udf(folder, {**stand_ins, "sources/boot.wim": boot_wim.read_bytes()})
