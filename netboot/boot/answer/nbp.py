"""Which boot program (NBP) a client loads, by firmware, stage and the image's chains.

There is no loop, because each stage gets the next one only: firmware gets iPXE, GRUB or
Microsoft's loader; iPXE, from any source, gets the script.

Chains, in the order in which a version lists them:
  linux, wimboot  a loader of the site fetches the files in its script
  native          Microsoft's own loaders out of the image, by TFTP; works with Secure Boot
"""

from collections.abc import Container
from dataclasses import dataclass
from typing import Final

from netboot.boot.answer.client import BootClient, BootFacts, Firmware, Stage, machine_name
from netboot.boot.answer.policy import Choice
from netboot.boot.files.ipxe_script import LINUX, NATIVE, WIMBOOT
from netboot.images.architecture import Architecture
from netboot.images.boot_image.uefi_loader import AUTHORITIES, LOADER, lacking
from netboot.images.versions.content_version import ContentVersion


@dataclass(frozen=True, slots=True)
class BootProgram:
    """A program for a kind of client: for PXE a plain name, for HTTP a whole URL.

    `version` is the version that it starts, by `chain` (for iPXE the script decides that);
    `personal` marks the script, whose URL names the client.
    """

    file: str
    version: ContentVersion
    reason: str
    chain: str = ""
    personal: bool = False

    def file_for(self, client: BootClient) -> str:
        """The boot file for this client.

        iPXE expands its variables in scripts only, never in a name from DHCP, so the URL contains
        what we know. A BIOS does not say whether its processor has 64 bits: no `arch` then.
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
    """Why this firmware can start none of the images."""

    reason: str


_PLATFORMS: Final = {Firmware.BIOS: "pcbios", Firmware.UEFI: "efi"}  # as ${platform} of iPXE

# Site programs: undionly uses the ROM's own driver, snponly the UEFI's. So neither needs a driver
# for the card, and both leave it to Windows as the firmware did: iPXE's own drivers can make a card
# unusable for Windows (ipxe/ipxe#1696). Debian has no 32-bit UEFI iPXE.
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
    """The program for the first candidate that this firmware can start.

    `supplied` are boot programs that the administrator imported, `authority` is the signing
    authority of the UEFI loader that this machine needs, `site_authority` the site's default.
    """
    site = f"http://{server}:{http_port}"
    if client.stage is Stage.IPXE:
        reason = "iPXE gets the script"
        return BootProgram(f"{site}/boot.ipxe", choice.version, reason, personal=True)
    refusals = []
    for version in choice.candidates:
        for chain in version.chains_for(client.firmware):
            name = _program_name(client, chain)
            refusal = _why_not(client, version, chain, name, supplied)
            loader = version.uefi_loader(machine=authority, site=site_authority)
            if not refusal and name == LOADER and not loader:
                refusal = lacking(version.label, authority or version.authority)
            if refusal:
                refusals.append(refusal)
                continue
            if client.firmware is Firmware.BIOS and chain == NATIVE and len(choice.candidates) > 1:
                # A BIOS does not say whether its processor has 64 bits, and Microsoft's loader has
                # no script that could ask: iPXE comes first, looks, and loads the right one.
                name = _BIOS_PROGRAMS[LINUX]
            reason = f"{machine_name(client.architecture_code)}, {chain} chain: {name}"
            reason += _signed_by(version, name, loader)
            url = f"{site}/p/{name}" if client.stage is Stage.FIRMWARE_HTTP else name
            return BootProgram(url, version, reason, chain)
        if not version.chains:
            refusals.append(f"{version.label} has no way to be started")
    return NoProgram("; ".join(refusals))


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
        return f"{version.label} has no {name}"
    return ""


def _signed_by(version: ContentVersion, name: str, loader: str) -> str:
    """The signing authority of a UEFI loader, if the version names it."""
    years = (year for year, file in version.uefi_loaders if name == LOADER and file == loader)
    return next((f" for {AUTHORITIES[year]}" for year in years), "")
