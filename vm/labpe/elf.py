"""ELF files of the Lab PE: needed libraries, facts of a kernel module, a data-only library.

pyelftools reads, for every architecture. It writes nothing, so `data_library` packs its few
structures here: Tool Interface Standard (TIS) ELF specification 1.2; System V gABI chapter 4, 5.
"""

import struct
from dataclasses import dataclass
from io import BytesIO

from elftools.common.exceptions import ELFError
from elftools.elf.dynamic import DynamicSection
from elftools.elf.elffile import ELFFile

from netboot.errors import FormatError

_HASH_SYMBOL_COUNT = 2
_STUB_DATA_SIZE = 64


def needed_libraries(data: bytes) -> tuple[str, ...]:
    """The DT_NEEDED names of a program or a library, in their order. Raises FormatError."""
    try:
        dynamic = ELFFile(BytesIO(data)).get_section_by_name(".dynamic")
        if not isinstance(dynamic, DynamicSection):
            return ()
        # The attribute is made from the tag's name.
        return tuple(tag.needed for tag in dynamic.iter_tags("DT_NEEDED"))  # type: ignore[attr-defined]
    except ELFError as error:
        raise FormatError(f"not a whole ELF file: {error}") from error


def module_facts(data: bytes) -> dict[str, str]:
    """The first value of each key in a kernel module's `.modinfo` section. Raises FormatError."""
    try:
        section = ELFFile(BytesIO(data)).get_section_by_name(".modinfo")
    except ELFError as error:
        raise FormatError(f"not a whole ELF file: {error}") from error
    if section is None:
        raise FormatError("no .modinfo section: not a kernel module")
    facts: dict[str, str] = {}
    for entry in section.data().split(b"\0"):
        key, _, value = entry.decode("latin-1").partition("=")
        if key:
            facts.setdefault(key, value)
    return facts


def data_library(soname: str, symbol: str, *, wide: bool) -> bytes:
    """A shared library that exports `symbol` as 64 zero bytes, and nothing else.

    libicudata is 31 MB of tables that wimlib never reads, but the loader needs its one symbol.
    This replaces it, without a compiler.
    """
    names = b"\0" + soname.encode() + b"\0" + symbol.encode() + b"\0"
    symbol_name = 2 + len(soname)
    form = _WIDE if wide else _NARROW
    header_end = form.header + 2 * form.program
    at_symbols = _aligned(header_end, 16)
    at_hash = at_symbols + 2 * form.symbol
    at_names = at_hash + 4 * 6
    at_dynamic = _aligned(at_names + len(names), 16)
    at_data = at_dynamic + 7 * form.dynamic
    end = at_data + _STUB_DATA_SIZE
    dynamic = b"".join(
        struct.pack(form.dynamic_form, tag, value)
        for tag, value in (
            (14, 1),  # DT_SONAME
            (4, at_hash),  # DT_HASH
            (5, at_names),  # DT_STRTAB
            (6, at_symbols),  # DT_SYMTAB
            (10, len(names)),  # DT_STRSZ
            (11, form.symbol),  # DT_SYMENT
            (0, 0),  # DT_NULL
        )
    )
    image = bytearray(end)
    for offset, part in (
        (0, _file_header(form)),
        (form.header, _program_headers(form, end, at_dynamic, len(dynamic))),
        (at_symbols + form.symbol, _symbol(form, symbol_name, at_data)),
        (at_hash, struct.pack("<6I", 1, _HASH_SYMBOL_COUNT, 1, 0, 0, 0)),
        (at_names, names),
        (at_dynamic, dynamic),
    ):
        image[offset : offset + len(part)] = part
    return bytes(image)


@dataclass(frozen=True, slots=True)
class _Form:
    """Sizes in bytes of the structures of one word size."""

    wide: bool
    machine: int
    header: int
    program: int
    symbol: int
    dynamic: int
    dynamic_form: str


_WIDE = _Form(True, 62, 64, 56, 24, 16, "<QQ")  # noqa: FBT003  (a table)
_NARROW = _Form(False, 3, 52, 32, 16, 8, "<II")  # noqa: FBT003  (a table)


def _file_header(form: _Form) -> bytes:
    ident = b"\x7fELF" + bytes([2 if form.wide else 1, 1, 1]) + bytes(9)
    rest = (0, form.header, form.program, 2, 0, 0, 0)
    if form.wide:
        return ident + struct.pack("<HHIQQQI6H", 3, form.machine, 1, 0, form.header, 0, *rest)
    return ident + struct.pack("<HHIIIII6H", 3, form.machine, 1, 0, form.header, 0, *rest)


def _program_headers(form: _Form, end: int, at_dynamic: int, size: int) -> bytes:
    """PT_LOAD over the whole file (read, write) and PT_DYNAMIC."""
    if form.wide:
        return struct.pack("<IIQQQQQQ", 1, 6, 0, 0, 0, end, end, 4096) + struct.pack(
            "<IIQQQQQQ", 2, 6, at_dynamic, at_dynamic, at_dynamic, size, size, 8
        )
    return struct.pack("<8I", 1, 0, 0, 0, end, end, 6, 4096) + struct.pack(
        "<8I", 2, at_dynamic, at_dynamic, at_dynamic, size, size, 6, 4
    )


def _symbol(form: _Form, name: int, value: int) -> bytes:
    """A global data object (STB_GLOBAL, STT_OBJECT)."""
    if form.wide:
        return struct.pack("<IBBHQQ", name, 0x11, 0, 1, value, _STUB_DATA_SIZE)
    return struct.pack("<IIIBBH", name, value, _STUB_DATA_SIZE, 0x11, 0, 1)


def _aligned(offset: int, to: int) -> int:
    return -(-offset // to) * to
