"""The story of a recorded boot: what each machine in a capture file did.

Record one on the server with: tcpdump -i eth0 -w boot.pcap 'port 67 or 68 or 69 or 4011 or 8081'
(TFTP continues on other ports: without a filter the ends of transfers are recorded too). A capture
comes from outside, with any size and content: what is kept of it is bounded.
"""

import re
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from netboot.boot.answer.client import BootClient, Stage, identify, machine_name
from netboot.diagnose.asking.answers import read_reply
from netboot.diagnose.recordings import recording
from netboot.diagnose.recordings.boot_record import BootRecord, Transfer
from netboot.diagnose.recordings.recording import Frame, Recording
from netboot.errors import ProtocolError
from netboot.protocols.dhcp import NO_ADDRESS, MessageType, Option, Packet, dotted
from netboot.protocols.printable import printable

K = TypeVar("K")
V = TypeVar("V")

MOST_MACHINES: Final = 100
_MOST_PLACES: Final = 10_000  # remembered addresses and ports
_SERVER_PORTS: Final = {67, 4011}
_TFTP_PORT: Final = 69
_USER_ABORT: Final = 8  # edk2 ends its size probe with it: no fault
_LONGEST_NAME: Final = 200
_TWICE: Final = 0.5  # seconds: bridges and relays show the same packet more than once
_NOBODY: Final = "0.0.0.0"  # noqa: S104 - compared
_GET = re.compile(rb"^(?:GET|HEAD) (\S+) HTTP/1")
_STATUS = re.compile(rb"^HTTP/1\.[01] (\d{3})([^\r\n]*)")


@dataclass(frozen=True, slots=True)
class Story:
    """What happened in a capture: a record for each machine that booted, and notes."""

    records: tuple[BootRecord, ...]
    notes: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        return any(record.finding()[0] for record in self.records)

    def lines(self) -> Iterator[str]:
        for record in self.records:
            failed, words = record.finding()
            yield f"Machine {record.mac}"
            for at, line in record.lines:
                yield f"  {at:8.3f} s  {line}"
            yield f"  {'FAULT' if failed else 'ok'}: {words}"
        for note in self.notes:
            yield f"Note: {note}"

    def as_data(self) -> dict[str, Any]:
        return {
            "machines": [record.as_data() for record in self.records],
            "notes": list(self.notes),
        }


def read_story(path: Path) -> Story:
    """The story in a capture file. Raises InvalidInput."""
    reader, recorded = _Reader(), Recording(path)
    for frame in recorded.frames():
        reader.take(frame)
    return Story(tuple(reader.records.values()), tuple(_notes(reader, recorded)))


def _notes(reader: "_Reader", recorded: Recording) -> Iterator[str]:
    if not reader.records:
        yield (
            f"no machine requests a network boot in this capture of {recorded.packets:,} packets."
            " Start to record before you switch the machine on: on the boot server, or on a mirror"
            " of the machine's switch port"
        )
    if reader.left_out:
        yield (
            f"only the first {MOST_MACHINES} machines are shown; {len(reader.left_out):,} more"
            " machines booted. Filter the recording by machine: `ether host 52:54:00:12:34:56`"
        )
    if recorded.note:
        yield recorded.note


class _Bounded(Generic[K, V]):
    """A table that forgets its oldest entries."""

    def __init__(self) -> None:
        self._entries: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        return self._entries.get(key)

    def put(self, key: K, value: V) -> None:
        self._entries.pop(key, None)
        self._entries[key] = value
        if len(self._entries) > _MOST_PLACES:
            self._entries.popitem(last=False)


class _Reader:
    """Sorts frames by the machine that sent or will receive them."""

    def __init__(self) -> None:
        self.records: dict[str, BootRecord] = {}
        self.left_out: set[str] = set()
        self._transfers: _Bounded[tuple[str, int], tuple[BootRecord, Transfer]] = _Bounded()
        self._machines: _Bounded[str, BootRecord] = _Bounded()  # by their address
        self._heard: _Bounded[tuple[object, ...], float] = _Bounded()

    def take(self, frame: Frame) -> None:
        match frame.protocol:
            case recording.UDP:
                self._udp(frame)
            case recording.TCP:
                self._http(frame)
            case recording.ICMP:
                self._unreachable(frame)

    def _udp(self, frame: Frame) -> None:
        if frame.dport in _SERVER_PORTS and frame.payload[:1] == b"\x01":
            self._asked(frame)
        elif frame.sport in _SERVER_PORTS:
            self._answered(frame)
        elif frame.dport == _TFTP_PORT:
            self._read_request(frame)
        else:
            self._tftp(frame)

    def _tftp(self, frame: Frame) -> None:
        """The packets after a request for a file, on ports that only the request shows."""
        if found := self._transfers.get((frame.target, frame.dport)):
            _tftp_answer(frame.at, *found, frame.payload)
        elif frame.payload[:2] == b"\0\x05" and (
            found := self._transfers.get((frame.source, frame.sport))
        ):
            _tftp_error(frame.at, *found, frame.payload)

    def _twice(self, at: float, *what: object) -> bool:
        """Whether it was just seen, on another network card or before a relay forwarded it."""
        last = self._heard.get(what)
        self._heard.put(what, at)
        return last is not None and 0 <= at - last < _TWICE

    def _asked(self, frame: Frame) -> None:
        try:
            packet = Packet.from_bytes(frame.payload)
        except ProtocolError:
            return
        client = identify(packet)
        if not isinstance(client, BootClient):
            return
        record = self._record(client.mac, frame.at)
        if record is None or self._twice(
            frame.at, client.mac, packet.xid, client.message, frame.dport
        ):
            return
        record.knows(packet.xid)
        if packet.client_address != NO_ADDRESS:
            self._machines.put(dotted(packet.client_address), record)
        if frame.dport == 4011:
            record.asks_4011(frame.at, frame.target)
        elif client.message is MessageType.DISCOVER:
            record.discover(frame.at, _kind(client), relay=client.relay)
        else:
            chosen = packet.options.get(Option.SERVER_ID, b"")
            record.request(frame.at, dotted(chosen) if len(chosen) == 4 else "")

    def _record(self, mac: str, at: float) -> BootRecord | None:
        """The machine's record; None if there are too many machines."""
        known = self.records.get(mac)
        if known is None and len(self.records) < MOST_MACHINES:
            known = self.records[mac] = BootRecord(mac, at)
        elif known is None and len(self.left_out) < _MOST_PLACES:
            self.left_out.add(mac)
        return known

    def _answered(self, frame: Frame) -> None:
        record = self.records.get(frame.payload[28:34].hex(":"))
        if record is None:
            return
        reply = read_reply(frame.payload, frame.source, frame.sport)
        if reply is None or reply.xid not in record.xids:
            return
        if reply.offered != _NOBODY:
            self._machines.put(reply.offered, record)
        what = (reply.server, reply.message, reply.via_port, reply.file, reply.offered)
        if not self._twice(frame.at, record.mac, reply.xid, *what):
            record.reply(frame.at, replace(reply, file=reply.file[:_LONGEST_NAME]))

    def _whose(self, frame: Frame) -> BootRecord | None:
        """The sender's record: behind a router, and with `-i any`, by its IP address only."""
        return self.records.get(frame.mac) or self._machines.get(frame.source)

    def _read_request(self, frame: Frame) -> None:
        record = self._whose(frame)
        if record is None or frame.payload[:2] != b"\0\x01":
            return
        if self._twice(frame.at, frame.source, frame.sport, frame.payload):
            return
        name = _text(frame.payload[2:].split(b"\0")[0])
        transfer = Transfer(name, frame.target, "TFTP")
        record.asks_file(frame.at, transfer)
        self._transfers.put((frame.source, frame.sport), (record, transfer))

    def _http(self, frame: Frame) -> None:
        key = (frame.source, frame.sport)
        asked = _GET.match(frame.payload)
        if asked and (record := self._whose(frame)):
            url = f"{frame.target}:{frame.dport}{_text(asked[1])}"
            # A request proves a connection; many recordings do not have the answers.
            transfer = Transfer(url, frame.target, "HTTP", "running")
            record.asks_file(frame.at, transfer)
            self._transfers.put(key, (record, transfer))
        elif frame.flags & (recording.SYN | recording.ACK) == recording.SYN:
            if (record := self._whose(frame)) and self._transfers.get(key) is None:
                # The first packet of a connection; a firewall may drop it.
                transfer = Transfer(f"a connection to port {frame.dport}", frame.target, "TCP")
                self._transfers.put(key, (record, transfer))
                record.asks_file(frame.at, transfer)
        elif found := self._transfers.get((frame.target, frame.dport)):
            _http_answer(frame, *found)

    def _unreachable(self, frame: Frame) -> None:
        """A host says that the port of a machine's request is closed (RFC 792)."""
        inner = frame.payload[8:]
        if frame.payload[:2] != b"\x03\x03" or len(inner) < 28 or inner[9] != recording.UDP:
            return
        ports = inner[(inner[0] & 15) * 4 :][:4]
        sport, dport = int.from_bytes(ports[:2], "big"), int.from_bytes(ports[2:], "big")
        found = self._transfers.get((frame.target, sport))
        if found is not None and found[1].server == frame.source and found[1].state == "asked":
            record, transfer = found
            transfer.state = f"error its UDP port {dport} is closed"
            record.note(frame.at, f"{frame.source}: UDP port {dport} is closed")


def _tftp_answer(at: float, record: BootRecord, transfer: Transfer, payload: bytes) -> None:
    match payload[:2]:
        case b"\0\x06" | b"\0\x03":
            transfer.data += len(payload) - 4
            transfer.state = "running"
        case b"\0\x05":
            _tftp_error(at, record, transfer, payload)


def _http_answer(frame: Frame, record: BootRecord, transfer: Transfer) -> None:
    status = _STATUS.match(frame.payload)
    if status is not None and not status[1].startswith(b"2"):
        words = _text(status[1] + status[2]).strip()
        transfer.state = f"error HTTP {words}"
        record.note(frame.at, f"{transfer.server} answers HTTP {words}")
    elif frame.flags & recording.RST and transfer.state == "asked":
        transfer.state = f"error its TCP port {frame.sport} is closed"
        record.note(frame.at, f"{transfer.server} refuses the connection")
    elif transfer.state == "asked":
        transfer.state = "running"


def _tftp_error(at: float, record: BootRecord, transfer: Transfer, payload: bytes) -> None:
    code = int.from_bytes(payload[2:4], "big")
    words = _text(payload[4:].split(b"\0")[0])
    if code == _USER_ABORT:
        transfer.state = "probed"
        record.note(at, f"TFTP: got the size of {transfer.name}")
        return
    transfer.state = f"error {words or f'code {code}'}"
    record.note(at, f"TFTP error {code} for {transfer.name}: {words}")


def _kind(client: BootClient) -> str:
    name = machine_name(client.architecture_code)
    return f"iPXE on a {name}" if client.stage is Stage.IPXE else name


def _text(data: bytes) -> str:
    return printable(data[:_LONGEST_NAME])
