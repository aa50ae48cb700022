r"""What Windows' network loaders ask a TFTP server for, in their order, as data.

`uefi` is what bootmgfw.efi 22621.457 was seen to ask this server for, started by OVMF and by iPXE;
`bios` is written down from traces and logs that people published of real machines. A request has
the name as it is on the wire, its options, and what must come of it: bytes, the size only (the
loader ends such a probe with an error of its own), or "not found" without delay.
"""

from dataclasses import dataclass, field

ROM = {"tsize": b"0", "blksize": b"1456"}
FIRMWARE = {"tsize": b"0", "blksize": b"1468", "windowsize": b"4"}
MANAGER = {"tsize": b"0", "blksize": b"1456", "windowsize": b"4", "msftwindow": b"31416"}
"""Options of a boot manager; `msftwindow` is Microsoft's own and must be left unanswered."""

PLAIN: dict[str, bytes] = {}

# As bootmgfw.efi was seen to ask, with a BCD that says 1456 bytes and windows of 4.
SIZE = {"tsize": b"0"}
LOCKSTEP = {"tsize": b"0", "blksize": b"1456"}
WINDOW = {"tsize": b"0", "blksize": b"1456", "windowsize": b"4"}

POLICIES = (b"SiPolicy", b"SkuSiPolicy", b"WinSiPolicy", b"ATPSiPolicy")
LANGUAGE = "en-US/bootmgfw.efi.mui"


@dataclass(frozen=True)
class Ask:
    """One request. `file` is the manifest's name for what must come; empty for "not found"."""

    name: bytes
    file: str = ""
    options: dict[str, bytes] = field(default_factory=lambda: dict(MANAGER))
    probe: bool = False
    ends_by: int = 0
    """The code of the ERROR with which the client ends a probe."""


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


def uefi(program: bytes, language: str = LANGUAGE) -> list[Ask]:
    r"""A UEFI machine that loaded the boot manager under the file name `program`.

    The manager looks for its language below its own folder, which ends with a backslash, and for
    itself under the name that the server's answer said.
    """
    here = rb"\EFI\Microsoft\Boot" + b"\\"
    folder, name = program[: program.rfind(b"\\") + 1], program[program.rfind(b"\\") + 1 :]
    itself = b"\\" + program
    return [
        Ask(program, "bootmgfw.efi", FIRMWARE, probe=True, ends_by=8),
        Ask(program, "bootmgfw.efi", {k: v for k, v in FIRMWARE.items() if k != "tsize"}),
        Ask(rb"\BCD", "BCD-uefi", SIZE, probe=True),
        *_looked_up(rb"\Boot\BCD", "BCD-uefi"),
        Ask(here + rb"Policies\SbcpFlightToken.p7b", options=SIZE),
        Ask(here + b"SecureBootPolicy.p7b", options=SIZE),
        *(Ask(here + policy + b".p7b", options=SIZE) for policy in POLICIES * 3),
        Ask(b"\\" + folder + b"en-US\\" + name + b".MUI", language, LOCKSTEP),
        *_looked_up(itself, "bootmgfw.efi"),
        *_looked_up(rb"\boot.stl", "boot.stl"),  # with Secure Boot only
        Ask(rb"\Boot\boot.wim", "boot.wim", SIZE, probe=True),
        Ask(rb"\Boot\boot.sdi", "boot.sdi", SIZE, probe=True),
        *_looked_up(here + rb"Fonts\wgl4_boot.ttf", "Fonts/wgl4_boot.ttf"),
        Ask(here + rb"Fonts\segmono_boot.ttf", options=SIZE),
        Ask(rb"\Boot\boot.sdi", "boot.sdi", WINDOW),
        Ask(rb"\Boot\boot.wim", "boot.wim", WINDOW),
        Ask(here + rb"Policies\UnlockToken.pol", options=SIZE),
    ]


def _looked_up(name: bytes, file: str) -> list[Ask]:
    """The size, ended by ERROR 0; then everything, a block at a time."""
    return [Ask(name, file, SIZE, probe=True), Ask(name, file, LOCKSTEP)]


SEQUENCES = {
    "bios": bios(b"pxeboot.n12"),
    "bios from a folder": bios(rb"boot\x64\pxeboot.n12"),
    "bios told of wdsnbp by an old DHCP server": bios(rb"Boot\x64\wdsnbp.com"),
    "bios told of ConfigMgr's folder": bios(rb"SMSBoot\x64\pxeboot.com"),
    "bios, all upper case": bios(rb"BOOT\X64\PXEBOOT.N12"),
    "uefi": uefi(b"bootmgfw.efi"),
    "uefi from a folder": uefi(rb"EFI\Boot\bootmgfw.efi"),
    "uefi told of wdsmgfw by an old DHCP server": uefi(rb"boot\x64\wdsmgfw.efi", ""),
    "uefi started by iPXE": uefi(b"/v/pe/1/bootmgfw.efi"),
}
