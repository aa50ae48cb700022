"""Which form of answer a firmware needs: one row per kind, with its source.

The first row that fits applies. Add a row only for behaviour that was seen on a real firmware, and
name the source.
"""

from dataclasses import dataclass
from typing import Final

from netboot.boot.answer.client import BootFacts, Firmware, Stage


@dataclass(frozen=True, slots=True)
class Shape:
    """The form of an OFFER.

    `use_this_file`: option 43 says "skip discovery, take the file of this offer".
    `names_file`: the OFFER names the file; otherwise the client has to ask on port 4011.
    `terminated`: options 66 and 67 end with a NUL.
    """

    use_this_file: bool
    names_file: bool
    terminated: bool

    @property
    def words(self) -> str:
        """The form for people."""
        if not self.names_file:
            return "names no file: the machine asks on port 4011"
        if self.use_this_file:
            return "names the file, and option 43 says to take it"
        return "names the file, without option 43"


DIRECT: Final = Shape(use_this_file=True, names_file=True, terminated=True)
ASK_BOOT_SERVER: Final = Shape(use_this_file=False, names_file=False, terminated=True)
FILE_ONLY: Final = Shape(use_this_file=False, names_file=True, terminated=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirk:
    """A kind of firmware and what it needs. An empty `stage`, `firmware` or `chain` fits all."""

    name: str
    shape: Shape
    source: str
    stage: Stage | None = None
    firmware: Firmware | None = None
    chain: str = ""
    from_attempt: int = 1

    @property
    def about(self) -> str:
        """The firmware of this row, for people."""
        stages = {
            Stage.FIRMWARE: "PXE ROM",
            Stage.FIRMWARE_HTTP: "HTTP boot",
            Stage.IPXE: "iPXE",
        }
        stage = stages[self.stage] if self.stage else "any firmware"
        who = f"{self.firmware.value.upper()} {stage}" if self.firmware else stage
        again = (
            f", from its DISCOVER number {self.from_attempt} on" if self.from_attempt > 1 else ""
        )
        return who + (f", {self.chain} chain" if self.chain else "") + again

    def fits(self, client: BootFacts, chain: str, attempt: int) -> bool:
        """Whether this row applies to the `attempt`-th DISCOVER without success of `client`."""
        return (
            attempt >= self.from_attempt
            and self.chain in {"", chain}
            and (self.stage is None or self.stage is client.stage)
            and (self.firmware is None or self.firmware is client.firmware)
        )


QUIRKS: Final = (
    Quirk(
        name="the file of the OFFER is what iPXE takes",
        stage=Stage.IPXE,
        shape=FILE_ONLY,
        source="QEMU's ROM, undionly.kpxe, snponly.efi, ipxe.efi: captures; with boot options in"
        " 43 it would go to 4011 instead (ipxe: src/net/udp/dhcp.c)",
    ),
    Quirk(
        name="UEFI HTTP boot takes the URL of the OFFER",
        stage=Stage.FIRMWARE_HTTP,
        shape=FILE_ONLY,
        source="OVMF x64 and ia32: captures; edk2 NetworkPkg/HttpBootDxe/HttpBootDhcp4.c",
    ),
    Quirk(
        name="offer not taken twice: now it names the file",
        stage=Stage.FIRMWARE,
        chain="native",
        from_attempt=3,
        shape=DIRECT,
        source="as below, the other way round",
    ),
    Quirk(
        name="Microsoft's loaders read the boot server's ACK: let firmware get one on port 4011",
        stage=Stage.FIRMWARE,
        chain="native",
        shape=ASK_BOOT_SERVER,
        source="Windows Deployment Services and ConfigMgr answer so (Microsoft, 'Understand PXE"
        " boot'); without that ACK bootmgr looks for its files at 0.0.0.0 (ipxe: fakedhcp.c)",
    ),
    Quirk(
        name="offer not taken twice: let it ask on port 4011",
        firmware=Firmware.UEFI,
        stage=Stage.FIRMWARE,
        from_attempt=3,
        shape=ASK_BOOT_SERVER,
        source="danderson/netboot pixiecore/dhcp.go: some UEFI firmware ignores offers that"
        " bypass discovery; all accept one without option 43 and then ask on 4011",
    ),
    Quirk(
        name="UEFI PXE uses the OFFER's file only if option 43 says so",
        firmware=Firmware.UEFI,
        stage=Stage.FIRMWARE,
        shape=DIRECT,
        source="OVMF x64 and ia32: captures; tianocore/edk2#8149",
    ),
    Quirk(
        name="PXE ROM reads BOOTP fields or options, and wants NULs",
        stage=Stage.FIRMWARE,
        shape=DIRECT,
        source="PXE 2.1 table 2-1; siderolabs/booter#12 and netbootxyz/netboot.xyz#1198",
    ),
)

MOST_ATTEMPTS: Final = max(quirk.from_attempt for quirk in QUIRKS)
"""After so many DISCOVERs without success the answer stays the same."""


def quirk_of(client: BootFacts, chain: str, attempt: int) -> Quirk:
    """The row for `client`; every stage has one."""
    return next(quirk for quirk in QUIRKS if quirk.fits(client, chain, attempt))
