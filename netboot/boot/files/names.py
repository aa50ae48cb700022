r"""What a file name means for one client: a look-up, never a path.

A client sees a virtual name space: the site's own boot programs, and the files of the one
content version that this client is pinned to, under every name by which a loader has been
seen to ask for them. `\Boot\BCD`, `\BCD` and `\EFI\Microsoft\Boot\BCD` all mean *that
client's* boot configuration.

Law: nothing here opens, joins or even knows a path of the file system; a name is normalised
and looked up in a dictionary, so the worst that a hostile name can do is not to be found.

References: RFC 1350 §5 (error codes), RFC 2347 (names are netascii).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from netboot.images.boot_image.uefi_loader import LOADER
from netboot.images.versions.content_version import ContentVersion, PublishedContent

NOT_FOUND = 1
ACCESS_VIOLATION = 2

LONGEST_NAME = 255
MOST_PARTS = 16

# Names that mean a device on Windows and DOS whatever their extension; no loader asks for
# one, scanners do.
DEVICE_NAMES = frozenset(
    {"con", "prn", "aux", "nul", "clock$", "conin$", "conout$"}
    | {f"{port}{digit}" for port in ("com", "lpt") for digit in range(10)}
)

# Where Microsoft's loaders look for things, without a leading slash. pxeboot keeps its own
# directory (`<dir>\bootmgr.exe`), bootmgfw tries `\BCD` before `\Boot\BCD`, and Windows 7's
# loaders use `\EFI\Microsoft\Boot\BCD`.
PROGRAM_FOLDERS = (
    *("", "boot", "x86", "x64", "arm64", "boot/x86", "boot/x64", "boot/arm64"),
    # where DHCP servers of ConfigMgr and Windows Deployment Services send machines
    *("smsboot", "smsboot/x86", "smsboot/x64", "boot/x86uefi", "boot/x64uefi"),
)
EFI_FOLDERS = ("efi/boot", "efi/microsoft/boot")
FONT_FOLDERS = ("", "fonts", "boot/fonts", "efi/boot/fonts", "efi/microsoft/boot/fonts")

# Programs that a boot begins with, and that then ask for their companions by fixed names.
FIRST_PROGRAMS = frozenset({"pxeboot.n12", "pxeboot.com", "bootmgfw.efi", "bootmgfw_ex.efi"})

# Windows Deployment Services first sends a program that asks it for more. A DHCP server that
# still names that one gets the loader itself, for the question was answered here.
STANDS_IN_FOR = {
    "pxeboot.n12": ("pxeboot.com", "wdsnbp.com"),
    "bootmgfw.efi": ("wdsmgfw.efi",),
}

# What loaders ask for although it need not be there: the answer must be a quick ERROR 1.
OPTIONAL_NAMES = frozenset(
    {
        "boot.ini",  # bootmgr.exe looks for an older system
        "hiberfil.sys",  # bootmgr.exe looks for a hibernated one
        "boot.stl",  # revocation list of 24H2 loaders
        "bootres.dll",
        "bootmgr.exe.mui",
        "bootmgfw.efi.mui",
        "autoexec.ipxe",  # iPXE since 2022, before it takes the network over
        "command.lst",  # GRUB, one of four beside its modules
        "crypto.lst",
        "fs.lst",
        "terminal.lst",
    }
)
OPTIONAL_ENDINGS = (".p7b", ".ttf", ".pol", ".mui")


@dataclass(frozen=True, slots=True)
class ContentRef:
    """What a name means for one client.

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
    """Why a name means nothing: plain words for log and page, and a TFTP error code.

    `code` is of RFC 1350 §5: 1 not found, 2 access violation.
    """

    reason: str
    code: int = NOT_FOUND


def normalise(name: bytes) -> str | Refusal:
    r"""The name as we look it up: forward slashes, lower case, no leading separator.

    GRUB asks for `/\Boot\BCD`, Windows' loaders for `\Boot\BCD`, firmware for `boot/bcd`.
    """
    if not name or len(name) > LONGEST_NAME:
        return Refusal(f"a name of {len(name)} bytes", ACCESS_VIOLATION)
    if any(byte < 0x20 or byte > 0x7E for byte in name):
        return Refusal("a name that is not printable ASCII", ACCESS_VIOLATION)
    parts = name.decode("ascii").replace("\\", "/").lstrip("/").lower().split("/")
    if len(parts) > MOST_PARTS:
        return Refusal(f"a name of {len(parts)} parts", ACCESS_VIOLATION)
    for part in parts:
        fault = _fault_of_part(part)
        if fault:
            return Refusal(fault, ACCESS_VIOLATION)
    return "/".join(parts)


def _fault_of_part(part: str) -> str:
    """What is wrong with one part of a name, or nothing."""
    match part:
        case "":
            return "a name with an empty part"
        case "." | "..":
            return "a name that climbs"
    if ":" in part:
        return "a name with a drive or a stream"
    if part[-1] in ". ":
        return "a name with a trailing dot or space"
    if part.split(".", 1)[0].rstrip(" ") in DEVICE_NAMES:
        return "a name that means a device"
    return ""


def version_path(version: ContentVersion, file: str = "") -> str:
    """Where a version's file lies in a URL, and over TFTP for who must say it exactly."""
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
    """What `name`, as it came by TFTP, means for a client.

    `version` is the version that the client is pinned to, `firmware` (`bios` or `uefi…`)
    decides which boot configuration it gets, `programs` are the site's own, by file name
    (`undionly.kpxe`, or with a folder: `grub/grub.cfg`). With `published`, the exact names of
    `version_path` are known too. `authority` is whose loader this machine needs, and
    `site_authority` the site's default (see netboot.images.boot_image.uefi_loader).
    """
    key = normalise(name)
    if isinstance(key, Refusal):
        return key
    program = _program(key, programs, published)
    if program:
        return program
    if published and key.startswith("v/"):
        return _by_version_path(key, published, firmware, authority, site_authority)
    if version is None:
        return _not_held(key, version)
    loader = version.uefi_loader(machine=authority, site=site_authority)
    return names_of(version, _kind(firmware), loader).get(key) or _not_held(key, version)


def resolve_url(
    path: str,
    published: PublishedContent,
    programs: Mapping[str, ContentRef],
    *,
    site_authority: str = "",
) -> ContentRef | Refusal:
    """What a URL's path (decoded) means: `/v/<slug>/<number>/<file>` or `/p/<program>`."""
    key = normalise(path.encode("utf-8", "surrogateescape"))
    if isinstance(key, Refusal):
        return key
    if key.startswith("p/"):
        return _program(key, programs, published) or Refusal("no such boot program")
    if key.startswith("v/"):
        # Only UEFI firmware loads Windows' loaders by HTTP; scripts name BCD-bios themselves.
        return _by_version_path(key, published, "uefi", "", site_authority)
    return Refusal("no such page")


def _program(
    key: str, programs: Mapping[str, ContentRef], published: PublishedContent | None
) -> ContentRef | None:
    """The site's own program of that name; iPXE and GRUB live in the root, or under `p/`."""
    name = key.removeprefix("p/")
    supplied = published.supplied.get(name) if published else None
    if supplied is not None:
        return ContentRef(supplied.name, supplied.digest, supplied.size)
    # Programs are few, and the mapping's own spelling may have capitals.
    return next((ref for own, ref in programs.items() if own.lower() == name), None)


def starts_version(name: bytes) -> bool:
    """Whether `name` is a boot program of a version that the name itself says.

    Whoever loads that asks for the same version's files from then on, by their plain names.
    """
    key = normalise(name)
    if isinstance(key, Refusal):
        return False
    parts = key.split("/")
    return len(parts) == 4 and parts[0] == "v" and parts[3] in FIRST_PROGRAMS


def _by_version_path(
    key: str, published: PublishedContent, firmware: str, authority: str, site_authority: str
) -> ContentRef | Refusal:
    """A file of the version that the name itself says."""
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
    """Version `number` of the image whose slug it is."""
    held = {**published.kept, **{(v.image, v.number): v for v in published.current.values()}}
    found = [
        version
        for (_image, its), version in held.items()
        if its == number and version.address == image_slug
    ]
    match found:
        case []:
            return Refusal(f"version {number} of {image_slug} is not held here")
        case [version]:
            return version
        case _:
            images = " and ".join(sorted(version.image for version in found))
            return Refusal(f"{images} have the same short name; rename one of them")


def _not_held(key: str, version: ContentVersion | None) -> Refusal:
    """Why a well-formed name means nothing; optional probes are told apart from faults."""
    last = key.rsplit("/", 1)[-1]
    if last in OPTIONAL_NAMES or last.endswith(OPTIONAL_ENDINGS):
        return Refusal("optional, not held")
    if version is None:
        return Refusal("no boot image is assigned to this client")
    return Refusal(f"not a file of {version.label}")


def _kind(firmware: str) -> str:
    """Which of the two boot configurations a firmware wants."""
    return "uefi" if "efi" in firmware.lower() else "bios"


@lru_cache(maxsize=256)
def names_of(
    version: ContentVersion, firmware: str, loader: str = LOADER
) -> Mapping[str, ContentRef]:
    """Every name (normalised) under which a client of that firmware gets a file of `version`.

    `firmware` is `bios` or `uefi`, `loader` the file that is given as bootmgfw.efi ("": none).
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
    names: dict[str, ContentRef] = {}
    for name, ref in own.items():
        for alias in _aliases(name, firmware):
            names.setdefault(alias, ref)
    for name, absent in STANDS_IN_FOR.items():
        if name in own:
            for alias in _under((*PROGRAM_FOLDERS, *EFI_FOLDERS), *absent):
                names.setdefault(alias, own[name])
    return MappingProxyType(names | own)


def _aliases(own: str, firmware: str) -> list[str]:
    """The other names of the manifest's file `own`, for a client of that firmware."""
    last = own.rsplit("/", 1)[-1]
    if last in {"bcd", f"bcd-{firmware}"}:
        return _boot_configuration_names()
    if last.startswith("bcd-"):
        return []  # the other firmware's
    if last.endswith(".ttf"):
        return _under(FONT_FOLDERS, last)
    if last.endswith((".wim", ".wim.cpio")):
        return _under((*PROGRAM_FOLDERS, "sources"), last)
    return _under((*PROGRAM_FOLDERS, *EFI_FOLDERS), last)


def _boot_configuration_names() -> list[str]:
    """The names of a boot configuration: loaders add `boot/bcd` to the folder they came from."""
    beside = [f"{folder}/boot" if folder else "boot" for folder in PROGRAM_FOLDERS]
    return _under((*PROGRAM_FOLDERS, *beside, *EFI_FOLDERS), "bcd")


def _under(folders: tuple[str, ...] | list[str], *last: str) -> list[str]:
    """Each of the names in each of the folders."""
    return [f"{folder}/{name}" if folder else name for name in last for folder in folders]
