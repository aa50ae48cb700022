r"""What Windows' network loaders ask a TFTP server for, in their order, as data.

Written down from traces and logs that people published of real machines: PXE ROM, `pxeboot`,
`bootmgr.exe` and `bootmgfw.efi`. A request has the name as it is on the wire, its options, and
what must come of it: bytes, the size only (the loader ends such a probe with an error of its
own), or "not found" without delay.
"""

from dataclasses import dataclass, field

ROM = {"tsize": b"0", "blksize": b"1456"}
FIRMWARE = {"tsize": b"0", "blksize": b"1468", "windowsize": b"4"}
MANAGER = {"tsize": b"0", "blksize": b"1456", "windowsize": b"4", "msftwindow": b"31416"}
"""Options of a boot manager; `msftwindow` is Microsoft's own and must be left unanswered."""

PLAIN: dict[str, bytes] = {}


@dataclass(frozen=True)
class Ask:
    """One request. `file` is the manifest's name for what must come; empty for "not found"."""

    name: bytes
    file: str = ""
    options: dict[str, bytes] = field(default_factory=lambda: dict(MANAGER))
    probe: bool = False


def _sized(name: bytes, file: str) -> list[Ask]:
    """The size first, ended by the client; then the bytes, without asking for the size again."""
    options = {key: value for key, value in MANAGER.items() if key != "tsize"}
    return [Ask(name, file, probe=True), Ask(name, file, options)]


def bios(program: bytes) -> list[Ask]:
    r"""A BIOS whose ROM was told the file name `program`, like `boot\x64\pxeboot.n12`.

    pxeboot keeps the folder that it came from; bootmgr.exe does not.
    """
    folder = program[: program.rfind(b"\\") + 1]
    return [
        Ask(program, "pxeboot.n12", ROM, probe=True),
        Ask(program, "pxeboot.n12", ROM),
        Ask(folder + b"bootmgr.exe", "bootmgr.exe", PLAIN),
        Ask(rb"\Boot\Fonts\wgl4_boot.ttf", "Fonts/wgl4_boot.ttf"),
        Ask(folder + b"boot.ini"),
        Ask(rb"\Boot\BCD", "BCD-bios", PLAIN, probe=True),
        Ask(rb"\Boot\BCD", "BCD-bios"),
        Ask(rb"\hiberfil.sys"),
        *_sized(rb"\Boot\boot.wim", "boot.wim")[:1],
        *_sized(rb"\Boot\boot.sdi", "boot.sdi"),
        *_sized(rb"\Boot\boot.wim", "boot.wim")[1:],
    ]


def uefi(program: bytes) -> list[Ask]:
    """A UEFI machine whose firmware was told the file name `program`."""
    policies = rb"\EFI\Microsoft\Boot\Policies" + b"\\"
    here = rb"\EFI\Microsoft\Boot" + b"\\"
    names = (b"SecureBootPolicy", b"SiPolicy", b"SkuSiPolicy", b"WinSiPolicy", b"ATPSiPolicy")
    return [
        Ask(program, "bootmgfw.efi", FIRMWARE, probe=True),
        Ask(program, "bootmgfw.efi", {k: v for k, v in FIRMWARE.items() if k != "tsize"}),
        *_sized(program, "bootmgfw.efi"),
        *_sized(rb"\BCD", "BCD-uefi"),
        *_sized(rb"\Boot\BCD", "BCD-uefi") * 2,
        *_sized(rb"\EFI\Microsoft\Boot\BCD", "BCD-uefi"),
        Ask(policies + b"SbcpFlightToken.p7b"),
        *(Ask(here + name + b".p7b") for name in names),
        *(Ask(policies + name + b".p7b") for name in names),
        Ask(policies + b"UnlockToken.pol"),
        Ask(here + b"boot.stl"),
        *_sized(here + rb"Fonts\wgl4_boot.ttf", "Fonts/wgl4_boot.ttf"),
        Ask(here + rb"Fonts\segmono_boot.ttf"),
        *_sized(rb"\Boot\boot.sdi", "boot.sdi"),
        *_sized(rb"\Boot\boot.wim", "boot.wim"),
    ]


SEQUENCES = {
    "bios": bios(b"pxeboot.n12"),
    "bios from a folder": bios(rb"boot\x64\pxeboot.n12"),
    "bios told of wdsnbp by an old DHCP server": bios(rb"Boot\x64\wdsnbp.com"),
    "bios told of ConfigMgr's folder": bios(rb"SMSBoot\x64\pxeboot.com"),
    "bios, all upper case": bios(rb"BOOT\X64\PXEBOOT.N12"),
    "uefi": uefi(b"bootmgfw.efi"),
    "uefi from a folder": uefi(rb"EFI\Boot\bootmgfw.efi"),
    "uefi told of wdsmgfw by an old DHCP server": uefi(rb"boot\x64\wdsmgfw.efi"),
}
