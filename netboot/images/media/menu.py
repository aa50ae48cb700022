"""The GRUB configuration of media and disks: checks all files, then starts the image.

The kernel reads the WIM unchanged from the medium: the header of its cpio archive is a separate
file (`wim.head`), and GRUB concatenates initrds. So a medium has the WIM once, with the same bytes
as on the network. The archive needs no end: the kernel has the file after its last byte
(init/initramfs.c), and nothing that a loader adds to align archives matters after the last one.

Law: a damaged image is not started. GRUB compares SHA-256 digests first, reports the file that
differs, and returns to the firmware, which tries its next device.

References: GRUB 2.06 manual, §6 (scripts), §16.3 (commands), §18.1 (authentication).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from netboot.formats import cpio
from netboot.images.architecture import Architecture
from netboot.images.media.request import PASSWORD_USER
from netboot.images.versions.content_version import ContentVersion

FOLDER = "netboot"
WIM_NAME = "boot.wim"
REFUSAL_SECONDS = 10

MODULES = (
    *("normal", "configfile", "echo", "test", "sleep", "minicmd", "serial", "terminal"),
    *("search", "search_fs_file", "linux", "gzio", "hashsum", "gcry_sha256", "gcry_sha512"),
    *("password_pbkdf2", "cpuid", "part_msdos", "part_gpt", "fat", "iso9660", "ext2"),
)
"""Modules in each loader: the medium has none."""

BIOS_MODULES = ("biosdisk", "ntldr")
EFI_MODULES = ("efi_gop", "all_video")


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuEntry:
    """One version of a medium: the path of its WIM, and the arguments of its kernel."""

    version: ContentVersion
    wim_path: str
    arguments: str

    @property
    def folder(self) -> str:
        """The folder of its kernel."""
        return f"{FOLDER}/{self.version.architecture.value}"


def early_config(identity: str) -> str:
    """The configuration in a loader: find the medium under any device name, then its menu."""
    return _lines(
        f"search --no-floppy --file --set=root /{FOLDER}/{identity}",
        f"set prefix=($root)/{FOLDER}",
        f"normal ($root)/{FOLDER}/grub.cfg",
    )


def bootmgr_config(identity: str) -> str:
    """The configuration in the BIOS loader of a Windows PE: start its boot manager."""
    return _lines(
        f"search --no-floppy --file --set=root /{FOLDER}/{identity}",
        "ntldr /bootmgr",
        "boot",
    )


def wim_head(size: int) -> bytes:
    """The bytes before a WIM of `size` bytes that make it /boot.wim for a kernel."""
    return cpio.prefix(WIM_NAME, size)


def sums(digests: Mapping[str, str]) -> str:
    """The list of digests for GRUB and sha256sum(1); paths start at the root of the medium."""
    return "".join(
        f"{digest.removeprefix('sha256:')}  /{path}\n" for path, digest in sorted(digests.items())
    )


def menu(entries: Sequence[MenuEntry], *, expires: str = "", password_hash: str = "") -> str:
    """The menu of a medium: starts the version for this processor after a short time."""
    held = {entry.version.architecture for entry in entries}
    note = [f"echo 'netboot: this medium is meant to be used until {expires}'"] if expires else []
    return _lines(
        "serial --unit=0 --speed=115200",
        "terminal_input serial console",
        "terminal_output serial console",
        *_password(password_hash),
        f"set timeout={10 if password_hash else 2}",
        *_choice(held),
        *note,
        *(line for entry in entries for line in _entry(entry, is_locked=bool(password_hash))),
        *_none_fits(held),
    )


def _password(password_hash: str) -> Iterable[str]:
    if not password_hash:
        return ()
    # With superusers set, GRUB asks for the password at its console and at all entries that are
    # not --unrestricted (manual, §18.1).
    return (
        f'set superusers="{PASSWORD_USER}"',
        f"password_pbkdf2 {PASSWORD_USER} {password_hash}",
    )


def _choice(held: set[Architecture]) -> Iterable[str]:
    """The default entry: by the width of the firmware on UEFI, else by that of the processor."""
    x64, x86 = Architecture.X64 in held, Architecture.X86 in held
    wide = "x64" if x64 else "x86"
    narrow = "x86" if x86 else "none"
    # 32-bit UEFI can start a 64-bit kernel if the processor has 64 bits.
    ia32 = "x86" if x86 else "x64"
    return (
        f"set default={narrow}",
        'if [ "$grub_platform" = efi ]; then',
        f'  if [ "$grub_cpu" = x86_64 ]; then set default={wide}',
        f"  elif cpuid -l; then set default={ia32}; fi",
        f"elif cpuid -l; then set default={wide}; fi",
    )


def _entry(entry: MenuEntry, *, is_locked: bool) -> Iterable[str]:
    title, folder = quoted(entry.version.label), f"/{entry.folder}"
    rights = "" if is_locked else " --unrestricted"
    return (
        f"menuentry '{title}' --id {entry.version.architecture.value}{rights} {{",
        f"  echo 'netboot: {title}'",
        f"  if hashsum --hash sha256 --check {folder}/SHA256SUMS; then",
        f"    linux {folder}/vmlinuz {entry.arguments}",
        f"    initrd {folder}/initrd.gz {folder}/wim.head /{entry.wim_path}",
        "  else",
        *(
            f"    {line}"
            for line in _refusal("a file on this medium is damaged or cannot be read.")
        ),
        "  fi",
        "}",
    )


def _none_fits(held: set[Architecture]) -> Iterable[str]:
    if Architecture.X86 in held:
        return ()
    refusal = _refusal("this machine has a 32-bit processor, but the image is 64-bit.")
    return ("menuentry 'no image for this processor' --id none --unrestricted {", *refusal, "}")


def _refusal(why: str) -> Iterable[str]:
    return (
        f"echo 'netboot: {why}'",
        "echo 'netboot: nothing was started; trying the next boot device.'",
        f"sleep --interruptible {REFUSAL_SECONDS}",
        "exit",
    )


def quoted(text: str) -> str:
    """The text for GRUB's single quotes and for an ASCII terminal."""
    return " ".join(re.sub(r"[^A-Za-z0-9 .,:;()/_+-]", " ", text).split())


def _lines(*lines: str) -> str:
    return "\n".join(lines) + "\n"
