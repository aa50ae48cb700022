from tests.vm.frames import captured, frame
from vm.machine.plain_pxe import udp_destination
from vm.machine.witness import WINDOWS_ASKED, Witness


def tcp(payload: bytes) -> bytes:
    """A TCP segment over IPv4, as far as a witness looks."""
    head = bytes(12) + b"\x08\x00" + b"\x45" + bytes(8) + b"\x06" + bytes(10) + bytes(20)
    return head + payload


def test_stages_are_told_in_their_order():
    """A native UEFI boot asks for an address, then by TFTP."""
    witness = Witness()
    for data in captured("uefi64-edk2-native-snponly"):
        if udp_destination(data) in {67, 69}:
            witness(data)

    assert witness.stages[:2] == ["asked for an address", "asked by TFTP"]


def test_http_and_a_report_are_seen():
    """A request by HTTP is a stage; a report to the site is noted."""
    witness = Witness()
    witness(tcp(b"GET /boot.ipxe HTTP/1.1\r\n\r\n"))
    assert (witness.last_stage, witness.reported) == ("asked by HTTP", False)

    witness(tcp(b"POST /report/token HTTP/1.1\r\n\r\n"))
    assert witness.reported


def test_frames_pass_unchanged():
    """A witness only looks."""
    witness = Witness()

    assert frame(1, 2) == witness(frame(1, 2))
    assert (witness.frames, witness.last_stage) == (1, "sent nothing")


def test_windows_is_known_by_its_own_words():
    """A DHCP request with the vendor class of Windows' client; who waits for it is told once."""
    heard = []
    witness = Witness(on_stage=heard.append)
    asking = next(f for f in captured("uefi64-edk2-native-snponly") if udp_destination(f) == 67)
    for data in (asking, asking + b"MSFT 5.0", asking + b"MSFT 5.0"):
        witness(data)

    assert ["asked for an address", WINDOWS_ASKED] == witness.stages == heard
