"""What shape of answer a firmware needs."""

import pytest

from netboot.boot.client import BootClient, identify
from netboot.boot.quirks import ASK_BOOT_SERVER, DIRECT, FILE_ONLY, QUIRKS, Shape, quirk_of
from netboot.protocols.dhcp import Packet
from tests.boot_requests import ipxe, request


@pytest.mark.parametrize(
    ("packet", "attempt", "shape"),
    [
        (request(architecture=0), 1, DIRECT),
        (request(architecture=0), 9, DIRECT),
        (request(architecture=6), 1, DIRECT),
        (request(architecture=7), 2, DIRECT),
        (request(architecture=7), 3, ASK_BOOT_SERVER),
        (request(architecture=16), 3, FILE_ONLY),
        (ipxe(), 1, FILE_ONLY),
        (ipxe(architecture=7), 5, FILE_ONLY),
    ],
)
def test_each_kind_of_firmware_has_its_shape(packet: Packet, attempt: int, shape: Shape) -> None:
    """UEFI that took no offer twice is let to ask on port 4011."""
    client = identify(packet)
    assert isinstance(client, BootClient)

    assert quirk_of(client, attempt).shape is shape


def test_every_row_says_where_the_knowledge_comes_from() -> None:
    """A quirk without a source is a superstition."""
    assert all(quirk.name and quirk.source for quirk in QUIRKS)
