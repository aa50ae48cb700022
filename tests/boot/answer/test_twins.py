"""The short cut for boot storms gives what the long way gives, byte for byte."""

from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netboot.boot.answer.proxy_dhcp import Answer, ProxyDhcp
from netboot.boot.answer.twins import Twins, make_pattern
from netboot.boot.told.events import Discovered, OfferSent
from netboot.images.versions.content_version import PublishedContent
from netboot.protocols.dhcp import Packet
from netboot.store.boots.journal_writer import encoded
from tests.captures import reader
from tests.support.boot_requests import BOTH, MAC, SETTINGS, X64, ipxe, published, request, version

SOURCE = ("0.0.0.0", 68)
OTHER = bytes.fromhex("525400770002")


def long_way(data: bytes, content: PublishedContent = BOTH) -> Answer:
    """What a server that has seen nothing before answers."""
    outcome, _ = ProxyDhcp(SETTINGS, lambda: content).receive(data, port=67, source=SOURCE, now=1.0)
    assert isinstance(outcome, Answer)
    return outcome


def server_that_knows(data: bytes, content: PublishedContent = BOTH) -> ProxyDhcp:
    """A server that has answered `data` the long way."""
    proxy = ProxyDhcp(SETTINGS, lambda: content)
    proxy.receive(data, port=67, source=SOURCE, now=0.0)
    return proxy


def discovers() -> list[bytes]:
    """The first DISCOVER of every captured boot, and some of our own making."""
    found = [reader.dhcp(name)[0].payload for name in reader.captures()]
    found += [bytes(request(architecture=code)) for code in (0, 6, 7, 9)]
    found.append(bytes(request(relay=b"\x0a\x4e\0\1", options={82: b"\x01\x04eth0"})))
    found.append(bytes(request(options={61: b"\x01" + MAC, 12: b"pc"})))
    return [data for data in found if b"iPXE" not in data]


def sibling(data: bytes, mac: bytes, xid: bytes, seconds: bytes, ids: bytes) -> bytes:
    """The same request from another machine."""
    packet = Packet.from_bytes(data)
    options = dict(packet.options)
    if 97 in options:
        options[97] = b"\0" + ids
    if 61 in options:
        options[61] = b"\x01" + mac
    other = packet._replace(
        mac=mac,
        xid=int.from_bytes(xid, "big"),
        seconds=int.from_bytes(seconds, "big"),
        options=options,
    )
    return bytes(other)[: len(data)].ljust(len(data), b"\0")


@pytest.mark.parametrize("data", discovers())
@given(
    mac=st.binary(min_size=6, max_size=6).filter(lambda mac: not mac[0] & 1 and any(mac)),
    xid=st.binary(min_size=4, max_size=4),
    seconds=st.binary(min_size=2, max_size=2),
    ids=st.binary(min_size=16, max_size=16),
)
def test_a_twin_gets_what_the_long_way_would_have_given(
    data: bytes, mac: bytes, xid: bytes, seconds: bytes, ids: bytes
) -> None:
    """For every firmware that was captured."""
    own = bytes(Packet.from_bytes(data))[: len(data)].ljust(len(data), b"\0")
    proxy = server_that_knows(own)
    other = sibling(own, mac, xid, seconds, ids)
    if mac == own[28:34]:
        return
    twin = proxy.twin(other, 1.0)
    expected = long_way(other)

    assert twin is not None
    assert twin.payload == bytes(expected.packet)
    assert (twin.mac, twin.machine_id) == (expected.client.mac, expected.client.machine_id)
    assert twin.of.destination == expected.destination
    assert (twin.of.file, twin.of.version) == (expected.file, expected.version)
    assert twin.of.reason == expected.reason


@pytest.mark.parametrize(
    "data",
    [
        bytes(request(architecture=6, mac=OTHER)),
        bytes(request(mac=OTHER, options={12: b"x"})),
        bytes(request(mac=OTHER)._replace(flags=0)),
        bytes(request(mac=OTHER, relay=b"\x0a\x4e\0\1")),
        bytes(request(mac=OTHER, vendor_class=b"PXEClient:Arch:00007:UNDI:003001")),
        bytes(request(mac=OTHER, options={97: b"\0" * 16})),
        bytes(ipxe(mac=OTHER)),
        bytes(request(mac=b"\xff" * 6)),
        bytes(request(mac=bytes(6))),
        bytes(request(mac=OTHER))[:-1],
        b"",
    ],
)
def test_any_other_difference_goes_the_long_way(data: bytes) -> None:
    """Architecture, flags, relay, class, options, length."""
    assert server_that_knows(bytes(request())).twin(data, 1.0) is None


def test_a_machine_that_is_known_goes_the_long_way() -> None:
    """Its second try may need another shape, and limits count it."""
    proxy = server_that_knows(bytes(request()))

    assert proxy.twin(bytes(request()), 1.0) is None
    assert proxy.twin(bytes(request(mac=OTHER)), 1.0) is not None
    assert proxy.twin(bytes(request(mac=OTHER)), 1.0) is None


def test_a_machine_with_its_own_image_goes_the_long_way() -> None:
    """And what it gets is not given to others."""
    special = version(image="Special")
    content = published(X64, special, assignments={"52:54:00:77:00:02": "Special"})
    proxy = server_that_knows(bytes(request(mac=OTHER)), content)
    assert proxy.twin(bytes(request()), 1.0) is None

    proxy = server_that_knows(bytes(request()), content)
    assert proxy.twin(bytes(request(mac=OTHER)), 1.0) is None


def test_what_was_published_since_is_what_twins_get() -> None:
    """A pattern is as old as the snapshot it was made from."""
    content = [BOTH]
    proxy = ProxyDhcp(SETTINGS, lambda: content[0])
    proxy.receive(bytes(request()), port=67, source=SOURCE, now=0.0)
    content[0] = published(version(number=8))
    third = bytes.fromhex("525400770003")

    assert proxy.twin(bytes(request(mac=OTHER)), 1.0) is None
    outcome, _ = proxy.receive(bytes(request(mac=OTHER)), port=67, source=SOURCE, now=1.0)
    assert isinstance(outcome, Answer)
    twin = proxy.twin(bytes(request(mac=third)), 2.0)
    assert twin is not None
    assert twin.of.version.number == 8


def test_personal_answers_have_no_twins() -> None:
    """The URL of a script names its machine."""
    proxy = server_that_knows(bytes(ipxe()))

    assert proxy.twin(bytes(ipxe(mac=OTHER)), 1.0) is None


def test_the_memory_of_patterns_is_bounded() -> None:
    """Hostile requests of a thousand kinds."""
    twins: Twins[int] = Twins()
    answer = bytes(long_way(bytes(request())).packet)
    for size in range(200):
        for kind in range(20):
            twins.remember(bytes(request(options={12: bytes((kind,)) * size})), answer, 0)

    assert sum(len(known) for known in twins._patterns.values()) <= 64 * 8


@pytest.mark.parametrize(
    "options",
    [b"\x34\x01\x01\xff", b"\x0c\x01a\x0c\x01b\xff", b"\x61\x02ab\xff", b"\0\x0c\x01a\xff"],
)
def test_unusual_layouts_have_no_pattern(options: bytes) -> None:
    """Overload, parts, odd machine ids, pads."""
    data = bytes(request())[:240] + options

    assert make_pattern(data, data) is None


def test_what_is_told_of_a_twin_is_as_if_it_had_been_told_anew() -> None:
    """The same value, and the same row in the journal; the first stays what it was."""
    seen = Discovered(at=1.0, mac="a", ip="10.0.0.9", architecture="x64", firmware="uefi",
                      stage="firmware", machine_id="one", vendor_class="PXEClient")  # fmt: skip
    twin = replace(seen, at=2.0, mac="b", machine_id="two")
    offered = OfferSent(at=1.0, mac="a", file="x.efi", image="PE", version=4, reason="default")

    for again, anew in (
        (seen.of_twin(2.0, "b", "two"), twin),
        (offered.again(2.0, "b"), replace(offered, at=2.0, mac="b")),
    ):
        assert again == anew
        assert encoded(again) == encoded(anew)
        with pytest.raises(FrozenInstanceError):
            again.mac = "c"  # type: ignore[misc]
    assert (seen.machine_id, offered.mac) == ("one", "a")
