"""Other boot servers are noticed, ordinary DHCP servers are not."""

import pytest

from netboot.boot.answer.rogue_servers import ForeignBootServer, ForeignWatch, judge
from netboot.protocols.dhcp import Packet, from_dotted
from tests.captures import reader
from tests.support.boot_requests import MAC

OURS = frozenset({"10.77.0.2"})


def offer(
    *, server: str = "10.77.0.9", file: bytes = b"", options: dict[int, bytes] | None = None
) -> Packet:
    """An OFFER of another server."""
    sent = {53: b"\x02", 54: from_dotted(server), **(options or {})}
    return Packet(
        op=2, xid=1, mac=MAC, options=sent, next_server=from_dotted(server), boot_file=file
    )


@pytest.mark.parametrize(
    ("packet", "file", "reason"),
    [
        (offer(options={60: b"PXEClient"}), "", "it answers network boot requests"),
        (offer(options={60: b"HTTPClient"}, file=b"x.efi"), "x.efi",
         "it answers network boot requests"),
        (offer(file=b"pxelinux.0"), "pxelinux.0", "its DHCP answers name a boot file"),
        (offer(options={67: b"wdsnbp.com\0"}), "wdsnbp.com", "its DHCP answers name a boot file"),
    ],
)  # fmt: skip
def test_whoever_leads_clients_to_a_boot_program_is_a_boot_server(
    packet: Packet, file: str, reason: str
) -> None:
    """By option 60, by the BOOTP field or by option 67."""
    assert judge(packet, "10.77.0.9", OURS) == ForeignBootServer(
        "10.77.0.9", file, "52:54:00:77:00:01", reason
    )


@pytest.mark.parametrize(
    "packet",
    [
        offer(),
        offer(server="10.77.0.2", options={60: b"PXEClient"}),
        offer(file=b"snponly.efi")._replace(next_server=from_dotted("10.77.0.2")),
        offer(file=b"snponly.efi", options={66: b"10.77.0.2\0"}),
        offer(options={60: b"PXEClient"})._replace(op=1),
        offer(options={53: b"\x06", 60: b"PXEClient"}),
    ],
)
def test_addresses_alone_and_our_own_program_are_no_foreign_boot_server(packet: Packet) -> None:
    """A DHCP server that sends clients to us is a friend."""
    assert judge(packet, "10.77.0.1", OURS) is None


def test_the_same_news_is_told_once_in_ten_minutes() -> None:
    """A machine asks four times in a boot."""
    watch = ForeignWatch(OURS)
    packet = offer(options={60: b"PXEClient"})
    told = [watch.receive(packet, "10.77.0.9", at) is not None for at in (0.0, 4.0, 599.0, 601.0)]

    assert told == [True, False, False, True]


def test_made_up_servers_do_not_fill_the_memory() -> None:
    """256 are remembered."""
    watch = ForeignWatch(OURS)
    for number in range(2000):
        packet = offer(server=f"10.{number >> 8}.{number & 255}.9", options={60: b"PXEClient"})
        watch.receive(packet, "10.77.0.9", 0.0)

    assert len(watch._said) == 256


def test_dnsmasq_as_proxy_is_noticed_in_real_captures() -> None:
    """dnsmasq answered on 10.77.0.2 there; seen from a server elsewhere it is foreign."""
    found = [
        judge(Packet.from_bytes(one.payload), one.source[0], frozenset({"10.77.0.50"}))
        for one in reader.dhcp("uefi64-edk2-native-dnsmasq-proxy")
    ]

    assert {one.server for one in found if one} == {"10.77.0.2"}
