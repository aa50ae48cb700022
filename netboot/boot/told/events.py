"""What happened while machines booted: one frozen value per event, in the past tense.

Daemons pass events to `emit`; the journal stores them; `attempts` folds them into attempts.
`mac` is in lower case with colons, or empty if only `ip` is known. `at` is seconds since the epoch.
"""

from dataclasses import dataclass, fields
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(kw_only_default=True, frozen_default=True)
def event(kind: type[T]) -> type[T]:
    """A dataclass that only the type checker freezes.

    At run time each field of a frozen dataclass costs a call: making an event takes five times as
    long (measured), and a boot storm makes thousands a second.
    """
    return dataclass(slots=True, kw_only=True, unsafe_hash=True)(kind)


@event
class Event:
    """The fields of all events."""

    at: float
    mac: str = ""
    ip: str = ""

    @property
    def kind(self) -> str:
        """The event's name, as the journal stores it."""
        return type(self).__name__

    def details(self) -> dict[str, Any]:
        """The fields that only this kind has; all of them are plain values."""
        return {name: getattr(self, name) for name in _own_fields(type(self))}


_OWN_FIELDS: dict[type[Event], tuple[str, ...]] = {}


def _own_fields(kind: type[Event]) -> tuple[str, ...]:
    """Cached by kind: a boot storm writes thousands of events a second."""
    found = _OWN_FIELDS.get(kind)
    if found is None:
        common = {field.name for field in fields(Event)}
        names = (field.name for field in fields(kind))
        found = _OWN_FIELDS[kind] = tuple(name for name in names if name not in common)
    return found


@event
class Discovered(Event):
    """A machine asked for a boot server (DHCPDISCOVER with a PXE or HTTP vendor class)."""

    architecture: str
    firmware: str
    stage: str
    machine_id: str = ""
    vendor_class: str = ""
    nic: str = ""
    relay: str = ""


@event
class OfferSent(Event):
    """We named a boot file, by OFFER (67) or ACK (4011).

    `warning` is what an administrator should check: the machine repeats its DISCOVER and takes no
    offer.
    """

    file: str
    image: str = ""
    version: int = 0
    port: int = 67
    reason: str = ""
    warning: str = ""


@event
class RequestIgnored(Event):
    """We kept silent, for a reason."""

    reason: str
    port: int = 67


@event
class AddressLearned(Event):
    """A machine's REQUEST to the DHCP server named its address: joins `mac` and `ip`."""


@event
class TransferStarted(Event):
    """A TFTP read began. Sizes in bytes."""

    name: str
    size: int
    digest: str = ""
    block_size: int = 512
    window: int = 1
    image: str = ""
    version: int = 0


@event
class TransferContinued(Event):
    """A read by TFTP or HTTP still runs, told every minute: without it, the server has died."""

    name: str
    size: int
    sent: int = 0
    image: str = ""
    version: int = 0


@event
class TransferFinished(Event):
    """A TFTP read ended well. `seconds` from request to last ACK."""

    name: str
    size: int
    seconds: float
    resent: int = 0
    image: str = ""
    version: int = 0


@event
class TransferFailed(Event):
    """A read of a file, by TFTP or HTTP, did not reach its end."""

    name: str
    reason: str
    sent: int = 0
    image: str = ""
    version: int = 0


@event
class TransferRefused(Event):
    """A TFTP request that we did not serve (no such name, a write, too many)."""

    name: str
    reason: str


@event
class ScriptServed(Event):
    """An iPXE script went out over HTTP.

    `architecture` is what the machine's processor can run, if a script looked it up: a BIOS
    client's option 93 does not contain it.
    """

    image: str
    version: int
    reason: str = ""
    architecture: str = ""


@event
class ContentStarted(Event):
    """A file is on its way over HTTP, and takes longer than a moment."""

    name: str
    size: int
    sent: int = 0
    image: str = ""
    version: int = 0


@event
class ContentServed(Event):
    """A file went out over HTTP, to its last byte."""

    name: str
    size: int
    seconds: float
    image: str = ""
    version: int = 0


@event
class ContentRefused(Event):
    """An HTTP request that we did not serve."""

    name: str
    status: int
    reason: str


@event
class PeReported(Event):
    """The boot image came up and reported home: the machine is online.

    `way` is how it came to the machine (`iso`, `usb`, `disk`, `package`); empty for the network.
    """

    image: str
    version: int
    driver: str
    device: str
    architecture: str = ""
    firmware: str = ""
    missing: str = ""
    disks: str = ""
    devices: str = ""
    uptime: float = 0.0
    raw: str = ""
    way: str = ""


@event
class PeOffline(Event):
    """The boot image came up without a network (seen on a test machine's serial console)."""

    image: str
    version: int
    missing: str
    reason: str = ""
    devices: str = ""


@event
class ForeignOffer(Event):
    """Another boot server answered on this network."""

    server: str
    file: str = ""


@event
class DhcpStarted(Event):
    """Our proxyDHCP began to serve. `ports` as people write them; `notes` are paragraphs."""

    interface: str
    address: str
    ports: str = ""
    notes: str = ""


@event
class RequestsCounted(Event):
    """What a service received since its start, sent while it changes; `counts` are JSON numbers.

    Much of it has no event of its own: other hosts' DHCP, malformed packets, floods. `process` is
    the number of the worker.
    """

    service: str
    counts: str
    process: int = 0


@event
class NetworksChanged(Event):
    """The networks of the boot services changed, or what was heard there.

    `networks` is a JSON list with all of them.
    """

    networks: str


KINDS: dict[str, type[Event]] = {
    kind.__name__: kind
    for kind in (
        Discovered,
        OfferSent,
        RequestIgnored,
        AddressLearned,
        TransferStarted,
        TransferContinued,
        TransferFinished,
        TransferFailed,
        TransferRefused,
        ScriptServed,
        ContentStarted,
        ContentServed,
        ContentRefused,
        PeReported,
        PeOffline,
        ForeignOffer,
        DhcpStarted,
        RequestsCounted,
        NetworksChanged,
    )
}
