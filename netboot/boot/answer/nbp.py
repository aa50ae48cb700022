"""Which boot program (NBP) a client loads, by firmware, stage and the image's chains.

The chainload has no loop, because a stage only ever names the next one: firmware gets iPXE, GRUB
or Microsoft's loader; iPXE, from whatever source, gets the script.

Chains, in the order in which a version lists them:
  linux, wimboot  a loader of the site fetches what the script names
  native          Microsoft's own loaders out of the image, by TFTP; works with Secure Boot
"""

from collections.abc import Container
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from netboot.boot.answer.client import BootClient, BootFacts, Firmware, Stage, machine_name
from netboot.boot.answer.policy import Choice
from netboot.images.architecture import Architecture
from netboot.images.boot_image.uefi_loader import AUTHORITIES, LOADER, lacking
from netboot.images.versions.content_version import ContentVersion


class Transport(StrEnum):
    """How a program comes to the client."""

    TFTP = "tftp"
    HTTP = "http"


@dataclass(frozen=True, slots=True)
class BootProgram:
    """A program for a kind of client: for PXE a plain name, for HTTP a whole URL.

    `version` is what it leads to, by `chain` (for iPXE the script decides that);
    `personal` marks the script, whose URL says who asks.
    """

    file: str
    transport: Transport
    version: ContentVersion
    reason: str
    chain: str = ""
    personal: bool = False

    def file_for(self, client: BootClient) -> str:
        """The boot file as this very client gets it.

        iPXE expands its variables in scripts only, never in a name from DHCP: the URL carries
        what we know. A BIOS client's width is not known, so `arch` is left for the script.
        """
        if not self.personal:
            return self.file
        facts = [f"mac={client.mac}", f"platform={_PLATFORMS[client.firmware]}"]
        if client.firmware is Firmware.UEFI and client.architecture:
            facts.append(f"arch={client.architecture.value}")
        if client.nic:
            facts.append(f"nic={client.nic}")
        if client.machine_id:
            facts.append(f"uuid={client.machine_id}")
        return f"{self.file}?{'&'.join(facts)}"


@dataclass(frozen=True, slots=True)
class NoProgram:
    """Why none of the images can be started by this firmware."""

    reason: str


_PLATFORMS: Final = {Firmware.BIOS: "pcbios", Firmware.UEFI: "efi"}  # as ${platform} of iPXE

LINUX: Final = "linux"
NATIVE: Final = "native"
WIMBOOT: Final = "wimboot"

# Site programs: undionly uses the ROM's own driver, snponly the UEFI's, so neither needs a driver
# for the card and both leave it as the firmware left it. There is no 32-bit UEFI iPXE in Debian.
_BIOS_PROGRAMS: Final = {LINUX: "undionly.kpxe", WIMBOOT: "undionly.kpxe", NATIVE: "pxeboot.n12"}
_UEFI_PROGRAMS: Final = {
    Architecture.X64: {LINUX: "snponly.efi", WIMBOOT: "snponly.efi", NATIVE: "bootmgfw.efi"},
    Architecture.X86: {LINUX: "grubia32.efi", NATIVE: "bootmgfw.efi"},
    Architecture.ARM64: {NATIVE: "bootmgfw.efi"},
}


def select(
    client: BootFacts,
    choice: Choice,
    *,
    server: str,
    http_port: int,
    supplied: Container[str] = (),
    authority: str = "",
    site_authority: str = "",
) -> BootProgram | NoProgram:
    """The program that starts the first candidate which this firmware can start.

    `supplied` are boot programs that the administrator brought, `authority` is whose UEFI loader
    this machine needs, `site_authority` the site's default.
    """
    site = f"http://{server}:{http_port}"
    if client.stage is Stage.IPXE:
        reason = "iPXE gets the script"
        script = f"{site}/boot.ipxe"
        return BootProgram(script, Transport.HTTP, choice.version, reason, personal=True)
    refusals = []
    for version in choice.candidates:
        for chain in version.chains_for(client.firmware):
            name = _program_name(client, chain)
            refusal = _why_not(client, version, chain, name, supplied)
            loader = version.uefi_loader(machine=authority, site=site_authority)
            if not refusal and name == LOADER and not loader:
                refusal = lacking(version.label, authority or version.authority)
            if not refusal and _width_decides(client, choice, chain):
                name = _BIOS_PROGRAMS[LINUX]
            if not refusal:
                program = _program(client, version, chain, name, site)
                return replace(program, reason=program.reason + _whose(version, name, loader))
            refusals.append(refusal)
        if not version.chains:
            refusals.append(f"{version.label} has no way to be started")
    return NoProgram("; ".join(refusals))


def _width_decides(client: BootFacts, choice: Choice, chain: str) -> bool:
    """Whether iPXE must look at the processor before Microsoft's loader can be named.

    A BIOS says nothing of its processor's width, and with Microsoft's loader there is no script
    that could ask: so where two images could be meant, iPXE goes first and loads it.
    """
    return client.firmware is Firmware.BIOS and chain == NATIVE and len(choice.candidates) > 1


def _program_name(client: BootFacts, chain: str) -> str:
    if client.firmware is Firmware.BIOS:
        return _BIOS_PROGRAMS.get(chain, "")
    return _UEFI_PROGRAMS.get(client.architecture or Architecture.X64, {}).get(chain, "")


def _why_not(
    client: BootFacts, version: ContentVersion, chain: str, name: str, supplied: Container[str]
) -> str:
    """Why `chain` of `version` is not for this client, or ""."""
    if not name:
        machine = machine_name(client.architecture_code)
        return f"{version.label}: no program starts the {chain} chain on a {machine}"
    if chain == WIMBOOT and WIMBOOT not in supplied:
        return f"{version.label}: no wimboot was supplied (netboot wimboot import FILE)"
    if chain != NATIVE:
        return ""
    if client.stage is Stage.FIRMWARE_HTTP:
        return f"{version.label}: its native chain needs PXE, this machine does HTTP boot"
    if version.file(name) is None:
        return f"{version.label} holds no {name}"
    return ""


def _whose(version: ContentVersion, name: str, loader: str) -> str:
    """Whose UEFI loader it is, where the version says so."""
    years = (year for year, file in version.uefi_loaders if name == LOADER and file == loader)
    return next((f" for {AUTHORITIES[year]}" for year in years), "")


def _program(
    client: BootFacts, version: ContentVersion, chain: str, name: str, site: str
) -> BootProgram:
    reason = f"{machine_name(client.architecture_code)}, {chain} chain: {name}"
    if client.stage is Stage.FIRMWARE_HTTP:
        return BootProgram(f"{site}/p/{name}", Transport.HTTP, version, reason, chain)
    return BootProgram(name, Transport.TFTP, version, reason, chain)
