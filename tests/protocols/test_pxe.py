"""What PXE adds: whose firmware talks."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netboot.protocols import pxe


@pytest.mark.parametrize(
    ("value", "codes"),
    [
        (b"\x00\x07", (7,)),
        (b"\x00\x00\x00\x07", (0, 7)),
        (b"", ()),
        (b"\x07", ()),
        (b"\x00\x07\x00", ()),
    ],
)
def test_option_93_is_a_list_of_16_bit_codes(value: bytes, codes: tuple[int, ...]) -> None:
    """Odd lengths are nothing, not half a code."""
    assert codes == pxe.architecture_codes(value)


@pytest.mark.parametrize(
    ("vendor_class", "code"),
    [
        (b"PXEClient:Arch:00007:UNDI:003016", 7),
        (b"HTTPClient:Arch:00016:UNDI:003001", 16),
        (b"PXEClient", None),
        (b"PXEClient:Arch:7:UNDI:1", None),
        (b"PXEClient:Arch:000", None),
    ],
)
def test_the_architecture_can_be_read_from_option_60(vendor_class: bytes, code: int | None) -> None:
    """Five digits behind `:Arch:`."""
    assert code == pxe.architecture_in_class(vendor_class)


def test_a_machine_id_reads_as_the_maker_prints_it() -> None:
    """Measured: QEMU's -uuid 00112233-... arrives with its leading fields turned round."""
    wire = b"\0" + bytes.fromhex("33221100554477668899aabbccddeeff")

    assert pxe.machine_id(wire) == "00112233-4455-6677-8899-aabbccddeeff"


@given(st.binary(min_size=16, max_size=16).filter(lambda one: len(set(one)) > 1))
def test_machine_ids_agree_with_the_standard_library(value: bytes) -> None:
    """`bytes_le` is what SMBIOS holds."""
    assert str(uuid.UUID(bytes_le=value)) == pxe.machine_id(b"\0" + value)


@pytest.mark.parametrize(
    "value", [b"", b"\0" * 17, b"\0" + b"\xff" * 16, b"\1" + b"a" * 16, b"\0" + b"a" * 15]
)
def test_a_machine_id_that_was_never_set_is_empty(value: bytes) -> None:
    """Zeros, ones, another type or another length identify nobody."""
    assert pxe.machine_id(value) == ""


@pytest.mark.parametrize(
    ("value", "classes"),
    [
        (b"iPXE", (b"iPXE",)),
        (b"\x04iPXE", (b"iPXE",)),
        (b"\x01a\x02bc", (b"a", b"bc")),
        (b"\x00", (b"\x00",)),
        (b"\x05ab", (b"\x05ab",)),
        (b"", ()),
    ],
)
def test_user_classes_come_with_or_without_a_length(
    value: bytes, classes: tuple[bytes, ...]
) -> None:
    """RFC 3004 wants lengths, iPXE sends none."""
    assert classes == pxe.user_classes(value)


def test_the_bus_id_of_ipxe_is_a_pci_id() -> None:
    """The option 175 of QEMU's ROM on an Intel 82540EM."""
    options = pxe.ipxe_options(bytes.fromhex("b105018086100eeb03010000"))

    assert pxe.pci_id(options[pxe.BUS_ID]) == "8086:100e"


@pytest.mark.parametrize("value", [b"", b"\x02\x80\x86\x10\x0e", b"\x01\x80\x86", b"\x01" * 6])
def test_a_bus_that_is_not_pci_has_no_pci_id(value: bytes) -> None:
    """Type 1 and four bytes, or nothing."""
    assert pxe.pci_id(value) == ""


@given(st.binary(max_size=64))
def test_garbage_in_nested_options_is_nothing(value: bytes) -> None:
    """Options 43, 77, 97 and 175 may contain anything."""
    pxe.ipxe_options(value)
    pxe.user_classes(value)
    item = pxe.boot_item(value)

    assert item is None or item == pxe.boot_item(pxe.encode_boot_item(item))


def test_a_boot_item_is_answered_as_it_was_asked() -> None:
    """From a capture: iPXE asks type 0x8000 layer 0, dnsmasq echoes it."""
    asked = bytes.fromhex("470480000000ff")

    assert asked == pxe.encode_boot_item(pxe.boot_item(asked) or (0, 0))
