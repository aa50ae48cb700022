"""A packet is read once into the facts that decide a boot."""

import pytest

from netboot.boot.answer.client import (
    BootClient,
    Firmware,
    NotOurs,
    Stage,
    identify,
    machine_name,
)
from netboot.images.architecture import Architecture
from netboot.protocols.dhcp import MessageType, Packet
from netboot.protocols.pxe import ArchitectureType
from tests.captures import reader
from tests.support.boot_requests import MAC, ipxe, request


def client_of(packet: Packet) -> BootClient:
    """The boot client that a test takes for granted."""
    found = identify(packet)
    assert isinstance(found, BootClient)
    return found


def reason_of(packet: Packet) -> str:
    """Why a packet is none of ours."""
    found = identify(packet)
    assert isinstance(found, NotOurs)
    return found.reason


@pytest.mark.parametrize(
    ("code", "firmware", "architecture", "stage"),
    [
        (0, Firmware.BIOS, Architecture.X86, Stage.FIRMWARE),
        (6, Firmware.UEFI, Architecture.X86, Stage.FIRMWARE),
        (7, Firmware.UEFI, Architecture.X64, Stage.FIRMWARE),
        (9, Firmware.UEFI, Architecture.X64, Stage.FIRMWARE),
        (11, Firmware.UEFI, Architecture.ARM64, Stage.FIRMWARE),
        (15, Firmware.UEFI, Architecture.X86, Stage.FIRMWARE_HTTP),
        (16, Firmware.UEFI, Architecture.X64, Stage.FIRMWARE_HTTP),
        (17, Firmware.UEFI, Architecture.X64, Stage.FIRMWARE_HTTP),
        (19, Firmware.UEFI, Architecture.ARM64, Stage.FIRMWARE_HTTP),
        (20, Firmware.BIOS, Architecture.X86, Stage.FIRMWARE_HTTP),
        (2, Firmware.UEFI, None, Stage.FIRMWARE),
        (27, Firmware.UEFI, None, Stage.FIRMWARE),
        (4711, Firmware.UEFI, None, Stage.FIRMWARE),
    ],
)
def test_option_93_tells_firmware_and_architecture(
    code: int, firmware: Firmware, architecture: Architecture | None, stage: Stage
) -> None:
    """7 and 9 are alike; what we have no image for is known by name all the same."""
    client = client_of(request(architecture=code))

    assert (client.firmware, client.architecture, client.stage) == (firmware, architecture, stage)


@pytest.mark.parametrize("code", list(ArchitectureType))
def test_every_code_of_the_registry_has_a_name(code: ArchitectureType) -> None:
    """A person reads a machine's kind, not a number."""
    assert machine_name(code) != f"machine of type {code}"


def test_ipxe_is_known_by_its_user_class_and_by_option_175() -> None:
    """Either is enough."""
    by_class = client_of(request(architecture=0, options={77: b"iPXE"}))
    by_option = client_of(request(architecture=0, options={175: b""}))

    assert (by_class.stage, by_option.stage) == (Stage.IPXE, Stage.IPXE)


def test_ipxe_tells_the_cards_pci_id() -> None:
    """Bus-id of option 175."""
    assert client_of(ipxe()).nic == "8086:100e"


def test_the_architecture_comes_from_option_60_where_93_is_missing() -> None:
    """And that is noted."""
    client = client_of(request(architecture=None, vendor_class=b"PXEClient:Arch:00007:UNDI:003016"))

    assert client.architecture is Architecture.X64
    assert client.notes == ("the architecture is from option 60",)


def test_a_client_without_any_architecture_is_taken_for_a_bios_pc() -> None:
    """Old ROMs know of nothing else."""
    client = client_of(request(architecture=None, vendor_class=b"PXEClient"))

    assert client.firmware is Firmware.BIOS
    assert client.notes == ("no architecture given: taken for a BIOS PC",)


def test_an_odd_option_93_is_noted_and_not_used() -> None:
    """Three bytes are no 16-bit code."""
    client = client_of(request(options={93: b"\x00\x07\x00"}))

    assert client.architecture is Architecture.X64
    assert "option 93 has 3 bytes" in client.notes


def test_of_several_architectures_the_first_that_we_know_counts() -> None:
    """RFC 4578 allows a list."""
    assert client_of(request(options={93: b"\x00\x02\x00\x07"})).architecture_code == 7


@pytest.mark.parametrize("value", [None, b"", b"\0" * 16, b"\0" * 40])
def test_a_missing_or_odd_machine_id_does_not_matter(value: bytes | None) -> None:
    """ROMs in the wild omit option 97 and still want to boot."""
    packet = request()
    options = {code: one for code, one in packet.options.items() if code != 97}
    if value is not None:
        options[97] = value

    assert client_of(packet._replace(options=options)).machine_id == ""


@pytest.mark.parametrize(
    ("packet", "reason"),
    [
        (request()._replace(op=2), "a server's reply, not a request"),
        (
            request(vendor_class=b"MSFT 5.0"),
            "does not ask for a network boot (no PXEClient or HTTPClient in option 60)",
        ),
        (
            Packet(op=1, xid=1, mac=MAC, options={53: b"\1"}),
            "does not ask for a network boot (no PXEClient or HTTPClient in option 60)",
        ),
        (request(message=MessageType.RELEASE), "a RELEASE"),
        (request(options={53: b""}), "a message without a type"),
        (request(mac=bytes(6)), "00:00:00:00:00:00 cannot be a machine's address"),
        (request(mac=b"\xff" * 6), "ff:ff:ff:ff:ff:ff cannot be a machine's address"),
    ],
)
def test_what_is_no_boot_request_says_why(packet: Packet, reason: str) -> None:
    """Only PXEClient and HTTPClient, only DISCOVER, REQUEST and INFORM, only real addresses."""
    assert reason_of(packet) == reason


PI_4 = bytes.fromhex("dca632000001")
SERIAL = b"\0RPi4" + bytes(12)


@pytest.mark.parametrize(
    ("mac", "own_id"),
    [
        (PI_4, SERIAL),
        (PI_4, None),
        (PI_4, b"\0" + b"D" * 16),
        (MAC, SERIAL),
        (MAC, b"\0RPi5" + bytes(12)),
        (bytes.fromhex("b827eb000001"), bytes(17)),
    ],
)
def test_a_raspberry_pi_is_no_bios_pc_whatever_it_says(mac: bytes, own_id: bytes | None) -> None:
    """Its ROM sends architecture 0."""
    packet = request(architecture=0, mac=mac, options={97: own_id} if own_id else None)
    client = client_of(packet)

    assert machine_name(client.architecture_code) == "Raspberry Pi"
    assert (client.architecture, client.architecture_code) == (None, 41)
    assert client.firmware is Firmware.RASPBERRY_PI


def test_uefi_on_a_raspberry_pi_is_an_arm64_machine() -> None:
    client = client_of(request(architecture=11, mac=PI_4, options={97: SERIAL}))

    assert client.architecture is Architecture.ARM64


def test_a_bios_pc_stays_one() -> None:
    assert machine_name(client_of(request(architecture=0)).architecture_code) == "BIOS PC"


def test_addresses_are_dotted_or_empty() -> None:
    """Zeros are no address."""
    here = client_of(request(relay=b"\x0a\x4e\0\1", address=b"\x0a\x4e\0\5"))
    nowhere = client_of(request())

    assert (here.relay, here.address) == ("10.78.0.1", "10.78.0.5")
    assert (nowhere.relay, nowhere.address) == ("", "")


def test_a_hostile_vendor_class_is_short_and_harmless() -> None:
    """64 bytes are kept, with escapes."""
    client = client_of(request(vendor_class=b"PXEClient<script>\n\x1b[31m\xff" + b"x" * 180))

    assert client.vendor_class.startswith("PXEClient<script>\\x0a\\x1b[31m\\xff")
    assert len(client.vendor_class) <= 4 * 64


STAGES = {
    "bios-ipxerom-dnsmasq-proxy": [Stage.IPXE],
    "bios-plainpxe-emulated-4011": [Stage.FIRMWARE, Stage.IPXE],
    "bios-plainpxe-emulated-undionly-chain": [Stage.FIRMWARE, Stage.IPXE],
    "bios-x64-seabios-ipxerom": [Stage.IPXE],
    "bios-x86-seabios-ipxerom": [Stage.IPXE],
    "uefi32-edk2-native-dnsmasq-proxy": [Stage.FIRMWARE, Stage.FIRMWARE_HTTP],
    "uefi32-edk2-native-grub": [Stage.FIRMWARE],
    "uefi32-httpboot-grub": [Stage.FIRMWARE_HTTP],
    "uefi64-edk2-native-4011": [Stage.FIRMWARE, Stage.IPXE],
    "uefi64-edk2-native-dnsmasq-proxy": [Stage.FIRMWARE],
    "uefi64-edk2-native-snponly": [Stage.FIRMWARE, Stage.IPXE],
    "uefi64-httpboot-grub": [Stage.FIRMWARE_HTTP],
    "uefi64-httpboot-snponly": [Stage.FIRMWARE_HTTP, Stage.IPXE],
    "uefi64-ipxe-efi-rom-e1000": [Stage.IPXE],
}


@pytest.mark.parametrize("name", reader.captures())
def test_the_stages_of_every_captured_boot_are_told_apart(name: str) -> None:
    """Real firmware, in the order in which the stages came."""
    found = [identify(Packet.from_bytes(one.payload)) for one in reader.dhcp(name)]
    clients = [one for one in found if isinstance(one, BootClient)]

    assert list(dict.fromkeys(one.stage for one in clients)) == STAGES[name]
    assert {one.firmware for one in clients} == {
        Firmware.BIOS if name.startswith("bios") else Firmware.UEFI
    }
