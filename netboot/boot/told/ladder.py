"""The rungs of a boot, and each event as a sentence.

DISCOVERED → OFFERED → PROGRAM_SENT → SCRIPT_SENT or LOADER → IMAGE_SENT → PE_UP

iPXE and GRUB read a script; Microsoft's loaders read a boot configuration instead. A new kind of
event needs its rung and its sentence here; a test checks that.
"""

from enum import IntEnum

from netboot.boot.told.events import (
    AddressLearned,
    ContentRefused,
    ContentServed,
    ContentStarted,
    DhcpStarted,
    Discovered,
    Event,
    ForeignOffer,
    NetworksChanged,
    OfferSent,
    PeOffline,
    PeReported,
    RequestIgnored,
    RequestsCounted,
    ScriptServed,
    TransferContinued,
    TransferFailed,
    TransferFinished,
    TransferRefused,
    TransferStarted,
)

OPTIONAL = "optional"
"""The reason of a refusal that is no fault starts so (netboot.boot.files.names)."""

OURS = "our copy is damaged"
"""The reason starts so where this site's file cannot be served, and nobody else is at fault."""

STOPPED = "the server stopped"
"""The reason of transfers that end because the server does."""

# How a transfer ends that the client did not end itself (netboot.protocols.transfer).
_NO_PROBE = (OURS, STOPPED, "the client fell silent", "the client was too slow")


class Rung(IntEnum):
    """How far a boot has come. SEEN: a request of a machine without a DISCOVER."""

    SEEN = 0
    DISCOVERED = 1
    OFFERED = 2
    PROGRAM_SENT = 3
    SCRIPT_SENT = 4
    LOADER = 5
    IMAGE_SENT = 6
    PE_UP = 7

    @property
    def words(self) -> str:
        return _WORDS[self]


_WORDS = {
    Rung.SEEN: "seen",
    Rung.DISCOVERED: "asked",
    Rung.OFFERED: "offered",
    Rung.PROGRAM_SENT: "program sent",
    Rung.SCRIPT_SENT: "script sent",
    Rung.LOADER: "loader running",
    Rung.IMAGE_SENT: "image sent",
    Rung.PE_UP: "up",
}

PROGRAMS = frozenset({"bootmgfw.efi", "bootmgfw_ex.efi", "pxeboot.n12", "pxeboot.com", "wimboot"})
"""A version's files that firmware or iPXE starts; the site's own programs have no image."""

PATIENCE = {
    Rung.SEEN: 60.0,
    Rung.DISCOVERED: 30.0,
    Rung.OFFERED: 60.0,
    Rung.PROGRAM_SENT: 60.0,
    Rung.SCRIPT_SENT: 300.0,
    Rung.LOADER: 300.0,
    Rung.IMAGE_SENT: 300.0,
}
"""Seconds without an event after which a boot counts as stalled."""

_STALLED = {
    Rung.SEEN: "it requested a file once and then sent nothing",
    Rung.DISCOVERED: "it asked for a boot server and got no offer",
    Rung.OFFERED: (
        "it was offered a boot program and never fetched it: it took another server's answer, got "
        "no address, or UDP port 69 is blocked"
    ),
    Rung.PROGRAM_SENT: (
        "it fetched its boot program, which then sent nothing: Secure Boot refused it, or it does "
        "not support this network card"
    ),
    Rung.SCRIPT_SENT: "it has its script but did not fetch the whole image",
    Rung.LOADER: "its boot manager runs but did not fetch the whole image",
    Rung.IMAGE_SENT: (
        "it has the whole image but did not report home: no driver for its network card in the "
        "image, or the image did not start"
    ),
}


def broke_off(failed: TransferFailed) -> bool:
    """Whether a transfer broke off; otherwise it was a probe for the size, or never began."""
    return failed.sent > 0 or failed.reason.startswith(_NO_PROBE)


def stalled_where(rung: Rung) -> str:
    """The most likely reason for a silence on this rung."""
    return _STALLED.get(rung, "")


def rung_of(event: Event) -> Rung | None:
    """The rung that an event proves, or None."""
    match event:
        case Discovered():
            return Rung.DISCOVERED
        case OfferSent():
            return Rung.OFFERED
        case TransferFinished(name=name, image=image) | ContentServed(name=name, image=image):
            return rung_of_file(name, image)
        case ScriptServed(image=image) if image:
            return Rung.SCRIPT_SENT
        case PeReported() | PeOffline():
            return Rung.PE_UP
        case _:
            return None


def rung_of_file(name: str, image: str) -> Rung:
    """The rung of a machine that has received this whole file."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1].lower()
    if last in {"boot.wim", "boot.wim.cpio"}:
        return Rung.IMAGE_SENT
    if last.endswith((".ipxe", ".cfg")):
        return Rung.SCRIPT_SENT
    if not image or last in PROGRAMS:
        return Rung.PROGRAM_SENT
    return Rung.LOADER


def sentence(event: Event) -> str:
    """The event as a line of a boot's timeline."""
    match event:
        case Discovered() | OfferSent() | RequestIgnored() | AddressLearned() | ForeignOffer():
            return _dhcp_sentence(event)
        case (
            TransferStarted()
            | TransferContinued()
            | TransferFinished()
            | TransferFailed()
            | TransferRefused()
        ):
            return _tftp_sentence(event)
        case ScriptServed() | ContentStarted() | ContentServed() | ContentRefused():
            return _http_sentence(event)
        case PeReported() | PeOffline():
            return _pe_sentence(event)
        case DhcpStarted() | RequestsCounted() | NetworksChanged():
            return _service_sentence(event)
        case _:
            return event.kind


def _service_sentence(event: DhcpStarted | RequestsCounted | NetworksChanged) -> str:
    match event:
        case DhcpStarted(interface=interface, address=address, ports=ports):
            return f"proxyDHCP serves {interface} as {address} on UDP {ports or 'no port'}"
        case RequestsCounted(service=service, counts=counts):
            return f"{service} has received since its start: {counts}"
        case NetworksChanged(networks=networks):
            return f"the networks of the boot services are: {networks}"


def label(image: str, version: int) -> str:
    """A version's name for people; the site's own files have none."""
    return f"{image} v{version}" if image else ""


def _dhcp_sentence(event: Event) -> str:
    match event:
        case Discovered(architecture=architecture, firmware=firmware, stage=stage):
            kind = f"{architecture or 'unknown'} {firmware.upper()}"
            if firmware == "raspberry pi":  # netboot.boot.answer.client.Firmware
                kind = "a Raspberry Pi"
            return f"asked for a boot server: {kind}, by {stage}"
        case OfferSent(file=file, port=port, reason=reason, warning=warning):
            what = f" for {label(event.image, event.version)}" if event.image else ""
            odd = f" ({warning})" if warning else ""
            return f"offered {file}{what} on port {port}{_because(reason)}{odd}"
        case RequestIgnored(reason=reason, port=port):
            return f"ignored on port {port}{_because(reason)}"
        case AddressLearned(ip=ip):
            return f"took the address {ip}"
        case ForeignOffer(server=server, file=file):
            return f"another boot server, {server}, offered {file or 'something'}"
        case _:
            return event.kind


def _tftp_sentence(event: Event) -> str:
    match event:
        case TransferStarted(name=name, size=size, block_size=block_size, window=window):
            return f"began to fetch {name}, {_size(size)} ({block_size} bytes x {window})"
        case TransferContinued(name=name, size=size, sent=sent):
            return f"is getting {name}, {_size(sent)} of {_size(size)} sent"
        case TransferFinished(name=name, size=size, seconds=seconds, resent=resent):
            again = f", {resent} blocks sent again" if resent else ""
            return f"got {name} by TFTP, {_size(size)}{_speed(size, seconds)}{again}"
        case TransferFailed(name=name, reason=reason, sent=sent):
            return f"did not get {name}, {_size(sent)} sent{_because(reason)}"
        case TransferRefused(name=name, reason=reason):
            return f"was refused {name}{_because(reason)}"
        case _:
            return event.kind


def _http_sentence(event: Event) -> str:
    match event:
        case ScriptServed(image=image, version=version, reason=reason):
            what = label(image, version) or "nothing to boot"
            return f"got its script: {what}{_because(reason)}"
        case ContentStarted(name=name, size=size, sent=sent):
            return f"is getting {name} by HTTP, {_size(sent)} of {_size(size)} sent"
        case ContentServed(name=name, size=size, seconds=seconds):
            return f"got {name} by HTTP, {_size(size)}{_speed(size, seconds)}"
        case ContentRefused(name=name, status=status, reason=reason):
            return f"was refused {name} with {status}{_because(reason)}"
        case _:
            return event.kind


def _pe_sentence(event: Event) -> str:
    match event:
        case PeReported(image=image, version=version, driver=driver, device=device, way=way):
            on = f" on {device}" if device else ""
            came = f", started from {way}" if way else ""
            return f"is up: {label(image, version)} with driver {driver or '(unknown)'}{on}{came}"
        case PeOffline(image=image, version=version, missing=missing, reason=reason):
            lacks = f", no driver for {missing}" if missing else ""
            return f"is up without a network: {label(image, version)}{lacks}{_because(reason)}"
        case _:
            return event.kind


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""


def _size(size: int) -> str:
    """Bytes for people; MB are millions, as in the rates."""
    if size < 10_000:
        return f"{size} bytes"
    return f"{size / 1e6:.1f} MB" if size >= 1_000_000 else f"{size / 1e3:.0f} kB"


def _speed(size: int, seconds: float) -> str:
    """The rate, if the transfer took long enough to measure one."""
    if seconds < 0.05 or size < 100_000:
        return ""
    return f" in {seconds:.1f} s, {size / seconds / 1e6:.1f} MB/s"
