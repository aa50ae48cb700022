"""The story of a recorded boot: a capture file read with scapy, told machine by machine.

Record one on the server with: tcpdump -i eth0 -w boot.pcap 'port 67 or 68 or 69 or 4011 or 8081'
(TFTP goes on on other ports: without a filter the story has its ends).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import scapy.error
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.utils import PcapReader

from netboot.boot.client import BootClient, Stage, identify, machine_name
from netboot.diagnose.answers import read_reply
from netboot.diagnose.boot_record import BootRecord, Transfer
from netboot.errors import InvalidInput, ProtocolError
from netboot.protocols.dhcp import MessageType, Option, Packet, dotted

_SERVER_PORTS: Final = {67, 4011}
_TFTP_PORT: Final = 69
_USER_ABORT: Final = 8  # edk2 ends its size probe so: no fault
_GET = re.compile(rb"^(?:GET|HEAD) (\S+) HTTP/1")
_STATUS = re.compile(rb"^HTTP/1\.[01] (\d{3})([^\r\n]*)")


@dataclass(frozen=True, slots=True)
class Story:
    """What a capture tells, one record for each machine that booted in it."""

    records: tuple[BootRecord, ...]

    @property
    def failed(self) -> bool:
        """Whether any machine was stopped by something."""
        return any(record.finding()[0] for record in self.records)

    def lines(self) -> Iterator[str]:
        """The story as text."""
        if not self.records:
            yield "No machine asked for a network boot in this capture."
        for record in self.records:
            failed, words = record.finding()
            yield f"Machine {record.mac}"
            for at, line in record.lines:
                yield f"  {at:8.3f} s  {line}"
            yield f"  {'FAULT' if failed else 'ok'}: {words}"

    def as_data(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"machines": [record.as_data() for record in self.records]}


def read_story(path: Path) -> Story:
    """The story in a capture. Raises InvalidInput where it is none."""
    reader = _Reader()
    try:
        with PcapReader(str(path)) as packets:
            for packet in packets:
                reader.take(packet)
    except (scapy.error.Scapy_Exception, OSError, EOFError) as error:
        raise InvalidInput(
            f"{path} cannot be read as a capture: {error}", hint="Give a pcap or pcapng file."
        ) from error
    return Story(tuple(reader.records.values()))


class _Reader:
    """Sorts packets by the machine that sent or shall get them."""

    def __init__(self) -> None:
        self.records: dict[str, BootRecord] = {}
        self._ports: dict[int, tuple[BootRecord, Transfer]] = {}

    def take(self, packet: Any) -> None:
        """One packet of the capture."""
        if IP not in packet or Ether not in packet:
            return
        at = float(packet.time)
        if UDP in packet:
            self._udp(at, packet, packet[UDP], bytes(packet[UDP].payload))
        elif TCP in packet:
            self._http(at, packet, packet[TCP], bytes(packet[TCP].payload))

    def _udp(self, at: float, packet: Any, udp: Any, payload: bytes) -> None:
        if udp.dport in _SERVER_PORTS and payload[:1] == b"\x01":
            self._asked(at, packet[IP].dst, udp.dport, payload)
        elif udp.sport in _SERVER_PORTS:
            self._answered(at, packet[IP].src, udp.sport, payload)
        elif udp.dport == _TFTP_PORT:
            self._read_request(at, packet, udp.sport, payload)
        elif udp.dport in self._ports:
            self._tftp_answer(at, *self._ports[udp.dport], payload)
        elif udp.sport in self._ports and payload[:2] == b"\0\x05":
            _tftp_error(at, *self._ports[udp.sport], payload)

    def _asked(self, at: float, server: str, port: int, payload: bytes) -> None:
        try:
            packet = Packet.from_bytes(payload)
        except ProtocolError:
            return
        client = identify(packet)
        if not isinstance(client, BootClient):
            return
        record = self.records.setdefault(client.mac, BootRecord(client.mac, at))
        record.xids.add(packet.xid)
        if port == 4011:
            record.asks_4011(at, server)
        elif client.message is MessageType.DISCOVER:
            record.discover(at, _kind(client))
        else:
            chosen = packet.options.get(Option.SERVER_ID, b"")
            record.request(at, dotted(chosen) if len(chosen) == 4 else "")

    def _answered(self, at: float, source: str, port: int, payload: bytes) -> None:
        reply = read_reply(payload, source, port)
        record = self.records.get(payload[28:34].hex(":"))
        if reply is not None and record is not None and reply.xid in record.xids:
            record.reply(at, reply)

    def _read_request(self, at: float, packet: Any, port: int, payload: bytes) -> None:
        record = self.records.get(packet[Ether].src)
        if record is None or payload[:2] != b"\0\x01":
            return
        name = payload[2:].split(b"\0")[0].decode("ascii", errors="backslashreplace")
        transfer = Transfer(name, packet[IP].dst, "TFTP")
        record.asks_file(at, transfer)
        self._ports[port] = (record, transfer)

    def _tftp_answer(
        self, at: float, record: BootRecord, transfer: Transfer, payload: bytes
    ) -> None:
        match payload[:2]:
            case b"\0\x06" | b"\0\x03":
                transfer.data += len(payload) - 4
                transfer.state = "running"
            case b"\0\x05":
                _tftp_error(at, record, transfer, payload)

    def _http(self, at: float, packet: Any, tcp: Any, payload: bytes) -> None:
        asked = _GET.match(payload)
        if asked and (record := self.records.get(packet[Ether].src)):
            url = f"{packet[IP].dst}:{tcp.dport}{asked[1].decode('ascii', 'backslashreplace')}"
            # That it asks proves a connection; many recordings leave the answers out.
            transfer = Transfer(url, packet[IP].dst, "HTTP", "running")
            record.asks_file(at, transfer)
            self._ports[tcp.sport] = (record, transfer)
        elif tcp.flags == "S" and (record := self.records.get(packet[Ether].src)):
            self._connection(at, record, packet[IP].dst, tcp)
        elif tcp.dport in self._ports:
            self._http_answer(at, *self._ports[tcp.dport], _STATUS.match(payload))

    def _connection(self, at: float, record: BootRecord, server: str, tcp: Any) -> None:
        """It knocks: unanswered where a firewall drops it, and then repeated."""
        if tcp.sport not in self._ports:
            transfer = Transfer(f"a connection to port {tcp.dport}", server, "TCP")
            self._ports[tcp.sport] = (record, transfer)
            record.asks_file(at, transfer)

    def _http_answer(
        self, at: float, record: BootRecord, transfer: Transfer, status: re.Match[bytes] | None
    ) -> None:
        if status is None or status[1].startswith(b"2"):
            transfer.state = "running"
            return
        words = (status[1] + status[2]).decode("ascii", "backslashreplace").strip()
        transfer.state = f"error HTTP {words}"
        record.note(at, f"{transfer.server} answers HTTP {words}")


def _tftp_error(at: float, record: BootRecord, transfer: Transfer, payload: bytes) -> None:
    code = int.from_bytes(payload[2:4], "big")
    words = payload[4:].split(b"\0")[0].decode("ascii", errors="backslashreplace")
    if code == _USER_ABORT:
        transfer.state = "probed"
        record.note(at, f"TFTP: knows the size of {transfer.name} now")
        return
    transfer.state = f"error {words or f'code {code}'}"
    record.note(at, f"TFTP error {code} for {transfer.name}: {words}")


def _kind(client: BootClient) -> str:
    name = machine_name(client.architecture_code)
    return f"iPXE on a {name}" if client.stage is Stage.IPXE else name
