"""The machines that `netboot check` simulates, and their requests, built with scapy.

The values come from recordings of real firmware (tests/captures).
"""

import secrets
from dataclasses import dataclass, replace
from typing import Final

from scapy.layers.dhcp import BOOTP, DHCP

from netboot.boot.told.check_machines import MAC_PREFIX

_PXE_PARAMETERS = bytes.fromhex(
    "0102030405060c0d0f111216171c28292a2b3233363a3b3c4243618081828384858687"
)
_IPXE_PARAMETERS = bytes.fromhex("010306070c0f111a2b3c4243778081828384858687afcb")
_IPXE_FEATURES = bytes.fromhex("b105018086100eeb03010000170101220101130101110101270101190101")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of machine. `runs` is what it can start: `bios`, `x64`, `x86` or `script`."""

    key: str
    title: str
    architecture: int
    runs: str
    http: bool = False
    ipxe: bool = False

    @property
    def vendor_class(self) -> bytes:
        """Option 60 of its requests."""
        word = "HTTPClient" if self.http else "PXEClient"
        major, minor = self.undi
        return f"{word}:Arch:{self.architecture:05}:UNDI:{major:03}{minor:03}".encode("ascii")

    @property
    def gives_up_after(self) -> int:
        """Seconds without an offer of an address: 4 + 8 + 16 + 32, with iPXE 1 + 2 + 4 + 8.

        PXE 2.1 §2.2.1 and edk2 (PxeBcDhcp4.c); iPXE: src/config/dhcp.h with src/core/retry.c.
        """
        return 15 if self.ipxe else 60

    @property
    def starts(self) -> tuple[str, ...]:
        """All that it can start: iPXE also starts programs of its own platform."""
        if not self.ipxe:
            return (self.runs,)
        return ("script", _PLATFORMS.get(self.architecture, ""))

    @property
    def undi(self) -> tuple[int, int]:
        """Version of the firmware's network interface, for options 60 and 94."""
        if self.architecture == 0:
            return 2, 1
        return 3, 10 if self.ipxe else 0


_PLATFORMS: Final = {0: "bios", 6: "x86", 7: "x64", 9: "x64", 11: "arm64"}

_PXE_TWIN: Final = {15: 6, 16: 7, 19: 11}
"""HTTP boot's architecture codes, and the same machine's code for PXE."""

KINDS: Final = (
    Kind("bios", "BIOS PC", 0, "bios"),
    Kind("uefi-x64", "64-bit UEFI PC", 7, "x64"),
    Kind("uefi-x86", "32-bit UEFI PC", 6, "x86"),
    Kind("uefi-arm64", "64-bit ARM UEFI machine", 11, "arm64"),
    Kind("http-x64", "64-bit UEFI PC, HTTP boot", 16, "x64", http=True),
    Kind("http-x86", "32-bit UEFI PC, HTTP boot", 15, "x86", http=True),
    Kind("ipxe-bios", "iPXE on a BIOS PC", 0, "script", ipxe=True),
    Kind("ipxe-x64", "iPXE on a 64-bit UEFI PC", 7, "script", ipxe=True),
)


@dataclass(frozen=True, slots=True)
class Machine:
    """One simulated machine, for one check."""

    kind: Kind
    mac: bytes
    xid: int
    machine_id: bytes

    @staticmethod
    def new(kind: Kind) -> "Machine":
        """A machine with new addresses."""
        mac = bytes.fromhex(MAC_PREFIX.replace(":", "")) + secrets.token_bytes(3)
        return Machine(kind, mac, secrets.randbits(32), b"\0" + secrets.token_bytes(16))

    def as_ipxe(self) -> "Machine":
        """The same machine when it runs the iPXE that it loaded."""
        kind = replace(
            self.kind,
            key=f"chained-{self.kind.key}",
            title=self.kind.title if self.kind.ipxe else f"iPXE on a {self.kind.title}",
            architecture=_PXE_TWIN.get(self.kind.architecture, self.kind.architecture),
            runs="script",
            http=False,
            ipxe=True,
        )
        return replace(self, kind=kind, xid=secrets.randbits(32))

    def by_pxe(self) -> "Machine":
        """A new machine of the same architecture that asks on port 4011."""
        code = _PXE_TWIN.get(self.kind.architecture, self.kind.architecture)
        kind = replace(self.kind, architecture=code, http=False, ipxe=False)
        return Machine.new(kind)

    @property
    def written_mac(self) -> str:
        return self.mac.hex(":")

    def discover(self, seconds: int = 0) -> bytes:
        """Its DHCPDISCOVER, `seconds` after its first: some servers answer only later ones."""
        return self._request(1, "0.0.0.0", seconds=seconds)  # noqa: S104 - it has no address yet

    def relayed_discover(self, relay: str) -> bytes:
        """Its DHCPDISCOVER as a relay agent at `relay` forwards it."""
        return self._request(1, "0.0.0.0", relay=relay)  # noqa: S104 - as above

    def boot_request(self, address: str, item: bytes = b"") -> bytes:
        """Its DHCPREQUEST to port 4011 of a boot server, from its new address.

        `item` is the option 43 that requests an item of a boot menu.
        """
        return self._request(3, address, broadcast=False, item=item)

    def _request(
        self,
        message: int,
        address: str,
        *,
        relay: str = "0.0.0.0",  # noqa: S104 - no relay
        broadcast: bool = True,
        seconds: int = 0,
        item: bytes = b"",
    ) -> bytes:
        kind = self.kind
        options: list[tuple[int, bytes] | str] = [
            (53, bytes((message,))),
            (57, (1472).to_bytes(2, "big")),
            (55, _IPXE_PARAMETERS if kind.ipxe else _PXE_PARAMETERS),
            (97, self.machine_id),
            (94, bytes((1, *kind.undi))),
            (93, kind.architecture.to_bytes(2, "big")),
            (60, kind.vendor_class),
        ]
        if kind.ipxe:
            options += [(77, b"iPXE"), (175, _IPXE_FEATURES), (61, b"\x01" + self.mac)]
        if item:
            options.append((43, item))
        bootp = BOOTP(
            op=1,
            xid=self.xid,
            secs=seconds,
            flags=0x8000 if broadcast else 0,
            chaddr=self.mac + bytes(10),
            ciaddr=address,
            giaddr=relay,
            hops=1 if relay != "0.0.0.0" else 0,  # noqa: S104 - as above
        )
        return bytes(bootp / DHCP(options=[*options, "end"]))
