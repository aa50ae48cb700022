"""netboot.formats.pe against headers made here and programs that others made."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netboot.errors import FormatError
from netboot.formats.pe import HEADER_BYTES, parse
from tests.formats.programs import program

IPXE = Path("/usr/lib/ipxe")


@pytest.mark.parametrize("machine", ["x86", "amd64", "arm64", "ia64"])
@pytest.mark.parametrize("signed", [True, False])
def test_machine_and_signature(machine, signed):
    """A header says for which processor the program is and whether it is signed."""
    data = program(machine, signed=signed, payload=b"code" * 9)
    facts = parse(data, size=len(data))
    assert (machine, signed) == (facts.machine, facts.signed)


def test_signature_lies_where_the_header_says():
    """The security directory's address is an offset in the file."""
    data = program("amd64", signed=True, payload=b"x" * 100)
    start, length = parse(data, size=len(data)).signature
    assert (len(data), b"\x30" * 16) == (start + length, data[start + 8 : start + length])


def test_signature_beyond_the_end_is_none():
    """A certificate table that the file does not hold is no signature."""
    data = program("amd64", signed=True)[:-1]
    assert not parse(data, size=len(data)).signed


def test_only_the_first_bytes_are_needed():
    """The header is enough; the size of the whole file is told."""
    data = program("amd64", signed=True, payload=b"\0" * 100_000)
    assert parse(memoryview(data)[:HEADER_BYTES], size=len(data)).signed


def test_unknown_machine_is_told_as_a_number():
    """A processor without an INF word comes out as its number."""
    data = bytearray(program("amd64"))
    data[0x84:0x86] = b"\x34\x12"
    assert parse(bytes(data), size=len(data)).machine == "0x1234"


@pytest.mark.parametrize("name", ["ipxe.efi", "snponly.efi", "ipxe-arm64.efi"])
def test_programs_that_others_made(name):
    """iPXE's EFI programs are unsigned and for the processor that their name says."""
    path = IPXE / name
    if not path.exists():
        pytest.skip(f"{name} is not installed")
    data = path.read_bytes()
    facts = parse(data[:HEADER_BYTES], size=len(data))
    assert ("arm64" if "arm64" in name else "amd64", False) == (facts.machine, facts.signed)


@pytest.mark.parametrize("cut", [0, 1, 2, 0x3F, 0x81, 0x90, 0x98, 0x100])
def test_a_cut_header_is_no_program(cut):
    """Wherever the header ends too early, it is refused."""
    with pytest.raises(FormatError):
        parse(program("amd64")[:cut], size=cut)


@given(st.binary(max_size=400), st.integers(0, 1 << 40))
def test_any_bytes_give_facts_or_a_format_error(data, size):
    """Nothing else than a FormatError comes out of bad bytes."""
    for head in (data, b"MZ" + data, program("x86")[:0x84] + data):
        try:
            parse(head, size=size)
        except FormatError:
            continue
