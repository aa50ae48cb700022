import subprocess
import zlib

import pytest

from netboot.errors import OperatorFault
from netboot.images.architecture import Architecture
from vm.labpe.initrd import GUEST, build_initrd


@pytest.mark.vm
def test_the_file_system_holds_shell_tool_and_scripts(lab_pe, busybox):
    """Everything that init calls is inside, for both architectures."""
    for architecture in lab_pe.initrd:
        raw = zlib.decompressobj(wbits=31).decompress(lab_pe.initrd[architecture].read_bytes())
        listed = subprocess.run([busybox, "cpio", "-t"], input=raw, capture_output=True, check=True)
        names = set(listed.stdout.decode().split())

        assert {"init", "bin/busybox", "bin/sh", "bin/wimlib-imagex"} <= names
        assert {f"labpe/{path.name}" for path in GUEST.iterdir() if path.name != "init"} <= names
        assert any(name.startswith("lib/libicudata.so.") for name in names)


@pytest.mark.vm
def test_its_size_is_a_multiple_of_four(lab_pe):
    """A UEFI loader puts boot.wim.cpio right behind, where the kernel wants it aligned."""
    assert [path.stat().st_size % 4 for path in lab_pe.initrd.values()] == [0, 0]


def test_missing_packages_are_told():
    """An empty set of files names the first program that is not there."""
    with pytest.raises(OperatorFault, match="bin/busybox"):
        build_initrd({}, Architecture.X64)
