"""The processor a piece of code runs on, in the field's names."""

from enum import StrEnum


class Architecture(StrEnum):
    """What code a machine, a driver or an image is made of.

    The values are the console's words; INF decorations say NTx86, NTamd64, NTarm64
    (docs: "INF Manufacturer Section"), WIM XML says 0, 9, 12 (WINDOWS/ARCH).
    """

    X86 = "x86"
    X64 = "x64"
    ARM64 = "arm64"
