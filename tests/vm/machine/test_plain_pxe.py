import pytest

from netboot.protocols.dhcp import Packet
from tests.vm.frames import captured, frame
from vm.machine.plain_pxe import PlainPxe, udp_destination, without_telltales

CAPTURE = "bios-x64-seabios-ipxerom"
USER_CLASS, IPXE = 77, 175


def discover() -> bytes:
    """An iPXE ROM's DISCOVER, as it was captured."""
    return next(f for f in captured(CAPTURE) if udp_destination(f) == 67)


def read(data: bytes) -> Packet:
    return Packet.from_bytes(data[42:])


def test_the_telltale_options_go_and_the_rest_stays():
    """Only 77 and 175 are missing afterwards; the frame keeps its size."""
    before, after = discover(), without_telltales(discover())

    assert len(before) == len(after)
    assert set(read(before).options) - {USER_CLASS, IPXE} == set(read(after).options)
    assert {USER_CLASS, IPXE} <= set(read(before).options)


def test_the_checksum_is_left_out():
    """A changed datagram carries no UDP checksum rather than a wrong one."""
    assert without_telltales(discover())[40:42] == b"\0\0"


def test_after_the_first_tftp_request_nothing_is_changed():
    """The program that we sent speaks for itself."""
    hook = PlainPxe()
    request = next(f for f in captured("uefi64-edk2-native-snponly") if udp_destination(f) == 69)

    assert discover() != hook(discover())
    assert request == hook(request)
    assert discover() == hook(discover())


@pytest.mark.parametrize("data", [b"", bytes(20), frame(1, 2)])
def test_other_frames_pass_untouched(data):
    """Short and foreign frames are nobody's business here."""
    assert data == PlainPxe()(data)


@pytest.mark.parametrize("cut", [42, 100, 290, 330])
def test_a_cut_datagram_does_no_harm(cut):
    """A frame that ends in the middle of its options keeps its size."""
    assert cut == len(PlainPxe()(discover()[:cut]))
