"""The client: a DHCP packet read once into the facts that decide a boot.

Architecture (the code that the machine runs), firmware (its boot ROM) and stage (firmware or iPXE)
are three facts: programs that confuse them load iPXE from iPXE in a loop.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

from netboot.images.architecture import Architecture
from netboot.protocols.dhcp import (
    NO_ADDRESS,
    REQUEST_OP,
    MessageType,
    Option,
    Packet,
    dotted,
    message_type_of,
)
from netboot.protocols.printable import printable
from netboot.protocols.pxe import (
    BUS_ID,
    HTTP_CLIENT,
    PXE_CLIENT,
    ArchitectureType,
    architecture_codes,
    architecture_in_class,
    ipxe_options,
    machine_id,
    pci_id,
    user_classes,
)


class Firmware(StrEnum):
    """The kind of boot ROM."""

    BIOS = "bios"
    UEFI = "uefi"
    RASPBERRY_PI = "raspberry pi"


class Stage(StrEnum):
    """The program that asks; knowing it prevents a loop of iPXE loading iPXE."""

    FIRMWARE = "firmware"
    FIRMWARE_HTTP = "firmware-http"
    IPXE = "ipxe"


@dataclass(frozen=True, slots=True)
class Machine:
    """The meaning of an option 93; `architecture` is None if no image runs on it."""

    name: str
    firmware: Firmware
    architecture: Architecture | None
    http: bool = False


class BootFacts(Protocol):
    """All that choosing a boot program may read of a client.

    `policy`, `nbp` and `quirks` take this and not a BootClient, so the type checker proves that a
    decision depends on nothing else, and `netboot.boot.answer.decision` may cache it by these.
    """

    @property
    def mac(self) -> str: ...
    @property
    def architecture_code(self) -> int: ...
    @property
    def architecture(self) -> Architecture | None: ...
    @property
    def firmware(self) -> Firmware: ...
    @property
    def stage(self) -> Stage: ...
    @property
    def speaks_http(self) -> bool: ...


class BootClient(NamedTuple):
    """One network boot client. Addresses are dotted, or empty; text is printable ASCII.

    A BIOS client does not say whether its processor has 64 bits: its `architecture` is X86, which
    every such processor runs, and policy may give it an x64 image. `notes` are sentences about
    oddities in its request. `speaks_http`: option 60 is HTTPClient, so the answer needs the same
    and a URL.
    """

    mac: str
    machine_id: str
    architecture_code: int
    architecture: Architecture | None
    firmware: Firmware
    stage: Stage
    message: MessageType
    vendor_class: str
    user_class: str = ""
    nic: str = ""
    relay: str = ""
    address: str = ""
    notes: tuple[str, ...] = ()
    speaks_http: bool = False


@dataclass(frozen=True, slots=True)
class NotOurs:
    """Why a packet is no boot request; `notable` if an administrator may look for the reason."""

    reason: str
    notable: bool = False


_BIOS, _UEFI = Firmware.BIOS, Firmware.UEFI
_X86, _X64, _ARM64 = Architecture.X86, Architecture.X64, Architecture.ARM64
_TYPE = ArchitectureType

MACHINES: Final[dict[int, Machine]] = {
    _TYPE.X86_BIOS: Machine("BIOS PC", _BIOS, _X86),
    _TYPE.IA32_EFI: Machine("32-bit UEFI PC", _UEFI, _X86),
    _TYPE.X64_EFI: Machine("64-bit UEFI PC", _UEFI, _X64),
    # EBC, byte code: no machine runs it. Real x64 machines send 9, as RFC 4578 was first printed.
    _TYPE.EBC: Machine("64-bit UEFI PC (as byte code)", _UEFI, _X64),
    _TYPE.ARM64_EFI: Machine("ARM64 UEFI machine", _UEFI, _ARM64),
    _TYPE.IA32_HTTP: Machine("32-bit UEFI PC, HTTP boot", _UEFI, _X86, http=True),
    _TYPE.X64_HTTP: Machine("64-bit UEFI PC, HTTP boot", _UEFI, _X64, http=True),
    _TYPE.EBC_HTTP: Machine("64-bit UEFI PC (as byte code), HTTP boot", _UEFI, _X64, http=True),
    _TYPE.ARM64_HTTP: Machine("ARM64 UEFI machine, HTTP boot", _UEFI, _ARM64, http=True),
    _TYPE.X86_BIOS_HTTP: Machine("BIOS PC, HTTP boot", _BIOS, _X86, http=True),
}

# Plain numbers: an attribute of an Enum class costs a call in Python 3.11.
_VENDOR_CLASS, _USER_CLASS = int(Option.VENDOR_CLASS), int(Option.USER_CLASS)
_ARCHITECTURE, _MACHINE_ID = int(Option.ARCHITECTURE), int(Option.MACHINE_ID)
_IPXE = int(Option.IPXE)

_NETWORK_BOOT = (PXE_CLIENT, HTTP_CLIENT)
_NO_MAC = bytes(6)
_TEXT_LIMIT = 64  # characters of a vendor class that we keep: the sender decides its length
_UNKNOWN_TYPES: Final[dict[int, Machine]] = {
    code: Machine(f"{ArchitectureType(code).name} machine", _UEFI, None)
    for code in ArchitectureType
    if code not in MACHINES
}
_KINDS_KEPT: Final = 256

# A Raspberry Pi's boot ROM sends the code of a BIOS PC, 0; IANA's 41 says what it is. It is known
# by its serial number in option 97, which begins with RPi4 or RPi5 (a Pi 3 sends other bytes), or
# by the address blocks of the Raspberry Pi companies (IEEE's list).
_CODE_OF_PI: Final = int(ArchitectureType.ARM_RPI_BOOT)
_UNKNOWN_TYPES[_CODE_OF_PI] = Machine("Raspberry Pi", Firmware.RASPBERRY_PI, None)
_SERIAL_OF_PI: Final = b"\0RPi"
_ADDRESSES_OF_PI: Final = frozenset(
    bytes.fromhex(block)
    for block in ("b827eb", "dca632", "e45f01", "d83add", "28cdc1", "2ccf67", "3a3541", "88a29e")
)
_DISCOVERS_AND_REQUESTS = frozenset({MessageType.DISCOVER, MessageType.REQUEST, MessageType.INFORM})


def identify(packet: Packet) -> BootClient | NotOurs:
    """The boot client that sent `packet`, or why it is none."""
    op, _, mac, options, _, _, _, address, _, _, relay, _, _ = packet
    if op != REQUEST_OP:
        return NotOurs("a server's reply, not a request")
    vendor_class = options.get(_VENDOR_CLASS, b"")
    if not vendor_class.startswith(_NETWORK_BOOT):
        return NotOurs("does not ask for a network boot (no PXEClient or HTTPClient in option 60)")
    message = message_type_of(options)
    if message not in _DISCOVERS_AND_REQUESTS:
        return NotOurs(f"a {message.name if message else 'message without a type'}")
    if mac[0] & 1 or mac == _NO_MAC:
        return NotOurs(f"{packet.mac_address} cannot be a machine's address", notable=True)
    facts = vendor_class, options.get(_ARCHITECTURE), options.get(_USER_CLASS), options.get(_IPXE)
    kind = _kinds.get(facts) or _remember_kind(facts)
    own_id, notes = options.get(_MACHINE_ID), kind.notes
    # Some ROMs omit option 97, against PXE 2.1 (danderson/pixiecore#21): we only return it.
    if own_id is not None and len(own_id) != 17:
        notes = (*notes, f"option 97 has {len(own_id)} bytes, not 17")
    code, architecture, firmware, stage, vendor, user, nic, http, _ = kind
    if not code and stage is Stage.FIRMWARE and _is_raspberry_pi(mac, own_id):
        code, architecture, firmware = _CODE_OF_PI, None, Firmware.RASPBERRY_PI
    made = (
        mac.hex(":"), machine_id(own_id) if own_id else "", code, architecture, firmware,
        stage, message, vendor, user, nic,
        dotted(relay) if relay != NO_ADDRESS else "",
        dotted(address) if address != NO_ADDRESS else "",
        notes, http,
    )  # fmt: skip
    return tuple.__new__(BootClient, made)  # BootClient(...) calls this last, at twice the cost


def _is_raspberry_pi(mac: bytes, machine_id: bytes | None) -> bool:
    """Whether a machine that calls itself a BIOS PC is a Raspberry Pi."""
    known = machine_id is not None and machine_id.startswith(_SERIAL_OF_PI)
    return known or mac[:3] in _ADDRESSES_OF_PI


class _Kind(NamedTuple):
    """The facts that are the same on all machines of a model."""

    architecture_code: int
    architecture: Architecture | None
    firmware: Firmware
    stage: Stage
    vendor_class: str
    user_class: str
    nic: str
    speaks_http: bool
    notes: tuple[str, ...]


_Facts = tuple[bytes, bytes | None, bytes | None, bytes | None]
_kinds: dict[_Facts, _Kind] = {}


def _remember_kind(facts: _Facts) -> _Kind:
    """In a boot storm thousands of machines of one model ask; lru_cache costs twice a dict."""
    if len(_kinds) >= _KINDS_KEPT:  # a hostile client can invent classes
        _kinds.clear()
    kind = _kinds[facts] = _kind(*facts)
    return kind


def _kind(
    vendor_class: bytes, architecture: bytes | None, user_class: bytes | None, ipxe: bytes | None
) -> _Kind:
    """The facts in options 60, 93, 77 and 175."""
    user_class = user_class or b""
    notes: list[str] = []
    code = _architecture_code(architecture, vendor_class, notes)
    machine = machine_of(code)
    return _Kind(
        architecture_code=code,
        architecture=machine.architecture,
        firmware=machine.firmware,
        stage=_stage(machine, vendor_class, user_class, ipxe),
        vendor_class=printable(vendor_class[:_TEXT_LIMIT]),
        user_class=printable(b" ".join(user_classes(user_class))[:_TEXT_LIMIT]),
        nic=pci_id(ipxe_options(ipxe).get(BUS_ID, b"")) if ipxe else "",
        speaks_http=vendor_class.startswith(HTTP_CLIENT),
        notes=tuple(notes),
    )


def machine_of(code: int) -> Machine:
    """The kind of machine with this architecture code; unknown codes are UEFI of some kind."""
    known = MACHINES.get(code) or _UNKNOWN_TYPES.get(code)
    return known or Machine(f"machine of type {code}", _UEFI, None)


def machine_name(code: int) -> str:
    return machine_of(code).name


def _architecture_code(value: bytes | None, vendor_class: bytes, notes: list[str]) -> int:
    """The first code that we have an image for, else the first; without option 93 that of 60."""
    codes = architecture_codes(value) if value else ()
    if len(codes) == 1:
        return codes[0]
    if codes:  # RFC 4578 §2.1 allows several
        return next((code for code in codes if code in MACHINES), codes[0])
    if value is not None:
        notes.append(f"option 93 has {len(value)} bytes")
    named = architecture_in_class(vendor_class)
    if named is not None:
        notes.append("the architecture is from option 60")
        return named
    notes.append("no architecture given: taken for a BIOS PC")
    return ArchitectureType.X86_BIOS


def _stage(machine: Machine, vendor_class: bytes, user_class: bytes, ipxe: bytes | None) -> Stage:
    if ipxe is not None or b"iPXE" in user_class:
        return Stage.IPXE
    if machine.http or vendor_class.startswith(HTTP_CLIENT):
        return Stage.FIRMWARE_HTTP
    return Stage.FIRMWARE
