"""Makes the description of an image from what the sandbox extracted.

It reads only files in the sandbox's folder, up to a limit; their names and hashes were checked. If
two sources (XML, programs, hives) have the same information, they must agree.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from netboot.errors import FormatError, InvalidInput, WrongArchitecture
from netboot.formats import pe
from netboot.formats.inf.inf import parse
from netboot.formats.inf.lexer import MAX_BYTES
from netboot.formats.wim.wim import WimFlag, WimHeader
from netboot.formats.wim.xml import WimDescription, WimImage
from netboot.images.architecture import Architecture
from netboot.images.boot_image import uefi_loader
from netboot.images.boot_image.description import (
    ARCHITECTURE_BY_XML,
    BootFile,
    ImageFacts,
    ImageInWim,
)
from netboot.images.boot_image.secrets import SCAN_LIMIT, SecretFinding, is_scanned, scan_file
from netboot.images.drivers.inbox import InboxDriver, installed_services, read_inbox
from netboot.images.drivers.package import ARCHITECTURE_OF
from netboot.images.servicing import boot_layout as layout
from netboot.images.servicing.boot_language import language_file, preference
from netboot.images.servicing.shortfalls import PROGRAM_ENDINGS, SEARCHED
from netboot.images.servicing.startup_hooks import decode_script
from netboot.store.wim.authenticode import signer_of


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder of the image, as wimlib lists it."""

    path: str
    size: int
    sha1: str
    is_plain: bool


@dataclass(frozen=True, slots=True)
class Contents:
    """The result of the sandbox: entries by lower-case path, and the folder of extracted files."""

    entries: Mapping[str, Entry]
    folder: Path
    collected: frozenset[str]
    hives: Mapping[str, Any]
    boot_index: int

    def read(self, path: str, limit: int = SCAN_LIMIT) -> bytes | None:
        """The first bytes of an extracted file, or None."""
        entry = self.entries.get(path)
        if entry is None or entry.path not in self.collected:
            return None
        file = self.folder / entry.path.lstrip("/")
        with file.open("rb") as stream:
            return stream.read(limit)


def facts_of(
    *,
    size: int,
    header: WimHeader,
    description: WimDescription,
    image: WimImage,
    contents: Contents,
) -> ImageFacts:
    """All facts about an image.

    Raises InvalidInput if it is not Windows PE, WrongArchitecture if its programs are of two.
    """
    if not any(program in contents.entries for program in layout.PE_PROGRAMS):
        raise InvalidInput(
            f"Image {image.index} ({image.name or 'no name'}) is not Windows PE: "
            "it contains neither winpeshl.exe nor wpeinit.exe",
            hint="Choose boot.wim from Windows installation media, not install.wim.",
        )
    doubts: list[str] = []
    architecture = _architecture(image, contents, doubts)
    version, edition = _version(image, contents)
    claimed = ImageFacts(
        size=size,
        index=image.index,
        images=tuple(
            ImageInWim(one.index, one.name, one.description, one.edition)
            for one in description.images
        ),
        boot_index=contents.boot_index,
        architecture=architecture,
        compression=header.compression.value,
        version=version,
        edition=edition,
        languages=image.languages,
        modified_at=image.modified_at,
        has_integrity_table=bool(header.integrity.stored),
        findings=(*doubts, *_other_findings(header, image, contents)),
    )
    described = _with_files(_with_start_up(claimed, contents), contents)
    return replace(described, findings=(*described.findings, *_check_programs(described, contents)))


def _with_start_up(facts: ImageFacts, contents: Contents) -> ImageFacts:
    """Add how it boots, and what it starts."""
    entries = contents.entries
    boot_files = tuple(_boot_files(contents))
    loaders = (entries[path].path for path in layout.LOADERS if path in entries)
    return replace(
        facts,
        boot_files=boot_files,
        language_files=tuple(_language_files(contents)),
        missing=tuple(layout.missing(boot_files, facts.architecture)),
        loaders=tuple(path.replace("/", "\\") for path in loaders),
        chains=layout.chains({file.name for file in boot_files}),
        startnet=_script(contents, layout.STARTNET),
        winpeshl=_script(contents, layout.WINPESHL),
        setup_path=_setup_path(entries),
    )


def _with_files(facts: ImageFacts, contents: Contents) -> ImageFacts:
    """Add its content: counts, hives, drivers, components, secrets."""
    entries = contents.entries
    inbox, services = _inbox(contents, facts)
    return replace(
        facts,
        file_count=sum(entry.is_plain for entry in entries.values()),
        total_size=sum(entry.size for entry in entries.values()),
        hives=tuple(sorted(name for name, hive in contents.hives.items() if "fault" not in hive)),
        drivers=_infs(entries, "/windows/bootdrivers/", "/windows/system32/driverstore/"),
        inbox_infs=_infs(entries, "/windows/inf/"),
        packages=tuple(sorted(_packages(entries))),
        has_background=layout.BACKGROUND in entries,
        secrets=tuple(_secrets(contents)),
        inbox=inbox,
        programs=tuple(sorted(_programs(entries))),
        services=services,
    )


def _architecture(image: WimImage, contents: Contents, findings: list[str]) -> Architecture:
    """The architecture on which XML and kernel agree; adds a finding if only the XML has it."""
    claimed = None if image.architecture is None else ARCHITECTURE_BY_XML.get(image.architecture)
    proved = None
    for program in (layout.KERNEL, *layout.LOADERS):
        head = contents.read(program, pe.HEADER_BYTES)
        if head is None:
            continue
        try:
            machine = pe.parse(head, size=contents.entries[program].size).machine
        except FormatError as error:
            if program == layout.KERNEL:  # for the loaders see _check_programs
                findings.append(f"{contents.entries[program].path}: {error}.")
            continue
        proved = ARCHITECTURE_OF.get(machine)
        break
    if claimed and proved and claimed is not proved:
        raise InvalidInput(
            f"The WIM's XML says {claimed}, but its kernel is {proved}",
            hint="Use a WIM from Windows installation media; this one was assembled from two.",
        )
    architecture = proved or claimed
    if architecture is None:
        raise InvalidInput(
            "The architecture is neither in the WIM's XML nor in its kernel",
            hint="Use an image for x86, x64 or arm64.",
        )
    if proved is None:
        findings.append(
            "The architecture is from the WIM's XML; no kernel was found to confirm it."
        )
    return architecture


def _check_programs(facts: ImageFacts, contents: Contents) -> Iterator[str]:
    """Findings about boot programs that are none. Raises WrongArchitecture.

    Firmware starts no boot manager of another architecture, and that one no such loader.
    """
    managers = (layout.CANDIDATES[one] for one in (uefi_loader.LOADER, uefi_loader.LOADER_EX))
    for path in (*chain.from_iterable(managers), *layout.LOADERS):
        head = contents.read(path, pe.HEADER_BYTES)
        if head is None:
            continue
        entry = contents.entries[path]
        try:
            machine = pe.parse(head, size=entry.size).machine
        except FormatError as error:
            # The Lab PE has a Linux kernel in place of Windows' loaders.
            if facts.boot_file("vmlinuz") is None:
                yield f"{entry.path}: {error}. Machines stop with 0xc000007b."
            continue
        found = ARCHITECTURE_OF.get(machine)
        if found is not facts.architecture:
            raise WrongArchitecture(
                f"{entry.path} is a program for {found or machine}, but the image is"
                f" {facts.architecture}",
                hint=f"Put the {facts.architecture} file of the same Windows release in its place,"
                " or import an image from Windows installation media.",
            )


def _boot_files(contents: Contents) -> Iterator[BootFile]:
    """The boot files of the image, the best candidate for each name."""
    for name, paths in layout.CANDIDATES.items():
        found = (contents.entries[path] for path in paths if path in contents.entries)
        for entry in found:
            if entry.is_plain and entry.size:
                signer = _signer(contents, entry) if name.endswith((".efi", ".exe")) else ""
                yield BootFile(name, entry.path, entry.size, entry.sha1, signer)
                break
    for lowered, entry in sorted(contents.entries.items()):
        if layout.FONTS.fullmatch(lowered) and entry.is_plain and entry.size:
            yield BootFile(layout.client_name(lowered), entry.path, entry.size, entry.sha1)


def _language_files(contents: Contents) -> Iterator[BootFile]:
    """The language files of the boot managers, the best one for each name."""
    found: dict[str, Entry] = {}
    for entry in sorted(contents.entries.values(), key=lambda one: preference(one.path)):
        name = language_file(entry.path)
        if name and entry.is_plain and entry.size:
            found.setdefault(name, entry)
    for name, entry in sorted(found.items()):
        yield BootFile(name, entry.path, entry.size, entry.sha1)


def _signer(contents: Contents, entry: Entry) -> str:
    data = contents.read(entry.path.lower(), entry.size)
    return signer_of(data) if data else ""


def _version(image: WimImage, contents: Contents) -> tuple[str, str]:
    """Version and edition from the XML; the SOFTWARE hive has what is missing there."""
    hive = contents.hives.get("SOFTWARE", {})
    build, revision = str(hive.get("build", "")), hive.get("revision", 0)
    version = image.version or (f"10.0.{build}.0" if build.isdecimal() else "")
    if revision and version.endswith(f".{build}.0"):
        version = f"{version.removesuffix('.0')}.{revision}"
    return version, image.edition or str(hive.get("edition", ""))


def _script(contents: Contents, path: str) -> str | None:
    data = contents.read(path)
    if data is None:
        return "" if path in contents.entries else None
    return decode_script(data)


def _setup_path(entries: Mapping[str, Entry]) -> str:
    """The Setup program that Windows PE would start by itself, in the form of winpeshl.ini."""
    for path in layout.SETUP_PROGRAMS:
        if path in entries:
            return "%SYSTEMDRIVE%" + entries[path].path.replace("/", "\\")
    return ""


def _infs(entries: Mapping[str, Entry], *folders: str) -> tuple[str, ...]:
    return tuple(
        entry.path
        for path, entry in sorted(entries.items())
        if path.endswith(".inf") and path.startswith(folders)
    )


def _programs(entries: Mapping[str, Entry]) -> set[str]:
    """The names of programs that a command finds without a path."""
    return {
        path.rpartition("/")[2]
        for path in entries
        if path.endswith(PROGRAM_ENDINGS) and f"{path.rpartition('/')[0]}/" in SEARCHED
    }


def _inbox(
    contents: Contents, facts: ImageFacts
) -> tuple[tuple[InboxDriver, ...], tuple[str, ...]]:
    """The network and storage drivers of this Windows PE itself; services of all its drivers."""
    found: list[InboxDriver] = []
    services: set[str] = set()
    programs = {
        path.rpartition("/")[2]
        for path in contents.entries
        if path.endswith(".sys") and path.startswith(layout.PROGRAM_FOLDERS)
    }
    # The same INF is in \Windows\INF and in the driver store, sometimes under another name.
    seen: set[str] = set()
    for path, entry in sorted(contents.entries.items()):
        if not layout.is_inbox_inf(path) or entry.sha1 in seen:
            continue
        seen.add(entry.sha1)
        data = contents.read(path, MAX_BYTES)
        try:
            inf = parse(data) if data else None
        except FormatError:
            continue
        name = path.rpartition("/")[2]
        if inf is None:
            continue
        services |= installed_services(inf, facts.architecture, programs)
        driver = read_inbox(
            inf, name, architecture=facts.architecture, build=facts.build, programs=programs
        )
        if driver:
            found.append(driver)
    return tuple(found), tuple(sorted(services))


def _packages(entries: Mapping[str, Entry]) -> Iterator[str]:
    """Optional components, by the names of their manifests (WinPE-WMI-Package~….mum)."""
    for path, entry in entries.items():
        name = entry.path.rpartition("/")[2]
        if path.startswith("/windows/servicing/packages/winpe-") and path.endswith(".mum"):
            yield name.partition("~")[0].removesuffix(".mum")


def _secrets(contents: Contents) -> Iterator[SecretFinding]:
    for path, entry in sorted(contents.entries.items()):
        if is_scanned(path) and (data := contents.read(path)) is not None:
            yield from scan_file(entry.path, data)


def _other_findings(header: WimHeader, image: WimImage, contents: Contents) -> Iterator[str]:
    if not header.boot_index:
        yield f"No image is marked as bootable. The build marks image {image.index}."
    if WimFlag.READONLY in header.flags:
        yield "The WIM is marked read-only. The build removes the mark from its copy."
    if layout.IMAGE_INI in contents.entries:
        yield (
            "netboot built this WIM. The drivers it added are "
            "replaced with those of the new boot image."
        )
    for name in layout.HIVES:
        hive = contents.hives.get(name)
        if hive is None:
            yield f"The {name} hive is missing."
        elif "fault" in hive:
            yield f"The {name} hive cannot be read: {hive['fault']}."
