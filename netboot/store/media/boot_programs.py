"""The site's boot programs: iPXE from the distribution's package, GRUB made for our addresses.

They belong to no image version. (No package has wimboot, so the administrator imports it: see
netboot.operations.images.boot_chain.) `programs.json` next to the point's pointer lists them for
the boot services; an update of the package takes effect at the next start.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from netboot.boot.files import grub_script
from netboot.boot.files.names import ContentRef
from netboot.errors import ContentFault, DiskFault, MissingTool, sentence
from netboot.store.content.kept_file import mark_of
from netboot.store.content.point_folder import PointFolder, write_json
from netboot.store.media.tools import Tools

IPXE_PROGRAMS = ("undionly.kpxe", "snponly.efi", "ipxe.efi")
GRUB_IA32 = "grubia32.efi"
_ADDRESS = "address"
"""The one entry of the file that is no program: the addresses that GRUB was made for."""


def ready_programs(
    point: PointFolder,
    folders: Iterable[Path],
    addresses: Iterable[str],
    tell: Callable[[str], None],
) -> None:
    """As `prepare_programs`; if the disk is full, those of the last start are served.

    `tell` is called with the reason. Raises MissingTool, DiskFault.
    """
    try:
        prepare_programs(point, folders, *addresses)
    except DiskFault as fault:
        if not read_programs(point):
            raise
        tell(f"{sentence(str(fault))} The boot programs of the last start are served.")


def prepare_programs(
    point: PointFolder, folders: Iterable[Path], *addresses: str
) -> Mapping[str, ContentRef]:
    """Copy the programs to the point and write `programs.json`; returns what `read_programs` does.

    Without an address there is no GRUB yet: the boot services call this again when they have one.
    Raises MissingTool if BIOS or UEFI machines would find no program.
    """
    folders = tuple(folders)
    found = {}
    for name in IPXE_PROGRAMS:
        path = next((f / name for f in folders if (f / name).is_file()), None)
        if path is not None:
            blob = point.blobs.add_file(path)
            found[name] = ContentRef(name=name, digest=blob.digest, size=blob.size)
    if "undionly.kpxe" not in found or not {"snponly.efi", "ipxe.efi"} & set(found):
        raise MissingTool(
            f"no iPXE boot programs in {', '.join(str(f) for f in folders)}",
            hint="Install them: apt-get install ipxe   (or set their folder in `programs`).",
        )
    for address in addresses:
        grub = _grub_for_ia32(point, address)
        if grub is not None:
            found.setdefault(GRUB_IA32, grub)
            found[_own_name(GRUB_IA32, address)] = grub
    if found != _listed(point) or made_for(point) != addresses:  # a full disk may take nothing
        state: dict[str, object] = {
            name: {"digest": ref.digest, "size": ref.size} for name, ref in found.items()
        }
        write_json(point.programs, state | {_ADDRESS: " ".join(addresses)})
    return MappingProxyType(found)


def made_for(point: PointFolder) -> tuple[str, ...] | None:
    """The addresses that the programs on the point were made for; None if there are none."""
    try:
        state = json.loads(point.programs.read_text())
        return tuple(str(state[_ADDRESS]).split())
    except (OSError, ValueError, TypeError, KeyError):
        return None  # the programs are made anew


def programs_at(programs: Mapping[str, ContentRef], address: str) -> Mapping[str, ContentRef]:
    """The programs for machines that load from `address`: each has its own GRUB."""
    own = programs.get(_own_name(GRUB_IA32, address))
    return MappingProxyType({**programs, GRUB_IA32: own}) if own is not None else programs


class ProgramsReader:
    """The programs for a boot service: read again when `programs.json` was replaced.

    It reports a damaged file once and keeps the last good one. Raises ContentFault if the first is
    damaged.
    """

    def __init__(self, point: PointFolder, tell: Callable[[str], None]) -> None:
        self._point = point
        self._tell = tell
        self._seen = mark_of(point.programs)
        self._programs = read_programs(point)
        self._by_address: dict[str, Mapping[str, ContentRef]] = {}

    def __call__(self, address: str) -> Mapping[str, ContentRef]:
        """The programs for machines that load from `address`; costs one stat if nothing changed."""
        mark = mark_of(self._point.programs)
        if mark != self._seen and mark is not None:
            try:
                self._programs = read_programs(self._point)
            except ContentFault as fault:
                self._tell(f"{fault}; the previous programs are still served")
            self._seen = mark
            self._by_address.clear()
        found = self._by_address.get(address)
        if found is None:
            found = self._by_address[address] = programs_at(self._programs, address)
        return found


def _own_name(name: str, address: str) -> str:
    """The key of a program that was made for one address; no file is called so."""
    return f"{name} {address}"


def _listed(point: PointFolder) -> dict[str, ContentRef]:
    try:
        return dict(read_programs(point))
    except ContentFault:
        return {}  # damaged: it is replaced


def read_programs(point: PointFolder) -> Mapping[str, ContentRef]:
    """The programs in `programs.json`, if it exists; GRUB for each address, and the first by name.

    Raises ContentFault.
    """
    path = point.programs
    try:
        state = json.loads(path.read_text())
        found = {
            name: ContentRef(name.partition(" ")[0], held["digest"], held["size"])
            for name, held in state.items()
            if name != _ADDRESS
        }
    except FileNotFoundError:
        return MappingProxyType({})
    except (ValueError, TypeError, KeyError, AttributeError, OSError) as fault:
        raise ContentFault(f"{path} is damaged; restart the site to replace it") from fault
    return MappingProxyType(found)


def _grub_for_ia32(point: PointFolder, address: str) -> ContentRef | None:
    """GRUB with our address inside; None if its parts are not installed.

    If another server assigns the addresses, GRUB would ask *that* server for its configuration (it
    uses the DHCP ACK), so the image must contain our address.
    """
    early = grub_script.early_config(address)
    with point.blobs.staging_folder() as work:
        out = work / GRUB_IA32
        try:
            Tools(0).grub(
                "i386-efi", early, grub_script.MODULES, out, prefix=f"/{grub_script.PREFIX}"
            )
        except MissingTool:
            return None
        blob = point.blobs.add_file(out)
    return ContentRef(name=GRUB_IA32, digest=blob.digest, size=blob.size)
