"""How machines start an image: its preferred chain, and the wimboot that you supply.

The preferred chain is a property of the image, for each firmware: it takes effect with the next
version that is built and distributed, as every other change does.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from netboot.errors import FormatError, InvalidInput, NotFound
from netboot.formats import pe
from netboot.images.boot_image.description import ImageFacts
from netboot.images.boot_image.properties import Properties
from netboot.images.servicing import boot_layout as layout
from netboot.images.versions.content_version import ManifestFile
from netboot.operations.images.view import ImageView, get_image
from netboot.operations.served import require_name
from netboot.site import Site
from netboot.store.content.named_files import read_file
from netboot.store.images.rows import find_image

WIMBOOT = "wimboot"
LARGEST_WIMBOOT = 1 << 20
"""Bytes; wimboot itself is below 100 KiB."""

# Linux/x86 boot protocol (Documentation/arch/x86/boot.rst): the set-up header's magic.
_AT_LINUX_MAGIC = 0x202
_LINUX_MAGIC = b"HdrS"
_PUBLISHER = "Take the released file called wimboot from ipxe.org/wimboot, not an archive."
_SHA256 = re.compile(r"(sha256:)?[0-9a-fA-F]{64}")


@dataclass(frozen=True, slots=True)
class Wimboot:
    """The wimboot that is served: `digest` is `sha256:<hex>`, `size` in bytes."""

    digest: str
    size: int


def prefer_chain(site: Site, image: str, *, chains: Mapping[str, str]) -> ImageView:
    """Prefer a chain for a firmware (`bios`, `uefi`), or none. Raises NotFound, InvalidInput."""
    with site.database.writing() as session:
        row = find_image(session, image)
        properties = Properties.from_json(row.properties)
        facts = ImageFacts.from_json(row.facts)
        wanted = {f"{firmware}_chain": chain for firmware, chain in chains.items()}
        changed = replace(properties, **wanted)  # type: ignore[arg-type]
        for firmware, chain in chains.items():
            if chain:
                _require_offered(facts, changed, firmware, chain)
        if changed != properties:
            row.properties = changed.to_json()
            row.row_version = row.row_version + 1
    return get_image(site, image)


def import_wimboot(site: Site, path: Path, *, sha256: str = "") -> Wimboot:
    """Serve this wimboot from now on; the daemons use it at once.

    `sha256` is the digest that its publisher names. Raises InvalidInput if the file is not wimboot
    or has another digest.
    """
    data = read_file(path, LARGEST_WIMBOOT, hint=_PUBLISHER)
    if sha256 and not _SHA256.fullmatch(sha256):
        raise InvalidInput(
            f"{sha256[:80]!r} is not a SHA-256 digest", hint="It has 64 hexadecimal digits."
        )
    _require_wimboot(path, data)
    stored = site.point.blobs.add_bytes(data)
    named = "sha256:" + sha256.lower().removeprefix("sha256:")
    if sha256 and stored.digest != named:
        raise InvalidInput(
            f"{path} has the digest {stored.digest}, not {named}",
            hint="Fetch it again from its publisher; nothing was changed here.",
        )
    site.point.supply(WIMBOOT, ManifestFile(WIMBOOT, stored.digest, stored.size))
    return Wimboot(stored.digest, stored.size)


def served_wimboot(site: Site) -> Wimboot | None:
    """The wimboot that is served, or None. Raises ContentFault for missing or altered bytes."""
    held = site.point.load().supplied.get(WIMBOOT)
    if held is None:
        return None
    site.point.blobs.verify(held.digest)
    return Wimboot(held.digest, held.size)


def serves_wimboot(site: Site) -> bool:
    """Whether there is one; its bytes are not looked at."""
    return WIMBOOT in site.point.load().supplied


def forget_wimboot(site: Site, *, typed: str | None = None) -> None:
    """Stop serving wimboot, if `typed` is its name; None asks for nothing.

    Raises NotFound, InvalidInput.
    """
    if not serves_wimboot(site):
        raise NotFound("no wimboot was imported")
    require_name(WIMBOOT, typed)
    site.point.supply(WIMBOOT, None)


def _require_offered(facts: ImageFacts, properties: Properties, firmware: str, chain: str) -> None:
    """Refuse a chain that this source does not offer on that firmware."""
    names = {file.name for file in facts.boot_files}
    if properties.boot_sdi:
        names.add("boot.sdi")
    lacking = [name for name in layout.needed_for(chain, firmware) if name not in names]
    if lacking:
        sources = {missing.name: missing.source for missing in facts.missing}
        raise InvalidInput(
            f"{firmware.upper()} machines cannot start this image by {chain}:"
            f" it does not contain {', '.join(lacking)}",
            hint=sources.get(lacking[0], "Choose another chain, or leave the choice to netboot."),
        )


def _require_wimboot(path: Path, data: bytes) -> None:
    """Wimboot is both a Linux kernel (for BIOS loaders) and a UEFI program (ipxe.org/wimboot)."""
    is_kernel = data[_AT_LINUX_MAGIC : _AT_LINUX_MAGIC + 4] == _LINUX_MAGIC
    try:
        pe.parse(data, size=len(data))
    except FormatError:
        is_kernel = False
    if not is_kernel or b"wimboot" not in data:
        raise InvalidInput(f"{path} is not wimboot", hint=_PUBLISHER)
