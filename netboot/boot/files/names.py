r"""What a file name means for one client: a look-up, never a path.

A client sees a virtual name space: the site's own boot programs, and the files of the content
version that it is pinned to, under every name that a loader was seen to request. `\Boot\BCD`,
`\BCD` and `\EFI\Microsoft\Boot\BCD` all mean *that client's* boot configuration.

Law: nothing here opens or joins a path of the file system. A name is normalised and looked up in
a dictionary, so the worst result of a hostile name is that it is not found.

References: RFC 1350 §5 (error codes), RFC 2347 (names are netascii).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from netboot.images.boot_image.uefi_loader import LOADER
from netboot.images.versions.content_version import ContentVersion, PublishedContent

NOT_FOUND = 1
ACCESS_VIOLATION = 2

LONGEST_NAME = 255
_PRINTABLE = re.compile(rb"[ -~]*")
MOST_PARTS = 16

# Device names of Windows and DOS with any extension; scanners request them, loaders never.
DEVICE_NAMES = frozenset(
    {"con", "prn", "aux", "nul", "clock$", "conin$", "conout$"}
    | {f"{port}{digit}" for port in ("com", "lpt") for digit in range(10)}
)

# Where Microsoft's loaders look for files, without a leading slash. pxeboot stays in its own
# folder (`<dir>\bootmgr.exe`), bootmgfw tries `\BCD` before `\Boot\BCD`, and Windows 7's loaders
# use `\EFI\Microsoft\Boot\BCD`.
PROGRAM_FOLDERS = (
    *("", "boot", "x86", "x64", "arm64", "boot/x86", "boot/x64", "boot/arm64"),
    # the folders of ConfigMgr and Windows Deployment Services, which DHCP servers name
    *("smsboot", "smsboot/x86", "smsboot/x64", "boot/x86uefi", "boot/x64uefi"),
)
EFI_FOLDERS = ("efi/boot", "efi/microsoft/boot")
FONT_FOLDERS = ("", "fonts", "boot/fonts", "efi/boot/fonts", "efi/microsoft/boot/fonts")

# Programs that start a boot and then request their companions by fixed names.
FIRST_PROGRAMS = frozenset({"pxeboot.n12", "pxeboot.com", "bootmgfw.efi", "bootmgfw_ex.efi"})

# Windows Deployment Services first sends a program that asks the server for more. If a DHCP server
# still names that program, the machine gets the loader itself.
REPLACES = {
    "pxeboot.n12": ("pxeboot.com", "wdsnbp.com"),
    "bootmgfw.efi": ("wdsmgfw.efi",),
}

# Files that loaders request although they are optional: the answer must be a quick ERROR 1.
OPTIONAL_NAMES = frozenset(
    {
        "boot.ini",  # bootmgr.exe looks for an older Windows
        "hiberfil.sys",  # bootmgr.exe looks for a hibernated Windows
        "boot.stl",  # revocation list of 24H2 loaders
        "bootres.dll",
        "bootmgr.exe.mui",
        "bootmgfw.efi.mui",
        "autoexec.ipxe",  # iPXE since 2022, before it takes over the network card
        "command.lst",  # GRUB, one of four next to its modules
        "crypto.lst",
        "fs.lst",
        "terminal.lst",
    }
)
# A locale before the name of a version's file, as the boot manager asks after iPXE.
_BEFORE_ITS_NAME = re.compile(r"([a-z]{2,3}(?:-[a-z0-9]{2,8}){1,2})/(v/[^/]+/[0-9]+)/([^/]+\.mui)")

OPTIONAL_ENDINGS = (".p7b", ".ttf", ".pol", ".mui")


@dataclass(frozen=True, slots=True)
class ContentRef:
    """The file that a name means for one client.

    `name` is the canonical manifest name, `digest` is `sha256:<64 hex>`, `size` in bytes.
    `image` is empty for the site's own programs (iPXE, GRUB).
    """

    name: str
    digest: str
    size: int
    image: str = ""
    version: int = 0


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a client gets no file, and the error code of RFC 1350 §5."""

    reason: str
    code: int = NOT_FOUND


def normalise(name: bytes) -> str | Refusal:
    r"""Forward slashes, lower case, no leading separator.

    GRUB requests `/\Boot\BCD`, Windows' loaders `\Boot\BCD`, firmware `boot/bcd`. Started by iPXE,
    Microsoft's boot manager puts a folder before its whole name: `\en-US\/v/pe/1/bootmgfw.efi.MUI`.
    Firmware that takes option 67 without its end sends the bytes that follow it too
    (netbootxyz/netboot.xyz#1198: the END of the options, 255), so a name ends before the first byte
    that cannot be in one. What is left of it and unknown gets ERROR 1: older shims take ERROR 2 for
    "access denied" and do not fall back to the next name.
    """
    if not name:
        return Refusal("a name of 0 bytes", ACCESS_VIOLATION)
    kept = _PRINTABLE.match(name)[0].strip(b" ")  # type: ignore[index]  # it matches any bytes
    if len(kept) > LONGEST_NAME:
        return Refusal(f"a name of {len(kept)} bytes", NOT_FOUND)
    if not kept or (kept[-1:] in b"/\\" and len(kept) < len(name.rstrip(b" "))):
        return Refusal("a name that is not printable ASCII", NOT_FOUND)
    text = kept.decode("ascii").replace("\\/", "/").replace("\\", "/")
    parts = text.lstrip("/").lower().split("/")
    if len(parts) > MOST_PARTS:
        return Refusal(f"a name of {len(parts)} parts", NOT_FOUND)
    for part in parts:
        fault = _fault_of_part(part)
        if fault:
            return Refusal(fault, ACCESS_VIOLATION)
    return "/".join(parts)


def _fault_of_part(part: str) -> str:
    """What is wrong with one part of a name, or ""."""
    match part:
        case "":
            return "a name with an empty part"
        case "." | "..":
            return "a name that leaves its folder"
    if ":" in part:
        return "a name with a drive or a stream"
    if part[-1] in ". ":
        return "a name with a trailing dot or space"
    if part.split(".", 1)[0].rstrip(" ") in DEVICE_NAMES:
        return "a name that means a device"
    return ""


def version_path(version: ContentVersion, file: str = "") -> str:
    """The path of a version's file in a URL; also its exact name over TFTP."""
    return f"/v/{version.address}/{version.number}/{file}"


def resolve(
    name: bytes,
    *,
    version: ContentVersion | None,
    firmware: str,
    programs: Mapping[str, ContentRef],
    published: PublishedContent | None = None,
    authority: str = "",
    site_authority: str = "",
) -> ContentRef | Refusal:
    """The file that a TFTP name means for a client.

    `version` is the version that the client is pinned to, `firmware` (`bios` or `uefi…`)
    decides which boot configuration it gets, `programs` are the site's own, by file name
    (`undionly.kpxe`, or with a folder: `grub/grub.cfg`). With `published`, the names of
    `version_path` work too. `authority` is the signing authority that this machine needs, and
    `site_authority` the site's default (see netboot.images.boot_image.uefi_loader).
    """

    def looked_up(name: bytes) -> ContentRef | Refusal:
        key = normalise(name)
        if isinstance(key, Refusal):
            return key
        program = _program(key, programs, published)
        if program:
            return program
        if moved := _BEFORE_ITS_NAME.fullmatch(key):
            key = f"{moved[2]}/{moved[1]}/{moved[3]}"
        if published and key.startswith("v/"):
            return _by_version_path(key, published, firmware, authority, site_authority)
        if version is None:
            return _not_held(key, version)
        loader = version.uefi_loader(machine=authority, site=site_authority)
        return names_of(version, _kind(firmware), loader).get(key) or _not_held(key, version)

    found, first = looked_up(name), name.strip(b" ").partition(b" ")[0]
    if isinstance(found, Refusal) and first != name:
        # A published name may have a blank; one that is unknown with it ends there.
        shorter = looked_up(first)
        return shorter if isinstance(shorter, ContentRef) else found
    return found


def resolve_url(
    path: str,
    published: PublishedContent,
    programs: Mapping[str, ContentRef],
    *,
    site_authority: str = "",
) -> ContentRef | Refusal:
    """The file of a decoded URL path: `/v/<slug>/<number>/<file>` or `/p/<program>`."""
    key = normalise(path.encode("utf-8", "surrogateescape"))
    if isinstance(key, Refusal):
        return key
    if key.startswith("p/"):
        return _program(key, programs, published) or Refusal("no such boot program")
    if key.startswith("v/"):
        # Only UEFI firmware loads Windows' loaders by HTTP; scripts name BCD-bios themselves.
        return _by_version_path(key, published, "uefi", "", site_authority)
    return Refusal("no such address")


def _program(
    key: str, programs: Mapping[str, ContentRef], published: PublishedContent | None
) -> ContentRef | None:
    """The site's own program of that name; iPXE and GRUB are in the root and under `p/`."""
    name = key.removeprefix("p/")
    supplied = published.supplied.get(name) if published else None
    if supplied is not None:
        return ContentRef(supplied.name, supplied.digest, supplied.size)
    # There are few programs, and their names may have capitals.
    return next((ref for own, ref in programs.items() if own.lower() == name), None)


def starts_version(name: bytes) -> bool:
    """Whether `name` is a boot program with its version in the name.

    A machine that loads it then requests the files of this version by their plain names.
    """
    key = normalise(name)
    if isinstance(key, Refusal):
        return False
    parts = key.split("/")
    return len(parts) == 4 and parts[0] == "v" and parts[3] in FIRST_PROGRAMS


def _by_version_path(
    key: str, published: PublishedContent, firmware: str, authority: str, site_authority: str
) -> ContentRef | Refusal:
    """A file of the version in the name itself."""
    match key.split("/", 3):
        case ["v", image_slug, number, file] if number.isdecimal():
            version = _version_at(image_slug, int(number), published)
            if isinstance(version, Refusal):
                return version
            loader = version.uefi_loader(machine=authority, site=site_authority)
            names = names_of(version, _kind(firmware), loader)
            return names.get(file) or _not_held(file, version)
    return Refusal("not the name of a version's file")


def _version_at(
    image_slug: str, number: int, published: PublishedContent
) -> ContentVersion | Refusal:
    held = {**published.kept, **{(v.image, v.number): v for v in published.current.values()}}
    found = [v for v in held.values() if v.number == number and v.address == image_slug]
    match found:
        case []:
            return Refusal(f"version {number} of {image_slug} is not held here")
        case [version]:
            return version
        case _:
            images = " and ".join(sorted(version.image for version in found))
            return Refusal(f"{images} have the same short name; rename one of them")


def _not_held(key: str, version: ContentVersion | None) -> Refusal:
    """Why a well-formed name is not found; probes for optional files are not errors."""
    last = key.rsplit("/", 1)[-1]
    if last in OPTIONAL_NAMES or last.endswith(OPTIONAL_ENDINGS):
        return Refusal("optional, not held")
    if version is None:
        return Refusal("no boot image is assigned to this client")
    return Refusal(f"not a file of {version.label}")


def _kind(firmware: str) -> str:
    return "uefi" if "efi" in firmware.lower() else "bios"


@lru_cache(maxsize=256)
def names_of(
    version: ContentVersion, firmware: str, loader: str = LOADER
) -> Mapping[str, ContentRef]:
    """The files of `version` by every normalised name that a client of that firmware may use.

    `firmware` is `bios` or `uefi`, `loader` the file that is sent as bootmgfw.efi ("": none).
    Any other file's own name in the manifest always means itself.
    """
    own = {
        file.name.replace("\\", "/").lower(): ContentRef(
            file.name, file.digest, file.size, version.image, version.number
        )
        for file in version.files
    }
    chosen = own.get(loader.lower())
    if chosen is not None:
        own[LOADER] = chosen
    else:
        own.pop(LOADER, None)
    for name in [one for one in own if one.endswith(f"/{loader.lower()}.mui")]:
        # It asks for its language under the name by which it was sent.
        own[f"{name.rpartition('/')[0]}/{LOADER}.mui"] = own[name]
    names: dict[str, ContentRef] = {}
    for name, ref in own.items():
        for alias in _aliases(name, firmware):
            names.setdefault(alias, ref)
    for name, absent in REPLACES.items():
        if name in own:
            for alias in _under((*PROGRAM_FOLDERS, *EFI_FOLDERS), *absent):
                names.setdefault(alias, own[name])
    return MappingProxyType(names | own)


def _aliases(own: str, firmware: str) -> list[str]:
    """The other names of the manifest's file `own`, for a client of that firmware."""
    last = own.rsplit("/", 1)[-1]
    if last in {"bcd", f"bcd-{firmware}"}:
        # Loaders also look in the folder `boot` next to their own program.
        next_to_it = [f"{folder}/boot" if folder else "boot" for folder in PROGRAM_FOLDERS]
        return _under((*PROGRAM_FOLDERS, *next_to_it, *EFI_FOLDERS), "bcd")
    if last.startswith("bcd-"):
        return []  # the other firmware's
    if last.endswith(".mui"):
        # `<folder>\<locale>\<name>`, or the locale first if the loader takes its path for a name.
        folders = [*PROGRAM_FOLDERS, *EFI_FOLDERS]
        locale = own.rpartition("/")[0]
        return [
            *_under(tuple(f"{folder}/{locale}" if folder else locale for folder in folders), last),
            *_under(tuple(f"{locale}/{folder}" for folder in folders if folder), last),
        ]
    if last.endswith(".ttf"):
        return _under(FONT_FOLDERS, last)
    if last.endswith((".wim", ".wim.cpio")):
        return _under((*PROGRAM_FOLDERS, "sources"), last)
    return _under((*PROGRAM_FOLDERS, *EFI_FOLDERS), last)


def _under(folders: tuple[str, ...], *last: str) -> list[str]:
    return [f"{folder}/{name}" if folder else name for name in last for folder in folders]
