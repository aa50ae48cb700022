"""netboot.formats.inf.decoration against the rules and examples that Microsoft documents."""

import pytest

from netboot.formats.inf.decoration import Target, choose, parse_target

XP, VISTA, WINDOWS_7, WINDOWS_10 = 2600, 6000, 7600, 10240


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("", Target()),
        ("NT", Target()),
        ("NTx86", Target("x86")),
        ("ntAMD64", Target("amd64")),
        ("NTamd64.6.1", Target("amd64", WINDOWS_7)),
        ("NTx86.5.1", Target("x86", XP)),
        ("NT.5", Target("", 2195)),
        ("NTarm64.10.0", Target("arm64", WINDOWS_10)),
        ("NTamd64.10.0...17763", Target("amd64", 17763)),
        ("NTamd64.10.0.1", Target("amd64", WINDOWS_10, 1)),
        ("NTamd64.10.0.0x0000001.0x100.18362", Target("amd64", 18362, 1, 0x100)),
        ("NTx86....0x80", Target("x86", 0, 0, 0x80)),
        ("NTamd64.6.4", Target("amd64", 9600)),
        ("NT$ARCH$", None),
        ("NTamd64.ten", None),
        ("amd64", None),
        ("NTamd64.10.0.1.0.18362.7", None),
    ],
)
def test_decorations(text, target):
    """Architecture, version, product type, suite and build, each of them optional."""
    assert target == parse_target(text)


def chosen(decorations, architecture, build):
    """The decoration that Windows PE of this build uses; None for no section at all."""
    words = ["", *decorations]
    for span in choose([parse_target(word) for word in words], architecture):
        if span.minimum_build <= build and not (span.maximum_build and build >= span.maximum_build):
            return words[span.position]
    return None


I219 = ["NTamd64.10.0.1", "NTamd64.10.0.1..18362", "NTamd64.10.0...18362"]


@pytest.mark.parametrize(
    ("decorations", "architecture", "build", "decoration"),
    [
        # Intel's e1d68x64.inf, checked by hand.
        (I219, "amd64", 17763, "NTamd64.10.0.1"),
        (I219, "amd64", 19041, "NTamd64.10.0.1..18362"),
        (I219, "amd64", 9600, None),
        (I219, "x86", 19041, ""),
        # The examples of "INF Manufacturer Section".
        (["NT", "NT.5", "NT.5.5", "NT....0x80"], "x86", XP, "NT.5"),
        (["NTx86....0x80", "NTamd64"], "amd64", XP, "NTamd64"),
        (["NTx86....0x80", "NTamd64"], "x86", XP, ""),
        (["NTx86.5.1"], "x86", XP - 1, ""),
        (["NTx86.5.1"], "x86", WINDOWS_10, "NTx86.5.1"),
        (["NTx86.6.0", "NTx86.5.1"], "x86", VISTA, "NTx86.6.0"),
        (["NTx86.6.0", "NTx86.5.1"], "x86", XP, "NTx86.5.1"),
        (["NT.7.8"], "x86", WINDOWS_10, "NT.7.8"),
        # Since Server 2003 SP1 other architectures must be named.
        ([], "x86", WINDOWS_10, ""),
        ([], "amd64", WINDOWS_10, None),
        (["NT.6.0"], "amd64", WINDOWS_10, None),
        (["NT.6.0"], "x86", WINDOWS_10, "NT.6.0"),
        (["NTamd64"], "arm64", WINDOWS_10, None),
        # A build counts; servers do not; nor do Windows that are yet to come.
        (["NTamd64.10.0...14393"], "amd64", 10586, None),
        (["NTamd64.10.0...14393"], "amd64", 14393, "NTamd64.10.0...14393"),
        (["NTamd64.6.1.3", "NTamd64.6.1"], "amd64", WINDOWS_10, "NTamd64.6.1"),
        (["NTamd64.10.0.3"], "amd64", WINDOWS_10, None),
        (["NTamd64.11.0"], "amd64", 26100, None),
        # Among equals the more specific one.
        (["NTamd64.6.1", "NTamd64.6.1.1"], "amd64", WINDOWS_10, "NTamd64.6.1.1"),
        (["NT", "NTx86"], "x86", WINDOWS_10, "NTx86"),
        (["NT.6.1", "NTx86"], "x86", WINDOWS_10, "NT.6.1"),
    ],
)
def test_the_section_that_windows_takes(decorations, architecture, build, decoration):
    """The highest version not above its own, then the more specific decoration."""
    assert decoration == chosen(decorations, architecture, build)
