"""What goes over the wire while a machine starts by Microsoft's chain, as its loaders ask."""

import re
from pathlib import Path

import pytest

from netboot.errors import NotPermitted
from netboot.images.architecture import Architecture
from netboot.protocols.tftp import Error, OptionAck, ReadRequest, from_bytes
from tests.vm.frames import read_pcap
from vm.machine.firmware import VIRTIO, FirmwareKind
from vm.machine.spec import MachineSpec
from vm.network.lab_network import Slot
from vm.proof import site_in_lab
from vm.testrun import try_boot
from vm.verdict import Result

pytestmark = [pytest.mark.vm, pytest.mark.netns, pytest.mark.timeout(900)]

UEFI = MachineSpec(FirmwareKind.UEFI_X64, VIRTIO, Slot(0))
UDP_PAYLOAD = 42
KINDS = {b"\0\1", b"\0\5", b"\0\6"}
"""Opcodes of a read request, an error, an option acknowledgement."""


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """The TFTP packets of one boot that come before any data, in their order, and the verdict."""
    folder = tmp_path_factory.mktemp("native")
    try:
        with site_in_lab(folder, capture=True) as laboratory:
            laboratory.site.prefer(Architecture.X64, "native")
            tried = try_boot(
                UEFI,
                laboratory.network,
                folder / "machine",
                reports=laboratory.reports(),
                accelerator=laboratory.accelerator(UEFI.firmware),
            )
    except NotPermitted as refusal:
        pytest.skip(f"{refusal} {refusal.hint}")
    (capture,) = (folder / "network").glob("*.pcap")
    return packets(capture), tried


def packets(capture: Path) -> list[ReadRequest | OptionAck | Error]:
    """Requests, option acknowledgements and errors."""
    found = []
    for frame in read_pcap(capture.read_bytes()):
        is_udp = frame[12:14] == b"\x08\x00" and frame[23] == 17
        if is_udp and frame[UDP_PAYLOAD : UDP_PAYLOAD + 2] in KINDS:
            length = int.from_bytes(frame[38:40], "big") - 8
            found.append(from_bytes(frame[UDP_PAYLOAD : UDP_PAYLOAD + length]))
    return found


def test_the_machine_came_up_on_the_image_that_was_served(told):
    """Offline, for its card has no driver in it: but with that version, out of that WIM."""
    _, tried = told

    assert (tried.verdict.result, tried.verdict.version) == (Result.OFFLINE, 2), tried.run.words
    sizes = re.findall(r"SURROGATE GOT \\Boot\\boot\.wim size=(\d+)", tried.run.serial)
    assert sizes
    assert f"LABPE WIM size={sizes[0]}" in re.sub(r"LABPE [\d.]+ ", "LABPE ", tried.run.serial)


def test_the_names_are_asked_for_as_microsofts_loaders_do(told):
    """With backslashes, probes before the configuration, the image last."""
    said, _ = told
    names = [one.name for one in said if isinstance(one, ReadRequest)]
    first = list(dict.fromkeys(names))

    assert first[0] == b"bootmgfw.efi"
    assert first.index(rb"\EFI\Microsoft\Boot\SecureBootPolicy.p7b") < first.index(rb"\BCD")
    in_order = [rb"\BCD", rb"\Boot\BCD", rb"\Boot\boot.sdi", rb"\Boot\boot.wim"]
    assert in_order == [name for name in first if name in in_order]


def test_sizes_are_probed_and_the_probe_is_ended_by_the_client(told):
    """A request with tsize, its answer, ERROR 8; then a request for the bytes."""
    said, _ = told
    at = next(n for n, one in enumerate(said) if getattr(one, "name", b"") == rb"\Boot\boot.wim")
    request, answer, end, again = said[at : at + 4]

    assert request.options["tsize"] == b"0"
    assert int(answer.options["tsize"]) > 1 << 20
    assert (Error, 8) == (type(end), end.code)
    assert again.name == rb"\Boot\boot.wim"


def test_what_is_not_there_is_said_to_be_not_there(told):
    """ERROR 1 is the very next packet after each probe for a file that the image lacks."""
    said, _ = told
    probes = [
        n
        for n, one in enumerate(said)
        if isinstance(one, ReadRequest) and one.name.endswith((b".p7b", b".pol", b".stl"))
    ]

    assert len(probes) >= 6
    for at in probes:
        assert (Error, 1) == (type(said[at + 1]), said[at + 1].code)
