import ctypes
import platform
import sys
from pathlib import Path

import pytest

from netboot.errors import FormatError
from tests.vm.labpe.elf_files import module
from vm.labpe import elf


def test_a_module_tells_what_it_needs():
    """The facts of .modinfo come out by their names."""
    facts = elf.module_facts(module(license="GPL", depends="mii,ptp", name="e100"))

    assert facts == {"license": "GPL", "depends": "mii,ptp", "name": "e100"}


def test_the_running_python_needs_libc():
    """DT_NEEDED of a real program holds the C library."""
    needed = elf.needed_libraries(Path(sys.executable).resolve().read_bytes())

    assert any(name.startswith("libc.so.") for name in needed)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="loads a library for this processor")
def test_the_system_loader_takes_our_data_library(tmp_path):
    """ld.so loads it, finds its one symbol, and 64 zero bytes are there."""
    path = tmp_path / "libicudata.so.72"
    path.write_bytes(elf.data_library(path.name, "icudt72_dat", wide=True))

    library = ctypes.CDLL(str(path))

    assert bytes(64) == bytes((ctypes.c_char * 64).in_dll(library, "icudt72_dat"))


@pytest.mark.parametrize("wide", [True, False])
def test_a_data_library_is_made_for_its_processor(wide):
    """Word size and machine stand in the header (ELF gABI, e_ident and e_machine)."""
    data = elf.data_library("lib.so.1", "symbol", wide=wide)

    assert (2 if wide else 1, 62 if wide else 3) == (data[4], data[18])


@pytest.mark.parametrize("data", [b"", b"MZ", b"\x7fELF" + bytes(60), module(a="b")[:100]])
def test_what_is_no_module_is_a_format_error(data):
    """Damaged and foreign files are refused, never a crash."""
    with pytest.raises(FormatError):
        elf.module_facts(data)
