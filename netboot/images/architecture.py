"""The processor architecture of machines, drivers and images."""

from enum import StrEnum


class Architecture(StrEnum):
    """As the console calls them.

    INF decorations are NTx86, NTamd64, NTarm64 (Microsoft: "INF Manufacturer Section"), WIM XML
    has 0, 9, 12 (WINDOWS/ARCH).
    """

    X86 = "x86"
    X64 = "x64"
    ARM64 = "arm64"
