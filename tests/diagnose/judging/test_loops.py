"""What is handed again and again is called a loop, with its cure."""

import pytest

from netboot.diagnose.asking.answers import Reply
from netboot.diagnose.asking.fetch import Fetched
from netboot.diagnose.asking.firmware import KINDS, Machine
from netboot.diagnose.evidence import Evidence
from netboot.diagnose.expectation import Expectation
from netboot.diagnose.judging.findings import Level
from netboot.diagnose.judging.loops import loop

IPXE = next(one for one in KINDS if one.key == "ipxe-x64")
SCRIPT = Fetched("http://h/boot.ipxe", b"#!ipxe\nchain ipxe.efi\n")
OFFER = Reply(1, "10.0.0.9", 67, 2, "10.0.0.9", "0.0.0.0", "10.0.0.9", "snponly.efi", "PXEClient")


def test_what_ends_is_no_loop() -> None:
    assert loop(Evidence(kind=IPXE, program=SCRIPT), Expectation()) == []


@pytest.mark.parametrize(
    ("offers", "line"),
    [
        ((OFFER,), "dhcp-boot=tag:!ipxe,snponly.efi"),
        ((), 'pxe-service=tag:!ipxe,X86-64_EFI,"netboot",snponly.efi'),
    ],
)
def test_ipxe_that_gets_ipxe_is_cured_where_it_is_named(
    offers: tuple[Reply, ...], line: str
) -> None:
    evidence = Evidence(
        kind=IPXE, offers=offers, program=Fetched("snponly.efi", b"MZ"), loop="snponly.efi"
    )
    (finding,) = loop(evidence, Expectation(server="10.0.0.2"))

    assert (finding.level, finding.words) == (
        Level.FAULT, "loops: iPXE is handed iPXE again (snponly.efi), without end"
    )  # fmt: skip
    assert f"  {line}\n" in finding.cure
    assert "  dhcp-boot=tag:ipxe,http://10.0.0.2:8081/boot.ipxe\n" in finding.cure


def test_a_bios_gets_the_line_for_a_bios() -> None:
    kind = Machine.new(KINDS[0]).as_ipxe().kind
    program = Fetched("undionly.kpxe", b"x")
    (finding,) = loop(Evidence(kind=kind, program=program, loop="undionly.kpxe"), Expectation())

    assert 'pxe-service=tag:!ipxe,x86PC,"netboot",undionly.kpxe' in finding.cure


def test_a_script_that_starts_ipxe_and_one_that_comes_back_are_told_apart() -> None:
    (again,) = loop(Evidence(kind=IPXE, program=SCRIPT, loop=SCRIPT.name), Expectation())
    (back,) = loop(Evidence(kind=IPXE, program=SCRIPT, loop="a → b → a"), Expectation())

    assert again.words.startswith("loops: http://h/boot.ipxe starts another iPXE")
    assert back.words == "loops: the script comes back to itself: a → b → a"
    assert again.cure
    assert back.cure
