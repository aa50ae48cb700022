"""What shape of answer a firmware needs."""

import pytest

from netboot.boot.answer.client import BootClient, identify
from netboot.boot.answer.quirks import ASK_BOOT_SERVER, DIRECT, FILE_ONLY, QUIRKS, Shape, quirk_of
from netboot.protocols.dhcp import Packet
from tests.support.boot_requests import ipxe, request


@pytest.mark.parametrize(
    ("packet", "chain", "attempt", "shape"),
    [
        (request(architecture=0), "linux", 1, DIRECT),
        (request(architecture=0), "linux", 9, DIRECT),
        (request(architecture=6), "linux", 1, DIRECT),
        (request(architecture=7), "linux", 2, DIRECT),
        (request(architecture=7), "linux", 3, ASK_BOOT_SERVER),
        (request(architecture=16), "linux", 3, FILE_ONLY),
        (ipxe(), "linux", 1, FILE_ONLY),
        (ipxe(architecture=7), "linux", 5, FILE_ONLY),
        (request(architecture=0), "native", 1, ASK_BOOT_SERVER),
        (request(architecture=7), "native", 2, ASK_BOOT_SERVER),
        (request(architecture=7), "native", 3, DIRECT),
        (request(architecture=16), "native", 1, FILE_ONLY),
        (ipxe(), "native", 1, FILE_ONLY),
    ],
)
def test_each_kind_of_firmware_has_its_shape(
    packet: Packet, chain: str, attempt: int, shape: Shape
) -> None:
    """Whoever took no offer twice gets the other form."""
    client = identify(packet)
    assert isinstance(client, BootClient)

    assert quirk_of(client, chain, attempt).shape is shape


def test_every_row_says_where_the_knowledge_comes_from() -> None:
    """A quirk without a source is a superstition."""
    assert all(quirk.name and quirk.source for quirk in QUIRKS)


def test_every_row_says_whom_it_is_about_and_what_follows() -> None:
    """As the page shows it; no two rows are about the same."""
    assert len({quirk.about for quirk in QUIRKS}) == len(QUIRKS)
    assert QUIRKS[2].about == "PXE ROM, native chain, from its DISCOVER number 3 on"
    assert {quirk.shape.words for quirk in QUIRKS} == {
        "names the file, without option 43",
        "names the file, and option 43 says to take it",
        "names no file: the machine asks on port 4011",
    }
